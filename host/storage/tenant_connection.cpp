#include "storage/tenant_connection.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <charconv>
#include <cstring>
#include <vector>

#include "storage/libpq.hpp"
#include "storage/prepared_cache.hpp"
#include "storage/sql_codec.hpp"
#include "storage/sql_screen.hpp"

namespace toolhost::storage {
namespace {

using namespace std::chrono_literals;
using Clock = Deadline::Clock;

constexpr auto kAnswerGrace = 500ms;  // the server's own timeout comes first; after this it does not answer at all
constexpr auto kAfterCancel = 5s;     // how long a cancelled statement may take to end
constexpr auto kRepeatCancel = 200ms;
constexpr std::size_t kPreparedSettings = 64;
constexpr std::size_t kMostParameters = 65'535;  // the protocol counts them in 16 bits
constexpr std::size_t kKeptBytes = 1 << 20;      // of a result's memory, for the next one

constexpr const char* kBegin = "begin_rw";
constexpr const char* kBeginReadOnly = "begin_ro";
constexpr const char* kCommit = "commit";
constexpr const char* kRollback = "rollback";
// All statements of one read see one snapshot, so that what they say fits together.
constexpr const char* kReadOnlySql = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

Error unavailable(std::string detail) {
  return Error{Errc::kUnavailable, "The database is not available right now; try again in a moment.",
               std::move(detail)};
}

/// The rows of the last query, kept as text and decoded one row at a time.
class StoredRows final : public Rows {
 public:
  void reset() {
    shape_.reset();
    cells_.clear();
    rows_left_ = 0;
    if (cells_.capacity() > kKeptBytes) cells_.shrink_to_fit();
    next_ = 0;
  }

  void add(const PGresult* result) {
    const int rows = PQntuples(result);
    const int columns = PQnfields(result);
    rows_left_ += static_cast<std::size_t>(rows);
    for (int row = 0; row < rows; ++row) {
      for (int i = 0; i < columns; ++i) {
        const std::int32_t size = PQgetisnull(result, row, i) != 0 ? -1 : PQgetlength(result, row, i);
        cells_.append(reinterpret_cast<const char*>(&size), sizeof size);
        if (size > 0) cells_.append(PQgetvalue(result, row, i), static_cast<std::size_t>(size));
      }
    }
  }

  void finish(PgResultPtr shape) {
    shape_ = std::move(shape);
    values_.resize(std::max<std::size_t>(columns(), 1));  // a row without columns is a row as well
  }

  [[nodiscard]] std::size_t bytes() const noexcept { return cells_.size(); }
  [[nodiscard]] std::size_t columns() const noexcept override {
    return static_cast<std::size_t>(PQnfields(shape_.get()));
  }
  [[nodiscard]] std::string_view column_name(std::size_t column) const noexcept override {
    const char* name = PQfname(shape_.get(), static_cast<int>(column));
    return name != nullptr ? name : "";
  }

  const SqlValue* next() override {
    if (rows_left_ == 0) return nullptr;
    --rows_left_;
    for (std::size_t i = 0; i < columns(); ++i) {
      std::int32_t size = 0;
      std::memcpy(&size, cells_.data() + next_, sizeof size);
      next_ += sizeof size;
      if (size < 0) {
        values_[i] = SqlValue{};
        continue;
      }
      values_[i] = decode_column(PQftype(shape_.get(), static_cast<int>(i)),
                                 {cells_.data() + next_, static_cast<std::size_t>(size)});
      next_ += static_cast<std::size_t>(size);
    }
    return values_.data();
  }

 private:
  PgResultPtr shape_;  // column names and types
  std::string cells_;  // for each: int32 size (-1 for NULL), then the text
  std::size_t next_ = 0;
  std::size_t rows_left_ = 0;
  std::vector<SqlValue> values_;
};

/// Parameters in libpq's form; bound to one statement.
class Parameters {
 public:
  Result<> bind(std::span<const SqlValue> values) {
    arena_.clear();
    offsets_.clear();
    pointers_.clear();
    lengths_.clear();
    formats_.clear();
    for (const SqlValue& value : values) {
      offsets_.push_back(arena_.size());
      if (auto appended = append_parameter(arena_, value); !appended) return appended;
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      const SqlValue& value = values[i];
      const bool is_bytes = value.type == SqlValue::Type::kBytes;
      const char* text = is_bytes ? value.text.data() : arena_.data() + offsets_[i];
      if (is_bytes && text == nullptr) text = "";  // an empty view is no SQL NULL
      pointers_.push_back(value.type == SqlValue::Type::kNull ? nullptr : text);
      lengths_.push_back(is_bytes ? static_cast<int>(value.text.size()) : 0);
      formats_.push_back(is_bytes ? 1 : 0);
    }
    return {};
  }

  [[nodiscard]] int count() const noexcept { return static_cast<int>(pointers_.size()); }
  [[nodiscard]] const char* const* values() const noexcept { return pointers_.data(); }
  [[nodiscard]] const int* lengths() const noexcept { return lengths_.data(); }
  [[nodiscard]] const int* formats() const noexcept { return formats_.data(); }

 private:
  std::string arena_;
  std::vector<std::size_t> offsets_;
  std::vector<const char*> pointers_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
};

// The server's limit, in few different values, so that the statements that set it stay prepared: up to an eighth later
// than the deadline.
std::chrono::milliseconds rounded_limit(Clock::duration left) {
  const auto ms =
      static_cast<std::uint64_t>(std::max<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(left).count(), 1));
  const std::uint64_t unit = std::max<std::uint64_t>(std::bit_floor(ms) / 8, 1);
  constexpr std::uint64_t kLongest = 24ULL * 3600 * 1000;
  return std::chrono::milliseconds(std::min((ms + unit - 1) / unit * unit, kLongest));
}

class Connection final : public TenantConnection {
 public:
  explicit Connection(Options options)
      : options_(std::move(options)),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        statements_("s", std::max<std::size_t>(options_.max_prepared_statements, 1)),
        settings_("t", kPreparedSettings) {}

  ~Connection() override {
    rollback();
    if (wake_ >= 0) ::close(wake_);
  }

  void begin(const Transaction& transaction) override {
    rollback();
    transaction_ = transaction;
    state_ = State::kNoted;
    cancel_sent_ = is_settled_ = false;
    begun_.fetch_add(1);
  }

  Result<std::int64_t> execute(std::string_view sql, std::span<const SqlValue> parameters, Finish finish) override {
    if (auto done = run(sql, parameters, finish, false); !done) return done.error();
    return affected_;
  }

  Result<Rows*> query(std::string_view sql, std::span<const SqlValue> parameters, Finish finish) override {
    if (auto done = run(sql, parameters, finish, true); !done) return done.error();
    return static_cast<Rows*>(&rows_);
  }

  Result<> savepoint(SavepointAction action) override {
    const char* sql = action == SavepointAction::kSet       ? "SAVEPOINT toolhost"
                      : action == SavepointAction::kRelease ? "RELEASE SAVEPOINT toolhost"
                                                            : "ROLLBACK TO SAVEPOINT toolhost";
    const State before = state_;
    if (before == State::kFailed && action == SavepointAction::kRollback) state_ = State::kOpen;
    if (auto ready = ready_for_statement(); !ready) {
      if (before == State::kFailed) state_ = before;
      return ready;
    }
    if (before == State::kNoted && action != SavepointAction::kSet) {
      return Error{Errc::kMisuse, "There is no savepoint.", "nothing was set in this transaction"};
    }
    begin_group();
    // After a failure nothing but the rollback is allowed; it also takes back a time limit that was set meanwhile.
    if (action == SavepointAction::kRollback) {
      server_limit_ = 0ms;
    } else {
      send_opening();
    }
    send_setting(sql);
    return finish_group(give_up_at());
  }

  Result<> commit() override {
    switch (state_) {
      case State::kIdle:
      case State::kNoted:
        state_ = State::kIdle;
        return {};
      case State::kLost:
        state_ = State::kIdle;
        return unavailable("the connection was lost in this transaction");
      case State::kFailed:
        rollback();
        return Error{Errc::kInternal, "The change was not saved, because an earlier step of it failed.",
                     "commit() after a failed statement"};
      case State::kOpen:
        break;
    }
    begin_group();
    send_prepared(kCommit, Step::kControl);
    state_ = State::kIdle;
    if (!transaction_.read_only) return finish_group(give_up_at());
    [[maybe_unused]] const auto sent = leave_group_unread();  // what was read stays true without the server's consent
    return {};
  }

  void rollback() noexcept override {
    const bool is_open = state_ == State::kOpen || state_ == State::kFailed;
    state_ = State::kIdle;
    if (!is_open || pg_ == nullptr) return;
    begin_group();
    send_prepared(kRollback, Step::kControl);
    [[maybe_unused]] const auto sent = leave_group_unread();  // a lost server has rolled back by itself
  }

  void cancel() noexcept override {
    cancel_requested_.store(begun_.load());
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
  }

  [[nodiscard]] std::string_view last_sqlstate() const noexcept override { return sqlstate_; }

 private:
  enum class State {
    kIdle,    // no transaction
    kNoted,   // begin() was called; the next statement opens it
    kOpen,    // open on the server
    kFailed,  // open, but a statement failed: only a rollback helps
    kLost,    // the connection went with it
  };
  enum class Step { kControl, kPrepare, kStatement };
  struct SentStep {
    Step step;
    PreparedStatement* prepares;  // for kPrepare
  };

  [[nodiscard]] bool is_cancelled() const noexcept { return cancel_requested_.load() == begun_.load(); }

  static Error cancelled() { return Error{Errc::kCancelled, "The call was cancelled.", {}}; }

  Error timed_out() const { return Error{Errc::kTimeout, "The database did not finish in time.", {}}; }

  // ---- the connection

  Error lose(std::string detail) {
    pg_.reset();
    unread_groups_ = 0;
    state_ = state_ == State::kIdle ? State::kIdle : State::kLost;
    return unavailable(std::move(detail));
  }

  Error lose() { return lose(one_line(PQerrorMessage(pg_.get()))); }

  // A server that went away while the connection was idle is noticed before a statement depends on it.
  bool is_alive() {
    if (pg_ == nullptr) return false;
    for (;;) {
      char byte = 0;
      const auto got = ::recv(PQsocket(pg_.get()), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
      if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
      if (got <= 0) return false;
      if (PQconsumeInput(pg_.get()) == 0) return false;
    }
  }

  Result<> connect(Deadline deadline) {
    if (is_alive()) return {};
    pg_.reset();
    unread_groups_ = 0;
    statements_.clear();
    settings_.clear();
    sqlstate_.clear();
    evicted_.clear();
    PgConnectionPtr fresh(PQconnectStart(options_.conninfo.c_str()));
    if (fresh == nullptr) return unavailable("out of memory");
    PQsetNoticeProcessor(fresh.get(), [](void*, const char*) {}, nullptr);
    const auto limit = std::min(Clock::now() + options_.connect_limit, deadline.at());
    auto progress = PGRES_POLLING_WRITING;
    while (PQstatus(fresh.get()) != CONNECTION_BAD && progress != PGRES_POLLING_OK &&
           progress != PGRES_POLLING_FAILED) {
      pollfd socket{PQsocket(fresh.get()), static_cast<short>(progress == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(limit - Clock::now()).count();
      if (left <= 0) return unavailable("connecting took too long");
      if (::poll(&socket, 1, static_cast<int>(left)) > 0) progress = PQconnectPoll(fresh.get());
    }
    if (PQstatus(fresh.get()) != CONNECTION_OK) return unavailable(one_line(PQerrorMessage(fresh.get())));
    if (PQsetnonblocking(fresh.get(), 1) != 0 || PQenterPipelineMode(fresh.get()) != 1)
      return unavailable("cannot pipeline");
    pg_ = std::move(fresh);
    begin_group();
    const std::array<std::array<const char*, 2>, 4> controls{
        {{kBegin, "BEGIN READ WRITE"}, {kBeginReadOnly, kReadOnlySql}, {kCommit, "COMMIT"}, {kRollback, "ROLLBACK"}}};
    for (const auto& [name, sql] : controls) {
      broken_ |= PQsendPrepare(pg_.get(), name, sql, 0, nullptr) == 0;
      steps_.push_back({Step::kControl, nullptr});
    }
    return finish_group(limit);
  }

  // ---- one group of messages: what travels together and ends in one Sync

  void begin_group() {
    steps_.clear();
    broken_ = false;
  }

  void send_prepared(const char* name, Step step) {
    broken_ |= PQsendQueryPrepared(pg_.get(), name, 0, nullptr, nullptr, nullptr, 0) == 0;
    steps_.push_back({step, nullptr});
  }

  void prepare(PreparedStatement& statement) {
    if (statement.is_ready) return;
    broken_ |= PQsendPrepare(pg_.get(), statement.name.c_str(), statement.sql.c_str(), 0, nullptr) == 0;
    steps_.push_back({Step::kPrepare, &statement});
  }

  void send_setting(std::string_view sql) {
    PreparedStatement* known = settings_.find(sql);
    PreparedStatement& setting = known != nullptr ? *known : add_to(settings_, sql);
    prepare(setting);
    send_prepared(setting.name.c_str(), Step::kControl);
  }

  PreparedStatement& add_to(PreparedCache& cache, std::string_view sql) {
    std::string evicted;
    PreparedStatement& added = cache.add(sql, evicted);
    if (!evicted.empty()) evicted_.push_back(std::move(evicted));
    return added;
  }

  // The names that the caches gave up, in a group of their own that nobody waits for.
  Result<> send_evicted() {
    if (evicted_.empty()) return {};
    begin_group();
    for (const std::string& name : evicted_) {
      broken_ |=
          PQsendQueryParams(pg_.get(), ("DEALLOCATE " + name).c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) == 0;
      steps_.push_back({Step::kControl, nullptr});
    }
    evicted_.clear();
    return leave_group_unread();
  }

  // Enters the tenant when nothing has yet; SET LOCAL is cheap inside a block and needs no right that a plugin has.
  void send_opening() {
    if (state_ == State::kNoted) {
      send_prepared(transaction_.read_only ? kBeginReadOnly : kBegin, Step::kControl);
      std::array<char, 64> sql{};
      std::snprintf(sql.data(), sql.size(), "SET LOCAL app.tenant_id = %d", value(transaction_.tenant));
      send_setting(sql.data());
      server_limit_ = 0ms;
      state_ = State::kOpen;
    }
    if (transaction_.deadline.is_never()) return;
    const auto limit = rounded_limit(transaction_.deadline.left());
    if (limit == server_limit_) return;
    server_limit_ = limit;
    send_setting("SET LOCAL statement_timeout = " + std::to_string(limit.count()));
  }

  Result<> leave_group_unread() {
    if (broken_ || PQpipelineSync(pg_.get()) == 0 || PQflush(pg_.get()) < 0) return lose();
    ++unread_groups_;
    return {};
  }

  // When the server has missed every limit of its own.
  [[nodiscard]] Clock::time_point give_up_at() const {
    if (transaction_.deadline.is_never()) return Clock::time_point::max();
    return std::max(transaction_.deadline.at(), Clock::now() + server_limit_) + kAnswerGrace;
  }

  // Sends the group and reads its answers, and those of the groups before it that nobody waited for.
  Result<> finish_group(Clock::time_point give_up, bool keep_rows = false, bool is_cancellable = false) {
    if (broken_ || PQpipelineSync(pg_.get()) == 0) return lose();
    give_up_ = give_up;
    is_cancellable_ = is_cancellable;
    PgResultPtr failure;
    for (; unread_groups_ > 0; --unread_groups_) {
      if (auto skipped = read_to_sync(&failure); !skipped) return skipped;
    }
    if (failure != nullptr) {
      // A cancel can hit a rollback that nobody waited for; what the connection is in then is not known.
      Error lost = lose(one_line(PQresultErrorMessage(failure.get())));
      return cancel_sent_ ? cancelled() : lost;
    }
    for (const SentStep& sent : steps_) {
      if (sent.step == Step::kStatement) PQsetSingleRowMode(pg_.get());
      for (;;) {
        auto answer = next_result();
        if (!answer) return answer.error();
        if (*answer == nullptr) break;
        take_answer(sent, std::move(*answer), keep_rows, failure);
      }
    }
    if (auto synced = read_to_sync(&failure); !synced) return synced;
    if (cancel_sent_ && !is_settled_) {
      // The server was told before PQcancel() returned; one more round trip, and the cancel cannot hit what comes next.
      is_settled_ = true;
      is_cancellable_ = false;
      if (PQpipelineSync(pg_.get()) == 0) return lose();
      if (auto settled = read_to_sync(); !settled) return settled;
    }
    if (failure == nullptr) return {};
    return statement_error(failure.get());
  }

  void take_answer(const SentStep& sent, PgResultPtr answer, bool keep_rows, PgResultPtr& failure) {
    switch (PQresultStatus(answer.get())) {
      case PGRES_SINGLE_TUPLE:
        take_rows(answer.get(), keep_rows);
        break;
      case PGRES_COMMAND_OK:
      case PGRES_TUPLES_OK:
        take_rows(answer.get(), keep_rows);
        if (sent.prepares != nullptr) sent.prepares->is_ready = true;
        if (sent.step == Step::kStatement) {
          const char* count = PQcmdTuples(answer.get());
          affected_ = 0;
          std::from_chars(count, count + std::strlen(count), affected_);
          rows_.finish(std::move(answer));
        }
        break;
      default:
        if (failure == nullptr && PQresultStatus(answer.get()) == PGRES_FATAL_ERROR) failure = std::move(answer);
        break;
    }
  }

  void take_rows(const PGresult* answer, bool keep_rows) {
    if (!keep_rows || too_large_) return;
    rows_.add(answer);
    too_large_ = rows_.bytes() > options_.max_result_bytes;
  }

  // A transaction can fail as late as at its end; that error comes before the Sync's own answer.
  Result<> read_to_sync(PgResultPtr* failure = nullptr) {
    for (;;) {
      auto answer = next_result();
      if (!answer) return answer.error();
      const auto status = PQresultStatus(answer->get());
      if (status == PGRES_PIPELINE_SYNC) return {};
      if (status == PGRES_FATAL_ERROR && failure != nullptr && *failure == nullptr) *failure = std::move(*answer);
      if (PQstatus(pg_.get()) != CONNECTION_OK) return lose();
    }
  }

  Result<PgResultPtr> next_result() {
    for (;;) {
      const int unsent = PQflush(pg_.get());
      if (unsent < 0) return lose();
      if (PQisBusy(pg_.get()) == 0) break;
      if (auto ready = wait(unsent > 0); !ready) return ready.error();
      if (PQconsumeInput(pg_.get()) == 0) return lose();
    }
    return PgResultPtr(PQgetResult(pg_.get()));
  }

  Result<> wait(bool wants_write) {
    for (;;) {
      if (is_cancellable_ && is_cancelled()) pass_cancel_on();
      const auto until = cancel_sent_ && is_cancellable_ ? std::min(give_up_, next_cancel_) : give_up_;
      int timeout = -1;
      if (until != Clock::time_point::max()) {
        const auto now = Clock::now();
        if (now >= give_up_) return abandon();
        timeout = static_cast<int>(
            std::clamp<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(until - now).count(), 0, 60'000));
      }
      std::array<pollfd, 2> waits{
          {{PQsocket(pg_.get()), static_cast<short>(POLLIN | (wants_write ? POLLOUT : 0)), 0}, {wake_, POLLIN, 0}}};
      if (::poll(waits.data(), waits.size(), timeout) < 0 && errno != EINTR) return lose("poll failed");
      if (waits[1].revents != 0) {
        std::uint64_t ignored = 0;
        [[maybe_unused]] const auto got = ::read(wake_, &ignored, sizeof ignored);
      }
      if (waits[0].revents != 0) return {};
    }
  }

  // The server did not even report its own timeout. What it still does, it does without us: the closed connection ends
  // it.
  Error abandon() {
    Error error = cancel_sent_ ? cancelled() : timed_out();
    error.detail = "the server did not answer within its own limit";
    lose(error.detail);
    return error;
  }

  // Runs on the owning thread, which waits for this very transaction: it cannot hit another one. The server ignores a
  // cancel that comes before the statement does, so it is repeated.
  void pass_cancel_on() {
    const auto now = Clock::now();
    if (cancel_sent_ && now < next_cancel_) return;
    if (!cancel_sent_) give_up_ = std::min(give_up_, now + kAfterCancel);
    cancel_sent_ = true;
    next_cancel_ = now + kRepeatCancel;
    PGcancel* request = PQgetCancel(pg_.get());
    if (request == nullptr) return;
    std::array<char, 256> message{};
    PQcancel(request, message.data(), static_cast<int>(message.size()));
    PQfreeCancel(request);
  }

  Error statement_error(const PGresult* failure) {
    const char* code = PQresultErrorField(failure, PG_DIAG_SQLSTATE);
    sqlstate_ = code != nullptr ? code : "08006";
    // The first line only: DETAIL and CONTEXT carry the tenant's own data.
    const auto field = [failure](int which) {
      const char* text = PQresultErrorField(failure, which);
      return std::string(text != nullptr ? text : "");
    };
    std::string detail = one_line(field(PG_DIAG_MESSAGE_PRIMARY));
    if (detail.empty()) detail = one_line(PQresultErrorMessage(failure));  // libpq's own, about the connection
    const std::string_view state = sqlstate_;
    const auto error = [&](Errc errc, const char* message) { return Error{errc, message, detail}; };
    if (state.starts_with("08") || state.starts_with("57P") || PQstatus(pg_.get()) != CONNECTION_OK)
      return lose(detail);
    if (state_ == State::kOpen) state_ = State::kFailed;
    if (state == "57014") return cancel_sent_ ? cancelled() : timed_out();
    if (state.starts_with("23")) return error(Errc::kConflict, "The change conflicts with data that is already there.");
    if (state == "40001" || state == "40P01" || state == "55P03")
      return error(Errc::kRetry, "Another change got in the way; try again.");
    if (state == "42501") return error(Errc::kDenied, "The database does not permit this.");
    if (state == "25006") return error(Errc::kDenied, "A read-only tool cannot change data.");
    if (state.starts_with("22")) return error(Errc::kInvalidArgument, "A value has the wrong form or is out of range.");
    if (state.starts_with("53"))
      return error(Errc::kUnavailable, "The database is short of resources; try again later.");
    return error(Errc::kInternal, "The database refused a statement.");
  }

  // ---- statements

  Result<> ready_for_statement() {
    sqlstate_.clear();
    switch (state_) {
      case State::kIdle:
        return Error{Errc::kMisuse, "A statement needs a transaction.", "begin() was not called"};
      case State::kLost:
        return unavailable("the connection was lost in this transaction");
      case State::kFailed:
        return Error{Errc::kInternal, "An earlier statement failed; nothing more can be done in this transaction.",
                     "the transaction is aborted"};
      case State::kNoted:
      case State::kOpen:
        break;
    }
    if (is_cancelled()) return cancelled();
    if (transaction_.deadline.has_passed()) return timed_out();
    if (state_ == State::kNoted) {
      if (auto connected = connect(transaction_.deadline); !connected) {
        state_ = State::kLost;
        return connected;
      }
    }
    return {};
  }

  Result<> run(std::string_view sql, std::span<const SqlValue> parameters, Finish finish, bool keep_rows) {
    if (auto ready = ready_for_statement(); !ready) return ready;
    if (parameters.size() > kMostParameters)
      return Error{Errc::kInvalidArgument, "A statement has at most 65535 parameters.", {}};
    if (auto bound = parameters_.bind(parameters); !bound) return bound;
    PreparedStatement* statement = statements_.find(sql);
    if (statement == nullptr) {
      if (sql.find('\0') != std::string_view::npos)
        return Error{Errc::kDenied, "SQL must not contain the character NUL.", {}};
      if (auto allowed = screen_statement(sql); !allowed) {
        sqlstate_ = "42501";
        return allowed;
      }
      statement = &add_to(statements_, sql);
    }
    if (auto sent = send_evicted(); !sent) return sent;
    const bool is_first = state_ == State::kNoted;
    auto done = run_once(*statement, finish, keep_rows);
    // The table changed under the plan, or the server forgot it. Nothing else is lost when this was the transaction's
    // first statement.
    if (!done && (sqlstate_ == "0A000" || sqlstate_ == "26000") && statement->is_ready) {
      if (sqlstate_ == "0A000") evicted_.push_back(statement->name);
      statement->name += 'r';
      statement->is_ready = false;
      if (!is_first) return Error{Errc::kRetry, "The database was changed meanwhile; try again.", done.error().detail};
      rollback();
      state_ = State::kNoted;
      if (auto sent = send_evicted(); !sent) return sent;
      done = run_once(*statement, finish, keep_rows);
    }
    return done;
  }

  Result<> run_once(PreparedStatement& statement, Finish finish, bool keep_rows) {
    rows_.reset();
    too_large_ = false;
    begin_group();
    send_opening();
    prepare(statement);
    broken_ |= PQsendQueryPrepared(pg_.get(), statement.name.c_str(), parameters_.count(), parameters_.values(),
                                   parameters_.lengths(), parameters_.formats(), 0) == 0;
    steps_.push_back({Step::kStatement, nullptr});
    if (finish == Finish::kCommit) send_prepared(kCommit, Step::kControl);
    auto done = finish_group(give_up_at(), keep_rows, true);
    if (finish == Finish::kCommit && state_ != State::kLost) {
      if (!done) rollback();
      state_ = State::kNoted;
    }
    if (done && too_large_) {
      return Error{Errc::kLimit, "The result is too large; ask for fewer rows.",
                   "more than " + std::to_string(options_.max_result_bytes) + " bytes"};
    }
    return done;
  }

  const Options options_;
  const int wake_;
  PgConnectionPtr pg_;
  PreparedCache statements_;
  PreparedCache settings_;            // SET LOCAL texts
  std::vector<std::string> evicted_;  // names the server may forget
  Transaction transaction_;
  State state_ = State::kIdle;
  std::chrono::milliseconds server_limit_{0};  // statement_timeout of the open transaction
  std::string sqlstate_;

  std::vector<SentStep> steps_;  // of the group being sent
  bool broken_ = false;          // libpq refused a part of it
  int unread_groups_ = 0;        // sent before, answers not read
  Clock::time_point give_up_{};
  Clock::time_point next_cancel_{};
  bool is_cancellable_ = false;
  bool cancel_sent_ = false;
  bool is_settled_ = false;  // nothing of the cancel is under way any more
  bool too_large_ = false;

  Parameters parameters_;
  StoredRows rows_;
  std::int64_t affected_ = 0;

  std::atomic<std::uint64_t> begun_{0};  // number of the transaction last begun
  std::atomic<std::uint64_t> cancel_requested_{~std::uint64_t{0}};
};

}  // namespace

std::unique_ptr<TenantConnection> TenantConnection::create(Options options) {
  return std::make_unique<Connection>(std::move(options));
}

}  // namespace toolhost::storage
