#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace CLI {
class App;
}

namespace toolhost::app {

/// What `toolhost plugin new` is told.
struct NewPlugin {
  std::string language;             ///< "cpp", "c" or "rust"
  std::string id;                   ///< [a-z][a-z0-9_]*(\.[a-z0-9_]+)*, at most 47 bytes
  std::string name;                 ///< for people; empty: made from the id
  std::filesystem::path directory;  ///< empty: the last part of the id, in the working directory
  std::filesystem::path prefix;     ///< where Toolhost and the package toolhost-plugin are installed; needed for rust
};

/// A file of the new plugin, relative to its directory.
struct NewFile {
  std::filesystem::path path;
  std::string text;
};

/// The template of the language with the id and what follows from it in place of its own. kInvalidArgument, with what
/// is wrong, for an unknown language and for an id or name that cannot be one.
Result<std::vector<NewFile>> new_plugin_files(const NewPlugin& plugin);

/// Writes the files and answers with the directory, which is made. kConflict when something is in it: nothing is
/// overwritten.
Result<std::filesystem::path> write_new_plugin(const NewPlugin& plugin);

/// Adds `plugin new` to the command `plugin`.
void add_plugin_new_command(CLI::App& plugin, int& exit_code);

}  // namespace toolhost::app
