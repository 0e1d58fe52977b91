#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/host_config.hpp"

namespace toolhost::app {

/// One thing that is wrong with the configuration.
struct ConfigProblem {
  std::string file;
  int line = 0;         ///< from 1; 0 when the file as a whole is meant
  int column = 0;       ///< from 1; 0 when the line as a whole is meant
  std::string message;  ///< what is wrong and what to write instead; printable
};
/// "config/toolhost.yaml:12:3: unknown key 'prot'; did you mean 'port'?"
std::string to_string(const ConfigProblem& problem);

/// By file, in the order of `files`, then by line and column.
void sort_by_place(std::vector<ConfigProblem>& problems, const std::vector<std::string>& files);

struct LoadedConfig {
  HostConfig config;
  std::vector<ConfigProblem> problems;  ///< everything that is wrong, in the order of files and lines; empty: usable
};

/// Reads a configuration file (YAML 1.2) and the tenants beside it. Unknown and duplicate keys, wrong types and values
/// out of range are problems. What only the plugins know is checked by check_against_plugins().
LoadedConfig load_config(const std::filesystem::path& file);
/// The same for one text, without a directory of tenants; `name` stands for the file in problems.
LoadedConfig parse_config(std::string_view yaml, const std::string& name);

/// Whatever makes load_config() read something else when it changes: the file and the directory of tenants.
std::vector<std::filesystem::path> watched_paths(const LoadedConfig& loaded);

}  // namespace toolhost::app
