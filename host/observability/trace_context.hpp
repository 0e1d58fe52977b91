#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace toolhost::observability {

/// Where a request stands in its client's trace (W3C Trace Context). Without one all is zero, and nothing is allocated.
struct TraceContext {
  std::array<std::uint8_t, 16> trace_id{};
  std::array<std::uint8_t, 8> span_id{};  ///< of the client's span
  bool is_sampled = false;                ///< the client sends its own part to a collector
  std::string state;                      ///< tracestate, as sent; at most 512 bytes

  [[nodiscard]] bool is_known() const noexcept { return trace_id != std::array<std::uint8_t, 16>{}; }
};

/// Reads traceparent: version 00, and later ones as far as they begin like it. Nothing for any other text, which
/// clients may send and which then counts as none. `state` is taken along when it fits.
std::optional<TraceContext> read_trace_context(std::string_view traceparent, std::string_view tracestate = {});

/// In lower-case hexadecimal digits.
std::string trace_id_text(const TraceContext& trace);

}  // namespace toolhost::observability
