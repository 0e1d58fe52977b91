#include "plugin_runtime/host_services.hpp"

#include <sys/random.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/json_writer.hpp"

// Every function here is called by foreign code, which must not see an exception: they are noexcept, so that running
// out of memory ends the process with the black box naming the plugin.

using toolhost::Errc;
using toolhost::Error;
using toolhost::Result;
using toolhost::observability::PluginIncident;
using toolhost::observability::Severity;
using toolhost::plugin_runtime::StructuredWriter;
using toolhost::storage::Finish;
using toolhost::storage::SqlValue;
using toolhost::storage::TenantConnection;
namespace json = toolhost::json;

namespace {

constexpr unsigned kMaxLogRecordsPerSecond = 200;
constexpr std::size_t kMaxLogBytes = 8 * 1024;
constexpr std::size_t kMaxLogPairs = 32;
constexpr std::size_t kMaxParameters = 65'535;  // PostgreSQL's own limit

/// Its address tells threads apart.
constinit thread_local char this_thread = 0;

std::string_view view(th_str text) noexcept {
  return text.len == 0 ? std::string_view() : std::string_view(text.ptr, text.len);
}
th_str lend(std::string_view text) noexcept {
  return {text.data(), text.size()};
}
bool is_utf8(std::string_view text) noexcept {
  return simdjson::validate_utf8(text.data(), text.size());
}

std::int64_t wall_clock_us() noexcept {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// ---- core table

void append_log_text(std::string& out, std::string_view text) {
  text = text.substr(0, kMaxLogBytes - std::min(out.size(), kMaxLogBytes));
  if (is_utf8(text)) {
    out += text;
    return;
  }
  for (const char c : text) out += static_cast<unsigned char>(c) < 0x80 ? c : '?';
}

const void* core_get_service(th_host*, const char* id) noexcept {
  return id == nullptr ? nullptr : toolhost::plugin_runtime::find_service({id, strnlen(id, 256)});
}

void core_log(th_host* host, th_call* call, int32_t level, th_str message, const th_str* pairs, size_t count) noexcept {
  if (host == nullptr) return;
  const auto severity = static_cast<Severity>(std::clamp<int32_t>(level, TH_LOG_TRACE, TH_LOG_CRITICAL));
  if (!host->logs(severity)) return;
  std::string text;
  append_log_text(text, view(message));
  for (std::size_t i = 0; pairs != nullptr && i < std::min(count, kMaxLogPairs); ++i) {
    text += ' ';
    append_log_text(text, view(pairs[2 * i]));
    text += '=';
    append_log_text(text, view(pairs[2 * i + 1]));
  }
  if (call != nullptr && call->is_on_this_thread()) {
    const auto& running = *call->start.call;
    text += " tool=" + running.tool->name + " request=" + running.request_id + " tenant=" + running.caller->tenant;
  }
  host->log(severity, text);
}

int32_t core_log_enabled(th_host* host, int32_t level) noexcept {
  return host != nullptr && host->logs(static_cast<Severity>(std::clamp<int32_t>(level, TH_LOG_TRACE, TH_LOG_CRITICAL)))
             ? 1
             : 0;
}

int64_t core_now_us(th_host*) noexcept {
  return wall_clock_us();
}

/// Random bytes of the kernel, fetched for some thirty ids at a time.
std::uint64_t random_bits() noexcept {
  thread_local std::array<std::uint64_t, 32> pool;
  thread_local std::size_t used = pool.size();
  if (used == pool.size()) {
    // Requests of up to 256 bytes are never cut short once the kernel's generator is seeded.
    while (getrandom(pool.data(), sizeof(pool), 0) != static_cast<ssize_t>(sizeof(pool))) {
    }
    used = 0;
  }
  return pool[used++];
}

th_uuid core_new_uuid(th_host*) noexcept {
  // RFC 9562, section 6.2, method 3: 48 bits of milliseconds and 12 bits of their fraction, never the same twice, so
  // that later ids sort after earlier ones within this process too.
  static std::atomic<std::uint64_t> last{0};
  const auto us = static_cast<std::uint64_t>(wall_clock_us());
  auto before = last.load(std::memory_order_relaxed);
  std::uint64_t ticks = 0;
  do {
    ticks = std::max(((us / 1000) << 12) | (us % 1000) * 4096 / 1000, before + 1);
  } while (!last.compare_exchange_weak(before, ticks, std::memory_order_relaxed));
  const auto high = (ticks >> 12) << 16 | 0x7000 | (ticks & 0xfff);
  const auto low = (random_bits() & 0x3fff'ffff'ffff'ffff) | 0x8000'0000'0000'0000;
  th_uuid id{};
  for (unsigned i = 0; i < 8; ++i) {
    id.b[i] = static_cast<std::uint8_t>(high >> (56 - 8 * i));
    id.b[8 + i] = static_cast<std::uint8_t>(low >> (56 - 8 * i));
  }
  return id;
}

// ---- what the per-call services share

bool answers(const th_call* call) noexcept {
  return call != nullptr && call->is_on_this_thread();
}

th_status fail_with(th_call& call, th_status status, std::string_view message) {
  call.error_status = status;
  call.error_message = message;
  call.error_code.clear();
  call.error_detail.clear();
  return status;
}

/// The bytes of the result so far: what the plugin may still add is the limit less this.
std::size_t result_bytes(const th_call& call) noexcept {
  return call.content.size() + call.structured.size() + call.writer.text().size();
}

th_status result_too_large(th_call& call) {
  return fail_with(call, TH_E_LIMIT,
                   "the result would be larger than " + std::to_string(call.start.max_result_bytes) + " bytes");
}

// ---- toolhost.call/1

th_status call_info(th_call* call, th_call_info* out) noexcept {
  if (!answers(call) || out == nullptr) return TH_E_MISUSE;
  if (out->struct_size < sizeof(out->struct_size))
    return fail_with(*call, TH_E_MISUSE, "struct_size of th_call_info is not set");
  const auto& running = *call->start.call;
  th_call_info info{};
  info.struct_size = out->struct_size;
  info.attempt = call->start.attempt;
  info.tenant = lend(running.caller->tenant);
  info.principal = lend(running.caller->principal);
  info.key_prefix = lend(running.caller->key_prefix);
  info.request_id = lend(running.request_id);
  info.tool = lend(running.tool->name);
  info.idempotency_key = lend(running.idempotency_key);
  info.time_zone = lend(running.caller->time_zone);
  if (!call->start.deadline.is_never())
    info.deadline_us =
        wall_clock_us() + std::chrono::duration_cast<std::chrono::microseconds>(call->start.deadline.left()).count();
  std::memcpy(out, &info, std::min<std::size_t>(out->struct_size, sizeof(info)));
  return TH_OK;
}

th_str call_args_json(th_call* call) noexcept {
  if (!answers(call)) return {nullptr, 0};
  if (call->args_text.empty()) json::append_text(call->args_text, call->start.call->arguments);
  return lend(call->args_text);
}

th_status call_text(th_call* call, th_str text) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (!is_utf8(view(text))) return fail_with(*call, TH_E_INVALID, "the text is not UTF-8");
  const auto size = call->content.size();
  if (result_bytes(*call) + text.len > call->start.max_result_bytes) return result_too_large(*call);
  call->content += size == 1 ? R"({"type":"text","text":)" : R"(,{"type":"text","text":)";
  toolhost::append_json_string(call->content, view(text));
  call->content += '}';
  if (result_bytes(*call) <= call->start.max_result_bytes) return TH_OK;
  call->content.resize(size);
  return result_too_large(*call);
}

th_status call_structured(th_call* call, th_str text) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (!call->structured.empty() || !call->writer.is_empty())
    return fail_with(*call, TH_E_MISUSE, "there is structured content already");
  if (result_bytes(*call) + text.len > call->start.max_result_bytes) return result_too_large(*call);
  auto document = json::acquire_document();
  const auto root = document->parse(view(text));
  if (!root) return fail_with(*call, TH_E_INVALID, "the structured content is no JSON: " + root.error().message);
  if (!root->is_object()) return fail_with(*call, TH_E_INVALID, "the structured content is JSON, but no object");
  // Written anew: line breaks between tokens would end a line of an event stream.
  json::append_text(call->structured, *root);
  call->structured_document = std::move(document);
  return TH_OK;
}

th_status call_fail(th_call* call, th_status status, th_str message) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (status >= 0) return fail_with(*call, TH_E_MISUSE, "fail() takes a negative status");
  const auto text = view(message).substr(0, call->start.max_result_bytes);
  call->failed = true;
  call->failure = status;
  call->failure_message = is_utf8(text) ? std::string(text) : std::string();
  return status;
}

th_status call_last_error(th_call* call, th_error* out) noexcept {
  if (!answers(call) || out == nullptr) return TH_E_MISUSE;
  if (out->struct_size < sizeof(out->struct_size)) return TH_E_MISUSE;
  th_error error{};
  error.struct_size = out->struct_size;
  error.status = call->error_status;
  error.message = lend(call->error_message);
  error.code = lend(call->error_code);
  error.detail = lend(call->error_detail);
  std::memcpy(out, &error, std::min<std::size_t>(out->struct_size, sizeof(error)));
  return TH_OK;
}

int32_t call_cancelled(th_call* call) noexcept {
  return call != nullptr && call->is_cancelled() ? 1 : 0;
}

// ---- JSON by pointer, for arguments and settings

/// What `pointer` (RFC 6901) leads to.
bool look_up(const json::Value& root, std::string_view pointer, json::Value& found) noexcept {
  // Nearly every pointer names a member of the root: no need to unescape and walk.
  if (pointer.size() > 1 && pointer[0] == '/' && pointer.find_first_of("/~", 1) == std::string_view::npos) {
    json::Object object;
    if (root.get(object) == simdjson::SUCCESS) return object.at_key(pointer.substr(1)).get(found) == simdjson::SUCCESS;
  }
  return root.at_pointer(pointer).get(found) == simdjson::SUCCESS;
}

/// JSON Schema counts 3.0 as an integer, so a plugin that declared one must be able to read it.
bool as_integer(const json::Value& value, std::int64_t& out) noexcept {
  if (value.is_int64()) return value.get(out) == simdjson::SUCCESS;
  double number = 0;
  if (!value.is_double() || value.get(number) != simdjson::SUCCESS) return false;
  if (number < -0x1p63 || number >= 0x1p63 || number != std::trunc(number)) return false;
  out = static_cast<std::int64_t>(number);
  return true;
}

int32_t kind_of(const json::Value& value) noexcept {
  std::int64_t integer = 0;
  switch (value.type()) {
    case simdjson::dom::element_type::NULL_VALUE:
      return TH_J_NULL;
    case simdjson::dom::element_type::BOOL:
      return TH_J_BOOL;
    case simdjson::dom::element_type::STRING:
      return TH_J_STRING;
    case simdjson::dom::element_type::ARRAY:
      return TH_J_ARRAY;
    case simdjson::dom::element_type::OBJECT:
      return TH_J_OBJECT;
    case simdjson::dom::element_type::INT64:
    case simdjson::dom::element_type::UINT64:
    case simdjson::dom::element_type::DOUBLE:
      return as_integer(value, integer) ? TH_J_INT : TH_J_NUMBER;
  }
  return TH_J_ABSENT;
}

th_status nothing_at(th_call& call, th_str pointer) {
  return fail_with(call, TH_E_NOT_FOUND, "there is nothing at '" + std::string(view(pointer)) + "'");
}

th_status other_kind_at(th_call& call, th_str pointer, std::string_view wanted) {
  return fail_with(call, TH_E_INVALID, "what is at '" + std::string(view(pointer)) + "' is not " + std::string(wanted));
}

/// One typed getter of toolhost.args/1.
template <class Read>
th_status read_argument(th_call* call, th_str pointer, const void* out, std::string_view wanted, Read read) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (out == nullptr) return fail_with(*call, TH_E_MISUSE, "out is NULL");
  json::Value value;
  if (!look_up(call->start.call->arguments, view(pointer), value)) return nothing_at(*call, pointer);
  return read(value) ? TH_OK : other_kind_at(*call, pointer, wanted);
}

int32_t args_kind(th_call* call, th_str pointer) noexcept {
  json::Value value;
  if (!answers(call) || !look_up(call->start.call->arguments, view(pointer), value)) return TH_J_ABSENT;
  return kind_of(value);
}

th_status args_str(th_call* call, th_str pointer, th_str* out) noexcept {
  return read_argument(call, pointer, out, "a string", [&](const json::Value& value) {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS) return false;
    *out = lend(text);
    return true;
  });
}

th_status args_i64(th_call* call, th_str pointer, int64_t* out) noexcept {
  return read_argument(call, pointer, out, "an integer of 64 bits", [&](const json::Value& value) {
    std::int64_t integer = 0;
    if (!as_integer(value, integer)) return false;
    *out = integer;
    return true;
  });
}

th_status args_f64(th_call* call, th_str pointer, double* out) noexcept {
  return read_argument(call, pointer, out, "a number",
                       [&](const json::Value& value) { return value.get(*out) == simdjson::SUCCESS; });
}

th_status args_boolean(th_call* call, th_str pointer, int32_t* out) noexcept {
  return read_argument(call, pointer, out, "a boolean", [&](const json::Value& value) {
    bool flag = false;
    if (value.get(flag) != simdjson::SUCCESS) return false;
    *out = flag ? 1 : 0;
    return true;
  });
}

th_status args_size(th_call* call, th_str pointer, size_t* out) noexcept {
  return read_argument(call, pointer, out, "an array or object", [&](const json::Value& value) {
    json::Array array;
    json::Object object;
    if (value.get(array) == simdjson::SUCCESS) {
      // simdjson's own count saturates at 2^24 - 1, which no bounded request reaches.
      *out = array.size();
      return true;
    }
    if (value.get(object) != simdjson::SUCCESS) return false;
    *out = object.size();
    return true;
  });
}

th_status args_key(th_call* call, th_str pointer, size_t index, th_str* out) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (out == nullptr) return fail_with(*call, TH_E_MISUSE, "out is NULL");
  json::Value value;
  json::Object object;
  if (!look_up(call->start.call->arguments, view(pointer), value)) return nothing_at(*call, pointer);
  if (value.get(object) != simdjson::SUCCESS) return other_kind_at(*call, pointer, "an object");
  for (const auto& field : object) {
    if (index-- > 0) continue;
    *out = lend(field.key);
    return TH_OK;
  }
  return fail_with(*call, TH_E_NOT_FOUND, "the object has fewer members");
}

// ---- toolhost.json/1

template <class Write>
th_status write_structured(th_call* call, Write write) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (!call->structured.empty()) return fail_with(*call, TH_E_MISUSE, "the structured content was given whole already");
  call->writer.limit(call->start.max_result_bytes - std::min(call->start.max_result_bytes, call->content.size()));
  switch (write(call->writer)) {
    case StructuredWriter::Status::kOk:
      return TH_OK;
    case StructuredWriter::Status::kMisplaced:
      return fail_with(*call, TH_E_MISUSE,
                       "out of order: a value without its key, a key outside an object, a second outermost value, or "
                       "end() with nothing open");
    case StructuredWriter::Status::kNotFinite:
      return fail_with(*call, TH_E_INVALID, "JSON has no number that is not finite");
    case StructuredWriter::Status::kTooDeep:
      return fail_with(*call, TH_E_LIMIT,
                       "the structured content is nested deeper than " + std::to_string(StructuredWriter::kMaxDepth));
    case StructuredWriter::Status::kTooLarge:
      return result_too_large(*call);
  }
  return TH_E_INTERNAL;
}

template <class Write>
th_status write_structured_text(th_call* call, th_str text, Write write) noexcept {
  if (answers(call) && !is_utf8(view(text))) return fail_with(*call, TH_E_INVALID, "the text is not UTF-8");
  return write_structured(call, write);
}

th_status json_begin_object(th_call* call) noexcept {
  return write_structured(call, [](auto& writer) { return writer.begin_object(); });
}
th_status json_begin_array(th_call* call) noexcept {
  return write_structured(call, [](auto& writer) { return writer.begin_array(); });
}
th_status json_end(th_call* call) noexcept {
  return write_structured(call, [](auto& writer) { return writer.end(); });
}
th_status json_key(th_call* call, th_str name) noexcept {
  return write_structured_text(call, name, [&](auto& writer) { return writer.key(view(name)); });
}
th_status json_str(th_call* call, th_str text) noexcept {
  return write_structured_text(call, text, [&](auto& writer) { return writer.string(view(text)); });
}
th_status json_i64(th_call* call, int64_t number) noexcept {
  return write_structured(call, [&](auto& writer) { return writer.integer(number); });
}
th_status json_f64(th_call* call, double number) noexcept {
  return write_structured(call, [&](auto& writer) { return writer.number(number); });
}
th_status json_boolean(th_call* call, int32_t flag) noexcept {
  return write_structured(call, [&](auto& writer) { return writer.boolean(flag != 0); });
}
th_status json_null(th_call* call) noexcept {
  return write_structured(call, [](auto& writer) { return writer.null(); });
}

// ---- toolhost.db/1

/// A failure of the connection, with the reason that only this side knows: who stopped the statement.
th_status database_failed(th_call& call, const Error& error) {
  auto status = toolhost::plugin_runtime::to_status(error.code);
  if (status == TH_E_CANCELLED || status == TH_E_TIMEOUT)
    status = call.start.call->cancelled.load(std::memory_order_relaxed) ? TH_E_CANCELLED : TH_E_TIMEOUT;
  fail_with(call, status, error.message);
  call.error_code = call.start.database->last_sqlstate();
  call.error_detail = error.detail;
  return status;
}

void end_rows(th_call& call) noexcept {
  if (!call.rows.empty()) call.rows.back().rows = nullptr;
}

/// What every statement and savepoint needs first: a connection, a caller who still waits, and the noted begin.
th_status prepare_database(th_call* call) {
  if (!answers(call)) return TH_E_MISUSE;
  end_rows(*call);
  if (call->start.database == nullptr)
    return fail_with(*call, TH_E_MISUSE,
                     "a tool that declares TH_TOOL_NONBLOCKING has no database; declare it without the flag");
  if (call->is_cancelled()) {
    // A transaction that goes on after this was told to stop.
    call->statement_failed = true;
    const bool by_caller = call->start.call->cancelled.load(std::memory_order_relaxed);
    return by_caller ? fail_with(*call, TH_E_CANCELLED, "the call was cancelled")
                     : fail_with(*call, TH_E_TIMEOUT, "the call took longer than its time limit");
  }
  if (!call->in_transaction) {
    const auto& running = *call->start.call;
    call->start.database->begin(
        {.tenant = running.caller->tenant_id, .read_only = running.tool->read_only, .deadline = call->start.deadline});
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

/// Runs one statement through `run` and keeps account of what it means for the transaction.
template <class Run>
th_status run_statement(th_call* call, const th_value* parameters, std::size_t count, std::uint32_t flags,
                        Run run) noexcept {
  if (const auto status = prepare_database(call); status != TH_OK) return status;
  if ((flags & ~TH_DB_LAST) != 0) return fail_with(*call, TH_E_INVALID, "flags hold bits that are not TH_DB_*");
  if (const auto status = read_parameters(*call, parameters, count); status != TH_OK) return status;
  const bool last = (flags & TH_DB_LAST) != 0 && call->savepoints == 0;
  const bool writes_for_good = last && !call->start.call->tool->read_only;
  const Result<> done = run(last ? Finish::kCommit : Finish::kKeepOpen);
  call->statement_failed = !done.has_value();
  if (done) {
    call->committed = call->committed || writes_for_good;
    return TH_OK;
  }
  if (writes_for_good &&
      toolhost::plugin_runtime::leaves_outcome_unknown(done.error().code, call->start.database->last_sqlstate()))
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
    handle.row.resize(handle.rows->columns());
    *out = &handle;
    return {};
  });
}

bool answers(const th_rows* rows) noexcept {
  return rows != nullptr && answers(rows->call) && rows->rows != nullptr;
}

th_status db_next(th_rows* rows, const th_value** row) noexcept {
  if (!answers(rows) || row == nullptr) return TH_E_MISUSE;
  const auto* values = rows->rows->next();
  if (values == nullptr) return TH_END;
  for (std::size_t i = 0; i < rows->row.size(); ++i) rows->row[i] = convert(values[i]);
  *row = rows->row.data();
  return TH_OK;
}

size_t db_columns(th_rows* rows) noexcept {
  return answers(rows) ? rows->row.size() : 0;
}

th_str db_column_name(th_rows* rows, size_t index) noexcept {
  if (!answers(rows) || index >= rows->row.size()) return {nullptr, 0};
  return lend(rows->rows->column_name(index));
}

void db_close(th_rows* rows) noexcept {
  if (answers(rows)) rows->rows = nullptr;
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
  } else {
    --call->savepoints;
  }
  if (operation == TH_SAVEPOINT_ROLLBACK) call->statement_failed = false;
  return TH_OK;
}

// ---- toolhost.config/1

/// A setting; TH_E_MISUSE when `call` is given but not running here.
th_status find_setting(th_host* host, th_call* call, th_str pointer, const void* out, json::Value& found) {
  if (host == nullptr || out == nullptr || (call != nullptr && !answers(call))) return TH_E_MISUSE;
  if (look_up(host->settings(), view(pointer), found)) return TH_OK;
  return call == nullptr ? TH_E_NOT_FOUND : nothing_at(*call, pointer);
}

th_status config_str(th_host* host, th_call* call, th_str pointer, th_str* out) noexcept {
  json::Value value;
  if (const auto status = find_setting(host, call, pointer, out, value); status != TH_OK) return status;
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS)
    return call == nullptr ? TH_E_INVALID : other_kind_at(*call, pointer, "a string");
  *out = lend(text);
  return TH_OK;
}

th_status config_i64(th_host* host, th_call* call, th_str pointer, int64_t* out) noexcept {
  json::Value value;
  if (const auto status = find_setting(host, call, pointer, out, value); status != TH_OK) return status;
  std::int64_t integer = 0;
  if (!as_integer(value, integer))
    return call == nullptr ? TH_E_INVALID : other_kind_at(*call, pointer, "an integer of 64 bits");
  *out = integer;
  return TH_OK;
}

th_status config_json(th_host* host, th_call* call, th_str pointer, th_str* out) noexcept {
  json::Value value;
  if (const auto status = find_setting(host, call, pointer, out, value); status != TH_OK) return status;
  *out = lend(host->settings_text(view(pointer), value));
  return TH_OK;
}

// ---- toolhost.token/1

th_status token_seal(th_call* call, th_str data, th_str* token) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (token == nullptr) return fail_with(*call, TH_E_MISUSE, "token is NULL");
  if (data.len > TH_TOKEN_MAX_DATA) return fail_with(*call, TH_E_LIMIT, "a token holds at most 4096 bytes");
  *token =
      lend(call->kept.emplace_back(call->start.host->sealer().seal(call->start.call->caller->tenant_id, view(data))));
  return TH_OK;
}

th_status token_open(th_call* call, th_str token, th_str* data) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (data == nullptr) return fail_with(*call, TH_E_MISUSE, "data is NULL");
  // Longer than any token that seal() makes.
  auto opened = token.len > 2 * TH_TOKEN_MAX_DATA
                    ? std::nullopt
                    : call->start.host->sealer().open(call->start.call->caller->tenant_id, view(token));
  if (!opened) return fail_with(*call, TH_E_INVALID, "the token was not issued here, or was altered");
  *data = lend(call->kept.emplace_back(std::move(*opened)));
  return TH_OK;
}

constexpr th_host_api kHostApi{.struct_size = sizeof(th_host_api),
                               .abi_minor = TH_ABI_MINOR,
                               .product = "Toolhost",
                               .version = TOOLHOST_VERSION,
                               .get_service = core_get_service,
                               .log = core_log,
                               .log_enabled = core_log_enabled,
                               .now_us = core_now_us,
                               .new_uuid = core_new_uuid};
constexpr th_call_api kCallApi{sizeof(th_call_api), 0,         call_info,       call_args_json, call_text,
                               call_structured,     call_fail, call_last_error, call_cancelled};
constexpr th_args_api kArgsApi{sizeof(th_args_api), 0,         args_kind, args_str, args_i64, args_f64,
                               args_boolean,        args_size, args_key};
constexpr th_json_api kJsonApi{sizeof(th_json_api),
                               0,
                               json_begin_object,
                               json_begin_array,
                               json_end,
                               json_key,
                               json_str,
                               json_i64,
                               json_f64,
                               json_boolean,
                               json_null};
constexpr th_db_api kDbApi{sizeof(th_db_api), 0,        db_exec,     db_query, db_next, db_columns,
                           db_column_name,    db_close, db_savepoint};
constexpr th_config_api kConfigApi{sizeof(th_config_api), 0, config_str, config_i64, config_json};
constexpr th_token_api kTokenApi{sizeof(th_token_api), 0, token_seal, token_open};

constexpr std::array<std::pair<std::string_view, const void*>, 6> kServices{{{TH_SVC_CALL, &kCallApi},
                                                                             {TH_SVC_ARGS, &kArgsApi},
                                                                             {TH_SVC_JSON, &kJsonApi},
                                                                             {TH_SVC_DB, &kDbApi},
                                                                             {TH_SVC_CONFIG, &kConfigApi},
                                                                             {TH_SVC_TOKEN, &kTokenApi}}};

std::string_view word_of(Severity severity) noexcept {
  switch (severity) {
    case Severity::kTrace:
      return "trace";
    case Severity::kDebug:
      return "debug";
    case Severity::kInfo:
      return "info";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      return "error";
    case Severity::kCritical:
      return "critical";
  }
  return "info";
}

}  // namespace

th_host::th_host(std::string plugin_id, const toolhost::Secret& sealing_key, Severity log_level,
                 toolhost::observability::EventSink& events)
    : plugin_(std::move(plugin_id)), sealer_(sealing_key, plugin_), log_level_(log_level), events_(&events) {}

Result<json::Value> th_host::set_settings(std::string_view text) {
  const auto root = settings_document_.parse(text.empty() ? std::string_view("{}") : text);
  if (!root) return root.error();
  if (!root->is_object()) return Error{Errc::kInvalidArgument, "they are no object", {}};
  settings_ = *root;
  return settings_;
}

std::string_view th_host::settings_text(std::string_view pointer, const json::Value& value) {
  const std::lock_guard lock(mutex_);
  if (const auto found = settings_texts_.find(pointer); found != settings_texts_.end()) return found->second;
  return settings_texts_.emplace(pointer, json::to_text(value)).first->second;
}

void th_host::report(PluginIncident incident, std::string_view rule, std::string_view detail) {
  const std::lock_guard lock(mutex_);
  if (events_ != nullptr) events_->emit(toolhost::observability::PluginReported{incident, plugin_, rule, detail});
}

void th_host::log(Severity severity, std::string_view text) {
  const auto second = wall_clock_us() / 1'000'000;
  std::unique_lock lock(mutex_);
  if (events_ == nullptr) return;
  if (second != log_second_) {
    if (logged_ > kMaxLogRecordsPerSecond)
      events_->emit(toolhost::observability::PluginReported{
          PluginIncident::kMisbehaved, plugin_, "log-flood",
          std::to_string(logged_ - kMaxLogRecordsPerSecond) + " log records were dropped: more than " +
              std::to_string(kMaxLogRecordsPerSecond) + " in one second"});
    log_second_ = second;
    logged_ = 0;
  }
  if (++logged_ > kMaxLogRecordsPerSecond) return;
  events_->emit(toolhost::observability::PluginReported{PluginIncident::kLog, plugin_, word_of(severity), text});
}

void th_host::silence() {
  const std::lock_guard lock(mutex_);
  events_ = nullptr;
}

void th_call::enter(const Start& next) {
  start = next;
  content.assign("[");
  writer.reset();
  structured.clear();
  structured_document.reset();
  args_text.clear();
  kept.clear();
  failed = false;
  failure_message.clear();
  error_status = TH_OK;
  error_message.clear();
  error_code.clear();
  error_detail.clear();
  in_transaction = statement_failed = committed = outcome_unknown = false;
  savepoints = 0;
  rows.clear();
  owner_.store(&this_thread, std::memory_order_release);
}

void th_call::leave() noexcept {
  owner_.store(nullptr, std::memory_order_release);
  end_rows(*this);
}

bool th_call::is_on_this_thread() const noexcept {
  return owner_.load(std::memory_order_relaxed) == &this_thread;
}

bool th_call::is_cancelled() const noexcept {
  return owner_.load(std::memory_order_acquire) != nullptr &&
         (start.call->cancelled.load(std::memory_order_relaxed) ||
          (start.deadline_passed != nullptr && start.deadline_passed->load(std::memory_order_relaxed)));
}

namespace toolhost::plugin_runtime {

const th_host_api& host_api() noexcept {
  return kHostApi;
}

bool leaves_outcome_unknown(Errc code, std::string_view sqlstate) noexcept {
  if (code != Errc::kUnavailable && code != Errc::kTimeout && code != Errc::kCancelled) return false;
  // 08001: the connection could not even be made, so nothing was sent. Other codes come from a server that says itself
  // that it did not commit.
  return sqlstate.empty() || sqlstate.starts_with("57P") || (sqlstate.starts_with("08") && sqlstate != "08001");
}

const void* find_service(std::string_view id) noexcept {
  for (const auto& [name, table] : kServices)
    if (name == id) return table;
  return nullptr;
}

th_status to_status(Errc code) noexcept {
  switch (code) {
    case Errc::kInvalidArgument:
      return TH_E_INVALID;
    case Errc::kNotFound:
      return TH_E_NOT_FOUND;
    case Errc::kConflict:
      return TH_E_CONFLICT;
    case Errc::kUnauthenticated:
    case Errc::kDenied:
      return TH_E_DENIED;
    case Errc::kUnavailable:
      return TH_E_UNAVAILABLE;
    case Errc::kTimeout:
      return TH_E_TIMEOUT;
    case Errc::kCancelled:
      return TH_E_CANCELLED;
    case Errc::kRetry:
      return TH_E_RETRY;
    case Errc::kLimit:
      return TH_E_LIMIT;
    case Errc::kUnsupported:
      return TH_E_UNSUPPORTED;
    case Errc::kMisuse:
      return TH_E_MISUSE;
    case Errc::kInternal:
      return TH_E_INTERNAL;
  }
  return TH_E_INTERNAL;
}

}  // namespace toolhost::plugin_runtime
