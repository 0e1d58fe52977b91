#include "observability/span_batch.hpp"

#include <random>
#include <span>
#include <utility>

#include "base/hex.hpp"
#include "base/json_writer.hpp"
#include "observability/outcomes.hpp"

namespace toolhost::observability {
namespace {

using std::chrono::microseconds;
using SystemTime = std::chrono::system_clock::time_point;

// Of OTLP's enums.
constexpr int kInternal = 1, kServer = 2;
constexpr int kStatusError = 2;

std::mt19937_64& random() {
  thread_local std::mt19937_64 engine{std::random_device{}()};
  return engine;
}

template <std::size_t Size>
std::string hex_of(const std::array<std::uint8_t, Size>& bytes) {
  std::string text;
  for (const auto byte : bytes) text += static_cast<char>(byte);
  return to_hex(text);
}

/// An id of 8 or 16 random bytes, in hexadecimal digits; never zero, but by a chance that nobody will see.
std::string random_id(std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) {
    auto number = random()();
    for (int i = 0; i < 8; ++i, number >>= 8) text += static_cast<char>(number & 0xff);
  }
  return to_hex(text);
}

void attribute(JsonWriter& json, std::string_view key, std::string_view text) {
  if (text.empty()) return;
  json.begin_object().member("key", key).key("value").begin_object().member("stringValue", text);
  json.end_object().end_object();
}

std::string nanoseconds_text(SystemTime time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}

/// The members that every span begins with; the object stays open.
struct Identity {
  std::string_view trace, span, parent;
};
void begin_span(JsonWriter& json, const Identity& identity, std::string_view name, int kind, SystemTime begin,
                SystemTime end) {
  json.begin_object().member("traceId", identity.trace).member("spanId", identity.span);
  if (!identity.parent.empty()) json.member("parentSpanId", identity.parent);
  json.member("name", name).key("kind").integer(kind);
  json.member("startTimeUnixNano", nanoseconds_text(begin)).member("endTimeUnixNano", nanoseconds_text(end));
}

/// A part of the call, beneath its span; parts of no length are left out.
void append_part(std::string& out, std::string_view trace, std::string_view parent, std::string_view name,
                 SystemTime begin, microseconds length) {
  if (length <= microseconds(0)) return;
  out += ',';
  JsonWriter json(out);
  begin_span(json, {trace, random_id(8), parent}, name, kInternal, begin, begin + length);
  json.end_object();
}

}  // namespace

SpanBatch::SpanBatch(Config config) : config_(std::move(config)) {}

void SpanBatch::emit(const Event& event) noexcept {
  const auto* const call = std::get_if<ToolCalled>(&event);
  if (call == nullptr) return;
  if (call->trace != nullptr ? !call->trace->is_sampled
                             : std::uniform_real_distribution<double>(0, 1)(random()) >= config_.sample)
    return;
  add(*call);
}

void SpanBatch::add(const ToolCalled& call) {
  const auto end = std::chrono::system_clock::now();
  const auto begin = end - call.duration;
  const std::string trace = call.trace != nullptr ? hex_of(call.trace->trace_id) : random_id(16);
  const std::string parent = call.trace != nullptr ? hex_of(call.trace->span_id) : std::string();
  const std::string span = random_id(8);

  std::string out;
  JsonWriter json(out);
  begin_span(json, {trace, span, parent}, "tools/call " + std::string(call.tool), kServer, begin, end);
  if (call.trace != nullptr && !call.trace->state.empty()) json.member("traceState", call.trace->state);
  json.key("attributes").begin_array();
  attribute(json, "mcp.method.name", "tools/call");
  attribute(json, "gen_ai.operation.name", "execute_tool");
  attribute(json, "gen_ai.tool.name", call.tool);
  attribute(json, "toolhost.plugin", call.plugin);
  attribute(json, "toolhost.tenant", call.caller.tenant);
  attribute(json, "toolhost.key", call.caller.key_prefix);
  attribute(json, "toolhost.request", call.request_id);
  attribute(json, "toolhost.outcome", call.outcome);
  attribute(json, "toolhost.reason", call.reason);
  if (is_error(call.outcome)) attribute(json, "error.type", call.outcome);
  json.end_array();
  if (is_error(call.outcome)) json.key("status").begin_object().key("code").integer(kStatusError).end_object();
  json.end_object();
  const auto handled = begin + call.queued;
  append_part(out, trace, span, "queue", begin, call.queued);
  append_part(out, trace, span, "handler", handled, call.in_handler);
  append_part(out, trace, span, "database", handled, call.in_database);

  const std::lock_guard lock(mutex_);
  if (spans_.size() + out.size() > config_.most_bytes) return count_dropped(1);
  if (!spans_.empty()) spans_ += ',';
  spans_ += out;
  ++count_;
}

std::string SpanBatch::take() {
  std::string spans;
  {
    const std::lock_guard lock(mutex_);
    spans.swap(spans_);
    taken_ = std::exchange(count_, 0);
  }
  if (spans.empty()) return spans;
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("resourceSpans").begin_array().begin_object();
  json.key("resource").begin_object().key("attributes").begin_array();
  attribute(json, "service.name", "toolhost");
  attribute(json, "service.version", config_.version);
  json.end_array().end_object();
  json.key("scopeSpans").begin_array().begin_object();
  json.key("scope").begin_object().member("name", "toolhost").end_object();
  json.key("spans").raw("[" + spans + "]").end_object().end_array();
  json.end_object().end_array().end_object();
  return out;
}

}  // namespace toolhost::observability
