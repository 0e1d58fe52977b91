#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/deadline.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/sql_value.hpp"

namespace toolhost::storage {

/// Rows of one statement; text results already converted by column type. Valid until the next statement on its
/// connection.
class Rows {
 public:
  virtual ~Rows() = default;
  [[nodiscard]] virtual std::size_t columns() const noexcept = 0;
  [[nodiscard]] virtual std::string_view column_name(std::size_t column) const noexcept = 0;
  /// The next row, `columns()` values borrowed until the next call; nullptr when there is none left.
  virtual const SqlValue* next() = 0;
};

/// What a statement is told about the rest of its transaction.
enum class Finish {
  kKeepOpen,  ///< more statements may follow
  kCommit,    ///< the last one: it commits in its own round trip. A later statement begins a new transaction.
};

/// One libpq connection, bound to one worker thread, on the path of a tool call: pipelined, so that entering the tenant
/// and the first statement travel together and a statement marked kCommit takes the commit with it (one round trip).
///
/// Between begin() and commit()/rollback() every statement runs in the tenant's transaction under row-level security.
/// A lost server is reported as kUnavailable once; the next begin() connects anew. Errors: kConflict (23xxx), kRetry
/// (40001, 40P01), kDenied (42501, 25006, a statement that is not SELECT/INSERT/UPDATE/DELETE/MERGE/WITH/VALUES/TABLE),
/// kCancelled or kTimeout (57014), kUnavailable (08xxx, 57P0x, 53xxx, no server), kInvalidArgument (22xxx, NUL in
/// text), kLimit (max_result_bytes), kMisuse (no begin()), kInternal (everything else). last_sqlstate() has the code. A
/// failed kCommit statement is rolled back; after a failed kKeepOpen one only rollback(), or a rollback to a savepoint,
/// helps.
class TenantConnection {
 public:
  struct Options {
    std::string conninfo;  ///< DatabaseAddress::as_plugin()
    std::chrono::milliseconds connect_limit{3000};
    std::size_t max_prepared_statements = 200;  ///< least recently used go first
    std::size_t max_result_bytes = 64 << 20;
  };
  /// Never fails: connects on first use.
  static std::unique_ptr<TenantConnection> create(Options options);
  virtual ~TenantConnection() = default;

  struct Transaction {
    TenantId tenant{};
    bool read_only = false;                 ///< and then all its statements see one snapshot
    Deadline deadline = Deadline::never();  ///< becomes statement_timeout, at most an eighth later
  };
  /// Notes what the next statement begins; no round trip.
  virtual void begin(const Transaction& transaction) = 0;
  /// Runs one statement; $1..$n. Prepared on first use of this text.
  virtual Result<std::int64_t> execute(std::string_view sql, std::span<const SqlValue> parameters, Finish finish) = 0;
  virtual Result<Rows*> query(std::string_view sql, std::span<const SqlValue> parameters, Finish finish) = 0;
  enum class SavepointAction { kSet, kRelease, kRollback };
  virtual Result<> savepoint(SavepointAction action) = 0;
  /// Commits what is open. A read-only transaction does not wait for the answer. No statement run: no round trip.
  virtual Result<> commit() = 0;
  /// Undoes what is open; never throws, never waits longer than the connection's own limit.
  virtual void rollback() noexcept = 0;

  /// From any thread, without blocking: the server is asked to stop what runs now for the transaction last begun, and
  /// later statements of that transaction are refused with kCancelled. A commit that is under way is not interrupted.
  virtual void cancel() noexcept = 0;
  /// SQLSTATE of the last failed statement, or empty; owning thread only.
  [[nodiscard]] virtual std::string_view last_sqlstate() const noexcept = 0;
};

}  // namespace toolhost::storage
