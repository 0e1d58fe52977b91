#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"

/// Pure functions beneath the JSON Schema validator: identifiers, numbers, equality and formats.
namespace toolhost::schema_text {

/// `reference` resolved against `base` (RFC 3986, section 5.2); both may be relative.
std::string resolve_uri(std::string_view base, std::string_view reference);
/// The text with %XX replaced by the byte it stands for; a malformed escape stays.
std::string percent_decode(std::string_view text);

/// Code points in valid UTF-8.
std::size_t length_in_code_points(std::string_view text) noexcept;

/// A JSON number, exactly: 64 bits of mantissa hold every integer and every double.
using ExactNumber = long double;
/// For a value that is a number.
ExactNumber exact_number(const json::Value& number) noexcept;
bool is_number(const json::Value& value) noexcept;
/// JSON Schema's integer: 1 as well as 1.0.
bool is_integer(const json::Value& value) noexcept;

/// What a number's shortest decimal text says: mantissa * 10^exponent. JSON authors write decimals, so multiples of
/// 0.01 are decided on these and not on the nearest doubles. The sign is dropped.
struct Decimal {
  std::uint64_t mantissa = 0;
  int exponent = 0;
};
Decimal decimal_of(const json::Value& number);
/// `divisor` must not be zero.
bool is_multiple(Decimal number, Decimal divisor) noexcept;

/// Equal values, and only they, have equal text: members are sorted, 1.0 is 1. For values of any type.
void append_canonical(std::string& out, const json::Value& value);
/// The same for null, booleans and numbers, without allocation; `buffer` has at least 40 bytes.
std::string_view canonical_scalar(const json::Value& value, char* buffer) noexcept;

enum class Format : std::uint8_t { kDate, kDateTime, kEmail, kUri, kUuid };
/// nullopt for a format that is an annotation only.
std::optional<Format> format_named(std::string_view name) noexcept;
bool has_format(std::string_view text, Format format) noexcept;

}  // namespace toolhost::schema_text
