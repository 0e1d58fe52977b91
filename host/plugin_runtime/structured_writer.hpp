#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace toolhost::plugin_runtime {

/// Builds one JSON object from the events that a plugin pushes, and refuses every event that would not lead to
/// well-formed JSON. One thread; reused from call to call.
class StructuredWriter {
 public:
  enum class Status { kOk, kMisplaced, kNotFinite, kTooDeep, kTooLarge };
  static constexpr std::size_t kMaxDepth = 64;

  /// Forgets everything.
  void reset();
  /// From now on the text does not grow over `max_bytes`, what is still to be closed included.
  void limit(std::size_t max_bytes) noexcept { max_bytes_ = max_bytes; }

  Status begin_object();
  Status begin_array();
  Status end();
  Status key(std::string_view name);
  Status string(std::string_view text);
  Status integer(std::int64_t number);
  Status number(double number);
  Status boolean(bool flag);
  Status null();

  [[nodiscard]] bool is_empty() const noexcept { return text_.empty(); }
  /// One object, closed.
  [[nodiscard]] bool is_complete() const noexcept { return !text_.empty() && open_.empty(); }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  /// Gives the text away; the writer is empty then.
  [[nodiscard]] std::string take() noexcept { return std::exchange(text_, {}); }

 private:
  struct Level {
    bool is_object, has_members, has_key;
  };
  Status open(bool is_object);
  template <class Append>
  Status value(Append append);
  [[nodiscard]] bool may_place_value(bool is_object) const noexcept;
  void place_value();
  Status fit(std::size_t size_before);

  std::string text_;
  std::vector<Level> open_;
  std::size_t max_bytes_ = 0;
};

}  // namespace toolhost::plugin_runtime
