#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "access/policy.hpp"
#include "app/config/host_config.hpp"
#include "base/caller.hpp"
#include "base/result.hpp"
#include "storage/directory_store.hpp"

namespace toolhost::app {

/// What serve() needs once, at the start or at a reload, and what is no module's own.

/// Creates the configured tenants that are missing and brings the titles and time zones that the configuration names up
/// to date; on a database without any tenant, makes "demo" when none is configured.
Result<> prepare_tenants(const HostConfig& config, storage::DirectoryStore& directory);

/// Keys are worth what the pepper is that hashed them: a lost one is noticed, not replaced.
Result<Secret> load_pepper_of(const HostConfig& config, storage::DirectoryStore& directory);

/// The key of a very first start, shown once.
struct FirstKey {
  std::string tenant;
  Secret key;
};
/// Made when nobody has been shown one yet. Call it last, so that a start that fails loses none.
Result<std::optional<FirstKey>> make_first_key(const HostConfig& config, storage::DirectoryStore& directory,
                                               const Secret& pepper);

// With their secrets, which nothing copies by accident.
protocol::McpConfig copy_of(const protocol::McpConfig& config);
plugin_runtime::PluginHostConfig copy_of(const plugin_runtime::PluginHostConfig& config);

struct ListeningOn {
  std::uint16_t port = 0;
  std::optional<std::uint16_t> metrics_port;  ///< when /metrics has a listener of its own
};
/// Tells on standard output where the host listens and, with a first key, what to paste into an assistant.
void print_welcome(const HostConfig& config, const ListeningOn& listening, const std::optional<FirstKey>& first_key);

/// Whom scheduled jobs run for: one caller for each tenant of the database. While the database is away, those of last
/// time. Any thread.
class TenantCallers {
 public:
  TenantCallers(const storage::DatabaseAddress& address, access::PolicyPtr policy)
      : directory_(storage::DirectoryStore::create(address)), policy_(std::move(policy)) {}

  std::vector<CallerPtr> get();
  /// Whose members the callers of later calls know. Never waits for the database.
  void set_policy(access::PolicyPtr policy);

 private:
  std::mutex directory_mutex_;  // held while the database is asked; guards the next two
  const std::unique_ptr<storage::DirectoryStore> directory_;
  std::vector<CallerPtr> callers_;
  std::mutex policy_mutex_;  // held for a moment
  access::PolicyPtr policy_;
};

}  // namespace toolhost::app
