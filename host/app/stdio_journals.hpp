#pragma once
#include <chrono>
#include <filesystem>
#include <memory>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "observability/audit_journal.hpp"
#include "observability/events.hpp"
#include "storage/audit_shipper.hpp"
#include "storage/database_address.hpp"

namespace toolhost::app {

/// The audit journals of `toolhost stdio`: a journal belongs to one process at a time, so each process takes a place of
/// its own, `data_dir`/audit/stdio-N.

/// The first place that nobody holds, with what an earlier process left there. kConflict when there is none,
/// kUnavailable when it cannot be used.
Result<std::unique_ptr<observability::AuditJournal>> open_stdio_journal(const std::filesystem::path& data_dir);

/// Ships what processes that were killed left in places that nobody holds now, from a thread of its own: at once, and
/// then every `period`. It holds one place at a time and no longer than that takes; a process that starts meanwhile
/// takes the next one. While the database takes no records, they stay where they are.
class OrphanedStdioJournals {
 public:
  struct Config {
    std::filesystem::path data_dir;
    std::chrono::milliseconds period{60'000};
  };
  /// `seal` as for AuditShipper. `own`, the shipper of this process, looks after the chains and says whether the
  /// database takes records; it and `events` outlive the object.
  static std::unique_ptr<OrphanedStdioJournals> start(const Config& config, const storage::DatabaseAddress& address,
                                                      const Secret& seal, const storage::AuditShipper& own,
                                                      observability::EventSink& events);
  virtual ~OrphanedStdioJournals() = default;  ///< ends soon; what is left waits for the next time
};

}  // namespace toolhost::app
