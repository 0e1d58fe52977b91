#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <future>
#include <thread>

#include "base/deadline.hpp"
#include "storage/directory_store.hpp"
#include "storage/libpq.hpp"

namespace toolhost::storage {
namespace {

using namespace std::chrono_literals;
using Clock = Deadline::Clock;

constexpr auto kProbePeriod = 1s;
constexpr auto kProbeLimit = 3s;
constexpr auto kFirstPause = 100ms;
constexpr auto kLongestPause = 1000ms;

class Watch final : public KeyWatch {
 public:
  Watch(const DatabaseAddress& address, Listener& listener)
      : conninfo_(address.as_host()),
        store_(DirectoryStore::create(address)),
        listener_(listener),
        stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    append_conninfo(conninfo_, "connect_timeout", "3");
  }

  ~Watch() override {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(stop_, &one, sizeof one);
    if (thread_.joinable()) thread_.join();
    ::close(stop_);
  }

  Result<> start() {
    std::promise<Result<>> first;
    auto loaded = first.get_future();
    thread_ = std::thread([this, promise = std::move(first)]() mutable {
      auto connected = connect();
      const bool is_connected = connected.has_value();
      promise.set_value(std::move(connected));
      if (is_connected) watch();
    });
    return loaded.get();
  }

 private:
  void watch() {
    auto back_off = Clock::duration(kFirstPause);
    for (;;) {
      if (connection_ != nullptr) {
        if (!serve()) return;
        connection_.reset();
      }
      if (is_stopped_within(back_off)) return;
      back_off = std::min<Clock::duration>(back_off * 2, kLongestPause);
      if (connect()) back_off = kFirstPause;
    }
  }

  // What changed while nobody listened is in the full load that follows LISTEN.
  Result<> connect() {
    const auto unavailable = [this] {
      Error error{Errc::kUnavailable, "the database is not available right now",
                  one_line(PQerrorMessage(connection_.get()))};
      connection_.reset();
      return error;
    };
    connection_.reset(PQconnectdb(conninfo_.c_str()));
    if (PQstatus(connection_.get()) != CONNECTION_OK) return unavailable();
    PQsetNoticeProcessor(connection_.get(), [](void*, const char*) {}, nullptr);
    const PgResultPtr listening(PQexec(connection_.get(), "listen toolhost_keys"));
    if (PQresultStatus(listening.get()) != PGRES_COMMAND_OK) return unavailable();
    if (auto loaded = load(); !loaded) {
      connection_.reset();
      return loaded;
    }
    return {};
  }

  Result<> load() {
    auto tenants = store_->tenants();
    // The store's own connection may have been lost with a server that is back by now.
    if (!tenants && tenants.error().code == Errc::kUnavailable) tenants = store_->tenants();
    if (!tenants) return tenants.error();
    auto keys = store_->keys(std::nullopt);
    if (!keys) return keys.error();
    listener_.on_tenants(std::move(*tenants));
    listener_.on_keys(std::move(*keys));
    return {};
  }

  // Until the connection is lost (true) or the watch is to stop (false).
  bool serve() {
    auto next_probe = Clock::now() + kProbePeriod;
    std::optional<Clock::time_point> probe_limit;
    for (;;) {
      const auto wake_at = probe_limit.value_or(next_probe);
      const auto left =
          std::max<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(wake_at - Clock::now()).count(), 0);
      std::array<pollfd, 2> waits{{{PQsocket(connection_.get()), POLLIN, 0}, {stop_, POLLIN, 0}}};
      ::poll(waits.data(), waits.size(), static_cast<int>(left));
      if (waits[1].revents != 0) return false;
      if (waits[0].revents != 0 && PQconsumeInput(connection_.get()) == 0) return true;

      bool is_answered = false;
      while (probe_limit && PQisBusy(connection_.get()) == 0) {
        const PgResultPtr answer(PQgetResult(connection_.get()));
        if (answer == nullptr) {
          is_answered = true;
          probe_limit.reset();
        } else if (PQresultStatus(answer.get()) != PGRES_TUPLES_OK) {
          return true;
        }
      }
      if (take_notifications()) {
        if (!load()) return true;
      } else if (is_answered) {
        listener_.on_confirmed();
      }

      const auto now = Clock::now();
      if (probe_limit && now >= *probe_limit) return true;
      if (!probe_limit && now >= next_probe) {
        next_probe = now + kProbePeriod;
        probe_limit = now + kProbeLimit;
        if (PQsendQuery(connection_.get(), "select 1") == 0) return true;
      }
    }
  }

  bool take_notifications() {
    bool any = false;
    while (PGnotify* notification = PQnotifies(connection_.get())) {
      PQfreemem(notification);
      any = true;
    }
    return any;
  }

  [[nodiscard]] bool is_stopped_within(Clock::duration time) const {
    pollfd wait{stop_, POLLIN, 0};
    return ::poll(&wait, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(time).count())) > 0;
  }

  std::string conninfo_;
  std::unique_ptr<DirectoryStore> store_;
  Listener& listener_;
  const int stop_;
  PgConnectionPtr connection_;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<KeyWatch>> KeyWatch::start(const DatabaseAddress& address, Listener& listener) {
  auto watch = std::make_unique<Watch>(address, listener);
  if (auto started = watch->start(); !started) return started.error();
  return std::unique_ptr<KeyWatch>(std::move(watch));
}

}  // namespace toolhost::storage
