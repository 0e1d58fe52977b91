#pragma once
#include <concepts>
#include <string>
#include <string_view>

namespace toolhost::portal {

/// HTML that stands in the program's own text. Only a string literal can become one, and only while compiling: no text
/// of the outside ever does.
class Markup {
 public:
  [[nodiscard]] constexpr std::string_view text() const noexcept { return text_; }

 private:
  friend consteval Markup operator""_html(const char* text, std::size_t size);
  constexpr explicit Markup(std::string_view text) noexcept : text_(text) {}
  std::string_view text_;
};
consteval Markup operator""_html(const char* text, std::size_t size) {
  return Markup({text, size});
}

/// HTML that grows. Literals go in as they are, everything else is escaped, so that it can stand between tags and
/// inside quoted attribute values alike. Never use it for unquoted values, scripts or styles: pages have none.
class Html {
 public:
  Html& operator<<(Markup markup) {
    text_ += markup.text();
    return *this;
  }
  Html& operator<<(const Html& other) {
    text_ += other.text_;
    return *this;
  }
  /// Escaped; what is_hidden() but line feed and tab, and bytes that are no UTF-8, become U+FFFD.
  Html& operator<<(std::string_view text);
  Html& operator<<(const std::string& text) { return *this << std::string_view(text); }
  Html& operator<<(const char* text) { return *this << std::string_view(text); }
  template <std::integral Number>
    requires(!std::same_as<Number, bool> && !std::same_as<Number, char>)
  Html& operator<<(Number number) {
    text_ += std::to_string(number);
    return *this;
  }

  [[nodiscard]] bool empty() const noexcept { return text_.empty(); }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] std::string take() && { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace toolhost::portal
