#pragma once
#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

namespace toolhost::storage {

/// How long a database may take for one job of a HostConnection. libpq waits without a limit: when the time is over,
/// the connection is ended from here, so that a server that is frozen holds no thread. Any thread; outlives the
/// connections that use it.
class JobLimit {
 public:
  using Clock = std::chrono::steady_clock;

  explicit JobLimit(std::chrono::milliseconds limit);
  ~JobLimit();
  JobLimit(const JobLimit&) = delete;
  JobLimit& operator=(const JobLimit&) = delete;

  /// Jobs under way end now, and no other begins. Who is just connecting waits for kConnectLimit at most.
  void end_all();

  /// False behind end_all(), and for two seconds after the database let somebody wait in vain: until then nobody else
  /// has to.
  [[nodiscard]] bool may_connect() const;
  /// A connection attempt failed, begun then.
  void connecting_failed(Clock::time_point begun);

 private:
  struct Job {
    int socket;
    Clock::time_point end;
  };

 public:
  /// One job, from its making to its end. `socket` stays open meanwhile. `limit` may be null: no limit then.
  class Watch {
   public:
    Watch(JobLimit* limit, int socket);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    JobLimit* const limit_;
    std::list<Job>::iterator job_;
  };

 private:
  void run();

  const std::chrono::milliseconds limit_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Job> jobs_;  ///< the first ends first
  Clock::time_point silent_until_{};
  bool is_ended_ = false;
  bool is_stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

/// For one attempt to connect as a HostConnection does; libpq takes no less than two.
inline constexpr std::chrono::seconds kConnectLimit{3};

}  // namespace toolhost::storage
