#pragma once
#include <memory>
#include <pqxx/pqxx>
#include <string>
#include <type_traits>

#include "base/result.hpp"
#include "storage/database_address.hpp"
#include "storage/job_limit.hpp"

namespace toolhost::storage {

/// A connection as the host role for the host's own tables, made at first use and anew after it was lost. Whatever
/// libpqxx throws becomes an Error here. One thread at a time.
///
/// With a limit a job ends in time, kUnavailable, whatever the database does; without one it may wait for good.
class HostConnection {
 public:
  /// `limit`: borrowed; null: none.
  explicit HostConnection(const DatabaseAddress& address, JobLimit* limit = nullptr);
  ~HostConnection();
  HostConnection(const HostConnection&) = delete;
  HostConnection& operator=(const HostConnection&) = delete;

  /// One transaction, committed when `job` (pqxx::work& -> Result) succeeds.
  template <class Job>
  std::invoke_result_t<Job, pqxx::work&> run(Job&& job) {
    may_run_again_ = connection_ != nullptr;
    try {
      if (connection_ == nullptr) connect();
      const JobLimit::Watch watch(limit_, socket_);
      pqxx::work work(*connection_);
      auto result = job(work);
      if (result) {
        may_run_again_ = false;
        work.commit();
      }
      return result;
    } catch (const pqxx::sql_error& error) {
      return refused(error);
    } catch (const std::exception& error) {
      return lost(error.what());
    }
  }

  /// The same, once more when a connection of former times turned out to be lost before anything was committed.
  template <class Job>
  std::invoke_result_t<Job, pqxx::work&> run_anew(Job&& job) {
    auto result = run(job);
    if (result || connection_ != nullptr || !may_run_again_) return result;
    return run(job);
  }

 private:
  /// Throws as libpqxx does.
  void connect();
  void disconnect() noexcept;
  Error refused(const pqxx::sql_error& error);
  Error lost(const std::string& detail);

  std::string conninfo_;
  JobLimit* const limit_;
  std::unique_ptr<pqxx::connection> connection_;
  int socket_ = -1;  ///< the connection's, a descriptor of our own; only with a limit
  bool may_run_again_ = false;
};

}  // namespace toolhost::storage
