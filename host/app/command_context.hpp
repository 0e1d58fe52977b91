#pragma once
#include <memory>
#include <optional>
#include <string>

#include "app/exit_code.hpp"
#include "app/host_app.hpp"
#include "base/result.hpp"
#include "storage/directory_store.hpp"

namespace toolhost::app {

/// What every subcommand that touches data understands.
struct CommonOptions {
  std::string config_file;
  std::optional<std::string> data_dir;
};

/// Says on standard error why a command ends; its exit code.
int fail(const Error& error);

/// The configuration these options name; problems are printed, all of them.
Result<HostConfig> configuration(const CommonOptions& options);

/// The database and the directory of tenants and keys, for the time of one command.
struct CommandContext {
  HostConfig config;
  std::unique_ptr<observability::EventSink> events;
  OpenDatabase database;
  std::unique_ptr<storage::DirectoryStore> directory;
};
Result<CommandContext> open_context(const CommonOptions& options);

/// Runs `action(context)`; it returns an exit code.
template <class Action>
int with_context(const CommonOptions& options, Action action) {
  auto context = open_context(options);
  if (!context) return fail(context.error());
  return action(*context);
}

}  // namespace toolhost::app
