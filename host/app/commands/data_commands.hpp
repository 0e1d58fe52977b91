#pragma once
#include <optional>
#include <string>
#include <vector>

#include "app/commands/command_context.hpp"

namespace toolhost::app {

struct ImportOptions {
  std::string plugin, file, tenant;
  std::string source;             ///< empty: the file's name
  std::vector<std::string> maps;  ///< FIELD=COLUMN
  std::string refused_file;       ///< empty: the first refused rows are shown
  bool dry_run = false;
};
/// `toolhost import`: reads a file into a plugin's data. Its exit code.
int run_import(const CommonOptions& common, const ImportOptions& options);

struct ExportOptions {
  std::string plugin, tenant;
  std::string output;  ///< empty: standard output
};
/// `toolhost export`: writes what import reads.
int run_export(const CommonOptions& common, const ExportOptions& options);

/// `toolhost reindex`: runs every plugin's job "reindex", for one tenant or, with an empty name, for all.
int run_reindex(const CommonOptions& common, const std::string& tenant);

}  // namespace toolhost::app
