#include "app/command_context.hpp"

#include <iostream>
#include <sstream>

#include "app/config_loader.hpp"
#include "app/console.hpp"

namespace toolhost::app {

int fail(const Error& error) {
  std::istringstream lines(error.message);
  std::string line;
  for (const char* before = "toolhost: "; std::getline(lines, line); before = "  ")
    std::cerr << before << printable(line) << "\n";
  if (!error.detail.empty() && error.message.find(error.detail) == std::string::npos)
    std::cerr << "  " << printable(error.detail) << "\n";
  return exit_code_of(error.code);
}

Result<HostConfig> configuration(const CommonOptions& options) {
  HostConfig config;
  if (options.config_file.empty()) {
    config = default_config();
  } else {
    LoadedConfig loaded = load_config(options.config_file);
    for (const auto& problem : loaded.problems) std::cerr << to_string(problem) << "\n";
    if (!loaded.problems.empty()) {
      const auto count = loaded.problems.size();
      return Error{
          Errc::kInvalidArgument,
          "the configuration has " + std::to_string(count) + (count == 1 ? " problem" : " problems") + "; see above",
          ""};
    }
    config = std::move(loaded.config);
  }
  if (options.data_dir) {
    if (options.data_dir->empty()) return Error{Errc::kInvalidArgument, "--data-dir is empty; name a directory", ""};
    config.data_dir = *options.data_dir;
  }
  config.data_dir = std::filesystem::absolute(config.data_dir).lexically_normal();
  return config;
}

Result<CommandContext> open_context(const CommonOptions& options) {
  auto config = configuration(options);
  if (!config) return config.error();
  CommandContext context;
  context.config = std::move(*config);
  context.events = observability::create_log_sink(
      {.level = observability::Severity::kWarning, .format = observability::LogFormat::kText});
  auto database = open_database(context.config, DatabaseUse::kCommand, *context.events);
  if (!database) return database.error();
  context.database = std::move(*database);
  context.directory = storage::DirectoryStore::create(context.database.address);
  return context;
}

}  // namespace toolhost::app
