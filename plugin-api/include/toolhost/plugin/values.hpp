#pragma once
#include <toolhost/plugin.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace toolhost {

inline th_str to_th(std::string_view text) noexcept {
  return {text.data(), text.size()};
}
inline std::string_view view(th_str text) noexcept {
  return {text.ptr, text.len};
}

/// A UUID: SQL parameter and column (uuid), tool field ("format": "uuid").
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  Uuid() = default;
  explicit Uuid(const th_uuid& uuid) noexcept { std::memcpy(bytes.data(), uuid.b, bytes.size()); }

  /// Lower-case text with hyphens.
  [[nodiscard]] std::string str() const {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    text.reserve(36);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (i == 4 || i == 6 || i == 8 || i == 10) text.push_back('-');
      text.push_back(kDigits[bytes[i] >> 4]);
      text.push_back(kDigits[bytes[i] & 15]);
    }
    return text;
  }
  /// From 8-4-4-4-12 hexadecimal digits of either case; nothing when the text is anything else.
  static std::optional<Uuid> parse(std::string_view text) noexcept {
    if (text.size() != 36) return std::nullopt;
    Uuid uuid;
    std::size_t at = 0;
    for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
      if ((i == 4 || i == 6 || i == 8 || i == 10) && text[at++] != '-') return std::nullopt;
      const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + 2, uuid.bytes[i], 16);
      if (error != std::errc() || end != text.data() + at + 2) return std::nullopt;
      at += 2;
    }
    return uuid;
  }
  friend bool operator==(const Uuid&, const Uuid&) = default;
};

/// A moment: microseconds since 1970-01-01T00:00Z. SQL parameter and column (timestamptz), tool field
/// ("format": "date-time", RFC 3339).
struct Time {
  std::int64_t us = 0;

  /// RFC 3339 in UTC, "2026-11-23T03:15:38Z", with as many of six decimals as are needed.
  [[nodiscard]] std::string str() const {
    using namespace std::chrono;
    const sys_time<microseconds> moment{microseconds{us}};
    const auto day = floor<days>(moment);
    const year_month_day date{day};
    const hh_mm_ss time{moment - day};
    std::string text;
    append(text, static_cast<int>(date.year()), 4, '-');
    append(text, static_cast<unsigned>(date.month()), 2, '-');
    append(text, static_cast<unsigned>(date.day()), 2, 'T');
    append(text, time.hours().count(), 2, ':');
    append(text, time.minutes().count(), 2, ':');
    append(text, time.seconds().count(), 2, '\0');
    if (auto fraction = time.subseconds().count(); fraction != 0) {
      text.push_back('.');
      append(text, fraction, 6, '\0');
      while (text.back() == '0') text.pop_back();
    }
    text.push_back('Z');
    return text;
  }

  /// From RFC 3339 with any offset; decimals after the sixth are dropped. Nothing when the text is anything else.
  static std::optional<Time> parse(std::string_view text) noexcept {
    using namespace std::chrono;
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    if (!take(text, 4, year) || !take(text, '-') || !take(text, 2, month) || !take(text, '-') || !take(text, 2, day) ||
        !(take(text, 'T') || take(text, 't') || take(text, ' ')) || !take(text, 2, hour) || !take(text, ':') ||
        !take(text, 2, minute) || !take(text, ':') || !take(text, 2, second)) {
      return std::nullopt;
    }
    const year_month_day date{std::chrono::year{year}, std::chrono::month(static_cast<unsigned>(month)),
                              std::chrono::day(static_cast<unsigned>(day))};
    if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
    std::int64_t fraction = 0;
    if (take(text, '.')) {
      std::size_t digits = 0;
      for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1)) {
        if (digits++ < 6) fraction = fraction * 10 + (text.front() - '0');
      }
      if (digits == 0) return std::nullopt;
      for (; digits < 6; ++digits) fraction *= 10;
    }
    minutes offset{0};
    if (!take(text, 'Z') && !take(text, 'z')) {
      const bool west = take(text, '-');
      int hours_east = 0, minutes_east = 0;
      if ((!west && !take(text, '+')) || !take(text, 2, hours_east) || !take(text, ':') ||
          !take(text, 2, minutes_east) || hours_east > 23 || minutes_east > 59) {
        return std::nullopt;
      }
      offset = minutes{(hours_east * 60 + minutes_east) * (west ? -1 : 1)};
    }
    if (!text.empty()) return std::nullopt;
    const sys_time<microseconds> moment = sys_days{date} + hours{hour} + minutes{minute} + seconds{second} - offset;
    return Time{moment.time_since_epoch().count() + fraction};
  }
  friend auto operator<=>(const Time&, const Time&) = default;

 private:
  static void append(std::string& text, std::int64_t number, std::size_t width, char after) {
    const std::string digits = std::to_string(number);
    if (digits.size() < width) text.append(width - digits.size(), '0');
    text += digits;
    if (after != '\0') text.push_back(after);
  }
  static bool take(std::string_view& text, char wanted) noexcept {
    if (text.empty() || text.front() != wanted) return false;
    text.remove_prefix(1);
    return true;
  }
  static bool take(std::string_view& text, std::size_t digits, int& number) noexcept {
    if (text.size() < digits) return false;
    number = 0;
    for (const char c : text.substr(0, digits)) {
      if (c < '0' || c > '9') return false;
      number = number * 10 + (c - '0');
    }
    text.remove_prefix(digits);
    return true;
  }
};

/// JSON text, not looked into: SQL parameter and column (json, jsonb), tool field of any shape.
struct Json {
  std::string text;

  Json() : text("null") {}
  explicit Json(std::string_view json) : text(json) {}
  explicit Json(std::string&& json) noexcept : text(std::move(json)) {}
  explicit Json(const char* json) : text(json) {}
};

/// Raw bytes as an SQL parameter (bytea). Borrowed.
struct Bytes {
  std::string_view bytes;
};

/// A field that tells absent, null and a value apart: "leave it", "clear it", "set it". As an SQL parameter the first
/// two are NULL.
template <class T>
class Nullable {
 public:
  Nullable() = default;                                            ///< absent
  Nullable(std::nullptr_t) noexcept : present_(true) {}            ///< null
  Nullable(T value) : present_(true), value_(std::move(value)) {}  ///< a value

  [[nodiscard]] bool is_absent() const noexcept { return !present_; }
  [[nodiscard]] bool is_null() const noexcept { return present_ && !value_; }
  [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }
  /// Only when has_value().
  const T& operator*() const noexcept { return *value_; }
  const T* operator->() const noexcept { return &*value_; }
  /// The value, or nothing for absent and null.
  [[nodiscard]] const std::optional<T>& value() const noexcept { return value_; }

 private:
  bool present_ = false;
  std::optional<T> value_;
};

/// A field that takes one value or a list of them; always a list to the handler.
template <class T>
struct OneOrMany {
  std::vector<T> values;

  [[nodiscard]] bool empty() const noexcept { return values.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return values.size(); }
  auto begin() const noexcept { return values.begin(); }
  auto end() const noexcept { return values.end(); }
};

}  // namespace toolhost
