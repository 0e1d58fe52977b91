#pragma once
#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "base/deadline.hpp"
#include "base/result.hpp"

namespace toolhost::storage {

/// One PostgreSQL cluster on disk and the server process that runs it: finds the programs, initialises the cluster
/// once, starts, stops and cleans up after a server that was killed. Knows nothing of other Toolhost processes; the
/// caller holds the lock. One thread: the one that starts the server (the kernel ties the child's parent-death signal
/// to it).
class PostgresServer {
 public:
  struct Config {
    std::filesystem::path data_directory;  ///< holds postgres/, run/ and postgres.log; created when missing
    std::filesystem::path programs;        ///< holds <version>/bin, e.g. /usr/lib/postgresql
    bool is_durable = true;                ///< as EmbeddedPostgres::Config::is_durable
  };
  /// Looks at the directory and the programs; changes nothing. kUnavailable with the cure.
  static Result<std::unique_ptr<PostgresServer>> locate(const Config& config);
  virtual ~PostgresServer() = default;  ///< does not stop a running server; stop() does

  /// The directory of the server's socket.
  [[nodiscard]] virtual const std::filesystem::path& socket_directory() const noexcept = 0;
  /// Initialises the cluster when there is none, ends what is left of an earlier server, starts a new one and returns
  /// when it accepts connections.
  virtual Result<> start(Deadline deadline) = 0;
  /// True when the server accepts connections, whoever started it.
  [[nodiscard]] virtual bool accepts_connections() const = 0;
  /// Process id of the server start() started; -1 when none runs.
  [[nodiscard]] virtual pid_t pid() const noexcept = 0;
  /// True once when the started server has ended by itself; `how` says how.
  virtual bool has_ended(std::string& how) = 0;
  /// Fast shutdown (SIGINT), then harder after `limit`.
  virtual void stop(std::chrono::milliseconds limit) = 0;
};

}  // namespace toolhost::storage
