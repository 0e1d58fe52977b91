#include "observability/trace_context.hpp"

#include <algorithm>
#include <span>

#include "base/hex.hpp"

namespace toolhost::observability {
namespace {

constexpr std::size_t kLongestState = 512;  // what others must pass on at least
constexpr std::size_t kVersion00 = 55;      // 2 + 1 + 32 + 1 + 16 + 1 + 2

/// False when the digits are none, in lower case, or all of them 0.
bool read_id(std::string_view digits, std::span<std::uint8_t> id) {
  const std::string bytes = from_hex(digits);
  if (bytes.size() != id.size() || bytes.find_first_not_of('\0') == std::string::npos) return false;
  std::ranges::copy(bytes, id.begin());
  return true;
}

}  // namespace

std::optional<TraceContext> read_trace_context(std::string_view traceparent, std::string_view tracestate) {
  const auto& text = traceparent;
  if (text.size() < kVersion00 || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  const std::string version = from_hex(text.substr(0, 2)), flags = from_hex(text.substr(53, 2));
  if (version.empty() || version == "\xff" || flags.empty()) return std::nullopt;
  const bool goes_on = text.size() > kVersion00;
  if (goes_on && (version == std::string(1, '\0') || text[kVersion00] != '-')) return std::nullopt;
  TraceContext trace;
  if (!read_id(text.substr(3, 32), trace.trace_id) || !read_id(text.substr(36, 16), trace.span_id)) return std::nullopt;
  trace.is_sampled = (flags[0] & 1) != 0;
  const bool is_plain = std::ranges::all_of(tracestate, [](char c) { return c >= ' ' && c <= '~'; });
  if (tracestate.size() <= kLongestState && is_plain) trace.state = tracestate;
  return trace;
}

std::string trace_id_text(const TraceContext& trace) {
  std::string bytes;
  for (const auto byte : trace.trace_id) bytes += static_cast<char>(byte);
  return to_hex(bytes);
}

}  // namespace toolhost::observability
