#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/audit_chain.hpp"
#include "storage/audit_store.hpp"

namespace toolhost::storage {

/// A row as it stands in the database, with what the checks beyond its hash need.
struct ChainRow {
  std::int64_t sequence = 0;
  std::int64_t at_us = 0;  ///< since 1970
  std::string record;
  AuditHash hash;
  std::array<std::optional<std::string>, 6> columns;  ///< as kChainColumns names them
  bool is_moved = false;                              ///< set by the verifier: record and hash are from another row
};
/// Columns that repeat members of the record, and the members.
inline constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kChainColumns{{{"kind", "kind"},
                                                                                             {"tool", "tool"},
                                                                                             {"key_prefix", "key"},
                                                                                             {"principal", "principal"},
                                                                                             {"outcome", "outcome"},
                                                                                             {"reason", "reason"}}};

/// Where a chain is said to end.
struct ChainHead {
  std::int64_t sequence = 0;
  AuditHash hash;
};

/// Checks one tenant's chain: rows are added in the order of their numbers. Holds a few rows where something is wrong,
/// to tell rows that changed places from rows that changed.
class ChainVerifier {
 public:
  /// `verdict` collects what is found; borrowed, as is `seal`.
  ChainVerifier(std::int32_t tenant_id, std::optional<ChainHead> head, std::vector<AuditCheckpoint> checkpoints,
                const CheckpointSeal& seal, AuditVerdict& verdict);

  void add(ChainRow row);
  /// After the last row.
  void finish();

 private:
  void check_seals(std::vector<AuditCheckpoint> checkpoints, const CheckpointSeal& seal);
  void begin(std::int64_t first);
  void resolve_first();
  bool fits(const ChainRow& row);
  bool put_in_place();
  void accept(const ChainRow& row, bool is_changed);
  void check_checkpoint(const ChainRow& row);
  void check_time(const ChainRow& row);
  void check_columns(const ChainRow& row);
  void check_end();
  void report(std::int64_t first, std::int64_t last, std::string what);

  /// Rows next to each other with the same flaw become one.
  struct Flaw {
    std::int64_t first = 0, last = 0;
    std::string what;
  };
  void tell(const Flaw& flaw);

  const std::int32_t tenant_id_;
  const std::optional<ChainHead> head_;
  AuditVerdict& verdict_;
  ChainHasher hasher_;
  std::multimap<std::int64_t, AuditCheckpoint> checkpoints_;  // those whose seal fits
  std::int64_t expected_ = 0;                                 // number of the next row; 0 before the first one
  std::vector<AuditHash> previous_;                           // what the hash before it may be; none when nobody knows
  std::int64_t latest_us_ = 0;                                // time of the row before; 0: nobody knows
  std::deque<ChainRow> waiting_;
  std::optional<Flaw> last_flaw_;
  std::uint64_t count_of_flaws_ = 0;
};

}  // namespace toolhost::storage
