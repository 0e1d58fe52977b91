#include "app/host_app.hpp"

#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <iostream>
#include <mutex>

#include "access/api_key.hpp"
#include "access/gatekeeper.hpp"
#include "app/connection_help.hpp"
#include "app/exit_code.hpp"
#include "app/http_front.hpp"
#include "base/deadline.hpp"
#include "plugin_runtime/black_box.hpp"
#include "storage/directory_store.hpp"
#include "storage/migrator.hpp"

namespace toolhost::app {
namespace {

using observability::HostNotice;
using observability::Severity;

constexpr std::chrono::milliseconds kSupervisionPeriod{100};
constexpr std::chrono::seconds kDatabaseSilence{
    3};  // without a word from the database for this long the host is not ready

Result<Secret> load_secret(const std::optional<SecretReference>& reference, const HostConfig& config,
                           const char* file) {
  if (!reference) return access::load_or_create_secret((config.data_dir / "secrets" / file).string());
  auto secret = resolve(*reference);
  if (secret && secret->reveal().size() < 32) {
    return Error{Errc::kInvalidArgument, reference->text + " holds fewer than 32 bytes; use at least 32 random ones",
                 ""};
  }
  return secret;
}

std::string base_url(const HostConfig& config, std::uint16_t port) {
  if (!config.public_url.empty()) return config.public_url;
  const bool any_address = config.http.address == "0.0.0.0" || config.http.address == "::";
  std::string address = any_address ? "127.0.0.1" : config.http.address;
  if (address.find(':') != std::string::npos) address = "[" + address + "]";
  return "http://" + address + ":" + std::to_string(port);
}

/// The key of a very first start, shown once.
struct FirstKey {
  std::string tenant;
  Secret key;
};

/// Creates the configured tenants that are missing; on a database without any, "demo" when none is configured.
Result<> prepare_tenants(const HostConfig& config, storage::DirectoryStore& directory) {
  const auto existing = directory.tenants();
  if (!existing) return existing.error();

  std::vector<TenantConfig> wanted = config.tenants;
  if (existing->empty() && wanted.empty()) wanted.push_back({.name = "demo", .title = "Demo"});
  for (const auto& tenant : wanted) {
    const bool known =
        std::any_of(existing->begin(), existing->end(), [&](const auto& row) { return row.name == tenant.name; });
    if (known) continue;
    const auto created = directory.create_tenant(tenant.name, tenant.title, tenant.time_zone);
    if (!created && created.error().code != Errc::kConflict)
      return created.error();  // kConflict: another host was quicker
  }
  return {};
}

/// Keys are worth what the pepper is that hashed them: a lost one must be noticed, not replaced.
Result<Secret> load_pepper_of(const HostConfig& config, storage::DirectoryStore& directory) {
  const auto file = config.data_dir / "secrets" / "pepper";
  if (!config.pepper && !std::filesystem::exists(file)) {
    const auto keys = directory.keys(std::nullopt);
    if (!keys) return keys.error();
    if (!keys->empty()) {
      return Error{Errc::kInvalidArgument,
                   "the database holds " + std::to_string(keys->size()) + " API keys, but " + file.string() +
                       ", which they were hashed with, is missing; put it back or name it as keys.pepper in the "
                       "configuration. To begin anew, delete the keys first: toolhost key delete",
                   ""};
    }
  }
  return load_pepper(config);
}

/// The key of the very first start, when nobody has been shown one yet. Made last, so that a start that fails loses
/// none.
Result<std::optional<FirstKey>> make_first_key(const HostConfig& config, storage::DirectoryStore& directory,
                                               const Secret& pepper) {
  const auto shown_before = config.data_dir / "secrets" / "first-key-shown";
  if (std::filesystem::exists(shown_before)) return std::optional<FirstKey>();
  const auto keys = directory.keys(std::nullopt);
  if (!keys) return keys.error();
  const auto tenants = directory.tenants();
  if (!tenants) return tenants.error();
  std::optional<FirstKey> first_key;
  if (keys->empty() && !tenants->empty()) {
    const std::string name = config.tenants.empty() ? tenants->front().name : config.tenants.front().name;
    const auto tenant = directory.tenant(name);
    if (!tenant) return tenant.error();
    auto key = access::generate_key(pepper);
    const auto stored = directory.insert_key(tenant->id, "First key", "", key.prefix, key.hash, 1);
    if (!stored) return stored.error();
    first_key = FirstKey{tenant->name, std::move(key.text)};
  }
  std::ofstream(shown_before) << "Keys are made with 'toolhost key create' from now on.\n";
  return first_key;
}

void print_welcome(const HostConfig& config, const std::string& url, const std::optional<FirstKey>& first_key) {
  std::cout << "Toolhost " << TOOLHOST_VERSION << "\n"
            << "  data     " << config.data_dir.string() << "\n"
            << "  config   " << (config.file.empty() ? "built-in defaults" : config.file.string()) << "\n";
  if (first_key) {
    const std::string key(first_key->key.reveal());
    std::cout << "\nYour API key for tenant \"" << first_key->tenant << "\". It is shown only this once:\n\n    " << key
              << "\n\n"
              << "Paste one of these into your assistant.\n\n"
              << connection_snippets(url, key);
  } else {
    std::cout << "  new key  toolhost key create --tenant NAME --name NAME\n";
  }
  std::cout << "\nlistening on " << url << std::endl;
}

/// Blocks the signals that end the host, for this thread and all that it starts, so that the main loop receives them.
sigset_t block_end_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // a client that went away is an error code, not the end of the process
  return signals;
}

/// Looks after the embedded database until a signal asks the host to end.
void run_until_signal(const sigset_t& signals, storage::EmbeddedPostgres* database) {
  const timespec period{0, std::chrono::nanoseconds(kSupervisionPeriod).count()};
  while (sigtimedwait(&signals, nullptr, &period) < 0) {
    if (database != nullptr) database->supervise();
  }
}

/// From here on a further signal ends the process at once: nobody has to wait for a drain twice.
void end_at_next_signal(const sigset_t& signals) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

int fail(const Error& error) {
  std::cerr << "toolhost: " << error.message << "\n";
  if (!error.detail.empty()) std::cerr << "  " << error.detail << "\n";
  return exit_code_of(error.code);
}

std::vector<std::string> reasons_not_ready(const access::Gatekeeper& gatekeeper,
                                           const plugin_runtime::PluginHost& plugins) {
  std::vector<std::string> reasons;
  if (gatekeeper.unconfirmed_for() > kDatabaseSilence) {
    reasons.push_back("the database has not answered for " +
                      std::to_string(gatekeeper.unconfirmed_for().count() / 1000) + " s");
  }
  for (const auto& plugin : plugins.plugins()) {
    // Whoever asks has no key: why, which may name files, is in the log and in `toolhost plugin list`.
    if (plugin.state != "serving") reasons.push_back("plugin " + plugin.id + " is " + plugin.state);
  }
  return reasons;
}

/// Whom scheduled jobs run for: one caller for each tenant of the database. While the database is away, those of last
/// time.
class TenantCallers {
 public:
  TenantCallers(const storage::DatabaseAddress& address, access::Membership membership)
      : directory_(storage::DirectoryStore::create(address)), membership_(std::move(membership)) {}

  std::vector<CallerPtr> get() {
    const std::lock_guard lock(mutex_);
    const auto tenants = directory_->tenants();
    if (!tenants) return callers_;
    callers_.clear();
    for (const auto& tenant : *tenants) callers_.push_back(access::host_caller(tenant, membership_));
    return callers_;
  }

 private:
  std::mutex mutex_;  // the directory belongs to one thread at a time
  const std::unique_ptr<storage::DirectoryStore> directory_;
  const access::Membership membership_;
  std::vector<CallerPtr> callers_;
};

Result<std::unique_ptr<observability::EventSink>> create_events(const HostConfig& config) {
  auto journal = observability::create_audit_journal(config.data_dir / "audit");
  if (!journal) return journal.error();
  std::vector<std::unique_ptr<observability::EventSink>> sinks;
  sinks.push_back(observability::create_log_sink(config.log));
  sinks.push_back(std::move(*journal));
  return observability::create_fan_out(std::move(sinks));
}

/// Everything a serving host is made of, in the order in which it is built; members end in the reverse order.
struct Host {
  std::unique_ptr<observability::EventSink> events;
  OpenDatabase database;
  std::unique_ptr<plugin_runtime::PluginHost> plugins;
  std::unique_ptr<access::Gatekeeper> gatekeeper;
  std::unique_ptr<protocol::McpEndpoint> mcp;
  std::unique_ptr<HttpFront> front;
  std::unique_ptr<transport::HttpServer> server;
  std::optional<FirstKey> first_key;
};

Result<Host> build(HostConfig& config) {
  Host host;
  auto events = create_events(config);
  if (!events) return events.error();
  host.events = std::move(*events);

  auto database = open_database(config, DatabaseUse::kServe, *host.events);
  if (!database) return database.error();
  host.database = std::move(*database);
  const auto& address = host.database.address;

  const auto directory = storage::DirectoryStore::create(address);
  if (const auto prepared = prepare_tenants(config, *directory); !prepared) return prepared.error();
  auto pepper = load_pepper_of(config, *directory);
  if (!pepper) return pepper.error();

  auto plugin_config = plugin_host_config(config);
  if (!plugin_config) return plugin_config.error();
  config.keys.membership = membership_of(config);
  plugin_config->job_callers = [callers = std::make_shared<TenantCallers>(address, config.keys.membership)] {
    return callers->get();
  };
  auto plugins = plugin_runtime::PluginHost::start(*plugin_config, address, *host.events);
  if (!plugins) return plugins.error();
  host.plugins = std::move(*plugins);

  auto gatekeeper =
      access::Gatekeeper::start(address, Secret(std::string(pepper->reveal())), config.keys, *host.events);
  if (!gatekeeper) return gatekeeper.error();
  host.gatekeeper = std::move(*gatekeeper);

  auto sealing_key = load_sealing_key(config);
  if (!sealing_key) return sealing_key.error();
  config.mcp.sealing_key = std::move(*sealing_key);
  host.mcp = protocol::McpEndpoint::create(std::move(config.mcp), *host.gatekeeper, *host.plugins, *host.events);
  host.front = std::make_unique<HttpFront>(*host.mcp, [&gatekeeper = *host.gatekeeper, &plugins = *host.plugins] {
    return reasons_not_ready(gatekeeper, plugins);
  });

  auto server = transport::HttpServer::start(config.http, *host.front, *host.events);
  if (!server) return server.error();
  host.server = std::move(*server);

  auto first_key = make_first_key(config, *directory, *pepper);
  if (!first_key) return first_key.error();
  host.first_key = std::move(*first_key);
  return host;
}

}  // namespace

Result<OpenDatabase> open_database(const HostConfig& config, DatabaseUse use, observability::EventSink& events) {
  OpenDatabase database;
  if (config.database_url_reference) {
    auto url = resolve(*config.database_url_reference);
    if (!url) return url.error();
    if (!storage::is_database_url(url->reveal())) {
      return Error{Errc::kInvalidArgument,
                   config.database_url_reference->text +
                       " does not hold a postgresql:// URL; percent-encode what a URL may not hold",
                   ""};
    }
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

Result<plugin_runtime::PluginHostConfig> plugin_host_config(HostConfig& config) {
  auto sealing_key = load_sealing_key(config);
  if (!sealing_key) return sealing_key.error();
  for (auto& plugin : config.plugins.plugins) {
    if (plugin.file.is_relative()) plugin.file = (config.plugin_dir / plugin.file).lexically_normal();
  }
  config.plugins.store_directory = config.data_dir / "plugins";
  config.plugins.sealing_key = std::move(*sealing_key);
  return std::move(config.plugins);
}

int serve(HostConfig config) {
  const sigset_t signals = block_end_signals();
  plugin_runtime::install_black_box();

  auto built = build(config);
  if (!built) return fail(built.error());
  Host& host = *built;

  print_welcome(config, base_url(config, host.server->port()), host.first_key);
  host.first_key.reset();
  run_until_signal(signals, host.database.embedded.get());

  end_at_next_signal(signals);
  host.events->emit(HostNotice{Severity::kInfo, "host", "stopping: waiting for running calls"});
  const auto drained_by = Deadline::after(config.drain);  // one for all three
  const auto left = [&] { return std::chrono::duration_cast<std::chrono::milliseconds>(drained_by.left()); };
  host.mcp->stop(left());
  host.server->stop(left());
  host.plugins->stop(left());
  host.events->emit(HostNotice{Severity::kInfo, "host", "stopped"});
  return kExitOk;
}

}  // namespace toolhost::app
