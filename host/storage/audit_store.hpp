#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "storage/audit_chain.hpp"
#include "storage/database_address.hpp"

namespace toolhost::storage {

/// One record as it is kept: `record` is the JSON text that the hash covers.
struct AuditRow {
  std::int32_t tenant_id = 0;  ///< 0: the host itself (configuration)
  std::int64_t sequence = 0;   ///< from 1, without a gap, in each tenant
  std::string at;              ///< RFC 3339, UTC; never goes back within a tenant, the exact time is in the record
  std::string record;
  std::string hash;  ///< hexadecimal digits
};

/// What is looked for; empty members match everything.
struct AuditFilter {
  std::optional<TenantId> tenant;  ///< nothing: every tenant and the host
  std::string kind, tool, key_prefix, principal, outcome, reason;
  std::string since, until;  ///< RFC 3339
};

/// What verify() found wrong, in words: "row 17 was changed", "rows 18 to 20 are missing", "row 7 stands in the wrong
/// place, at that of row 8".
struct AuditFlaw {
  std::int32_t tenant_id = 0;
  std::int64_t sequence = 0;
  std::string message;
};
struct AuditVerdict {
  std::uint64_t rows = 0, chains = 0, checkpoints = 0;
  std::vector<AuditFlaw> flaws;
};

/// Reads and checks the audit, through libpqxx as the host role. One thread at a time.
class AuditStore {
 public:
  /// `seal` is the secret that checkpoints are sealed with (the host's pepper); the same on every host.
  static std::unique_ptr<AuditStore> create(const DatabaseAddress& address, const Secret& seal);
  virtual ~AuditStore() = default;

  /// Newest first, at most `limit`; with `before` those older than this sequence (one tenant only). kInvalidArgument
  /// for a time that is none.
  virtual Result<std::vector<AuditRow>> list(const AuditFilter& filter, std::size_t limit,
                                             std::optional<std::int64_t> before) = 0;
  /// All, tenant after tenant (the host first), in each by number: the oldest first. `write` may end it with an error.
  virtual Result<> for_each(const AuditFilter& filter, const std::function<Result<>(const AuditRow&)>& write) = 0;
  /// Computes every chain anew and compares it with what is stored, with the chain's head and with the sealed
  /// checkpoints: those in the database, and those of these tenants that were kept elsewhere. The host and each tenant
  /// must have a chain. `on_progress(rows done, rows in all)`.
  virtual Result<AuditVerdict> verify(std::optional<TenantId> tenant,
                                      const std::function<void(std::uint64_t, std::uint64_t)>& on_progress,
                                      const std::vector<AuditCheckpoint>& kept = {}) = 0;
};

}  // namespace toolhost::storage
