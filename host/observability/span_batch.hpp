#pragma once
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "observability/events.hpp"

namespace toolhost::observability {

/// Collects a span for each call that is to be traced, as OpenTelemetry's JSON (OTLP 1.x, traces), until somebody takes
/// them. A call belongs to the trace that its client names, and is collected when the client collects its own part;
/// a call of no trace is the first of one, with the given probability. Any thread; nobody waits for the collector.
class SpanBatch final : public EventSink {
 public:
  struct Config {
    std::string version;                            ///< of the host
    double sample = 1.0;                            ///< 0 to 1
    std::size_t most_bytes = std::size_t{4} << 20;  ///< that wait; further spans are dropped
  };
  explicit SpanBatch(Config config);

  void emit(const Event& event) noexcept override;

  /// The spans that wait, as the body of one request; empty when there are none.
  std::string take();
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }
  /// Spans that were taken and reached nobody.
  void count_dropped(std::uint64_t spans) noexcept { dropped_.fetch_add(spans, std::memory_order_relaxed); }
  /// Spans in the body that take() returned last.
  [[nodiscard]] std::uint64_t taken() const noexcept { return taken_; }

 private:
  void add(const ToolCalled& call);

  const Config config_;
  std::atomic<std::uint64_t> dropped_{0};
  std::mutex mutex_;  // guards what follows
  std::string spans_;
  std::uint64_t count_ = 0;
  std::uint64_t taken_ = 0;  // of the taking thread
};

}  // namespace toolhost::observability
