#include "app/stdio_journals.hpp"

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace toolhost::app {
namespace {

namespace fs = std::filesystem;
using observability::AuditJournal;
using observability::HostNotice;
using observability::Severity;
using storage::AuditShipper;

constexpr unsigned kStdioPlaces = 256;  // of one data directory
constexpr std::size_t kStdioSegmentBytes = std::size_t{1} << 20;
constexpr std::size_t kStdioReserveBytes = std::size_t{256} * 1024;
constexpr std::chrono::milliseconds kShippingStep{100};  // between looks at whether the host ends

fs::path stdio_place(const fs::path& data_dir, unsigned number) {
  return data_dir / "audit" / ("stdio-" + std::to_string(number));
}

Result<std::unique_ptr<AuditJournal>> open_stdio_place(const fs::path& place) {
  return AuditJournal::open(
      {.directory = place, .segment_bytes = kStdioSegmentBytes, .reserve_bytes = kStdioReserveBytes});
}

class OrphanedStdioJournalsImpl final : public OrphanedStdioJournals {
 public:
  OrphanedStdioJournalsImpl(const Config& config, storage::DatabaseAddress address, const Secret& seal,
                            const AuditShipper& own, observability::EventSink& events)
      : config_(config), address_(std::move(address)), seal_(std::string(seal.reveal())), own_(own), events_(events) {
    thread_ = std::thread([this] { run(); });
  }
  OrphanedStdioJournalsImpl(const OrphanedStdioJournalsImpl&) = delete;
  OrphanedStdioJournalsImpl& operator=(const OrphanedStdioJournalsImpl&) = delete;
  ~OrphanedStdioJournalsImpl() override {
    {
      const std::lock_guard lock(mutex_);
      is_ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

 private:
  void run() {
    do {
      for (unsigned number = 0; number < kStdioPlaces && !is_ending(); ++number) {
        const fs::path place = stdio_place(config_.data_dir, number);
        try {
          if (AuditJournal::may_hold_records(place)) take_up(place);
        } catch (const std::exception& error) {  // no memory, or no thread: the next time again
          tell(place, error.what());
        }
      }
    } while (!wait_for_end(config_.period));
  }

  void take_up(const fs::path& place) {
    // What this process itself writes waits then as well, and it is told why.
    if (!own_.state().last_error.empty()) return;
    const auto journal = open_stdio_place(place);
    if (!journal) {
      if (journal.error().code != Errc::kConflict) tell(place, journal.error().message);  // else it is in use
      return;
    }
    told_.erase(place);
    const auto shipped = ship(**journal);
    if (shipped == 0) return;
    events_.emit(HostNotice{
        Severity::kInfo, "audit",
        "shipped " + std::to_string(shipped) + " records that a 'toolhost stdio' had left in " + place.string()});
  }

  /// How many records; when the database goes away or the host ends, the rest is left.
  [[nodiscard]] std::uint64_t ship(AuditJournal& journal) {
    const auto shipper = AuditShipper::start(address_, journal, seal_, {.keeps_chains = false}, events_);
    while (!shipper->flush(kShippingStep) && shipper->state().last_error.empty() && !is_ending()) {
    }
    return shipper->state().shipped_records;
  }

  /// Once, until it is something else.
  void tell(const fs::path& place, const std::string& why) {
    if (std::exchange(told_[place], why) == why) return;
    events_.emit(HostNotice{Severity::kError, "audit", "records that a 'toolhost stdio' left are not shipped: " + why});
  }

  [[nodiscard]] bool is_ending() {
    const std::lock_guard lock(mutex_);
    return is_ending_;
  }
  /// False when this time is over before.
  bool wait_for_end(std::chrono::milliseconds period) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, period, [this] { return is_ending_; });
  }

  const Config config_;
  const storage::DatabaseAddress address_;
  const Secret seal_;
  const AuditShipper& own_;
  observability::EventSink& events_;
  std::map<fs::path, std::string> told_;  // by place; used by the thread alone

  std::mutex mutex_;  // guards the next
  bool is_ending_ = false;
  std::condition_variable changed_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace

Result<std::unique_ptr<AuditJournal>> open_stdio_journal(const fs::path& data_dir) {
  for (unsigned number = 0;; ++number) {
    auto journal = open_stdio_place(stdio_place(data_dir, number));
    if (journal || journal.error().code != Errc::kConflict || number + 1 == kStdioPlaces) return journal;
  }
}

std::unique_ptr<OrphanedStdioJournals> OrphanedStdioJournals::start(const Config& config,
                                                                    const storage::DatabaseAddress& address,
                                                                    const Secret& seal, const AuditShipper& own,
                                                                    observability::EventSink& events) {
  return std::make_unique<OrphanedStdioJournalsImpl>(config, address, seal, own, events);
}

}  // namespace toolhost::app
