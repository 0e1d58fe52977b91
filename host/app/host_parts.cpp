#include "app/host_parts.hpp"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>

#include "access/api_key.hpp"
#include "access/membership.hpp"
#include "app/commands/connection_help.hpp"
#include "app/host_app.hpp"

namespace toolhost::app {
namespace {

std::string base_url(const HostConfig& config, std::uint16_t port) {
  if (!config.public_url.empty()) return config.public_url;
  const bool any_address = config.http.address == "0.0.0.0" || config.http.address == "::";
  std::string address = any_address ? "127.0.0.1" : config.http.address;
  if (address.find(':') != std::string::npos) address = "[" + address + "]";
  return (config.http.tls ? "https://" : "http://") + address + ":" + std::to_string(port);
}

Result<> bring_up_to_date(const storage::TenantRow& row, const TenantConfig& wanted,
                          storage::DirectoryStore& directory) {
  const auto& title = wanted.says_title ? wanted.title : row.title;
  const auto& time_zone = wanted.says_time_zone ? wanted.time_zone : row.time_zone;
  if (title == row.title && time_zone == row.time_zone) return {};
  return directory.update_tenant(row.name, title, time_zone);
}

}  // namespace

Result<> prepare_tenants(const HostConfig& config, storage::DirectoryStore& directory) {
  const auto existing = directory.tenants();
  if (!existing) return existing.error();

  std::vector<TenantConfig> wanted = config.tenants;
  if (existing->empty() && wanted.empty()) wanted.push_back({.name = "demo", .title = "Demo"});
  std::map<std::string_view, const storage::TenantRow*> rows;
  for (const auto& row : *existing) rows.emplace(row.name, &row);
  for (const auto& tenant : wanted) {
    const auto known = rows.find(tenant.name);
    if (known != rows.end()) {
      if (auto updated = bring_up_to_date(*known->second, tenant, directory); !updated) return updated;
      continue;
    }
    const auto created =
        directory.create_tenant(tenant.name, tenant.title, tenant.time_zone, {.name = "toolhost serve"});
    if (!created && created.error().code != Errc::kConflict)
      return created.error();  // kConflict: another host was quicker
  }
  return {};
}

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
    const auto stored =
        directory.insert_key({.tenant = tenant->id, .name = "First key", .prefix = key.prefix, .hash = key.hash},
                             {.name = "toolhost serve"});
    if (!stored) return stored.error();
    first_key = FirstKey{tenant->name, std::move(key.text)};
  }
  std::ofstream(shown_before) << "Keys are made with 'toolhost key create' from now on.\n";
  return first_key;
}

protocol::McpConfig copy_of(const protocol::McpConfig& config) {
  // Names every member: one that is added must be copied, too.
  const auto& [name, title, version, instructions, page, idle, sessions, per_key, ask_limit, streams, listeners, ttl,
               period, sealing_key, has_room, stream_store] = config;
  return {.server_name = name,
          .server_title = title,
          .server_version = version,
          .instructions = instructions,
          .tools_page_size = page,
          .session_idle_limit = idle,
          .max_sessions_per_key = sessions,
          .max_streams_per_key = per_key,
          .ask_limit = ask_limit,
          .streams = streams,
          .max_listeners = listeners,
          .list_ttl = ttl,
          .failed_sign_in_period = period,
          .sealing_key = Secret(std::string(sealing_key.reveal())),
          .has_room = has_room,
          .stream_store = stream_store};
}

plugin_runtime::PluginHostConfig copy_of(const plugin_runtime::PluginHostConfig& config) {
  const auto& [plugins, trust, job_callers, store, workers, queued, timeout, grace, lost, result, sealing_key, level, time,
               offer] = config;
  return {.plugins = plugins,
          .trust = trust,
          .job_callers = job_callers,
          .store_directory = store,
          .workers = workers,
          .max_queued_calls = queued,
          .default_timeout = timeout,
          .lost_worker_grace = grace,
          .max_lost_workers = lost,
          .max_result_bytes = result,
          .sealing_key = Secret(std::string(sealing_key.reveal())),
          .log_level = level,
          .time = time,
          .offer = offer};
}

void print_welcome(const HostConfig& config, const ListeningOn& listening, const std::optional<FirstKey>& first_key) {
  const std::string url = base_url(config, listening.port);
  std::cout << "Toolhost " << TOOLHOST_VERSION << "\n"
            << "  data     " << config.data_dir.string() << "\n"
            << "  config   " << (config.file.empty() ? "built-in defaults" : config.file.string()) << "\n";
  if (config.portal.enabled) std::cout << "  portal   " << url << "/mcp   (open it in a browser to make keys)\n";
  if (listening.metrics_port) {
    const auto& address = config.metrics.address;
    const bool is_ipv6 = address.find(':') != std::string::npos;
    std::cout << "  metrics on http://" << (is_ipv6 ? "[" + address + "]" : address) << ":" << *listening.metrics_port
              << "/metrics\n";
  }
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

std::vector<CallerPtr> TenantCallers::get() {
  const std::lock_guard lock(directory_mutex_);
  const auto tenants = directory_->tenants();
  if (!tenants) return callers_;
  const auto policy = [this] {
    const std::lock_guard policy_lock(policy_mutex_);
    return policy_;
  }();
  callers_.clear();
  for (const auto& tenant : *tenants) callers_.push_back(access::host_caller(tenant, policy->membership()));
  return callers_;
}

void TenantCallers::set_policy(access::PolicyPtr policy) {
  const std::lock_guard lock(policy_mutex_);
  policy_ = std::move(policy);
}

}  // namespace toolhost::app
