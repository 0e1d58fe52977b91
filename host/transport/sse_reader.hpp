#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace toolhost::transport {

/// Takes a text/event-stream apart, in whatever pieces it arrives (WHATWG HTML, "Server-sent events").
class SseReader {
 public:
  struct Event {
    std::string_view event;  ///< empty for "message"
    std::string_view data;   ///< may be empty, as of an event that only names an id
  };
  /// `max_event`: bytes of one event's data, and of a line.
  explicit SseReader(std::size_t max_event) noexcept : max_event_(max_event) {}

  /// Reads on; `on_event` is called for each event that ends within `bytes`, also for one without data that names an
  /// id. False, for good, when an event is larger than it may be.
  bool read(std::string_view bytes, const std::function<void(const Event&)>& on_event);

  /// How many events there have been.
  [[nodiscard]] std::uint64_t events() const noexcept { return events_; }
  /// The id of the latest event, for Last-Event-ID; empty when none had one. Ids that no field can hold are left out.
  [[nodiscard]] const std::string& last_id() const noexcept { return last_id_; }
  /// How long to wait before coming back, when the server has said so.
  [[nodiscard]] std::optional<std::chrono::milliseconds> retry() const noexcept { return retry_; }

 private:
  bool take_line(std::string_view line, const std::function<void(const Event&)>& on_event);
  void end_event(const std::function<void(const Event&)>& on_event);

  const std::size_t max_event_;
  std::string line_, event_, data_, id_, last_id_;
  std::uint64_t events_ = 0;
  std::optional<std::chrono::milliseconds> retry_;
  bool has_data_ = false, has_id_ = false, was_cr_ = false, is_first_ = true, is_too_large_ = false;
};

}  // namespace toolhost::transport
