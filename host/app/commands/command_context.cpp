#include "app/commands/command_context.hpp"

#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <iostream>
#include <sstream>

#include "app/commands/console.hpp"
#include "app/config/config_loader.hpp"

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

void add_common(CLI::App& command, CommonOptions& options) {
  command.add_option("--config", options.config_file, "Configuration file (YAML); built-in defaults without it")
      ->type_name("FILE");
  command.add_option("--data-dir", options.data_dir, "Data directory; goes before the file's data_dir")
      ->type_name("DIR");
}

LoadedConfig load(const CommonOptions& options) {
  LoadedConfig loaded;
  if (options.config_file.empty()) {
    loaded.config = default_config();
  } else {
    loaded = load_config(options.config_file);
  }
  auto& data_dir = loaded.config.data_dir;
  if (options.data_dir) data_dir = *options.data_dir;
  if (data_dir.empty()) {
    loaded.problems.push_back({.file = "--data-dir", .message = "is empty; name a directory"});
  } else {
    data_dir = absolute_path(data_dir).lexically_normal();
  }
  return loaded;
}

Error report_problems(const std::vector<ConfigProblem>& problems) {
  for (const auto& problem : problems) std::cerr << to_string(problem) << "\n";
  return {Errc::kInvalidArgument, "the configuration has " + counted(problems.size(), "problem") + "; see above", ""};
}

Result<HostConfig> configuration(const CommonOptions& options) {
  LoadedConfig loaded = load(options);
  if (!loaded.problems.empty()) return report_problems(loaded.problems);
  return std::move(loaded.config);
}

Result<std::filesystem::path> data_dir_of(const CommonOptions& options) {
  LoadedConfig loaded = load(options);
  auto& [config, problems] = loaded;
  const bool is_named =
      options.data_dir || config.data_dir != absolute_path(default_config().data_dir).lexically_normal();
  std::erase_if(problems, [&](const auto& problem) {
    const bool is_of_host = problem.file == options.config_file || problem.file == "--data-dir";
    return !is_of_host || (is_named && problem.line > 0);
  });
  if (!problems.empty()) return report_problems(problems);
  return config.data_dir;
}

Result<CommandContext> open_context(const CommonOptions& options, NoDatabase without) {
  auto config = configuration(options);
  if (!config) return config.error();
  CommandContext context;
  context.config = std::move(*config);
  const bool is_embedded = !context.config.database_url && !context.config.database_url_reference;
  if (without == NoDatabase::kRefuse && is_embedded && !storage::EmbeddedPostgres::has_data(context.config.data_dir)) {
    return Error{Errc::kNotFound,
                 "there is no Toolhost data in " + context.config.data_dir.string() +
                     "; start the host there first, or name another --data-dir",
                 ""};
  }
  context.events = observability::create_log_sink(
      {.level = observability::Severity::kWarning, .format = observability::LogFormat::kText});
  auto database = open_database(context.config, DatabaseUse::kCommand, *context.events);
  if (!database) return database.error();
  context.database = std::move(*database);
  context.directory = storage::DirectoryStore::create(context.database.address);
  return context;
}

storage::Actor command_actor() {
  std::array<char, 256> text{};
  std::string user;
  if (::getlogin_r(text.data(), text.size()) == 0) {
    user = text.data();
  } else if (const passwd* entry = ::getpwuid(::getuid())) {
    user = entry->pw_name;
  } else {
    user = std::to_string(::getuid());
  }
  text.fill('\0');
  const bool has_name = ::gethostname(text.data(), text.size() - 1) == 0;
  return {"cli:" + user + "@" + (has_name ? text.data() : "localhost")};
}

}  // namespace toolhost::app
