#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/secret.hpp"
#include "observability/audit_journal.hpp"
#include "observability/events.hpp"
#include "storage/database_address.hpp"

namespace toolhost::storage {

struct AuditShipperConfig {
  std::chrono::hours retention{400 * 24};  ///< months that end longer ago are dropped, whole
  std::chrono::seconds checkpoint_every{3600};
  bool keeps_chains = true;  ///< false: seals, partitions and retention are another shipper's work
  bool operator==(const AuditShipperConfig&) const = default;
};

struct ShipperState {
  std::uint64_t waiting_bytes = 0;                      ///< in the journal, on disk
  std::optional<std::chrono::milliseconds> oldest_age;  ///< of the first record that waits; nothing: none does
  std::uint64_t shipped_records = 0;                    ///< by this process
  std::string last_error;                               ///< why the database does not take them; empty: it does
};

/// Moves the records of the journal into the database, from a thread of its own: in batches of up to some thousand, a
/// tenth of a second after the first one was written. Rows and the position in the journal are changed by one
/// transaction, so each record becomes one row, whichever of host and database ends in between; what an earlier process
/// left is taken up first. While the database is away records wait on disk; that it is, and that it is back, is told
/// once (HostNotice). Also seals the chains (AuditStore::verify), tells the seals (HostNotice) so that they are kept
/// outside of the database too, makes partitions ahead and drops those that are too old.
class AuditShipper {
 public:
  /// `seal` as for AuditStore. The journal, which has no other shipper as long as it is open, and `events` must outlive
  /// it. An unreachable database is no error.
  static std::unique_ptr<AuditShipper> start(const DatabaseAddress& address, observability::AuditJournal& journal,
                                             const Secret& seal, const AuditShipperConfig& config,
                                             observability::EventSink& events);
  virtual ~AuditShipper() = default;  ///< ends without waiting for what is left: the next process takes it up

  /// Waits until what is in the journal now is in the database; false when that takes longer than `limit`.
  virtual bool flush(std::chrono::milliseconds limit) = 0;
  [[nodiscard]] virtual ShipperState state() const = 0;
  virtual void set_config(const AuditShipperConfig& config) = 0;
};

}  // namespace toolhost::storage
