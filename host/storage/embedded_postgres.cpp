#include "storage/embedded_postgres.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <thread>

#include "storage/libpq.hpp"
#include "storage/postgres_server.hpp"

namespace toolhost::storage {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using observability::HostNotice;
using observability::Severity;

constexpr auto kPoll = 20ms;
constexpr auto kToolWaitsForUsers = 10s;
constexpr auto kHostWaitsForUsers = 2s;
constexpr auto kShortLivedOwner = 30s;
constexpr auto kStopLimit = 10s;
constexpr auto kFirstBackOff = 100ms;
constexpr auto kLongestBackOff = 5s;
constexpr auto kHealthyAfter = 60s;

/// An flock() on a file: the kernel releases it when its process ends, however it ends. The text says who holds it.
class LockFile {
 public:
  explicit LockFile(const fs::path& path)
      : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)), error_(errno) {}
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;
  ~LockFile() {
    if (fd_ >= 0) ::close(fd_);
  }

  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int error() const noexcept { return error_; }
  [[nodiscard]] bool try_exclusive() { return ::flock(fd_, LOCK_EX | LOCK_NB) == 0; }
  [[nodiscard]] bool try_shared() { return ::flock(fd_, LOCK_SH | LOCK_NB) == 0; }
  void release() { ::flock(fd_, LOCK_UN); }

  void write(const std::string& text) {
    if (::ftruncate(fd_, 0) != 0) return;  // only a better message depends on the text
    [[maybe_unused]] const auto written = ::pwrite(fd_, text.data(), text.size(), 0);
  }
  [[nodiscard]] std::string read() const {
    std::array<char, 64> text{};
    const auto size = ::pread(fd_, text.data(), text.size(), 0);
    return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : std::string();
  }

 private:
  int fd_;
  int error_;
};

enum class Role { kTool, kHost, kGuest, kKeeper };
constexpr std::string_view kHostMark = "serve ";

class Embedded final : public EmbeddedPostgres {
 public:
  Embedded(Config config, Role role, observability::EventSink& events)
      : config_(std::move(config)),
        role_(role),
        events_(events),
        owner_(config_.data_directory / "owner.lock"),
        users_(config_.data_directory / "users.lock"),
        wanted_(config_.data_directory / "wanted.lock") {}

  ~Embedded() override {
    if (!is_owner_ || server_->pid() < 0) return;
    // Others who use the server finish first. Holding the lock exclusively keeps newcomers out until the server has
    // stopped.
    const auto limit = Deadline::after(patience_with_users());
    while (!users_.try_exclusive() && !limit.has_passed()) std::this_thread::sleep_for(kPoll);
    server_->stop(kStopLimit);
  }

  Result<> start() {
    for (const LockFile* lock : {&owner_, &users_, &wanted_}) {
      if (!lock->is_open()) {
        return Error{Errc::kUnavailable,
                     "cannot write in the data directory " + config_.data_directory.string() + ": " +
                         std::generic_category().message(lock->error()),
                     {}};
      }
    }
    const Deadline deadline = Deadline::after(config_.start_limit);
    if (auto entered = become_user(deadline); !entered) return entered.error();
    if (auto found = locate(); !found) return found.error();
    auto decided = role_ == Role::kHost ? become_owner() : own_or_join(deadline);
    if (!decided) return decided.error();
    if (!is_owner_) return {};
    owner_.write((role_ == Role::kHost ? std::string(kHostMark) : "tool ") + std::to_string(::getpid()));
    // The server may have been initialised, or upgraded, by the owner just waited for.
    if (auto found = locate(); !found) return found.error();
    if (auto started = server_->start(deadline); !started) return started.error();
    started_at_ = Deadline::Clock::now();
    return create_database();
  }

  const DatabaseAddress& address() const noexcept override { return address_; }
  pid_t pid() const noexcept override { return server_->pid(); }

  bool is_used(bool is_last_question) override {
    const bool is_used = !users_.try_exclusive();
    if (is_used || !is_last_question) static_cast<void>(users_.try_shared());
    return is_used;
  }

  bool is_wanted() override {
    const bool is_wanted = !wanted_.try_exclusive();
    wanted_.release();
    return is_wanted;
  }

  void supervise() override {
    if (!is_owner_) return;
    std::string how;
    if (server_->has_ended(how)) {
      if (Deadline::Clock::now() - started_at_ > kHealthyAfter) back_off_ = kFirstBackOff;
      restart_at_ = Deadline::Clock::now() + back_off_;
      notice(Severity::kError, "PostgreSQL ended (" + how + "); starting it again");
    }
    if (server_->pid() > 0 || Deadline::Clock::now() < restart_at_) return;
    back_off_ = std::min<Deadline::Clock::duration>(back_off_ * 2, kLongestBackOff);
    if (auto started = server_->start(Deadline::after(config_.start_limit)); !started) {
      restart_at_ = Deadline::Clock::now() + back_off_;
      notice(Severity::kError, started.error().message);
      return;
    }
    started_at_ = Deadline::Clock::now();
    notice(Severity::kInfo, "PostgreSQL serves again");
  }

 private:
  [[nodiscard]] Deadline::Clock::duration patience_with_users() const noexcept {
    if (role_ == Role::kKeeper) return 0s;  // it ends when there are none, or a host waits
    return role_ == Role::kHost ? kHostWaitsForUsers : kToolWaitsForUsers;
  }

  Result<> locate() {
    auto server = PostgresServer::locate({config_.data_directory, config_.programs, config_.is_durable});
    if (!server) return server.error();
    server_ = std::move(*server);
    address_ = DatabaseAddress::embedded(server_->socket_directory());
    return {};
  }

  // Waits while an owner is stopping the server: it holds the users' lock exclusively until it is done.
  Result<> become_user(Deadline deadline) {
    while (!users_.try_shared()) {
      if (deadline.has_passed())
        return Error{Errc::kUnavailable, "another Toolhost process is stopping the database and does not finish", {}};
      std::this_thread::sleep_for(kPoll);
    }
    return {};
  }

  Result<> own_or_join(Deadline deadline) {
    for (;;) {
      if (owner_.try_exclusive()) {
        is_owner_ = role_ != Role::kGuest;
        if (is_owner_) return {};
        owner_.release();
        return Error{Errc::kNotFound, "nobody runs the database in " + config_.data_directory.string(), {}};
      }
      if (server_->accepts_connections() && database_exists()) return {};
      if (deadline.has_passed()) {
        return Error{Errc::kUnavailable,
                     "the Toolhost process that runs the database (" + owner_.read() + ") does not make it ready",
                     {}};
      }
      std::this_thread::sleep_for(kPoll);
    }
  }

  // A command-line tool leaves soon; another host does not. The text of the lock may still be a former owner's for a
  // moment, so it has to stay the same for a second to count.
  Result<> become_owner() {
    const Deadline deadline = Deadline::after(kShortLivedOwner);
    std::string last;
    auto last_changed = Deadline::Clock::now();
    while (!owner_.try_exclusive()) {
      static_cast<void>(wanted_.try_shared());
      const std::string holder = owner_.read();
      const auto now = Deadline::Clock::now();
      if (holder != last) {
        last = holder;
        last_changed = now;
      }
      const bool is_host = holder.starts_with(kHostMark) && now - last_changed > 1s;
      if (is_host || deadline.has_passed()) {
        return Error{Errc::kConflict,
                     "another Toolhost (process " + holder.substr(holder.find(' ') + 1) + ") runs the database in " +
                         config_.data_directory.string() + "; stop it, or choose another data directory",
                     {}};
      }
      // As a user this process would keep a tool from stopping the server and leaving.
      users_.release();
      std::this_thread::sleep_for(kPoll);
      if (auto entered = become_user(deadline); !entered) return entered.error();
    }
    wanted_.release();
    is_owner_ = true;
    return {};
  }

  [[nodiscard]] PgConnectionPtr connect(const char* database) const {
    std::string conninfo = address_.as_admin();
    append_conninfo(conninfo, "dbname", database);
    append_conninfo(conninfo, "connect_timeout", "10");
    return PgConnectionPtr(PQconnectdb(conninfo.c_str()));
  }

  [[nodiscard]] bool database_exists() const { return PQstatus(connect("toolhost").get()) == CONNECTION_OK; }

  Result<> create_database() {
    const PgConnectionPtr connection = connect("postgres");
    const PgResultPtr found(PQexec(connection.get(), "select 1 from pg_database where datname = 'toolhost'"));
    if (PQresultStatus(found.get()) == PGRES_TUPLES_OK && PQntuples(found.get()) == 1) return {};
    const PgResultPtr created(PQexec(connection.get(), "create database toolhost"));
    if (PQresultStatus(created.get()) == PGRES_COMMAND_OK) return {};
    return Error{Errc::kUnavailable, "cannot create the database: " + one_line(PQerrorMessage(connection.get())), {}};
  }

  void notice(Severity severity, std::string_view message) noexcept {
    events_.emit(HostNotice{severity, "database", message});
  }

  const Config config_;
  const Role role_;
  observability::EventSink& events_;
  LockFile owner_;
  LockFile users_;
  LockFile wanted_;  ///< shared by hosts that wait for owner_
  bool is_owner_ = false;
  std::unique_ptr<PostgresServer> server_;
  DatabaseAddress address_;
  Deadline::Clock::time_point started_at_{};
  Deadline::Clock::time_point restart_at_{};
  Deadline::Clock::duration back_off_ = kFirstBackOff;
};

Result<std::unique_ptr<EmbeddedPostgres>> open_as(const EmbeddedPostgres::Config& config, Role role,
                                                  observability::EventSink& events) {
  std::error_code code;
  EmbeddedPostgres::Config canonical = config;
  canonical.data_directory = fs::weakly_canonical(config.data_directory, code);
  if (!code && !fs::exists(canonical.data_directory)) {
    fs::create_directories(canonical.data_directory, code);
    if (!code) fs::permissions(canonical.data_directory, fs::perms::owner_all, code);
  }
  if (code) {
    return Error{Errc::kUnavailable,
                 "cannot use the data directory " + config.data_directory.string() + ": " + code.message(),
                 {}};
  }
  auto embedded = std::make_unique<Embedded>(std::move(canonical), role, events);
  if (auto started = embedded->start(); !started) return started.error();
  return std::unique_ptr<EmbeddedPostgres>(std::move(embedded));
}

}  // namespace

Result<std::unique_ptr<EmbeddedPostgres>> EmbeddedPostgres::open(const Config& config,
                                                                 observability::EventSink& events) {
  return open_as(config, Role::kTool, events);
}

Result<std::unique_ptr<EmbeddedPostgres>> EmbeddedPostgres::own(const Config& config,
                                                                observability::EventSink& events) {
  return open_as(config, Role::kHost, events);
}

Result<std::unique_ptr<EmbeddedPostgres>> EmbeddedPostgres::join(const Config& config,
                                                                 observability::EventSink& events) {
  return open_as(config, Role::kGuest, events);
}

Result<std::unique_ptr<EmbeddedPostgres>> EmbeddedPostgres::keep(const Config& config,
                                                                 observability::EventSink& events) {
  return open_as(config, Role::kKeeper, events);
}

bool EmbeddedPostgres::has_data(const fs::path& data_directory) {
  std::error_code error;
  return fs::exists(data_directory / "postgres" / "PG_VERSION", error) || error;
}

}  // namespace toolhost::storage
