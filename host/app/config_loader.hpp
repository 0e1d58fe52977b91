#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "app/host_config.hpp"

namespace toolhost::app {

/// One thing that is wrong with a configuration file.
struct ConfigProblem {
  std::string file;
  int line = 0;  ///< 1-based; 0 when the file as a whole is meant
  int column = 0;
  std::string message;  ///< what is wrong and what to write instead
};
/// "config/toolhost.yaml:12:3: unknown key 'prot'; did you mean 'port'?"
std::string to_string(const ConfigProblem& problem);

struct LoadedConfig {
  HostConfig config;
  std::vector<ConfigProblem> problems;  ///< everything that is wrong, in the order of the file; empty: usable
};

/// Reads a configuration file (YAML 1.2). Unknown and duplicate keys, wrong types and values out of range are problems.
LoadedConfig load_config(const std::filesystem::path& file);
/// The same for a text; `name` stands for the file in problems.
LoadedConfig parse_config(std::string_view yaml, const std::string& name);

}  // namespace toolhost::app
