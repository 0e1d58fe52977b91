#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "app/commands/exit_code.hpp"
#include "app/config/config_loader.hpp"
#include "app/host_app.hpp"
#include "base/result.hpp"
#include "storage/directory_store.hpp"

namespace CLI {
class App;
}

namespace toolhost::app {

/// What every subcommand that touches data understands.
struct CommonOptions {
  std::string config_file;
  std::optional<std::string> data_dir;
};

/// Adds --config and --data-dir to a command.
void add_common(CLI::App& command, CommonOptions& options);

/// Says on standard error why a command ends; its exit code.
int fail(const Error& error);

/// The configuration these options name, with what is wrong with it.
LoadedConfig load(const CommonOptions& options);
/// Prints them; what a command then fails with.
Error report_problems(const std::vector<ConfigProblem>& problems);
/// The configuration, usable or an error; problems are printed, all of them.
Result<HostConfig> configuration(const CommonOptions& options);
/// Where to ask a running host. What the file says wrong is the host's to tell, unless nobody can know then which
/// directory it names: such problems are printed.
Result<std::filesystem::path> data_dir_of(const CommonOptions& options);

/// The database and the directory of tenants and keys, for the time of one command.
struct CommandContext {
  HostConfig config;
  std::unique_ptr<observability::EventSink> events;
  OpenDatabase database;
  std::unique_ptr<storage::DirectoryStore> directory;
};
/// Whether a command makes the embedded database when there is none.
enum class NoDatabase {
  kMake,
  kRefuse,  ///< kNotFound: for commands that only look at, or change, what is there
};
Result<CommandContext> open_context(const CommonOptions& options, NoDatabase without = NoDatabase::kRefuse);

/// Who runs this command, for the audit: "cli:ana@host". As the system knows them, whatever the environment says.
storage::Actor command_actor();

/// Runs `action(context)`; it returns an exit code.
template <class Action>
int with_context(const CommonOptions& options, Action action, NoDatabase without = NoDatabase::kRefuse) {
  auto context = open_context(options, without);
  if (!context) return fail(context.error());
  return action(*context);
}

}  // namespace toolhost::app
