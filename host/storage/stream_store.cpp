#include "storage/stream_store.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "base/hex.hpp"
#include "storage/job_limit.hpp"
#include "storage/libpq.hpp"

namespace toolhost::storage {
namespace {

using namespace std::chrono_literals;
using observability::HostNotice;
using observability::Severity;
using Steady = std::chrono::steady_clock;

constexpr auto kTick = 1s;
constexpr auto kSweep = 60s;
constexpr auto kBackOff = 500ms;
constexpr auto kJobLimit = 5s;
constexpr auto kLastWords = 2s;
// While the database is away; the oldest go.
constexpr std::size_t kMostJobs = 10'000;
constexpr std::size_t kMostLesserJobs = 5'000;  // of what may rather be lost than an answer
constexpr std::size_t kMostQueuedBytes = std::size_t{64} * 1024 * 1024;
constexpr int kMostAnswersOfKey = 10'000, kMostWishesOfKey = 10'000;
constexpr std::size_t kMostAnnouncements = 10'000;
// One after another, before something else has its turn.
constexpr std::size_t kJobsInARow = 500, kAnnouncementsInARow = 500;
constexpr int kLettersInARow = 200;
// First half of the advisory locks that living hosts hold; the second is the host's number.
constexpr const char* kHostLock = "1952739187";
// Of the hosts that live, but for the one that asks.
constexpr const char* kOthers =
    "select objid::bigint::integer as number from pg_locks where locktype = 'advisory' and granted and objsubid = 2 "
    "and "
    "classid = 1952739187 and objid <> $1::bigint and database = (select oid from pg_database where datname = "
    "current_database())";
// An answer that is not on disk yet is lost with the database only, and with it what the call did.
constexpr const char* kSettings =
    "set synchronous_commit = off; set lock_timeout = '2s'; set statement_timeout = '4s'; listen toolhost_sessions";

class SqlStreamStore final : public StreamStore {
 public:
  SqlStreamStore(const DatabaseAddress& address, std::chrono::seconds keep, observability::EventSink& events)
      : events_(events),
        conninfo_(address.as_host()),
        keep_(std::to_string(keep.count())),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        limit_(kJobLimit) {
    append_conninfo(conninfo_, "connect_timeout", "3");
  }

  ~SqlStreamStore() override {
    {
      std::unique_lock lock(mutex_);
      is_ending_ = true;
      wake();
      if (thread_.joinable() && !ended_.wait_for(lock, kLastWords, [this] { return has_ended_; })) limit_.end_all();
    }
    if (thread_.joinable()) thread_.join();
    disconnect();
    ::close(wake_);
  }

  Result<> start() {
    if (!connect()) {
      return Error{Errc::kUnavailable, "the database is not available right now",
                   one_line(PQerrorMessage(connection_.get()))};
    }
    thread_ = std::thread([this] { run(); });
    return {};
  }

  void set_listener(Listener* listener) override {
    {
      const std::lock_guard lock(listener_mutex_);
      listener_ = listener;
      ++listener_number_;
    }
    knows_sessions_ = false;
    wake();
  }

  [[nodiscard]] std::uint32_t host() const noexcept override { return host_; }
  [[nodiscard]] bool is_available() const noexcept override { return is_available_; }

  void keep(Answer answer) override {
    const auto bytes = answer.message.size();
    add(bytes, [this, answer = std::move(answer)] {
      return done(
          exec("insert into kept_answers (stream, tenant_id, key_id, state, message, expires_at) "
               "values ($1::uuid, $2, $3, 'answered', $4, to_timestamp($5)) on conflict do nothing",
               {answer.stream, std::to_string(value(answer.tenant)), std::to_string(value(answer.key)), answer.message,
                seconds(answer.expires)}));
    });
  }

  void look(Question question, std::function<void(Found)> on_found) override {
    // The listener itself may ask: its mutex is held then.
    add(0, [this, listener = listener_number_.load(), question = std::move(question), on_found = std::move(on_found)] {
      auto found = look_up(question);
      const std::lock_guard lock(listener_mutex_);
      if (listener == listener_number_ && listener_ != nullptr) on_found(std::move(found));
      return true;  // who wants to know asks again
    });
  }

  void send(std::uint32_t host, std::string message) override {
    const auto bytes = message.size();
    add(bytes, [this, host = std::to_string(host), message = std::move(message)] {
      return put(host, message) && done(exec("notify toolhost_host_" + host));
    });
  }

  bool send_lesser(std::uint32_t host, std::string message) override {
    const auto bytes = message.size();
    return add_lesser(bytes, [this, host = std::to_string(host), message = std::move(message)] {
      return put(host, message) && done(exec("notify toolhost_host_" + host));
    });
  }

  void send_others(std::string message) override {
    if (!has_others()) return;
    const auto bytes = message.size();
    add_lesser(bytes, [this, message = std::move(message)] { return tell_others({message}); });
  }

  void announce(std::string message) override {
    if (!has_others()) return;
    const std::lock_guard lock(mutex_);
    if (is_ending_ || announcements_.size() >= kMostAnnouncements) return;
    if (announcements_.insert(std::move(message)).second && announcements_.size() == 1) wake();
  }

  [[nodiscard]] bool is_living(std::uint32_t host) const override {
    const std::lock_guard lock(mutex_);
    return is_available_ && others_.contains(host);
  }

  [[nodiscard]] bool has_others() const override {
    const std::lock_guard lock(mutex_);
    return !others_.empty();
  }

  void note_wish(KeyId key, const SessionHash& session, Wish wish) override {
    const auto bytes = wish.uri.size();
    add_lesser(bytes, [this, key = std::to_string(value(key)), hash = bytea(session), wish = std::move(wish)] {
      if (wish.is_withdrawn)
        return done(exec("delete from session_wishes where session_hash = $1 and uri = $2", {hash, wish.uri}));
      return done(
          exec("insert into session_wishes (session_hash, key_id, uri, level) values ($1, $2, $3, "
               "nullif($4, '')::smallint) on conflict (session_hash, uri) do update set level = excluded.level, "
               "told_at = excluded.told_at",
               {hash, key, wish.uri, wish.level ? std::to_string(*wish.level) : std::string()}));
    });
  }

  void find_wishes(KeyId key, const SessionHash& session, std::function<void(std::vector<Wish>)> on_found) override {
    add_lesser(0, [this, listener = listener_number_.load(), key = std::to_string(value(key)), hash = bytea(session),
                   on_found = std::move(on_found)] {
      const auto rows =
          exec("select uri, level from session_wishes where session_hash = $1 and key_id = $2", {hash, key});
      if (!done(rows)) return false;
      if (PQresultStatus(rows.get()) != PGRES_TUPLES_OK) return true;
      std::vector<Wish> wishes;
      for (int row = 0; row < PQntuples(rows.get()); ++row) {
        std::optional<int> level;
        if (PQgetisnull(rows.get(), row, 1) == 0) level = std::stoi(PQgetvalue(rows.get(), row, 1));
        wishes.push_back({.uri = PQgetvalue(rows.get(), row, 0), .level = level});
      }
      const std::lock_guard lock(listener_mutex_);
      if (listener == listener_number_ && listener_ != nullptr) on_found(std::move(wishes));
      return true;
    });
  }

  void end_session(KeyId key, const SessionHash& id, Clock::time_point until) override {
    add(0, [this, key = std::to_string(value(key)), hash = bytea(id), until = seconds(until)] {
      return done(exec("insert into ended_sessions (id_hash, key_id, expires_at) values ($1, $2, to_timestamp($3)) "
                       "on conflict do nothing",
                       {hash, key, until})) &&
             done(exec("delete from session_wishes where session_hash = $1", {hash})) &&
             done(exec("notify toolhost_sessions"));
    });
  }

  void forget_key(KeyId key) override {
    add(0, [this, key = std::to_string(value(key))] {
      return done(exec("delete from kept_answers where key_id = $1", {key})) &&
             done(exec("delete from session_wishes where key_id = $1", {key}));
    });
  }

 private:
  struct Job {
    std::function<bool()> run;  ///< false: the connection was lost, and the job is to be done again
    std::size_t bytes = 0;      ///< of its message
  };

  static std::string seconds(Clock::time_point time) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
  }

  static std::string bytea(const SessionHash& hash) {
    return "\\x" + to_hex({reinterpret_cast<const char*>(hash.data()), hash.size()});
  }

  void add(std::size_t bytes, std::function<bool()> run) {
    bool is_first_dropped = false;
    {
      const std::lock_guard lock(mutex_);
      if (is_ending_) return;
      while (!jobs_.empty() && (jobs_.size() >= kMostJobs || job_bytes_ + bytes > kMostQueuedBytes)) {
        take_job();
        is_first_dropped = ++dropped_ == 1 || is_first_dropped;
      }
      jobs_.push_back({std::move(run), bytes});
      job_bytes_ += bytes;
      wake();
    }
    if (is_first_dropped)
      notice(Severity::kError,
             "more answers and messages wait for the database than are kept; the oldest are dropped, and what "
             "became of their calls cannot be told any more");
  }

  /// False, and nothing, when as many wait as may before answers.
  bool add_lesser(std::size_t bytes, std::function<bool()> run) {
    {
      const std::lock_guard lock(mutex_);
      if (jobs_.size() >= kMostLesserJobs || job_bytes_ + bytes > kMostQueuedBytes / 2) return false;
    }
    add(bytes, std::move(run));
    return true;
  }

  // With the lock.
  Job take_job() {
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    job_bytes_ -= job.bytes;
    return job;
  }

  void notice(Severity severity, std::string_view message) { events_.emit(HostNotice{severity, "streams", message}); }

  void wake() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
  }

  // All below: the thread, but for start().

  void run() {
    while (!is_over()) {
      if (connection_ == nullptr) {
        if (!connect()) {
          wait(kBackOff);
          continue;
        }
        tell_back();
      }
      wait(std::chrono::ceil<std::chrono::milliseconds>(next_tick_ - Steady::now()));
      if (!work()) lose();
    }
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
    ended_.notify_all();
  }

  void lose() {
    const std::string why = one_line(PQerrorMessage(connection_.get()));
    disconnect();
    {
      const std::lock_guard lock(mutex_);
      if (is_ending_) return;
    }
    notice(Severity::kWarning, "the connection for sessions and streams is lost: " + why +
                                   "; what hosts tell each other waits, and so do clients that come back for an "
                                   "answer of another host");
  }

  void tell_back() {
    std::size_t dropped = 0;
    {
      const std::lock_guard lock(mutex_);
      dropped = std::exchange(dropped_, 0);
      if (is_ending_) return;
    }
    notice(Severity::kInfo,
           "the connection for sessions and streams is back" +
               (dropped == 0 ? std::string() : "; " + std::to_string(dropped) + " of what waited were dropped"));
  }

  /// Whether there is nothing more to do: what is queued at the end is done, as far as the connection allows.
  bool is_over() {
    const std::lock_guard lock(mutex_);
    return is_ending_ && (jobs_.empty() || connection_ == nullptr);
  }

  void wait(std::chrono::milliseconds time) {
    const int socket = connection_ == nullptr ? -1 : PQsocket(connection_.get());
    std::array<pollfd, 2> waits{{{wake_, POLLIN, 0}, {socket, POLLIN, 0}}};
    ::poll(waits.data(), waits.size(), static_cast<int>(std::max<std::int64_t>(time.count(), 0)));
    std::uint64_t count = 0;
    [[maybe_unused]] const auto read = ::read(wake_, &count, sizeof count);
  }

  /// False when the connection is lost.
  bool work() {
    if (PQconsumeInput(connection_.get()) == 0) return false;
    do {
      if (!do_jobs() || !do_chores()) return false;
      // What came along with an answer wakes nobody.
      note_notifications();
    } while (has_letters_ || !knows_sessions_ || has_work());
    return true;
  }

  bool has_work() {
    const std::lock_guard lock(mutex_);
    return !jobs_.empty() || !announcements_.empty();
  }

  bool do_chores() {
    note_notifications();
    if (Steady::now() >= next_tick_ && !tick()) return false;
    if (!knows_sessions_.exchange(true) && !(load_sessions() && look_around())) return false;
    return tell_announcements() && (!has_letters_ || take_letters());
  }

  bool do_jobs() {
    for (std::size_t count = 0; count < kJobsInARow; ++count) {
      Job job;
      {
        const std::lock_guard lock(mutex_);
        if (jobs_.empty()) return true;
        job = take_job();
      }
      if (job.run()) continue;
      const std::lock_guard lock(mutex_);
      job_bytes_ += job.bytes;
      jobs_.push_front(std::move(job));
      return false;
    }
    return true;
  }

  void note_notifications() {
    while (PGnotify* const notification = PQnotifies(connection_.get())) {
      if (std::string_view(notification->relname) == "toolhost_sessions")
        knows_sessions_ = false;
      else
        has_letters_ = true;
      PQfreemem(notification);
    }
  }

  bool tick() {
    next_tick_ = Steady::now() + kTick;
    {
      const std::lock_guard lock(listener_mutex_);
      if (listener_ != nullptr) listener_->on_tick();
    }
    if (Steady::now() >= next_sweep_) {
      next_sweep_ = Steady::now() + kSweep;
      return sweep();
    }
    return look_around();
  }

  /// Who else is there.
  bool look_around() {
    const auto rows = exec(kOthers, {std::to_string(host_)});
    if (!done(rows)) return false;
    const std::lock_guard lock(mutex_);
    others_.clear();
    for (int row = 0; row < PQntuples(rows.get()); ++row)
      others_.insert(static_cast<std::uint32_t>(std::stoul(PQgetvalue(rows.get(), row, 0))));
    return true;
  }

  bool tell_others(const std::vector<std::string>& messages) {
    std::vector<std::string> hosts;
    {
      const std::lock_guard lock(mutex_);
      for (const auto host : others_) hosts.push_back(std::to_string(host));
    }
    for (const auto& host : hosts) {
      for (const auto& message : messages)
        if (!put(host, message)) return false;
      if (!done(exec("notify toolhost_host_" + host))) return false;
    }
    return true;
  }

  bool put(const std::string& host, const std::string& message) {
    return done(exec("insert into host_messages (host, message) select number, $2 from hosts where number = $1",
                     {host, message}));
  }

  bool tell_announcements() {
    std::vector<std::string> messages;
    {
      const std::lock_guard lock(mutex_);
      const auto count = std::min(announcements_.size(), kAnnouncementsInARow);
      const auto end = std::next(announcements_.begin(), static_cast<std::ptrdiff_t>(count));
      messages.assign(announcements_.begin(), end);
      announcements_.erase(announcements_.begin(), end);
    }
    if (messages.empty() || tell_others(messages)) return true;
    const std::lock_guard lock(mutex_);
    announcements_.insert(messages.begin(), messages.end());
    return false;
  }

  bool load_sessions() {
    const auto rows = exec("select id_hash, key_id, extract(epoch from expires_at)::bigint from ended_sessions");
    if (!done(rows)) return false;
    const std::lock_guard lock(listener_mutex_);
    for (int row = 0; row < PQntuples(rows.get()) && listener_ != nullptr; ++row) {
      const std::string bytes = from_hex(std::string_view(PQgetvalue(rows.get(), row, 0)).substr(2));
      SessionHash hash{};
      std::copy_n(bytes.begin(), std::min(bytes.size(), hash.size()), reinterpret_cast<char*>(hash.data()));
      listener_->on_session_ended(KeyId{std::stoll(PQgetvalue(rows.get(), row, 1))}, hash,
                                  Clock::time_point(std::chrono::seconds(std::stoll(PQgetvalue(rows.get(), row, 2)))));
    }
    return true;
  }

  bool take_letters() {
    const auto rows = exec(
        "with taken as (delete from host_messages where id in (select id from host_messages where host = $1 "
        "order by id limit $2) returning id, message) select message from taken order by id",
        {std::to_string(host_), std::to_string(kLettersInARow)});
    if (!done(rows)) return false;
    has_letters_ = PQntuples(rows.get()) == kLettersInARow;
    const std::lock_guard lock(listener_mutex_);
    for (int row = 0; row < PQntuples(rows.get()) && listener_ != nullptr; ++row)
      listener_->on_message(PQgetvalue(rows.get(), row, 0));
    return true;
  }

  /// What no longer serves anybody. The text of an answer goes first; that it was given is known for longer.
  bool sweep() {
    return done(exec("delete from kept_answers where expires_at < now()")) &&
           done(exec("update kept_answers set message = '' where message <> '' and kept_at < now() - "
                     "make_interval(secs => $1)",
                     {keep_})) &&
           done(
               exec("update kept_answers k set message = '' from (select stream from (select stream, row_number() over "
                    "(partition by key_id order by kept_at desc) as place from kept_answers where message <> '') p "
                    "where place > $1) old where k.stream = old.stream",
                    {std::to_string(kMostAnswersOfKey)})) &&
           done(exec("delete from ended_sessions where expires_at < now()")) &&
           done(exec("delete from session_wishes where told_at < now() - interval '30 days'")) &&
           done(exec("delete from session_wishes w using (select session_hash, uri, row_number() over (partition by "
                     "key_id order by told_at desc) as place from session_wishes where key_id in (select key_id from "
                     "session_wishes group by key_id having count(*) > $1)) old where place > $1 and "
                     "w.session_hash = old.session_hash and w.uri = old.uri",
                     {std::to_string(kMostWishesOfKey)})) &&
           done(exec("delete from host_messages where created_at < now() - interval '10 minutes'")) &&
           done(exec("delete from hosts where started_at < now() - interval '7 days' and number <> $1 and "
                     "pg_try_advisory_xact_lock($2, number)",
                     {std::to_string(host_), kHostLock}));
  }

  Found look_up(const Question& question) {
    if (connection_ == nullptr) return {};
    const std::string key = std::to_string(value(question.key));
    auto found = read(question.stream, key);
    if (found) return *found;
    if (!is_sane_) return {};
    const bool is_other = question.host != 0 && question.host != host_;
    if (is_other) {
      const auto lock = exec("select pg_try_advisory_xact_lock($1, $2)", {kHostLock, std::to_string(question.host)});
      if (PQresultStatus(lock.get()) != PGRES_TUPLES_OK) return {};
      if (*PQgetvalue(lock.get(), 0, 0) == 'f') return {Fate::kRunning, {}};
    }
    // A transaction that is about to keep the answer is waited for: one of the two rows stays.
    const auto verdict = exec(
        "insert into kept_answers (stream, key_id, state, expires_at) values ($1::uuid, $2, 'lost', to_timestamp($3)) "
        "on conflict do nothing",
        {question.stream, key, seconds(question.expires)});
    if (PQresultStatus(verdict.get()) != PGRES_COMMAND_OK) return {};
    found = read(question.stream, key);
    return found.value_or(Found{});
  }

  /// Nothing when nothing is kept, or the database did not say.
  std::optional<Found> read(const std::string& stream, const std::string& key) {
    const auto rows =
        exec("select state, message from kept_answers where stream = $1::uuid and key_id = $2", {stream, key});
    is_sane_ = PQresultStatus(rows.get()) == PGRES_TUPLES_OK;
    if (!is_sane_ || PQntuples(rows.get()) == 0) return std::nullopt;
    const bool is_lost = std::string_view(PQgetvalue(rows.get(), 0, 0)) == "lost";
    return Found{is_lost ? Fate::kLost : Fate::kAnswered, PQgetvalue(rows.get(), 0, 1)};
  }

  bool connect() {
    connection_.reset(PQconnectdb(conninfo_.c_str()));
    if (PQstatus(connection_.get()) == CONNECTION_OK) {
      socket_ = ::fcntl(PQsocket(connection_.get()), F_DUPFD_CLOEXEC, 0);
      PQsetNoticeProcessor(connection_.get(), [](void*, const char*) {}, nullptr);
      if (take_number()) {
        knows_sessions_ = false;
        has_letters_ = true;
        is_available_ = true;
        return true;
      }
    }
    if (thread_.joinable()) disconnect();  // start() still wants to know why
    return false;
  }

  /// The number that the host has had before a connection was lost stays its own: nobody else is given it. Others may
  /// have taken it for dead meanwhile, and swept it out.
  bool take_number() {
    if (!done(exec(kSettings))) return false;
    if (host_ == 0) {
      const auto number = exec("insert into hosts default values returning number");
      if (PQresultStatus(number.get()) != PGRES_TUPLES_OK) return false;
      host_ = static_cast<std::uint32_t>(std::stoul(PQgetvalue(number.get(), 0, 0)));
    }
    const auto text = std::to_string(host_);
    const auto lock = exec("select pg_try_advisory_lock($1, $2)", {kHostLock, text});
    return PQresultStatus(lock.get()) == PGRES_TUPLES_OK && *PQgetvalue(lock.get(), 0, 0) == 't' &&
           done(
               exec("insert into hosts (number) overriding system value values ($1) on conflict do nothing", {text})) &&
           done(exec("listen toolhost_host_" + text)) && done(exec("notify toolhost_sessions"));
  }

  void disconnect() {
    is_available_ = false;
    connection_.reset();
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }

  PgResultPtr exec(const std::string& sql, const std::vector<std::string>& values = {}) {
    const JobLimit::Watch watch(&limit_, socket_);
    if (values.empty()) return PgResultPtr(PQexec(connection_.get(), sql.c_str()));
    std::vector<const char*> texts;
    for (const auto& value : values) texts.push_back(value.c_str());
    return PgResultPtr(PQexecParams(connection_.get(), sql.c_str(), static_cast<int>(texts.size()), nullptr,
                                    texts.data(), nullptr, nullptr, 0));
  }

  /// False when the connection is lost. What the database has refused is not tried again.
  bool done(const PgResultPtr&) const { return PQstatus(connection_.get()) == CONNECTION_OK; }

  observability::EventSink& events_;
  std::string conninfo_;
  const std::string keep_;
  const int wake_;
  JobLimit limit_;
  std::atomic<std::uint32_t> host_{0};
  std::atomic<bool> is_available_{false};
  std::atomic<bool> knows_sessions_{false};

  mutable std::mutex mutex_;  // guards what is queued and how it ends, and who else is there
  std::condition_variable ended_;
  std::deque<Job> jobs_;
  std::size_t job_bytes_ = 0;
  std::set<std::string> announcements_;
  std::set<std::uint32_t> others_;
  std::size_t dropped_ = 0;  ///< since the database was there
  bool is_ending_ = false, has_ended_ = false;

  std::mutex listener_mutex_;  // held while the listener is called
  Listener* listener_ = nullptr;
  std::atomic<std::uint64_t> listener_number_{0};

  PgConnectionPtr connection_;
  int socket_ = -1;  ///< the connection's, a descriptor of our own
  bool has_letters_ = true, is_sane_ = true;
  Steady::time_point next_tick_{}, next_sweep_{};
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<StreamStore>> StreamStore::start(const DatabaseAddress& address, std::chrono::seconds keep,
                                                        observability::EventSink& events) {
  auto store = std::make_unique<SqlStreamStore>(address, keep, events);
  if (auto started = store->start(); !started) return started.error();
  return std::unique_ptr<StreamStore>(std::move(store));
}

}  // namespace toolhost::storage
