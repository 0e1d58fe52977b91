#include "app/stdio_host.hpp"

#include <unistd.h>

#include <csignal>
#include <thread>

#include "access/gatekeeper.hpp"
#include "app/config/config_check.hpp"
#include "app/database_keeper.hpp"
#include "app/end_signals.hpp"
#include "app/host_app.hpp"
#include "app/host_parts.hpp"
#include "app/stdio_journals.hpp"
#include "base/deadline.hpp"
#include "observability/audit_journal.hpp"
#include "observability/log.hpp"
#include "plugin_runtime/black_box.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "protocol/stdio_endpoint.hpp"
#include "storage/audit_shipper.hpp"
#include "storage/directory_store.hpp"
#include "storage/migrator.hpp"

namespace toolhost::app {
namespace {

using namespace std::chrono_literals;
using observability::Severity;

constexpr auto kWatchPeriod = 1s;
// serve may be starting again, and goes before a keeper.
constexpr auto kKeeperSilence = 6s;
// Clients send SIGTERM two seconds after they have closed their end.
constexpr auto kDrain = 300ms, kPluginsEnd = 100ms, kShip = 300ms, kEnd = 1100ms;

/// What such a host is made of, in the order in which it is built; members end in the reverse order.
struct StdioHost {
  std::unique_ptr<observability::EventSink> events;
  observability::AuditJournal* journal = nullptr;  // of events
  OpenDatabase database;
  std::unique_ptr<storage::DirectoryStore> directory;
  std::unique_ptr<storage::AuditShipper> shipper;
  std::unique_ptr<plugin_runtime::PluginHost> plugins;
  std::unique_ptr<access::Gatekeeper> gatekeeper;
  std::unique_ptr<protocol::StdioEndpoint> endpoint;
};

Result<> build_events(StdioHost& host, const HostConfig& config) {
  auto journal = open_stdio_journal(config.data_dir);
  if (!journal) return journal.error();
  (*journal)->set_keeps_calls(config.audit.keeps_calls);
  host.journal = journal->get();
  std::vector<std::unique_ptr<observability::EventSink>> sinks;
  sinks.push_back(std::move(*journal));  // first: what is answered has its record
  sinks.push_back(
      observability::create_log_sink({.level = Severity::kWarning, .format = observability::LogFormat::kText}));
  host.events = observability::create_fan_out(std::move(sinks));
  return {};
}

bool is_embedded(const HostConfig& config) {
  return !config.database_url && !config.database_url_reference;
}

Result<> build_database(StdioHost& host, const HostConfig& config) {
  if (is_embedded(config)) {
    if (!storage::EmbeddedPostgres::has_data(config.data_dir)) {
      return Error{Errc::kNotFound,
                   "there is no Toolhost data in " + config.data_dir.string() +
                       "; start the host there first (toolhost serve), or name another --data-dir",
                   ""};
    }
    const storage::EmbeddedPostgres::Config embedded{.data_directory = config.data_dir};
    auto server = storage::EmbeddedPostgres::join(embedded, *host.events);
    if (!server && server.error().code == Errc::kNotFound) {
      start_database_keeper(config.data_dir);
      server = storage::EmbeddedPostgres::open(embedded, *host.events);  // says what is wrong if that failed
    }
    if (!server) return server.error();
    host.database.embedded = std::move(*server);
    host.database.address = host.database.embedded->address();
    if (auto migrated = storage::migrate_host(host.database.address, *host.events); !migrated) return migrated.error();
  } else {
    auto database = open_database(config, DatabaseUse::kCommand, *host.events);
    if (!database) return database.error();
    host.database = std::move(*database);
  }
  host.directory = storage::DirectoryStore::create(host.database.address);
  return {};
}

Result<> build_plugins(StdioHost& host, const HostConfig& config) {
  auto wanted = plugin_host_config(config);
  if (!wanted) return wanted.error();
  wanted->log_level = Severity::kWarning;
  auto plugins = plugin_runtime::PluginHost::start(std::move(*wanted), host.database.address, *host.events);
  if (!plugins) return plugins.error();
  host.plugins = std::move(*plugins);
  const auto problems = check_against_plugins(config, *host.plugins);
  if (problems.empty()) return {};
  return Error{Errc::kInvalidArgument, "the configuration cannot be used: " + to_string(problems.front()), ""};
}

Result<> build_access(StdioHost& host, const HostConfig& config, const Secret& pepper) {
  access::GatekeeperConfig keys = config.keys;
  keys.policy = access::Policy::compile(config.policy);
  keys.is_trial = uses_local_sign_in(config);
  auto gatekeeper =
      access::Gatekeeper::start(host.database.address, Secret(std::string(pepper.reveal())), keys, *host.events);
  if (!gatekeeper) return gatekeeper.error();
  host.gatekeeper = std::move(*gatekeeper);
  return {};
}

Result<> build_endpoint(StdioHost& host, const HostConfig& config, const std::shared_ptr<transport::StdioPipe>& pipe,
                        Secret key) {
  const auto caller = host.gatekeeper->authenticate(key.reveal(), {}, "stdio");
  if (!caller) return caller.error();
  auto sealing_key = load_sealing_key(config);
  if (!sealing_key) return sealing_key.error();
  auto mcp = copy_of(config.mcp);
  mcp.sealing_key = std::move(*sealing_key);
  mcp.has_room = [&journal = *host.journal] { return journal.has_room(); };
  host.endpoint = protocol::StdioEndpoint::create(mcp, *host.gatekeeper, *host.plugins, *host.events, pipe,
                                                  std::move(key), *caller);
  return {};
}

/// `host` stays where it is: its parts know each other.
Result<> build(StdioHost& host, const HostConfig& config, const std::shared_ptr<transport::StdioPipe>& pipe,
               Secret key) {
  if (auto built = build_events(host, config); !built) return built;
  if (auto built = build_database(host, config); !built) return built;
  const auto pepper = load_pepper_of(config, *host.directory);
  if (!pepper) return pepper.error();
  host.shipper = storage::AuditShipper::start(
      host.database.address, *host.journal, *pepper,
      {.retention = config.audit.retention, .checkpoint_every = config.audit.checkpoint_every}, *host.events);
  if (auto built = build_plugins(host, config); !built) return built;
  if (auto built = build_access(host, config, *pepper); !built) return built;
  return build_endpoint(host, config, pipe, std::move(key));
}

/// Waits for the end; meanwhile the embedded database is begun again should whoever ran it have gone for good.
void wait_for_end(const sigset_t& signals, const StdioHost& host, const HostConfig& config) {
  const timespec period{std::chrono::seconds(kWatchPeriod).count(), 0};
  auto next_keeper = Deadline::after(0s);
  for (;;) {
    if (sigtimedwait(&signals, nullptr, &period) > 0) return;
    if (!host.database.embedded) continue;
    host.database.embedded->supervise();
    const bool is_away = host.database.embedded->pid() < 0 && host.gatekeeper->unconfirmed_for() > kKeeperSilence;
    if (!is_away || !next_keeper.has_passed()) continue;
    next_keeper = Deadline::after(kKeeperSilence);
    std::thread([directory = config.data_dir] { start_database_keeper(directory); }).detach();
  }
}

/// A plugin or a reader that hangs does not hold up the end.
void end_soon() {
  std::thread([] {
    std::this_thread::sleep_for(kEnd);
    std::_Exit(0);
  }).detach();
}

}  // namespace

Result<> serve_stdio(const HostConfig& config, const std::shared_ptr<transport::StdioPipe>& pipe, Secret key) {
  const sigset_t signals = block_end_signals();
  plugin_runtime::install_black_box();
  StdioHost host;
  if (auto built = build(host, config, pipe, std::move(key)); !built) {
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    return built;
  }
  std::thread reader([&endpoint = *host.endpoint] {
    endpoint.run();
    ::kill(::getpid(), SIGTERM);  // wakes the main thread, the only one that waits for it
  });
  wait_for_end(signals, host, config);
  end_soon();
  pipe->interrupt();
  host.endpoint->stop(kDrain);
  host.plugins->stop(kPluginsEnd);
  host.shipper->flush(kShip);
  reader.join();
  return {};
}

}  // namespace toolhost::app
