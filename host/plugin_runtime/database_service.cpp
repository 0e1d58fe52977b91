#include <algorithm>
#include <array>

#include "plugin_runtime/service_tables.hpp"

namespace toolhost::plugin_runtime::services {
namespace {

using storage::Finish;
using storage::SqlValue;
using storage::TenantConnection;

constexpr std::size_t kMaxParameters = 65'535;  // PostgreSQL's own limit

/// A failure of the connection, with the reason that only this side knows: who stopped the statement.
th_status database_failed(th_call& call, const Error& error) {
  auto status = to_status(error.code);
  if (status == TH_E_CANCELLED || status == TH_E_TIMEOUT)
    status = call.start.call->cancelled.load(std::memory_order_relaxed) ? TH_E_CANCELLED : TH_E_TIMEOUT;
  fail_with(call, status, error.message);
  call.error_code = call.start.database->last_sqlstate();
  call.error_detail = error.detail;
  return status;
}

/// What every statement and savepoint needs first: a connection, a caller who still waits, and the noted begin.
th_status prepare_database(th_call* call) {
  if (!answers(call)) return TH_E_MISUSE;
  call->end_rows();
  call->used_database = true;
  if (call->start.database == nullptr)
    return fail_with(*call, TH_E_MISUSE,
                     call->is_deferred ? "a deferred call has no database: its connection belongs to the worker"
                     : call->start.call->tool->non_blocking
                         ? "a tool that declares TH_TOOL_NONBLOCKING has no database; declare it without the flag"
                         : "a plugin that declares no migrations and no reads has no database");
  if (call->is_cancelled()) {
    // A transaction that goes on after this was told to stop.
    call->statement_failed = true;
    const bool by_caller = call->start.call->cancelled.load(std::memory_order_relaxed);
    return by_caller ? fail_with(*call, TH_E_CANCELLED, "the call was cancelled")
                     : fail_with(*call, TH_E_TIMEOUT, "the call took longer than its time limit");
  }
  if (!call->in_transaction) {
    call->start.database->begin({.tenant = call->start.call->caller->tenant_id,
                                 .read_only = call->reads_only(),
                                 .deadline = call->start.deadline});
    call->in_transaction = true;
  }
  return TH_OK;
}

bool convert(const th_value& from, SqlValue& to) noexcept {
  to = SqlValue{};
  if (from.reserved != 0) return false;
  to.type = static_cast<SqlValue::Type>(from.type);
  switch (from.type) {
    case TH_V_NULL:
      return true;
    case TH_V_BOOL:
      to.integer = from.u.i64 != 0 ? 1 : 0;
      return true;
    case TH_V_I64:
    case TH_V_TIME:
      to.integer = from.u.i64;
      return true;
    case TH_V_F64:
      to.number = from.u.f64;
      return true;
    case TH_V_UUID:
      if (from.u.s.len != 16) return false;
      [[fallthrough]];
    case TH_V_TEXT:
    case TH_V_BYTES:
    case TH_V_JSON:
    case TH_V_NUMERIC:
      to.text = view(from.u.s);
      return true;
    default:
      return false;
  }
}
static_assert(static_cast<std::uint32_t>(SqlValue::Type::kNull) == TH_V_NULL &&
              static_cast<std::uint32_t>(SqlValue::Type::kBool) == TH_V_BOOL &&
              static_cast<std::uint32_t>(SqlValue::Type::kInteger) == TH_V_I64 &&
              static_cast<std::uint32_t>(SqlValue::Type::kFloat) == TH_V_F64 &&
              static_cast<std::uint32_t>(SqlValue::Type::kText) == TH_V_TEXT &&
              static_cast<std::uint32_t>(SqlValue::Type::kBytes) == TH_V_BYTES &&
              static_cast<std::uint32_t>(SqlValue::Type::kJson) == TH_V_JSON &&
              static_cast<std::uint32_t>(SqlValue::Type::kUuid) == TH_V_UUID &&
              static_cast<std::uint32_t>(SqlValue::Type::kTime) == TH_V_TIME &&
              static_cast<std::uint32_t>(SqlValue::Type::kNumeric) == TH_V_NUMERIC);

th_value convert(const SqlValue& from) noexcept {
  th_value to{};
  to.type = static_cast<std::uint32_t>(from.type);
  switch (from.type) {
    case SqlValue::Type::kNull:
      break;
    case SqlValue::Type::kBool:
    case SqlValue::Type::kInteger:
    case SqlValue::Type::kTime:
      to.u.i64 = from.integer;
      break;
    case SqlValue::Type::kFloat:
      to.u.f64 = from.number;
      break;
    case SqlValue::Type::kText:
    case SqlValue::Type::kBytes:
    case SqlValue::Type::kJson:
    case SqlValue::Type::kUuid:
    case SqlValue::Type::kNumeric:
      to.u.s = lend(from.text);
      break;
  }
  return to;
}

th_status read_parameters(th_call& call, const th_value* parameters, std::size_t count) {
  if (count > kMaxParameters) return fail_with(call, TH_E_INVALID, "a statement takes at most 65535 parameters");
  if (count > 0 && parameters == nullptr) return fail_with(call, TH_E_MISUSE, "parameters is NULL");
  call.parameters.resize(count);
  for (std::size_t i = 0; i < count; ++i)
    if (!convert(parameters[i], call.parameters[i]))
      return fail_with(call, TH_E_INVALID,
                       "parameter $" + std::to_string(i + 1) + " has a type or size that no TH_V_* has");
  return TH_OK;
}

/// Whether a statement marked TH_DB_LAST may commit by itself. Not when the answer, or the use of a confirmation, is to
/// be saved in the same transaction, and not while a question to the client is open.
bool may_commit_alone(const th_call& call) {
  const auto& running = *call.start.call;
  if (!call.questions.empty() || !running.used_state.empty()) return false;
  // This store and the load behind is_streamed() are the other way round where the stream begins: one sees the other.
  running.last_sent.store(true);
  return call.client() == nullptr || !call.client()->is_streamed();
}

/// Runs one statement through `run` and keeps account of what it means for the transaction.
template <class Run>
th_status run_statement(th_call* call, const th_value* parameters, std::size_t count, std::uint32_t flags,
                        Run run) noexcept {
  if (const auto status = prepare_database(call); status != TH_OK) return status;
  if ((flags & ~TH_DB_LAST) != 0) return fail_with(*call, TH_E_INVALID, "flags hold bits that are not TH_DB_*");
  if (const auto status = read_parameters(*call, parameters, count); status != TH_OK) return status;
  const bool is_last = (flags & TH_DB_LAST) != 0 && call->savepoints == 0;
  const bool last = is_last && (call->reads_only() || may_commit_alone(*call));
  const bool writes_for_good = last && !call->reads_only();
  const auto began = std::chrono::steady_clock::now();
  const Result<> done = run(last ? Finish::kCommit : Finish::kKeepOpen);
  call->in_database += std::chrono::steady_clock::now() - began;
  call->statement_failed = !done.has_value();
  if (done) {
    call->committed = call->committed || writes_for_good;
    return TH_OK;
  }
  if (writes_for_good && leaves_outcome_unknown(done.error().code, call->start.database->last_sqlstate()))
    call->outcome_unknown = true;
  return database_failed(*call, done.error());
}

th_status db_exec(th_call* call, th_str sql, const th_value* parameters, size_t count, uint32_t flags,
                  int64_t* affected) noexcept {
  return run_statement(call, parameters, count, flags, [&](Finish finish) -> Result<> {
    const auto rows = call->start.database->execute(view(sql), call->parameters, finish);
    if (!rows) return rows.error();
    if (affected != nullptr) *affected = *rows;
    return {};
  });
}

th_status db_query(th_call* call, th_str sql, const th_value* parameters, size_t count, uint32_t flags,
                   th_rows** out) noexcept {
  if (answers(call) && out == nullptr) return fail_with(*call, TH_E_MISUSE, "out is NULL");
  return run_statement(call, parameters, count, flags, [&](Finish finish) -> Result<> {
    const auto rows = call->start.database->query(view(sql), call->parameters, finish);
    if (!rows) return rows.error();
    auto& handle = call->rows.emplace_back();
    handle.call = call;
    handle.rows = *rows;
    handle.row.resize(std::max<std::size_t>(handle.rows->columns(), 1));
    *out = &handle;
    return {};
  });
}

bool are_open(const th_rows* rows) noexcept {
  return rows != nullptr && answers(rows->call) && rows->rows != nullptr;
}

th_status db_next(th_rows* rows, const th_value** row) noexcept {
  if (!are_open(rows) || row == nullptr) return TH_E_MISUSE;
  const auto* values = rows->rows->next();
  if (values == nullptr) return TH_END;
  const auto columns = rows->rows->columns();
  for (std::size_t i = 0; i < columns; ++i) rows->row[i] = convert(values[i]);
  *row = rows->row.data();
  return TH_OK;
}

size_t db_columns(th_rows* rows) noexcept {
  return are_open(rows) ? rows->rows->columns() : 0;
}

th_str db_column_name(th_rows* rows, size_t index) noexcept {
  if (!are_open(rows) || index >= rows->rows->columns()) return {nullptr, 0};
  return lend(rows->rows->column_name(index));
}

void db_close(th_rows* rows) noexcept {
  if (are_open(rows)) rows->rows = nullptr;
}

th_status db_savepoint(th_call* call, int32_t operation) noexcept {
  if (const auto status = prepare_database(call); status != TH_OK) return status;
  using Action = TenantConnection::SavepointAction;
  if (operation < TH_SAVEPOINT_SET || operation > TH_SAVEPOINT_ROLLBACK)
    return fail_with(*call, TH_E_INVALID, "operation is not TH_SAVEPOINT_*");
  if (operation != TH_SAVEPOINT_SET && call->savepoints == 0)
    return fail_with(*call, TH_E_MISUSE, "no savepoint is open");
  constexpr std::array kActions{Action::kSet, Action::kRelease, Action::kRollback};
  if (const auto done = call->start.database->savepoint(kActions[static_cast<std::size_t>(operation)]); !done) {
    call->statement_failed = true;
    return database_failed(*call, done.error());
  }
  if (operation == TH_SAVEPOINT_SET) {
    ++call->savepoints;
    return TH_OK;
  }
  --call->savepoints;
  if (operation == TH_SAVEPOINT_RELEASE) return TH_OK;
  call->statement_failed = false;
  // PostgreSQL keeps a savepoint that was rolled back to; here it has ended, or the next one out could not be reached.
  const auto ended = call->start.database->savepoint(Action::kRelease);
  return ended ? TH_OK : database_failed(*call, ended.error());
}

}  // namespace

constexpr th_db_api database_table{sizeof(th_db_api), 0,        db_exec,     db_query, db_next, db_columns,
                                   db_column_name,    db_close, db_savepoint};

}  // namespace toolhost::plugin_runtime::services
