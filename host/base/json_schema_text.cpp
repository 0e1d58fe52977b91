#include "base/json_schema_text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "base/json_writer.hpp"

namespace toolhost::schema_text {
namespace {

using simdjson::dom::element_type;

static_assert(std::numeric_limits<long double>::digits >= 64, "ExactNumber must hold every 64-bit integer");

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_hex(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool contains(std::string_view set, char c) noexcept {
  return set.find(c) != std::string_view::npos;
}

int hex_value(char c) noexcept {
  if (is_digit(c)) return c - '0';
  return (c | 0x20) - 'a' + 10;
}

// ---- URIs ----

struct Uri {
  std::optional<std::string_view> scheme, authority, query, fragment;
  std::string_view path;
};

/// RFC 3986, appendix B.
Uri split_uri(std::string_view text) {
  Uri uri;
  if (const auto hash = text.find('#'); hash != text.npos) {
    uri.fragment = text.substr(hash + 1);
    text = text.substr(0, hash);
  }
  if (const auto mark = text.find('?'); mark != text.npos) {
    uri.query = text.substr(mark + 1);
    text = text.substr(0, mark);
  }
  if (const auto colon = text.find_first_of(":/"); colon != text.npos && colon > 0 && text[colon] == ':') {
    uri.scheme = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  if (text.starts_with("//")) {
    const auto end = std::min(text.find('/', 2), text.size());
    uri.authority = text.substr(2, end - 2);
    text.remove_prefix(end);
  }
  uri.path = text;
  return uri;
}

/// RFC 3986, section 5.2.4, by segments.
std::string remove_dot_segments(std::string_view path) {
  std::vector<std::string_view> kept;
  const bool is_rooted = path.starts_with('/');
  bool ends_in_slash = false;
  std::size_t at = is_rooted ? 1 : 0;
  while (at <= path.size()) {
    const auto end = std::min(path.find('/', at), path.size());
    const std::string_view segment = path.substr(at, end - at);
    const bool is_last = end == path.size();
    if (segment == ".." && !kept.empty()) kept.pop_back();
    if (segment != "." && segment != ".." && !(segment.empty() && is_last)) kept.push_back(segment);
    if (is_last) ends_in_slash = segment == "." || segment == ".." || segment.empty();
    at = end + 1;
  }
  std::string result = is_rooted ? "/" : "";
  for (const auto segment : kept) result.append(segment).append("/");
  if (!ends_in_slash && !kept.empty()) result.pop_back();
  return result;
}

std::string merge_paths(const Uri& base, std::string_view path) {
  if (base.authority && base.path.empty()) return "/" + std::string(path);
  const auto slash = base.path.rfind('/');
  return std::string(slash == base.path.npos ? std::string_view{} : base.path.substr(0, slash + 1)) + std::string(path);
}

// ---- formats ----

/// Reads exactly `count` digits; -1 when there are none such.
int take_digits(std::string_view& text, std::size_t count) noexcept {
  if (text.size() < count) return -1;
  int number = 0;
  for (std::size_t index = 0; index < count; ++index) {
    if (!is_digit(text[index])) return -1;
    number = number * 10 + (text[index] - '0');
  }
  text.remove_prefix(count);
  return number;
}

bool take(std::string_view& text, std::string_view any_of) noexcept {
  if (text.empty() || !contains(any_of, text.front())) return false;
  text.remove_prefix(1);
  return true;
}

bool take_date(std::string_view& text) noexcept {
  const int year = take_digits(text, 4);
  if (year < 0 || !take(text, "-")) return false;
  const int month = take_digits(text, 2);
  if (month < 1 || month > 12 || !take(text, "-")) return false;
  const int day = take_digits(text, 2);
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day >= 1 && day <= kDays[month - 1] + (month == 2 && is_leap ? 1 : 0);
}

/// RFC 3339, section 5.6; a leap second only where UTC can have one.
bool take_time(std::string_view& text) noexcept {
  const int hour = take_digits(text, 2);
  if (hour < 0 || hour > 23 || !take(text, ":")) return false;
  const int minute = take_digits(text, 2);
  if (minute < 0 || minute > 59 || !take(text, ":")) return false;
  const int second = take_digits(text, 2);
  if (second < 0 || second > 60) return false;
  if (take(text, ".")) {
    if (take_digits(text, 1) < 0) return false;
    while (take_digits(text, 1) >= 0) {
    }
  }
  int offset_minutes = 0;
  if (!take(text, "Zz")) {
    const bool is_behind = text.starts_with('-');
    if (!take(text, "+-")) return false;
    const int offset_hour = take_digits(text, 2);
    if (offset_hour < 0 || offset_hour > 23 || !take(text, ":")) return false;
    const int offset_minute = take_digits(text, 2);
    if (offset_minute < 0 || offset_minute > 59) return false;
    offset_minutes = (offset_hour * 60 + offset_minute) * (is_behind ? -1 : 1);
  }
  constexpr int kDay = 24 * 60;
  return second < 60 || (hour * 60 + minute - offset_minutes + kDay) % kDay == kDay - 1;
}

bool is_date(std::string_view text) noexcept {
  return take_date(text) && text.empty();
}

bool is_date_time(std::string_view text) noexcept {
  return take_date(text) && take(text, "Tt") && take_time(text) && text.empty();
}

bool is_uuid(std::string_view text) noexcept {
  if (text.size() != 36) return false;
  for (std::size_t index = 0; index < text.size(); ++index) {
    const bool is_dash = index == 8 || index == 13 || index == 18 || index == 23;
    if (is_dash ? text[index] != '-' : !is_hex(text[index])) return false;
  }
  return true;
}

bool is_ipv4(std::string_view text) noexcept {
  for (int part = 0; part < 4; ++part) {
    unsigned number = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
    const auto digits = static_cast<std::size_t>(end - text.data());
    if (status != std::errc{} || number > 255 || (digits > 1 && text.front() == '0')) return false;
    text.remove_prefix(digits);
    if (part < 3 && !take(text, ".")) return false;
  }
  return text.empty();
}

bool is_ipv6(std::string_view text) noexcept {
  int groups = 0;
  bool is_compressed = false;
  if (text.starts_with("::")) {
    is_compressed = true;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    if (const auto colon = text.find(':'); colon == text.npos && contains(text.substr(0, 4), '.')) {
      groups += 2;
      return is_ipv4(text) && (is_compressed ? groups < 8 : groups == 8);
    }
    std::size_t digits = 0;
    while (digits < text.size() && is_hex(text[digits])) ++digits;
    if (digits == 0 || digits > 4) return false;
    ++groups;
    text.remove_prefix(digits);
    if (text.empty()) break;
    if (!take(text, ":") || text.empty()) return false;
    if (text.front() != ':') continue;
    if (is_compressed) return false;
    is_compressed = true;
    text.remove_prefix(1);
  }
  return is_compressed ? groups < 8 : groups == 8;
}

bool is_host_name(std::string_view text) noexcept {
  if (text.empty() || text.size() > 253) return false;
  while (true) {
    const std::string_view label = text.substr(0, text.find('.'));
    const auto is_allowed = [](char c) { return is_letter(c) || is_digit(c) || c == '-'; };
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    if (!std::all_of(label.begin(), label.end(), is_allowed)) return false;
    if (label.size() == text.size()) return true;
    text.remove_prefix(label.size() + 1);
  }
}

/// RFC 5321, section 4.1.2: dot-atom or quoted local part; host name or address literal.
bool is_email(std::string_view text) noexcept {
  const auto at_sign = text.rfind('@');
  if (at_sign == text.npos || at_sign == 0 || at_sign > 64) return false;
  const std::string_view local = text.substr(0, at_sign);
  const std::string_view domain = text.substr(at_sign + 1);
  if (local.front() == '"') {
    if (local.size() < 3 || local.back() != '"') return false;
    for (std::size_t index = 1; index + 1 < local.size(); ++index) {
      if (local[index] == '\\' && ++index + 1 >= local.size()) return false;
      if (local[index] < 0x20 || local[index] == 0x7F || (local[index] == '"' && local[index - 1] != '\\'))
        return false;
    }
  } else {
    bool after_dot = true;
    for (const char c : local) {
      if (c == '.' && after_dot) return false;
      if (c != '.' && !is_letter(c) && !is_digit(c) && !contains("!#$%&'*+-/=?^_`{|}~", c)) return false;
      after_dot = c == '.';
    }
    if (after_dot) return false;
  }
  if (domain.starts_with("[IPv6:") && domain.ends_with(']')) return is_ipv6(domain.substr(6, domain.size() - 7));
  if (domain.starts_with('[') && domain.ends_with(']')) return is_ipv4(domain.substr(1, domain.size() - 2));
  return is_host_name(domain);
}

bool has_uri_characters(std::string_view text, std::string_view also) noexcept {
  for (std::size_t index = 0; index < text.size(); ++index) {
    const char c = text[index];
    if (c == '%') {
      if (index + 2 >= text.size() || !is_hex(text[index + 1]) || !is_hex(text[index + 2])) return false;
      index += 2;
    } else if (!is_letter(c) && !is_digit(c) && !contains("-._~!$&'()*+,;=", c) && !contains(also, c)) {
      return false;
    }
  }
  return true;
}

bool is_authority(std::string_view text) noexcept {
  if (const auto at_sign = text.rfind('@'); at_sign != text.npos) {
    if (!has_uri_characters(text.substr(0, at_sign), ":")) return false;
    text.remove_prefix(at_sign + 1);
  }
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == text.npos || !is_ipv6(text.substr(1, end - 1))) return false;
    text.remove_prefix(end + 1);
    if (text.empty()) return true;
    if (text.front() != ':') return false;
  }
  const auto colon = text.find(':');
  if (!has_uri_characters(text.substr(0, colon), "")) return false;
  return colon == text.npos || std::all_of(text.begin() + static_cast<std::ptrdiff_t>(colon) + 1, text.end(), is_digit);
}

/// An absolute URI (RFC 3986, section 3), with or without a fragment.
bool is_uri(std::string_view text) noexcept {
  const Uri uri = split_uri(text);
  if (!uri.scheme || !is_letter(uri.scheme->front())) return false;
  const auto in_scheme = [](char c) { return is_letter(c) || is_digit(c) || contains("+-.", c); };
  if (!std::all_of(uri.scheme->begin(), uri.scheme->end(), in_scheme)) return false;
  if (uri.authority && !is_authority(*uri.authority)) return false;
  return has_uri_characters(uri.path, ":@/") && has_uri_characters(uri.query.value_or(""), ":@/?") &&
         has_uri_characters(uri.fragment.value_or(""), ":@/?");
}

}  // namespace

std::string resolve_uri(std::string_view base_text, std::string_view reference_text) {
  const Uri base = split_uri(base_text);
  const Uri reference = split_uri(reference_text);
  Uri target = reference;
  std::string path;
  if (reference.scheme || reference.authority) {
    path = remove_dot_segments(reference.path);
  } else if (reference.path.empty()) {
    path = base.path;
    if (!reference.query) target.query = base.query;
  } else {
    path = remove_dot_segments(reference.path.starts_with('/') ? std::string(reference.path)
                                                               : merge_paths(base, reference.path));
  }
  if (!reference.scheme) {
    target.scheme = base.scheme;
    if (!reference.authority) target.authority = base.authority;
  }
  // A URN's path is opaque.
  if (reference.scheme && !reference.authority && !reference.path.starts_with('/')) path = reference.path;

  std::string text;
  if (target.scheme) text.append(*target.scheme).append(":");
  if (target.authority) text.append("//").append(*target.authority);
  text += path;
  if (target.query) text.append("?").append(*target.query);
  if (target.fragment) text.append("#").append(*target.fragment);
  return text;
}

std::string percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t index = 0; index < text.size(); ++index) {
    if (text[index] == '%' && index + 2 < text.size() && is_hex(text[index + 1]) && is_hex(text[index + 2])) {
      decoded += static_cast<char>(hex_value(text[index + 1]) * 16 + hex_value(text[index + 2]));
      index += 2;
    } else {
      decoded += text[index];
    }
  }
  return decoded;
}

std::size_t length_in_code_points(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool is_number(const json::Value& value) noexcept {
  const auto type = value.type();
  return type == element_type::INT64 || type == element_type::UINT64 || type == element_type::DOUBLE;
}

bool is_integer(const json::Value& value) noexcept {
  if (value.type() != element_type::DOUBLE) return is_number(value);
  const double number = value.get_double().value_unsafe();
  return std::trunc(number) == number;
}

ExactNumber exact_number(const json::Value& number) noexcept {
  switch (number.type()) {
    case element_type::INT64:
      return static_cast<ExactNumber>(number.get_int64().value_unsafe());
    case element_type::UINT64:
      return static_cast<ExactNumber>(number.get_uint64().value_unsafe());
    default:
      return static_cast<ExactNumber>(number.get_double().value_unsafe());
  }
}

Decimal decimal_of(const json::Value& number) {
  if (number.type() == element_type::UINT64) return {number.get_uint64().value_unsafe(), 0};
  if (number.type() == element_type::INT64) {
    const std::int64_t integer = number.get_int64().value_unsafe();
    return {integer < 0 ? ~static_cast<std::uint64_t>(integer) + 1 : static_cast<std::uint64_t>(integer), 0};
  }
  char text[40];
  const double positive = std::abs(number.get_double().value_unsafe());
  const char* const end = std::to_chars(text, text + sizeof text, positive, std::chars_format::scientific).ptr;
  Decimal decimal;
  const char* at = text;
  for (int after_point = -1; at != end && *at != 'e'; ++at) {  // at most 17 digits
    if (*at == '.') {
      after_point = 0;
      continue;
    }
    decimal.mantissa = decimal.mantissa * 10 + static_cast<std::uint64_t>(*at - '0');
    if (after_point >= 0) --decimal.exponent;
  }
  int exponent = 0;
  if (at != end) std::from_chars(at[1] == '+' ? at + 2 : at + 1, end, exponent);
  decimal.exponent += exponent;
  return decimal;
}

bool is_multiple(Decimal number, Decimal divisor) noexcept {
  __extension__ using Wide = unsigned __int128;
  if (number.mantissa == 0) return true;
  int shift = number.exponent - divisor.exponent;
  if (shift < 0) {
    // number = mantissa, divisor = divisor * 10^-shift; from 10^20 on the divisor is larger than any mantissa.
    if (shift <= -20) return false;
    Wide wide = divisor.mantissa;
    for (; shift < 0; ++shift) wide *= 10;
    return Wide{number.mantissa} % wide == 0;
  }
  Wide rest = number.mantissa % divisor.mantissa;
  for (; shift > 0 && rest != 0; --shift) rest = rest * 10 % divisor.mantissa;
  return rest == 0;
}

std::string_view canonical_scalar(const json::Value& value, char* buffer) noexcept {
  constexpr std::size_t kBufferSize = 40;
  const auto print = [&](auto number) {
    return std::string_view(buffer,
                            static_cast<std::size_t>(std::to_chars(buffer, buffer + kBufferSize, number).ptr - buffer));
  };
  switch (value.type()) {
    case element_type::INT64:
      return print(value.get_int64().value_unsafe());
    case element_type::UINT64:
      return print(value.get_uint64().value_unsafe());
    case element_type::DOUBLE: {
      const double number = value.get_double().value_unsafe();
      if (std::trunc(number) == number) {  // the limits are powers of two, exact as doubles
        if (number >= -0x1p63 && number < 0x1p63) return print(static_cast<std::int64_t>(number));
        if (number >= 0 && number < 0x1p64) return print(static_cast<std::uint64_t>(number));
      }
      return print(number);
    }
    case element_type::BOOL:
      return value.get_bool().value_unsafe() ? "true" : "false";
    default:
      return "null";
  }
}

void append_canonical(std::string& out, const json::Value& value) {  // as deep as the parser allows
  switch (value.type()) {
    case element_type::STRING:
      append_json_string(out, value.get_string().value_unsafe());
      return;
    case element_type::ARRAY:
      out += '[';
      for (const auto item : json::Array(value)) {
        append_canonical(out, item);
        out += ',';
      }
      out += ']';
      return;
    case element_type::OBJECT: {
      std::vector<std::pair<std::string_view, json::Value>> members;
      for (const auto member : json::Object(value)) members.emplace_back(member.key, member.value);
      std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
      out += '{';
      for (const auto& [key, member] : members) {
        append_json_string(out, key);
        out += ':';
        append_canonical(out, member);
        out += ',';
      }
      out += '}';
      return;
    }
    default: {
      char buffer[40];
      out += canonical_scalar(value, buffer);
    }
  }
}

std::optional<Format> format_named(std::string_view name) noexcept {
  if (name == "date") return Format::kDate;
  if (name == "date-time") return Format::kDateTime;
  if (name == "email") return Format::kEmail;
  if (name == "uri") return Format::kUri;
  if (name == "uuid") return Format::kUuid;
  return std::nullopt;
}

bool has_format(std::string_view text, Format format) noexcept {
  switch (format) {
    case Format::kDate:
      return is_date(text);
    case Format::kDateTime:
      return is_date_time(text);
    case Format::kEmail:
      return is_email(text);
    case Format::kUri:
      return is_uri(text);
    case Format::kUuid:
      return is_uuid(text);
  }
  return true;
}

}  // namespace toolhost::schema_text
