#pragma once
#include <functional>
#include <memory>

#include "app/config/config_loader.hpp"
#include "app/config/host_config.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "observability/events.hpp"
#include "storage/database_address.hpp"
#include "storage/embedded_postgres.hpp"

namespace toolhost::app {

/// The database of a configuration, reachable while this object lives.
struct OpenDatabase {
  std::unique_ptr<storage::EmbeddedPostgres> embedded;  ///< null with `database.url`
  storage::DatabaseAddress address;
};
enum class DatabaseUse {
  kServe,    ///< this process runs the embedded server for as long as it lives
  kCommand,  ///< joins a running embedded server, or starts it for the time of one command
};
/// Opens the database and applies the host's own migrations. Main thread.
Result<OpenDatabase> open_database(const HostConfig& config, DatabaseUse use, observability::EventSink& events);

/// The key that hashes API keys; from the configuration, else data_dir/secrets/pepper (made on first use, mode 0600).
Result<Secret> load_pepper(const HostConfig& config);
/// The key that seals session ids and plugin tokens, likewise (data_dir/secrets/sealing-key).
Result<Secret> load_sealing_key(const HostConfig& config);

/// Resolves relative plugin files, the plugin store and the sealing key; what PluginHost::start() takes.
Result<plugin_runtime::PluginHostConfig> plugin_host_config(const HostConfig& config);

/// Runs the host until SIGINT or SIGTERM; a second one ends the drain at once. SIGHUP, and files that change, let it
/// take its configuration from `load` anew. `loaded` has no problems. Main thread; returns the process's exit code.
int serve(LoadedConfig loaded, std::function<LoadedConfig()> load);

}  // namespace toolhost::app
