#include "app/host_app.hpp"

#include <atomic>
#include <csignal>
#include <iostream>
#include <mutex>
#include <thread>
#include <utility>

#include "access/api_key.hpp"
#include "access/gatekeeper.hpp"
#include "app/admin_socket.hpp"
#include "app/commands/exit_code.hpp"
#include "app/config/config_check.hpp"
#include "app/control_handlers.hpp"
#include "app/end_signals.hpp"
#include "app/file_watch.hpp"
#include "app/host_parts.hpp"
#include "app/http_front.hpp"
#include "app/metrics_endpoint.hpp"
#include "app/observe_handlers.hpp"
#include "app/otlp_exporter.hpp"
#include "app/reload.hpp"
#include "app/stdio_journals.hpp"
#include "base/deadline.hpp"
#include "observability/audit_journal.hpp"
#include "observability/metrics.hpp"
#include "plugin_runtime/black_box.hpp"
#include "portal/portal.hpp"
#include "storage/audit_shipper.hpp"
#include "storage/directory_store.hpp"
#include "storage/migrator.hpp"
#include "storage/stream_store.hpp"

namespace toolhost::app {
namespace {

using observability::HostNotice;
using observability::Severity;

constexpr std::chrono::milliseconds kSupervisionPeriod{100};
// Without a word from the database for this long the host is not ready.
constexpr std::chrono::seconds kDatabaseSilence{3};

Result<Secret> load_secret(const std::optional<SecretReference>& reference, const HostConfig& config,
                           const char* file) {
  if (!reference) return access::load_or_create_secret((config.data_dir / "secrets" / file).string());
  return resolve_key(*reference);
}

/// Looks after the embedded database until a signal asks the host to end. SIGHUP reloads, but when the terminal is gone
/// that the host was started from: then it ends with it.
void run_until_signal(const sigset_t& signals, storage::EmbeddedPostgres* database, ConfigurationControl& control) {
  const timespec period{0, std::chrono::nanoseconds(kSupervisionPeriod).count()};
  for (;;) {
    siginfo_t info{};
    const int signal = sigtimedwait(&signals, &info, &period);
    if (signal == SIGHUP && info.si_code != SI_KERNEL) {
      control.request(ReloadTrigger::kSignal);
    } else if (signal > 0) {
      return;
    }
    if (database != nullptr) database->supervise();
  }
}

/// From here on a further signal ends the process at once: nobody has to wait for a drain twice.
void end_at_next_signal(const sigset_t& signals) {
  std::signal(SIGHUP, SIG_IGN);
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

int stop_with(const Error& error) {
  std::cerr << "toolhost: " << error.message << "\n";
  if (!error.detail.empty()) std::cerr << "  " << error.detail << "\n";
  return exit_code_of(error.code);
}

/// The watch on the files, which knows the control and is known by it.
class SharedWatch {
 public:
  void set(std::unique_ptr<FileWatch> watch) {
    std::unique_ptr<FileWatch> before;  // ends without the lock
    const std::lock_guard lock(mutex_);
    before = std::exchange(watch_, std::move(watch));
  }
  void watch(WatchedPaths paths) {
    const std::lock_guard lock(mutex_);
    if (watch_) watch_->watch(std::move(paths));
  }

 private:
  std::mutex mutex_;
  std::unique_ptr<FileWatch> watch_;
};

/// Everything a serving host is made of, in the order in which it is built; members end in the reverse order.
struct Host {
  std::unique_ptr<observability::EventSink> events;
  observability::LogSink* log = nullptr;           // of events
  observability::Metrics* metrics = nullptr;       // of events
  observability::AuditJournal* journal = nullptr;  // of events
  std::unique_ptr<OtlpExporter> exporter;          // null: traces go nowhere
  OpenDatabase database;
  std::unique_ptr<storage::DirectoryStore> directory;  // one thread at a time: the main thread, then the control's
  std::shared_ptr<TenantCallers> tenant_callers;
  std::unique_ptr<storage::AuditShipper> shipper;
  std::unique_ptr<OrphanedStdioJournals> stdio_journals;
  std::unique_ptr<storage::StreamStore> streams;  // before plugins: calls that end late keep their answers
  std::unique_ptr<plugin_runtime::PluginHost> plugins;
  access::KeyAttempts key_attempts;  // of gatekeeper, for portal
  std::unique_ptr<access::Gatekeeper> gatekeeper;
  std::unique_ptr<protocol::McpEndpoint> mcp;
  std::unique_ptr<portal::Portal> portal;  // null: there are no pages
  std::unique_ptr<ConfigurationControl> control;
  std::unique_ptr<HttpFront> front;
  std::unique_ptr<transport::HttpServer> server;
  std::unique_ptr<MetricsEndpoint> metrics_endpoint;
  SharedWatch watch;
  std::unique_ptr<AdminServer> admin;
  std::optional<FirstKey> first_key;
  std::string config_file;
  const std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  std::atomic<bool> is_observed = false;  // every metric is known
};

/// Spans of calls and their way to the collector; nothing when none is configured.
Result<> build_tracing(Host& host, const HostConfig& config, observability::SpanBatch* spans) {
  if (spans == nullptr) return {};
  auto wanted = otlp_config(config);
  if (!wanted) return wanted.error();
  auto exporter = OtlpExporter::start(std::move(*wanted), *spans, *host.events);
  if (!exporter) return exporter.error();
  host.exporter = std::move(*exporter);
  host.metrics->add({"toolhost_spans_dropped_total", "Spans that no collector took.", true, [spans] {
                       return std::vector<observability::MetricSample>{
                           {.labels = {}, .value = static_cast<double>(spans->dropped())}};
                     }});
  return {};
}

Result<> build_events(Host& host, const HostConfig& config) {
  auto journal = observability::AuditJournal::open({.directory = config.data_dir / "audit"});
  if (!journal) return journal.error();
  auto log = observability::create_log_sink(config.log);
  auto metrics = observability::Metrics::create(TOOLHOST_VERSION);
  (*journal)->set_keeps_calls(config.audit.keeps_calls);
  host.config_file = config.file.string();
  host.log = log.get();
  host.metrics = metrics.get();
  host.journal = journal->get();
  std::vector<std::unique_ptr<observability::EventSink>> sinks;
  sinks.push_back(std::move(*journal));  // first: what is answered has its record
  sinks.push_back(std::move(log));
  sinks.push_back(std::move(metrics));
  observability::SpanBatch* spans = nullptr;
  if (!config.tracing.otlp.empty()) {
    auto batch = std::make_unique<observability::SpanBatch>(
        observability::SpanBatch::Config{.version = TOOLHOST_VERSION, .sample = config.tracing.sample});
    spans = batch.get();
    sinks.push_back(std::move(batch));
  }
  host.events = observability::create_fan_out(std::move(sinks));
  return build_tracing(host, config, spans);
}

Result<> build_database(Host& host, const HostConfig& config) {
  auto database = open_database(config, DatabaseUse::kServe, *host.events);
  if (!database) return database.error();
  host.database = std::move(*database);
  host.directory = storage::DirectoryStore::create(host.database.address);
  return prepare_tenants(config, *host.directory);
}

storage::AuditShipperConfig shipper_config(const HostConfig& config) {
  return {.retention = config.audit.retention, .checkpoint_every = config.audit.checkpoint_every};
}

Result<> build_plugins(Host& host, const HostConfig& config, const access::PolicyPtr& policy) {
  auto plugin_config = plugin_host_config(config);
  if (!plugin_config) return plugin_config.error();
  host.tenant_callers = std::make_shared<TenantCallers>(host.database.address, policy);
  plugin_config->job_callers = [callers = host.tenant_callers] { return callers->get(); };
  auto plugins = plugin_runtime::PluginHost::start(std::move(*plugin_config), host.database.address, *host.events);
  if (!plugins) return plugins.error();
  host.plugins = std::move(*plugins);
  const auto problems = check_against_plugins(config, *host.plugins);
  for (const auto& problem : problems) std::cerr << to_string(problem) << "\n";
  if (!problems.empty()) return Error{Errc::kInvalidArgument, "the configuration cannot be used; see above", ""};
  return {};
}

Result<> build_access(Host& host, const HostConfig& config, const access::PolicyPtr& policy, const Secret& pepper) {
  access::GatekeeperConfig keys = config.keys;
  keys.policy = policy;
  keys.is_trial = uses_local_sign_in(config);
  if (config.portal.enabled) keys.attempts = &host.key_attempts;
  auto gatekeeper =
      access::Gatekeeper::start(host.database.address, Secret(std::string(pepper.reveal())), keys, *host.events);
  if (!gatekeeper) return gatekeeper.error();
  host.gatekeeper = std::move(*gatekeeper);
  return {};
}

Result<> build_protocol(Host& host, const HostConfig& config) {
  auto sealing_key = load_sealing_key(config);
  if (!sealing_key) return sealing_key.error();
  auto mcp = copy_of(config.mcp);
  mcp.sealing_key = std::move(*sealing_key);
  mcp.failed_sign_in_period = config.keys.failed_sign_in_period;
  mcp.has_room = [&journal = *host.journal] { return journal.has_room(); };
  auto streams = storage::StreamStore::start(host.database.address, mcp.streams.keep, *host.events);
  if (!streams) return streams.error();
  host.streams = std::move(*streams);
  mcp.stream_store = host.streams.get();
  host.mcp = protocol::McpEndpoint::create(std::move(mcp), *host.gatekeeper, *host.plugins, *host.events);
  return {};
}

Result<std::unique_ptr<portal::OidcProvider>> build_sign_in(const PortalSettings& settings) {
  if (settings.client_id.empty()) return std::unique_ptr<portal::OidcProvider>();
  portal::OidcConfig wanted{.issuer = settings.issuer, .client_id = settings.client_id, .ca_file = settings.ca_file};
  if (settings.client_secret) {
    auto secret = resolve(*settings.client_secret);
    if (!secret) return secret.error();
    wanted.client_secret = std::move(*secret);
  }
  return portal::OidcProvider::create(std::move(wanted));
}

std::vector<std::string> serving_plugins(const plugin_runtime::PluginHost& plugins) {
  std::vector<std::string> ids;
  for (const auto& plugin : plugins.plugins())
    if (plugin.state == "serving") ids.push_back(plugin.id);
  return ids;
}

Result<> build_portal(Host& host, const HostConfig& config, const Secret& pepper) {
  const auto& settings = config.portal;
  if (!settings.enabled) return {};
  const auto sealing_key = load_sealing_key(config);
  if (!sealing_key) return sealing_key.error();
  auto provider = build_sign_in(settings);
  if (!provider) return provider.error();
  host.portal =
      portal::Portal::create({.product = config.mcp.server_title,
                              .public_url = config.public_url,
                              .issuer = settings.issuer,
                              .provider_name = settings.provider_name,
                              .local_sign_in = uses_local_sign_in(config),
                              .support = settings.support,
                              .keys_per_person = settings.keys_per_person},
                             {.database = host.database.address,
                              .pepper = pepper,
                              .sealing_key = *sealing_key,
                              .policy = [&gatekeeper = *host.gatekeeper] { return gatekeeper.policy(); },
                              .plugins = [&plugins = *host.plugins] { return serving_plugins(plugins); },
                              .knows_key = [&gatekeeper = *host.gatekeeper](
                                               std::string_view prefix) { return gatekeeper.knows_prefix(prefix); },
                              .attempts = host.key_attempts,
                              .provider = std::move(*provider),
                              .events = *host.events});
  return {};
}

/// Sets the least severe lines of the log, the plugins' own among them.
std::function<void(Severity)> level_switch(Host& host) {
  return [&log = *host.log, &plugins = *host.plugins](Severity level) {
    log.set_level(level);
    plugins.set_log_level(level);
  };
}

/// What a reload changes; see ConfigurationControl.
void build_control(Host& host, const std::shared_ptr<const HostConfig>& config, const access::PolicyPtr& policy,
                   const std::function<LoadedConfig()>& load) {
  ReloadedParts parts{
      .gatekeeper = *host.gatekeeper, .plugins = *host.plugins, .mcp = *host.mcp, .events = *host.events, .load = load};
  parts.prepare = [&directory = *host.directory](const HostConfig& wanted) {
    return prepare_tenants(wanted, directory);
  };
  parts.apply = [&host, set_level = level_switch(host)](const HostConfig& before, const HostConfig& now,
                                                        const access::PolicyPtr& compiled) {
    host.tenant_callers->set_policy(compiled);
    if (before.log.level != now.log.level) set_level(now.log.level);  // else what log-level set stays
    host.shipper->set_config(shipper_config(now));
    host.journal->set_keeps_calls(now.audit.keeps_calls);
  };
  parts.on_loaded = [&watch = host.watch](const LoadedConfig& loaded) { watch.watch(watched_paths(loaded)); };
  host.control = ConfigurationControl::create(config, policy, std::move(parts));
}

ObservedHost observed(const Host& host) {
  return {.plugins = *host.plugins,
          .gatekeeper = *host.gatekeeper,
          .mcp = *host.mcp,
          .server = *host.server,
          .journal = *host.journal,
          .shipper = *host.shipper};
}

ReadinessReport readiness_of(const Host& host) {
  ReadinessReport report;
  const auto silence = host.gatekeeper->unconfirmed_for();
  if (silence > kDatabaseSilence)
    report.reasons.push_back("the database has not answered for " + std::to_string(silence.count() / 1000) + " s");
  for (const auto& plugin : host.plugins->plugins()) {
    // Whoever asks has no key: why, which may name files, is in the log and in `toolhost plugin list`.
    if (plugin.state != "serving") report.reasons.push_back("plugin " + plugin.id + " is " + plugin.state);
  }
  if (!host.journal->has_room())
    report.reasons.emplace_back("the audit journal is full: the disk has no room, or the database takes no records");
  if (const auto place = host.control->problem(); !place.empty()) {
    report.warnings.push_back("the configuration was refused when it was last read (" + place + "); generation " +
                              std::to_string(host.control->generation()) + " stays in force");
  }
  return report;
}

Result<> build_listeners(Host& host, const HostConfig& config) {
  const Readiness readiness = [&host] { return readiness_of(host); };
  const MetricsText metrics = [&host] { return host.is_observed ? host.metrics->text() : std::string(); };
  host.front = std::make_unique<HttpFront>(*host.mcp, readiness, config.metrics.own_listener ? nullptr : metrics,
                                           host.portal.get());
  auto server = transport::HttpServer::start(config.http, *host.front, *host.events);
  if (!server) return server.error();
  host.server = std::move(*server);
  add_host_metrics(*host.metrics, observed(host));
  host.is_observed = true;
  if (!config.metrics.own_listener) return {};
  auto endpoint = MetricsEndpoint::start(config.metrics, readiness, metrics, *host.events);
  if (!endpoint) return endpoint.error();
  host.metrics_endpoint = std::move(*endpoint);
  return {};
}

HostStatus status_of(const Host& host) {
  HostStatus status{
      .version = TOOLHOST_VERSION,
      .config_file = host.config_file,
      .generation = host.control->generation(),
      .uptime = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - host.started),
      .readiness = readiness_of(host)};
  count(status, observed(host));
  return status;
}

ListeningOn listening_on(const Host& host) {
  return {.port = host.server->port(),
          .metrics_port = host.metrics_endpoint ? std::optional(host.metrics_endpoint->port()) : std::nullopt};
}

/// How operators reach the running host.
Result<> build_operation(Host& host, const HostConfig& config, WatchedPaths paths) {
  auto handlers = control_handlers(*host.control, *host.gatekeeper, *host.plugins);
  handlers.merge(observe_handlers(*host.metrics, *host.log, level_switch(host), [&host] { return status_of(host); }));
  auto admin = AdminServer::start(config.data_dir, std::move(handlers));
  if (!admin) return admin.error();
  host.admin = std::move(*admin);
  if (config.reload.watch && !config.file.empty())
    host.watch.set(
        FileWatch::start(std::move(paths), [&control = *host.control] { control.request(ReloadTrigger::kFile); }));
  return {};
}

/// A key that is printed works: the gatekeeper hears of it a moment after the database has it.
void wait_until_known(const access::Gatekeeper& gatekeeper) {
  const auto limit = Deadline::after(std::chrono::seconds(2));
  while (gatekeeper.key_count() == 0 && !limit.has_passed()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

/// `host` stays where it is: its parts know each other.
Result<> build(Host& host, const std::shared_ptr<const HostConfig>& config, WatchedPaths paths,
               const std::function<LoadedConfig()>& load) {
  if (auto built = build_events(host, *config); !built) return built;
  if (auto built = build_database(host, *config); !built) return built;
  const auto pepper = load_pepper_of(*config, *host.directory);
  if (!pepper) return pepper.error();
  host.shipper = storage::AuditShipper::start(host.database.address, *host.journal, *pepper, shipper_config(*config),
                                              *host.events);
  host.stdio_journals = OrphanedStdioJournals::start({.data_dir = config->data_dir}, host.database.address, *pepper,
                                                     *host.shipper, *host.events);
  const auto policy = access::Policy::compile(config->policy);
  if (auto built = build_plugins(host, *config, policy); !built) return built;
  if (auto built = build_access(host, *config, policy, *pepper); !built) return built;
  if (auto built = build_protocol(host, *config); !built) return built;
  if (auto built = build_portal(host, *config, *pepper); !built) return built;
  build_control(host, config, policy, load);
  if (auto built = build_listeners(host, *config); !built) return built;
  auto first_key = make_first_key(*config, *host.directory, *pepper);
  if (!first_key) return first_key.error();
  host.first_key = std::move(*first_key);
  if (host.first_key) wait_until_known(*host.gatekeeper);
  if (auto built = build_operation(host, *config, std::move(paths)); !built) return built;
  host.events->emit(observability::ConfigurationReloaded{.applied = true,
                                                         .generation = host.control->generation(),
                                                         .file = host.config_file,
                                                         .trigger = "start",
                                                         .summary = "in force since the start"});
  return {};
}

}  // namespace

Result<OpenDatabase> open_database(const HostConfig& config, DatabaseUse use, observability::EventSink& events) {
  OpenDatabase database;
  if (config.database_url_reference) {
    const auto url = resolve_database_url(*config.database_url_reference);
    if (!url) return url.error();
    database.address = storage::DatabaseAddress::external(std::string(url->reveal()));
  } else if (config.database_url) {
    if (!storage::is_database_url(*config.database_url)) {
      return Error{Errc::kInvalidArgument, "database.url is no postgresql:// URL that can be used", ""};
    }
    database.address = storage::DatabaseAddress::external(*config.database_url);
  } else {
    const storage::EmbeddedPostgres::Config embedded{.data_directory = config.data_dir};
    auto server = use == DatabaseUse::kServe ? storage::EmbeddedPostgres::own(embedded, events)
                                             : storage::EmbeddedPostgres::open(embedded, events);
    if (!server) return server.error();
    database.embedded = std::move(*server);
    database.address = database.embedded->address();
  }
  const auto migrated = storage::migrate_host(database.address, events);
  if (!migrated) return migrated.error();
  return database;
}

Result<Secret> load_pepper(const HostConfig& config) {
  return load_secret(config.pepper, config, "pepper");
}
Result<Secret> load_sealing_key(const HostConfig& config) {
  return load_secret(config.sealing_key, config, "sealing-key");
}

Result<plugin_runtime::PluginHostConfig> plugin_host_config(const HostConfig& config) {
  auto sealing_key = load_sealing_key(config);
  if (!sealing_key) return sealing_key.error();
  auto plugins = copy_of(config.plugins);
  for (auto& plugin : plugins.plugins) plugin.file = plugin_file(config, plugin);
  for (const auto& [index, secrets] : config.plugin_secrets) {
    auto& plugin = plugins.plugins[index];
    for (const auto& [name, reference] : secrets) {
      auto secret = resolve(reference);
      if (!secret)
        return Error{secret.error().code,
                     "the secret " + name + " of the plugin " + plugin.file.string() +
                         " cannot be used: " + secret.error().message,
                     ""};
      plugin.secrets[name] = std::make_shared<const Secret>(std::move(*secret));
    }
  }
  plugins.store_directory = config.data_dir / "plugins";
  plugins.sealing_key = std::move(*sealing_key);
  plugins.log_level = config.log.level;
  return plugins;
}

int serve(LoadedConfig loaded, std::function<LoadedConfig()> load) {
  const sigset_t signals = block_end_signals();
  plugin_runtime::install_black_box();

  WatchedPaths paths = watched_paths(loaded);
  const auto config = std::make_shared<const HostConfig>(std::move(loaded.config));
  Host host;
  if (const auto built = build(host, config, std::move(paths), load); !built) return stop_with(built.error());

  print_welcome(*config, listening_on(host), host.first_key);
  host.first_key.reset();
  run_until_signal(signals, host.database.embedded.get(), *host.control);

  end_at_next_signal(signals);
  host.events->emit(HostNotice{Severity::kInfo, "host", "stopping: waiting for running calls"});
  host.admin.reset();
  host.watch.set(nullptr);
  host.control->stop();
  const auto drained_by = Deadline::after(config->drain);  // one for all
  const auto left = [&] { return std::chrono::duration_cast<std::chrono::milliseconds>(drained_by.left()); };
  host.mcp->stop(left());
  host.server->stop(left());
  if (host.portal) host.portal->stop();
  if (host.metrics_endpoint) host.metrics_endpoint->stop(left());
  host.plugins->stop(left());
  host.shipper->flush(left());  // what is left then waits on disk for the next start
  host.events->emit(HostNotice{Severity::kInfo, "host", "stopped"});
  return kExitOk;
}

}  // namespace toolhost::app
