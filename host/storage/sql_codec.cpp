#include "storage/sql_codec.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

namespace toolhost::storage {
namespace {

// Type numbers of pg_type.dat, which PostgreSQL never changes.
constexpr std::uint32_t kBoolOid = 16;
constexpr std::uint32_t kByteaOid = 17;
constexpr std::uint32_t kInt8Oid = 20;
constexpr std::uint32_t kInt2Oid = 21;
constexpr std::uint32_t kInt4Oid = 23;
constexpr std::uint32_t kJsonOid = 114;
constexpr std::uint32_t kFloat4Oid = 700;
constexpr std::uint32_t kFloat8Oid = 701;
constexpr std::uint32_t kTimestampOid = 1114;
constexpr std::uint32_t kTimestamptzOid = 1184;
constexpr std::uint32_t kNumericOid = 1700;
constexpr std::uint32_t kUuidOid = 2950;
constexpr std::uint32_t kJsonbOid = 3802;

constexpr std::string_view kHex = "0123456789abcdef";

template <class T>
T number_from(std::string_view text) {
  T number{};
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return (c | 0x20) - 'a' + 10;
}

// Pairs of hex digits, with dashes between them skipped. The output never overtakes the input, so both may be one
// buffer.
std::size_t decode_hex(std::string_view text, char* out) {
  std::size_t size = 0;
  for (std::size_t i = 0; i + 1 < text.size();) {
    if (text[i] == '-') {
      ++i;
      continue;
    }
    out[size++] = static_cast<char>(hex_digit(text[i]) << 4 | hex_digit(text[i + 1]));
    i += 2;
  }
  return size;
}

void append_uuid(std::string& arena, std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) arena += '-';
    const auto byte = static_cast<unsigned char>(bytes[i]);
    arena += kHex[byte >> 4];
    arena += kHex[byte & 15];
  }
}

void append_double(std::string& arena, double number) {
  if (std::isnan(number)) {
    arena += "NaN";
  } else if (std::isinf(number)) {
    arena += number < 0 ? "-Infinity" : "Infinity";
  } else {
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    arena.append(digits.data(), end.ptr);
  }
}

constexpr std::int64_t kMicrosPerDay = 86'400'000'000;

struct CivilDate {
  int year;
  int month;
  int day;
};

// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". std::chrono::year ends at 32767, PostgreSQL's at
// 294276.
std::int64_t days_from_civil(std::int64_t year, int month, int day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719'468;
}

CivilDate civil_from_days(std::int64_t days) {
  days += 719'468;
  const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const std::int64_t day_of_era = days - era * 146'097;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const int month = static_cast<int>(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
  return {static_cast<int>(year_of_era + era * 400 + (month <= 2 ? 1 : 0)), month,
          static_cast<int>(day_of_year - (153 * month_from_march + 2) / 5 + 1)};
}

}  // namespace

Result<> append_parameter(std::string& arena, const SqlValue& value) {
  const auto invalid = [](const char* message) { return Error{Errc::kInvalidArgument, message, {}}; };
  switch (value.type) {
    case SqlValue::Type::kNull:
    case SqlValue::Type::kBytes:
      return {};
    case SqlValue::Type::kBool:
      arena += value.integer != 0 ? 't' : 'f';
      break;
    case SqlValue::Type::kInteger:
      arena += std::to_string(value.integer);
      break;
    case SqlValue::Type::kFloat:
      append_double(arena, value.number);
      break;
    case SqlValue::Type::kTime:
      arena += format_timestamp(value.integer);
      break;
    case SqlValue::Type::kUuid:
      if (value.text.size() != 16) return invalid("A UUID parameter must be 16 bytes.");
      append_uuid(arena, value.text);
      break;
    case SqlValue::Type::kText:
    case SqlValue::Type::kJson:
    case SqlValue::Type::kNumeric:
      if (value.text.find('\0') != std::string_view::npos)
        return invalid("Text must not contain the character NUL (U+0000).");
      arena += value.text;
      break;
    default:
      return invalid("A parameter has an unknown type.");
  }
  arena += '\0';
  return {};
}

SqlValue decode_column(std::uint32_t oid, std::span<char> cell) {
  using Type = SqlValue::Type;
  const std::string_view text(cell.data(), cell.size());
  switch (oid) {
    case kBoolOid:
      return {.type = Type::kBool, .integer = text.starts_with('t') ? 1 : 0};
    case kInt2Oid:
    case kInt4Oid:
    case kInt8Oid:
      return {.type = Type::kInteger, .integer = number_from<std::int64_t>(text)};
    case kFloat4Oid:
    case kFloat8Oid:
      if (text == "Infinity") return {.type = Type::kFloat, .number = std::numeric_limits<double>::infinity()};
      if (text == "-Infinity") return {.type = Type::kFloat, .number = -std::numeric_limits<double>::infinity()};
      if (text == "NaN") return {.type = Type::kFloat, .number = std::numeric_limits<double>::quiet_NaN()};
      return {.type = Type::kFloat, .number = number_from<double>(text)};
    case kTimestampOid:
    case kTimestamptzOid:
      return {.type = Type::kTime, .integer = parse_timestamp(text)};
    case kNumericOid:
      return {.type = Type::kNumeric, .text = text};
    case kJsonOid:
    case kJsonbOid:
      return {.type = Type::kJson, .text = text};
    case kUuidOid:
      return {.type = Type::kUuid, .text = {cell.data(), decode_hex(text, cell.data())}};
    case kByteaOid:
      return {.type = Type::kBytes,
              .text = {cell.data(), decode_hex(text.starts_with("\\x") ? text.substr(2) : text, cell.data())}};
    default:
      return {.type = Type::kText, .text = text};
  }
}

std::int64_t parse_timestamp(std::string_view text) {
  if (text == "infinity") return std::numeric_limits<std::int64_t>::max();
  if (text == "-infinity") return std::numeric_limits<std::int64_t>::min();
  const bool before_christ = text.ends_with(" BC");
  const std::size_t year_end = text.find('-');
  if (year_end == std::string_view::npos || text.size() < year_end + 6) return 0;
  const auto two = [&](std::size_t at) { return text.size() >= at + 2 ? number_from<int>(text.substr(at, 2)) : 0; };
  int year = number_from<int>(text.substr(0, year_end));
  if (before_christ) year = 1 - year;
  const std::int64_t days = days_from_civil(year, two(year_end + 1), two(year_end + 4));
  // PostgreSQL counts from 2000 and reaches 30 years further than microseconds since 1970 do.
  if (days >= std::numeric_limits<std::int64_t>::max() / kMicrosPerDay) return std::numeric_limits<std::int64_t>::max();
  std::int64_t micros = days * kMicrosPerDay;
  if (text.size() < year_end + 15) return micros;
  micros += ((two(year_end + 7) * 60LL + two(year_end + 10)) * 60 + two(year_end + 13)) * 1'000'000;
  if (const std::size_t dot = text.find('.'); dot != std::string_view::npos) {
    std::int64_t unit = 100'000;
    for (std::size_t i = dot + 1; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i, unit /= 10)
      micros += (text[i] - '0') * unit;
  }
  return micros;
}

std::string format_timestamp(std::int64_t microseconds) {
  if (microseconds == std::numeric_limits<std::int64_t>::max()) return "infinity";
  if (microseconds == std::numeric_limits<std::int64_t>::min()) return "-infinity";
  std::int64_t day = microseconds / kMicrosPerDay;
  std::int64_t in_day = microseconds % kMicrosPerDay;
  if (in_day < 0) {
    in_day += kMicrosPerDay;
    --day;
  }
  const CivilDate date = civil_from_days(day);
  std::array<char, 64> out{};
  std::snprintf(
      out.data(), out.size(), "%04d-%02d-%02d %02d:%02d:%02d.%06d+00%s", date.year > 0 ? date.year : 1 - date.year,
      date.month, date.day, static_cast<int>(in_day / 3'600'000'000), static_cast<int>(in_day / 60'000'000 % 60),
      static_cast<int>(in_day / 1'000'000 % 60), static_cast<int>(in_day % 1'000'000), date.year > 0 ? "" : " BC");
  return out.data();
}

}  // namespace toolhost::storage
