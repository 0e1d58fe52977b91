#include "storage/audit_shipper.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <pqxx/pqxx>
#include <thread>
#include <utility>

#include "observability/audit_record.hpp"
#include "storage/audit_append.hpp"
#include "storage/audit_upkeep.hpp"
#include "storage/libpq.hpp"

namespace toolhost::storage {
namespace {

using namespace std::chrono_literals;
using observability::AuditJournal;
using observability::AuditRecord;
using observability::HostNotice;
using observability::JournalBatch;
using observability::JournalPosition;
using observability::Severity;
using Clock = std::chrono::steady_clock;

constexpr auto kPause = 100ms;  // how long the first record of a batch waits for others
constexpr auto kFirstPauseOfShipping = 250ms;
constexpr auto kLongestPauseOfShipping = 10s;
constexpr auto kUpkeepPeriod = 60s;
constexpr auto kRetentionPeriod = 1h;
constexpr auto kEndPatience = 2s;  // with a server that does not answer
constexpr std::size_t kMostRecords = 4'000;
constexpr std::size_t kMostBytes = 4 * 1024 * 1024;

/// The database will not take this host's records now; `what()` says why.
struct Refusal : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::int64_t as_bigint(std::uint64_t number) {
  return static_cast<std::int64_t>(number);
}

/// In place of a record that the database cannot store, whatever it is.
std::string substitute_for(std::string_view text) {
  std::string out;
  AuditRecord(out, "unreadable", observability::time_of_record(text).value_or(std::chrono::system_clock::now()))
      .field("bytes", static_cast<std::int64_t>(text.size()))
      .field("text", text)
      .end();
  return out;
}

/// In the host's chain, in place of records that nobody can read any more.
std::string record_of(const observability::JournalDamage& damage) {
  std::string out;
  AuditRecord(out, "audit_records_lost")
      .field("reason", "damaged")
      .field("count", static_cast<std::int64_t>(damage.records))
      .field("bytes", static_cast<std::int64_t>(damage.bytes))
      .field("file", damage.kept.filename().string())
      .end();
  return out;
}

class Shipper final : public AuditShipper {
 public:
  Shipper(const DatabaseAddress& address, AuditJournal& journal, const Secret& seal, const AuditShipperConfig& config,
          observability::EventSink& events)
      : conninfo_(address.as_host()), journal_(journal), events_(events), upkeep_(seal, events), config_(config) {
    append_conninfo(conninfo_, "connect_timeout", "3");
    thread_ = std::thread([this] { run(); });
  }

  ~Shipper() override {
    {
      std::unique_lock lock(mutex_);
      is_ending_ = true;
      wake_.notify_all();
      // A server that is frozen would hold the thread for good: its connection ends then.
      if (!progress_.wait_for(lock, kEndPatience, [&] { return has_ended_; }) && socket_ >= 0) {
        ::shutdown(socket_, SHUT_RDWR);
      }
    }
    thread_.join();
  }

  bool flush(std::chrono::milliseconds limit) override {
    const JournalPosition wanted = journal_.end();
    std::unique_lock lock(mutex_);
    ++flushes_;
    wake_.notify_all();
    const bool is_done = progress_.wait_for(lock, limit, [&] { return shipped_ >= wanted || has_ended_; });
    --flushes_;
    return is_done && shipped_ >= wanted;
  }

  [[nodiscard]] ShipperState state() const override {
    const std::lock_guard lock(mutex_);
    ShipperState state{.waiting_bytes = journal_.state().waiting_bytes,
                       .shipped_records = shipped_records_,
                       .last_error = last_error_};
    if (oldest_) {
      const auto age = std::chrono::system_clock::now() - *oldest_;
      state.oldest_age = std::max(std::chrono::duration_cast<std::chrono::milliseconds>(age), 0ms);
    }
    return state;
  }

  void set_config(const AuditShipperConfig& config) override {
    const std::lock_guard lock(mutex_);
    if (config_ == config) return;
    config_ = config;
    next_retention_ = next_upkeep_ = Clock::now();
  }

 private:
  void run() {
    Clock::duration back_off = kFirstPauseOfShipping;
    std::unique_lock lock(mutex_);
    while (!is_ending_) {
      lock.unlock();
      const std::string error = ship_all();
      note(error);
      lock.lock();
      if (error.empty()) {
        back_off = kFirstPauseOfShipping;
        wake_.wait_for(lock, kPause, [&] { return is_ending_ || (flushes_ > 0 && shipped_ < journal_.end()); });
      } else {
        wake_.wait_for(lock, back_off, [&] { return is_ending_; });
        back_off = std::min<Clock::duration>(back_off * 2, kLongestPauseOfShipping);
      }
    }
    has_ended_ = true;
    progress_.notify_all();
  }

  /// Everything that waits, then what is due besides. Empty, or why it did not work.
  std::string ship_all() {
    try {
      if (connection_ == nullptr) connect();
      while (ship_batch()) {
        const std::lock_guard lock(mutex_);
        if (is_ending_) return {};
      }
      keep_up();
      return {};
    } catch (const pqxx::sql_error& error) {
      disconnect();
      return std::string(error.sqlstate()) + " " + one_line(error.what());
    } catch (const std::exception& error) {
      disconnect();
      return one_line(error.what());
    }
  }

  /// Tells the beginning and the end of an outage.
  void note(const std::string& error) {
    std::string before;
    {
      const std::lock_guard lock(mutex_);
      before = std::exchange(last_error_, error);
      if (is_ending_) return;
    }
    if (error.empty() == before.empty()) return;
    if (error.empty()) {
      events_.emit(HostNotice{Severity::kInfo, "audit", "the audit reaches the database again"});
    } else {
      events_.emit(
          HostNotice{Severity::kError, "audit",
                     "the audit cannot be written to the database: " + error + "; records wait on disk, none is lost"});
    }
  }

  // ---- the connection, and where it stands

  void connect() {
    connection_ = std::make_unique<pqxx::connection>(conninfo_);
    {
      const std::lock_guard lock(mutex_);
      socket_ = connection_->sock();
    }
    settle();
  }

  void disconnect() {
    const std::lock_guard lock(mutex_);
    socket_ = -1;
    connection_.reset();
  }

  std::optional<JournalPosition> load_position() {
    pqxx::work work(*connection_);
    const pqxx::result found = work.exec_params(
        "select segment, \"offset\" from toolhost.audit_positions where host_id = $1", journal_.host_id());
    if (found.empty()) return std::nullopt;
    return JournalPosition{static_cast<std::uint64_t>(found[0][0].as<std::int64_t>()),
                           static_cast<std::uint64_t>(found[0][1].as<std::int64_t>())};
  }

  /// Finds out how far the database is: also whether it has kept a batch whose commit was not answered.
  void settle() {
    const auto position = load_position();
    // None of this process's records is there before it has sent one.
    const bool is_foreign = position && (is_settled_ ? *position > stored_ && position != intended_
                                                     : position->segment >= journal_.start().segment);
    if (is_foreign) {
      renew_host_id();
    } else if (position) {
      // Earlier than it was: the database was put back to an earlier state.
      stored_ = *position;
      read_from_ = std::max(*position, journal_.begin());
    } else {
      stored_ = read_from_ = is_settled_ ? std::max(read_from_, journal_.begin()) : journal_.begin();
    }
    is_settled_ = true;
    intended_.reset();
  }

  void renew_host_id() {
    if (auto renewed = journal_.renew_host_id(); !renewed) {
      throw Refusal("another host uses this one's id, which cannot be changed: " + renewed.error().message);
    }
    stored_ = read_from_ = is_settled_ ? stored_ : journal_.begin();
    events_.emit(HostNotice{Severity::kWarning, "audit",
                            "another host uses the id of this one's audit journal, as a copy of its data directory "
                            "does; this one has a new id now"});
  }

  // ---- batches

  /// True when there is more to do at once.
  bool ship_batch() {
    const auto batch = journal_.read(read_from_, limit_, kMostBytes);
    if (!batch) throw Refusal(batch.error().message);
    if (batch->records.empty() && batch->damage.records == 0) {
      advance(batch->end, 0);
      return false;
    }
    if (!batch->records.empty()) {
      const std::lock_guard lock(mutex_);
      oldest_ = observability::time_of_record(batch->records.front().text);
    }
    if (!store(*batch)) return true;
    tell_left_out(*batch);
    stored_ = batch->end;
    advance(batch->end, batch->records.size());
    limit_ = std::min(limit_ * 2, kMostRecords);
    const std::lock_guard lock(mutex_);
    return batch->has_more || flushes_ > 0;
  }

  void tell_left_out(const JournalBatch& batch) {
    if (batch.torn_bytes > 0) {
      events_.emit(HostNotice{Severity::kInfo, "audit",
                              "left out " + std::to_string(batch.torn_bytes) +
                                  " bytes of records that were being written when the host was killed; none of these "
                                  "calls was answered, unless the whole machine went down"});
    }
    const auto& damage = batch.damage;
    if (damage.records == 0) return;
    events_.emit(HostNotice{
        Severity::kError, "audit",
        "records of the audit journal are damaged, at least " + std::to_string(damage.records) + " (" +
            std::to_string(damage.bytes) + " bytes); their calls were answered and are missing from the audit; " +
            (damage.kept.empty() ? "the file cannot be kept" : "the file is kept as " + damage.kept.string())});
  }

  /// In one transaction. False when it has to be tried again in another way.
  bool store(const JournalBatch& batch) {
    std::map<std::int32_t, std::string> lines;  // in one order, so that two hosts cannot block each other for good
    for (const auto& record : batch.records) {
      std::string& text = lines[record.tenant];
      if (!text.empty()) text += '\n';
      if (is_substituting_) {
        text += substitute_for(record.text);
      } else {
        text += record.text;
      }
    }
    if (batch.damage.records > 0) {
      std::string& text = lines[0];
      if (!text.empty()) text += '\n';
      text += record_of(batch.damage);
    }
    intended_ = batch.end;
    try {
      pqxx::work work(*connection_);
      const pqxx::result moved = work.exec_params(
          "select toolhost.audit_advance($1, $2, $3, $4, $5)", journal_.host_id(), as_bigint(stored_.segment),
          as_bigint(stored_.offset), as_bigint(batch.end.segment), as_bigint(batch.end.offset));
      if (!moved[0][0].as<bool>()) {
        work.abort();
        settle();
        return false;
      }
      for (const auto& [tenant, text] : lines) {
        append_audit_lines(work, tenant, text);
      }
      work.commit();
    } catch (const pqxx::sql_error& error) {
      if (!error.sqlstate().starts_with("22")) throw;
      be_careful(batch.records.size(), one_line(error.what()));
      return false;
    }
    is_substituting_ = false;
    return true;
  }

  /// One record cannot be stored: it is looked for by halving, and must not hold up those behind it.
  void be_careful(std::size_t records, const std::string& why) {
    limit_ = std::max<std::size_t>(records / 2, 1);
    if (records > 1) return;
    if (std::exchange(is_substituting_, true)) throw Refusal(why);
    events_.emit(
        HostNotice{Severity::kError, "audit",
                   "the database cannot store a record: " + why + "; one of kind \"unreadable\" holds its text"});
  }

  void advance(JournalPosition position, std::size_t records) {
    read_from_ = position;
    journal_.forget(position);
    const std::lock_guard lock(mutex_);
    shipped_ = position;
    shipped_records_ += records;
    oldest_.reset();
    progress_.notify_all();
  }

  // ---- what is due besides

  void keep_up() {
    AuditShipperConfig config;
    bool is_retention_due = false;
    {
      const std::lock_guard lock(mutex_);
      const auto now = Clock::now();
      if (!config_.keeps_chains || now < next_upkeep_) return;
      config = config_;
      next_upkeep_ = now + std::min<Clock::duration>(kUpkeepPeriod, config.checkpoint_every);
      is_retention_due = now >= next_retention_;
      if (is_retention_due) next_retention_ = now + kRetentionPeriod;
    }
    if (is_retention_due) upkeep_.make_partitions(*connection_);
    upkeep_.seal_chains(*connection_, config.checkpoint_every);
    if (is_retention_due) upkeep_.drop_old(*connection_, config.retention);
  }

  std::string conninfo_;
  AuditJournal& journal_;
  observability::EventSink& events_;

  // Used by the thread alone.
  AuditUpkeep upkeep_;
  std::unique_ptr<pqxx::connection> connection_;
  bool is_settled_ = false;
  JournalPosition stored_;                   // in the database
  JournalPosition read_from_;                // the next record
  std::optional<JournalPosition> intended_;  // of a commit that was not answered
  std::size_t limit_ = kMostRecords;
  bool is_substituting_ = false;

  mutable std::mutex mutex_;
  std::condition_variable wake_, progress_;
  AuditShipperConfig config_;
  Clock::time_point next_upkeep_{}, next_retention_{};
  JournalPosition shipped_;
  std::uint64_t shipped_records_ = 0;
  std::optional<AuditRecord::Time> oldest_;
  std::string last_error_;
  int socket_ = -1;
  int flushes_ = 0;
  bool is_ending_ = false;
  bool has_ended_ = false;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace

std::unique_ptr<AuditShipper> AuditShipper::start(const DatabaseAddress& address, AuditJournal& journal,
                                                  const Secret& seal, const AuditShipperConfig& config,
                                                  observability::EventSink& events) {
  return std::make_unique<Shipper>(address, journal, seal, config, events);
}

}  // namespace toolhost::storage
