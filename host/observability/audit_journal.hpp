#pragma once
#include <compare>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "observability/events.hpp"

namespace toolhost::observability {

struct AuditJournalConfig {
  std::filesystem::path directory;
  std::size_t segment_bytes = 16 * 1024 * 1024;  ///< at least kSmallestSegment
  std::size_t reserve_bytes = 4 * 1024 * 1024;   ///< of the last segment, for calls that run when the disk is full
};

/// A place in the journal, between two records.
struct JournalPosition {
  std::uint64_t segment = 0;  ///< its number: later ones have larger ones, and no two hosts are likely to share one
  std::uint64_t offset = 0;
  auto operator<=>(const JournalPosition&) const = default;
};

struct JournalRecord {
  std::int32_t tenant = 0;  ///< 0: the host itself
  std::string_view text;
};
/// Records that were finished and whose bytes have changed since.
struct JournalDamage {
  std::size_t records = 0;  ///< at least so many
  std::size_t bytes = 0;    ///< from the last whole record before each to the next one
  std::filesystem::path
      kept;  ///< the segment, beside the journal, as journal-<number>.seg.damaged; empty: it cannot be
};
/// Records in the order in which they were written, of one segment.
struct JournalBatch {
  std::vector<JournalRecord> records;
  JournalPosition end;         ///< behind them; where to read on
  std::size_t torn_bytes = 0;  ///< left out: records that a host was writing when it was killed
  JournalDamage damage;        ///< left out as well
  bool has_more = false;       ///< ended by what was asked for, or by the end of a segment
};

struct AuditJournalState {
  std::uint64_t waiting_bytes = 0;  ///< written and not yet forgotten, on disk
  std::string problem;              ///< why there is no further segment; empty when all is well
};

/// The records of tool calls, denials and changes of configuration on their way into the database
/// (storage/audit_shipper.hpp), in files `directory`/journal-<number>.seg of fixed size that are allocated before they
/// are used and mapped into memory.
///
/// emit() reserves space with one atomic addition and copies the record into it; it makes no system call, takes no lock
/// and waits for nothing. When it returns the record is the kernel's: it survives the end of this process at any point,
/// however sudden. It does not survive the end of the kernel (power failure, panic) before it is on disk: a thread lets
/// the kernel begin to write once a second, and waits for the disk when a segment is full. That thread also keeps one
/// segment ready ahead. When the disk is full and none can be made, has_room() becomes false while there is still a
/// reserve for the calls that run; without that reserve emit() waits until there is space, and loses nothing. Trouble
/// is told on standard error, at most once a minute.
///
/// Of refusals (calls that did not run, refused requests) a key, or a tenant with very many of these, gets only some
/// records of their own (RefusalFolds); what is beyond, and what comes without has_room(), is counted and told by one
/// record of kind "refusals_folded" every five seconds and at the end. Such a count that is not told yet is lost when
/// the process is killed, or ends while the disk is full; no record of a call that ran ever is. Refusals take a lock,
/// calls that run do not.
///
/// Kept are ToolCalled, ConfigurationReloaded, and RequestRefused with a caller. (Changes of keys are recorded by the
/// transactions that make them.)
class AuditJournal : public EventSink {
 public:
  /// Makes the directory (mode 0700) if it is missing; its files have mode 0600. Takes up what an earlier process left.
  /// kConflict when another process uses the directory, kUnavailable, with path and reason, when it cannot be used.
  static Result<std::unique_ptr<AuditJournal>> open(const AuditJournalConfig& config);
  /// False: nobody has left records in this directory, which need not exist. True also while a process uses it.
  static bool may_hold_records(const std::filesystem::path& directory);

  /// Whether new calls may begin. Any thread; costs a few nanoseconds.
  [[nodiscard]] virtual bool has_room() const noexcept = 0;
  /// False: of tool calls only what was refused (outcomes "denied", "limit", "unknown_tool") is kept. Any thread.
  virtual void set_keeps_calls(bool keeps_calls) noexcept = 0;
  [[nodiscard]] virtual AuditJournalState state() const = 0;

  // For the one thread that takes the records away.

  /// Names this journal among those of all hosts: 32 hexadecimal digits, kept in `directory`/host-id.
  [[nodiscard]] virtual std::string host_id() const = 0;
  /// Another host turned out to use the same id, which came with a copy of the directory.
  virtual Result<std::string> renew_host_id() = 0;
  /// The oldest place there is, the first one of this process, and the one where the next record will stand.
  [[nodiscard]] virtual JournalPosition begin() const = 0;
  [[nodiscard]] virtual JournalPosition start() const = 0;
  [[nodiscard]] virtual JournalPosition end() const = 0;
  /// What is whole from `from` on (earlier than begin() is begin()): at most so many records and about so many bytes.
  /// Waits for nothing: a record that is being written ends the batch; one that never will be, or that is damaged, is
  /// left out. Neither records nor damage: there are none. Texts are valid until the next read() or forget().
  virtual Result<JournalBatch> read(JournalPosition from, std::size_t max_records, std::size_t max_bytes) = 0;
  /// What is before `position` is in the database; whole segments of it are removed. (One that is damaged is kept under
  /// its other name, until somebody removes it.)
  virtual void forget(JournalPosition position) = 0;
};

}  // namespace toolhost::observability
