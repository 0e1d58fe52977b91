#pragma once
#include <sys/types.h>

#include <filesystem>
#include <memory>

#include "base/deadline.hpp"
#include "base/result.hpp"
#include "observability/events.hpp"
#include "storage/database_address.hpp"

namespace toolhost::storage {

/// The private PostgreSQL in `data_directory`/postgres: initialised once, Unix socket only, never as root, started by
/// and dying with the process that holds this object. Every function belongs to the main thread (the kernel ties the
/// child's parent-death signal to the thread that forked it).
class EmbeddedPostgres {
 public:
  struct Config {
    std::filesystem::path data_directory;
    std::chrono::seconds start_limit{
        60};  ///< also how long to wait for a process that is starting or stopping the server
    std::filesystem::path programs =
        "/usr/lib/postgresql";  ///< holds <version>/bin; the newest is used for a new database
    bool is_durable = true;     ///< false: faster, and worth nothing after a power cut; for data that nobody keeps
  };

  /// Joins a server that already runs in this data directory (started by another toolhost process), or starts one;
  /// waits for a process that is just starting or stopping it. kUnavailable with the reason and the cure: no PostgreSQL
  /// programs, a directory that cannot be used, the server's own last log lines.
  static Result<std::unique_ptr<EmbeddedPostgres>> open(const Config& config, observability::EventSink& events);
  /// As open(), but this process must be the one that runs the server: waits for short-lived owners (command-line
  /// tools), and fails with kConflict when another host serves from this directory.
  static Result<std::unique_ptr<EmbeddedPostgres>> own(const Config& config, observability::EventSink& events);

  /// Joins a server that already runs, and never starts one: kNotFound when nobody runs it here; else as open().
  static Result<std::unique_ptr<EmbeddedPostgres>> join(const Config& config, observability::EventSink& events);
  /// As open(), for a process that exists to run the server for those who join it; see is_needed().
  static Result<std::unique_ptr<EmbeddedPostgres>> keep(const Config& config, observability::EventSink& events);

  /// Whether there ever was a database in this directory; true as well when this user cannot look.
  static bool has_data(const std::filesystem::path& data_directory);

  virtual ~EmbeddedPostgres() =
      default;  ///< stops the server (SIGINT) when this process started it and nobody else uses it

  [[nodiscard]] virtual const DatabaseAddress& address() const noexcept = 0;
  /// Process id of the server this process started; -1 when joined.
  [[nodiscard]] virtual pid_t pid() const noexcept = 0;
  /// Whether others use the server. `is_last_question`: when they do not, nobody can begin to any more until this
  /// object ends.
  virtual bool is_used(bool is_last_question) = 0;
  /// Whether a host waits to run the server itself (own()); who keeps it for others makes way by ending.
  virtual bool is_wanted() = 0;
  /// Call every 100 ms or so: notices a server that died and starts it again, with back-off. Never blocks longer than a
  /// start.
  virtual void supervise() = 0;
};

}  // namespace toolhost::storage
