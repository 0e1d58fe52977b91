#include "observability/audit_journal.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "observability/audited_event.hpp"
#include "observability/journal_directory.hpp"
#include "observability/journal_segment.hpp"
#include "observability/log_line.hpp"
#include "observability/refusal_folds.hpp"

namespace toolhost::observability {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kSyncPeriod = 1s;
constexpr auto kRetryPeriod = 250ms;
constexpr auto kReportPeriod = 60s;
constexpr auto kFoldPeriod = 5s;
constexpr auto kWaitPiece = 50ms;
constexpr std::size_t kSlots = 4;  // segments that are mapped for writing, the next one included

/// Straight to standard error: there must be a trace of it even when the log is what cannot be written.
void report(std::string_view message) {
  std::string line;
  LogLine(line, ::isatty(STDERR_FILENO) == 0, std::chrono::system_clock::now(), to_string(Severity::kError),
          "host_notice")
      .field("component", "audit")
      .message(message)
      .end();
  static_cast<void>(!::write(STDERR_FILENO, line.data(), line.size()));
}

class Journal final : public AuditJournal {
 public:
  Journal(const AuditJournalConfig& config, JournalDirectory directory)
      : capacity_(config.segment_bytes & ~std::size_t{15}),
        reserve_(std::min(config.reserve_bytes, capacity_)),
        directory_(std::move(directory)) {}

  /// Makes the first segment.
  Result<> start() {
    std::uint64_t largest = 0;
    old_ = directory_.take_up(largest);
    first_ = directory_.number_behind(largest);
    auto file = create(0);
    if (!file) return file.error();
    slot(0) = std::move(*file);
    cursor_.store(kFirstRecordOffset, std::memory_order_release);
    prepare_next();
    keeper_ = std::thread([this] { keep(); });
    return {};
  }

  ~Journal() override {
    {
      const std::lock_guard lock(mutex_);
      is_ending_ = true;
    }
    wake_keeper_.notify_one();
    if (keeper_.joinable()) keeper_.join();
    give_back();
  }

  void emit(const Event& event) noexcept override {
    if (!is_audited(event, keeps_calls_.load(std::memory_order_relaxed))) return;
    if (const auto refusal = refusal_in(event);
        refusal && !folds_.admit(*refusal, has_room(), std::chrono::system_clock::now()))
      return;
    thread_local std::string text;
    text.clear();
    const std::int32_t tenant = append_event(text, event);
    append(tenant, text);
  }

  [[nodiscard]] bool has_room() const noexcept override {
    return has_next_.load(std::memory_order_relaxed) ||
           offset_in(cursor_.load(std::memory_order_relaxed)) + reserve_ <= capacity_;
  }

  void set_keeps_calls(bool keeps_calls) noexcept override {
    keeps_calls_.store(keeps_calls, std::memory_order_relaxed);
  }

  [[nodiscard]] AuditJournalState state() const override {
    const std::uint64_t cursor = cursor_.load(std::memory_order_acquire);
    const std::lock_guard lock(mutex_);
    AuditJournalState state{.problem = problem_};
    for (const auto& [number, size] : old_) state.waiting_bytes += size;
    const std::uint64_t oldest_live = forgotten_.segment > first_ ? index_of(forgotten_.segment) : 0;
    state.waiting_bytes +=
        (index_in(cursor) - oldest_live) * capacity_ + std::min<std::uint64_t>(offset_in(cursor), capacity_);
    if (forgotten_.segment >= first_ || old_.contains(forgotten_.segment)) {
      state.waiting_bytes -= std::min(forgotten_.offset, state.waiting_bytes);
    }
    return state;
  }

  [[nodiscard]] std::string host_id() const override { return directory_.host_id(); }
  Result<std::string> renew_host_id() override { return directory_.renew_host_id(); }

  [[nodiscard]] JournalPosition begin() const override {
    const std::lock_guard lock(mutex_);
    const std::uint64_t oldest = old_.empty() ? std::max(first_, forgotten_.segment) : old_.begin()->first;
    return {oldest, kFirstRecordOffset};
  }

  [[nodiscard]] JournalPosition start() const override { return {first_, kFirstRecordOffset}; }

  [[nodiscard]] JournalPosition end() const override {
    const std::uint64_t cursor = cursor_.load(std::memory_order_acquire);
    return {number_of(index_in(cursor)), std::min<std::uint64_t>(offset_in(cursor), capacity_)};
  }

  Result<JournalBatch> read(JournalPosition from, std::size_t max_records, std::size_t max_bytes) override {
    JournalBatch batch{.end = std::max(from, begin())};
    for (;;) {
      const bool is_done = batch.end.segment < first_ ? read_old(batch, max_records, max_bytes)
                                                      : read_live(batch, max_records, max_bytes);
      if (!problem_of_reader_.empty()) return Error{Errc::kUnavailable, std::exchange(problem_of_reader_, {}), {}};
      if (is_done) return batch;
      if (!batch.records.empty() || batch.damage.records > 0) {
        batch.has_more = true;
        return batch;
      }
    }
  }

  void forget(JournalPosition position) override {
    std::vector<std::uint64_t> done;
    {
      const std::lock_guard lock(mutex_);
      const auto kept = old_.lower_bound(position.segment);
      for (auto at = old_.begin(); at != kept; ++at) done.push_back(at->first);
      old_.erase(old_.begin(), kept);
      for (auto number = std::max(first_, forgotten_.segment); number < position.segment; number += kSegmentStep) {
        done.push_back(number);
      }
      forgotten_ = std::max(forgotten_, position);
    }
    if (read_number_ < position.segment) read_file_ = {};
    std::error_code ignored;
    for (const std::uint64_t number : done) std::filesystem::remove(directory_.path_of(number), ignored);
  }

 private:
  // One number says where the next record goes: how many segments this process has filled in its upper half, the offset
  // in its lower one. Space is reserved by adding to it. A segment cannot go away below a writer, since nobody gets
  // past a record that is not written.
  static std::uint64_t index_in(std::uint64_t cursor) noexcept { return cursor >> 32; }
  static std::uint64_t offset_in(std::uint64_t cursor) noexcept { return cursor & 0xFFFFFFFF; }
  [[nodiscard]] std::uint64_t number_of(std::uint64_t index) const noexcept { return first_ + index * kSegmentStep; }
  [[nodiscard]] std::uint64_t index_of(std::uint64_t number) const noexcept { return (number - first_) / kSegmentStep; }
  MappedFile& slot(std::uint64_t index) noexcept { return slots_[index % kSlots]; }

  void append(std::int32_t tenant, std::string_view text) {
    while (const auto full = try_append(tenant, text)) wait_for_segment_behind(*full);
  }

  /// The index of the segment that has no space for it; nothing: it is written.
  std::optional<std::uint64_t> try_append(std::int32_t tenant, std::string_view text) {
    const std::size_t needed = bytes_of_record(text.size());
    const std::uint64_t cursor = cursor_.fetch_add(needed, std::memory_order_acq_rel);
    const std::uint64_t index = index_in(cursor);
    const std::uint64_t offset = offset_in(cursor);
    if (offset + needed <= capacity_) {
      write_record(slot(index).bytes(), number_of(index), offset, tenant, text);
      return std::nullopt;
    }
    // The one whose record is cut by the end says so; those behind it have nothing to say it with.
    if (offset < capacity_) write_padding(slot(index).bytes(), offset);
    return index;
  }

  void wait_for_segment_behind(std::uint64_t index) {
    std::unique_lock lock(mutex_);
    while (index_in(cursor_.load(std::memory_order_acquire)) == index) {
      if (has_next_.load(std::memory_order_relaxed)) {
        cursor_.store((index + 1) << 32 | kFirstRecordOffset, std::memory_order_release);
        has_next_.store(false, std::memory_order_relaxed);
        wake_keeper_.notify_one();
        has_segment_.notify_all();
      } else {
        has_segment_.wait_for(lock, kWaitPiece);
      }
    }
  }

  // ---- the keeper: makes the next segment, gives finished ones to the disk

  void keep() {
    auto next_sync = Clock::now() + kSyncPeriod;
    auto next_fold = Clock::now() + kFoldPeriod;
    bool can_grow = true;
    std::unique_lock lock(mutex_);
    while (!is_ending_) {
      const auto until = can_grow ? next_sync : std::min(next_sync, Clock::now() + kRetryPeriod);
      wake_keeper_.wait_until(lock, until, [&] { return is_ending_ || (can_grow && !has_next_.load()); });
      lock.unlock();
      release_finished();
      if (!has_next_.load()) can_grow = prepare_next();
      if (Clock::now() >= next_sync) {
        begin_sync();
        next_sync = Clock::now() + kSyncPeriod;
      }
      if (Clock::now() >= next_fold) {
        if (untold_.empty()) untold_ = folds_.take(std::chrono::system_clock::now());
        while (!untold_.empty() && has_room() && tell_last()) {
        }
        next_fold = Clock::now() + kFoldPeriod;
      }
      lock.lock();
    }
    lock.unlock();
    for (auto& refusals : folds_.take(std::chrono::system_clock::now())) untold_.push_back(std::move(refusals));
    while (!untold_.empty() && tell_last()) {
    }
  }

  /// Of the refusals that are to be told; false when there is no space for it.
  bool tell_last() {
    std::string text;
    append_refusals(text, untold_.back());
    while (const auto full = try_append(untold_.back().tenant_id, text)) {
      if (!has_next_.load() && !prepare_next()) return false;
      wait_for_segment_behind(*full);  // which does not wait: there is one
    }
    untold_.pop_back();
    return true;
  }

  Result<MappedFile> create(std::uint64_t index) {
    auto file = MappedFile::create(directory_.path_of(number_of(index)), capacity_);
    if (file) begin_segment(file->bytes());
    return file;
  }

  /// False when there cannot be one now.
  bool prepare_next() {
    // While there is none, nobody leaves the current one.
    const std::uint64_t index = index_in(cursor_.load(std::memory_order_acquire)) + 1;
    if (slot(index).is_open()) return false;  // a writer has not finished yet, three segments ago
    auto file = create(index);
    if (!file) {
      say(file.error().message);
      return false;
    }
    slot(index) = std::move(*file);
    {
      const std::lock_guard lock(mutex_);
      has_next_.store(true, std::memory_order_relaxed);
      problem_.clear();
    }
    has_segment_.notify_all();
    return true;
  }

  void say(const std::string& problem) {
    {
      const std::lock_guard lock(mutex_);
      problem_ = "the audit journal cannot grow: " + problem;
    }
    const auto now = Clock::now();
    if (now < next_report_) return;
    next_report_ = now + kReportPeriod;
    report("the audit journal cannot grow: " + problem + "; without space new calls are refused, and nothing is lost");
  }

  /// Unmaps the segments in which every record is written.
  void release_finished() {
    const std::uint64_t current = index_in(cursor_.load(std::memory_order_acquire));
    for (; released_ < current; ++released_) {
      MappedFile& file = slot(released_);
      if (!is_finished(file.bytes())) return;
      file.sync();
      file = {};
    }
  }

  static bool is_finished(std::span<const std::byte> segment) noexcept {
    std::size_t at = kFirstRecordOffset;
    while (at < segment.size()) {
      const SegmentEntry entry = entry_of_live_segment(segment, at);
      if (entry.kind == SegmentEntry::Kind::kNothing) return false;
      at = entry.next;
    }
    return true;
  }

  /// Of the current segment, what came since the last time; those before are synced when they are finished.
  void begin_sync() {
    const std::uint64_t cursor = cursor_.load(std::memory_order_acquire);
    const std::uint64_t before = std::exchange(synced_, cursor);
    const std::uint64_t from = index_in(before) == index_in(cursor) ? offset_in(before) : 0;
    const std::uint64_t to = std::min<std::uint64_t>(offset_in(cursor), capacity_);
    if (from < to) slot(index_in(cursor)).begin_sync(from, to - from);
  }

  /// At the end: what was allocated and not used.
  void give_back() {
    const JournalPosition behind = end();
    const std::uint64_t index = index_of(behind.segment);
    std::error_code ignored;
    if (has_next_) std::filesystem::remove(directory_.path_of(number_of(index + 1)), ignored);
    if (!slot(index).is_open()) return;
    slot(index).sync();
    slot(index) = {};
    std::filesystem::resize_file(directory_.path_of(behind.segment), behind.offset, ignored);
  }

  // ---- the reader

  bool map_for_reading(std::uint64_t number) {
    if (read_file_.is_open() && read_number_ == number) return true;
    auto file = MappedFile::open(directory_.path_of(number));
    if (!file) {
      problem_of_reader_ = file.error().message;
      return false;
    }
    read_file_ = std::move(*file);
    read_number_ = number;
    return true;
  }

  /// Adds to the batch; true when it has what was asked for.
  static bool add(JournalBatch& batch, const SegmentEntry& entry, std::size_t max_records, std::size_t& bytes_left) {
    batch.records.push_back({entry.tenant, entry.text});
    batch.end.offset = entry.next;
    bytes_left -= std::min(bytes_left, entry.text.size());
    batch.has_more = batch.records.size() >= max_records || bytes_left == 0;
    return batch.has_more;
  }

  void add_skipped(JournalBatch& batch, const SegmentEntry& entry) {
    if (entry.damaged > 0) {
      batch.damage.records += entry.damaged;
      batch.damage.bytes += entry.skipped;
      // At once: when the segment is forgotten its damage may be long past, even for an earlier process.
      batch.damage.kept = directory_.keep_damaged(batch.end.segment);
    } else if (entry.kind == SegmentEntry::Kind::kRecord) {
      batch.torn_bytes += entry.skipped;
    }
  }

  /// One segment of an earlier process. True: there is nothing more to do.
  bool read_old(JournalBatch& batch, std::size_t max_records, std::size_t max_bytes) {
    if (is_old(batch.end.segment)) {
      if (!map_for_reading(batch.end.segment)) return true;
      for (std::size_t left = max_bytes;;) {
        const auto entry = entry_of_old_segment(read_file_.bytes(), batch.end.segment, batch.end.offset);
        add_skipped(batch, entry);
        if (entry.kind != SegmentEntry::Kind::kRecord) break;
        if (add(batch, entry, max_records, left)) return true;
      }
    }
    batch.end = {segment_behind(batch.end.segment), kFirstRecordOffset};
    return false;
  }

  bool read_live(JournalBatch& batch, std::size_t max_records, std::size_t max_bytes) {
    if (!map_for_reading(batch.end.segment)) return true;
    const JournalPosition behind = end();
    const std::uint64_t limit = batch.end.segment < behind.segment ? capacity_ : behind.offset;
    for (std::size_t left = max_bytes; batch.end.offset < limit;) {
      const auto entry = entry_of_live_segment(read_file_.bytes(), batch.end.offset);
      if (entry.kind == SegmentEntry::Kind::kNothing) return true;
      if (entry.kind == SegmentEntry::Kind::kPadding) {
        batch.end.offset = capacity_;
      } else if (add(batch, entry, max_records, left)) {
        return true;
      }
    }
    if (batch.end.segment >= behind.segment) return true;
    batch.end.segment += kSegmentStep;
    batch.end.offset = kFirstRecordOffset;
    return false;
  }

  bool is_old(std::uint64_t number) const {
    const std::lock_guard lock(mutex_);
    return old_.contains(number);
  }
  std::uint64_t segment_behind(std::uint64_t number) const {
    const std::lock_guard lock(mutex_);
    const auto next = old_.upper_bound(number);
    return next == old_.end() ? first_ : next->first;
  }

  const std::size_t capacity_;
  const std::size_t reserve_;
  JournalDirectory directory_;
  std::uint64_t first_ = 0;  // number of the first segment of this process

  alignas(64) std::atomic<std::uint64_t> cursor_{0};
  alignas(64) std::atomic<bool> has_next_{false};  // changed under mutex_
  std::atomic<bool> keeps_calls_{true};
  RefusalFolds folds_;
  std::array<MappedFile, kSlots> slots_;  // by index; changed by the keeper before and after anybody writes there

  mutable std::mutex mutex_;
  std::condition_variable has_segment_;
  std::condition_variable wake_keeper_;
  std::map<std::uint64_t, std::uint64_t> old_;  // of earlier processes: size by number
  JournalPosition forgotten_;
  std::string problem_;
  bool is_ending_ = false;

  // Used by the keeper alone.
  std::uint64_t released_ = 0;  // index of the oldest segment that is mapped
  std::uint64_t synced_ = 0;
  Clock::time_point next_report_{};
  std::vector<FoldedRefusals> untold_;

  // Used by the reader alone.
  MappedFile read_file_;
  std::uint64_t read_number_ = 0;
  std::string problem_of_reader_;

  std::thread keeper_;  // last: it uses all of the above
};

}  // namespace

Result<std::unique_ptr<AuditJournal>> AuditJournal::open(const AuditJournalConfig& config) {
  AuditJournalConfig sane = config;
  sane.segment_bytes = std::clamp(config.segment_bytes, kSmallestSegment, std::size_t{1} << 30);
  auto directory = JournalDirectory::open(config.directory);
  if (!directory) return directory.error();
  auto journal = std::make_unique<Journal>(sane, std::move(*directory));
  if (auto started = journal->start(); !started) {
    return Error{Errc::kUnavailable, "cannot open the audit journal: " + started.error().message, {}};
  }
  return std::unique_ptr<AuditJournal>(std::move(journal));
}

bool AuditJournal::may_hold_records(const std::filesystem::path& directory) {
  return JournalDirectory::may_hold_records(directory);
}

}  // namespace toolhost::observability
