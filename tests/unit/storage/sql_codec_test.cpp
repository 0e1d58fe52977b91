#include "storage/sql_codec.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace toolhost::storage {
namespace {

using Type = SqlValue::Type;

std::string encoded(const SqlValue& value) {
  std::string arena;
  const auto appended = append_parameter(arena, value);
  EXPECT_TRUE(appended) << appended.error().message;
  EXPECT_EQ(arena.back(), '\0');
  arena.pop_back();
  return arena;
}

SqlValue decoded(std::uint32_t oid, std::string& text) {
  return decode_column(oid, {text.data(), text.size()});
}

TEST(SqlCodec, EncodesEveryType) {
  EXPECT_EQ(encoded({.type = Type::kBool, .integer = 1}), "t");
  EXPECT_EQ(encoded({.type = Type::kInteger, .integer = std::numeric_limits<std::int64_t>::min()}),
            "-9223372036854775808");
  EXPECT_EQ(encoded({.type = Type::kFloat, .number = 0.1}), "0.1");
  EXPECT_EQ(encoded({.type = Type::kFloat, .number = -INFINITY}), "-Infinity");
  EXPECT_EQ(encoded({.type = Type::kText, .text = "שלום 🎉"}), "שלום 🎉");
  EXPECT_EQ(encoded({.type = Type::kUuid,
                     .text = std::string_view("\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef", 16)}),
            "01234567-89ab-cdef-0123-456789abcdef");
  EXPECT_EQ(encoded({.type = Type::kTime, .integer = 1'500'000}), "1970-01-01 00:00:01.500000+00");
}

TEST(SqlCodec, RefusesNulInTextAndUuidsOfAnotherLength) {
  std::string arena;
  const auto nul = append_parameter(arena, {.type = Type::kText, .text = std::string_view("a\0b", 3)});
  ASSERT_FALSE(nul);
  EXPECT_EQ(nul.error().code, Errc::kInvalidArgument);
  EXPECT_FALSE(append_parameter(arena, {.type = Type::kUuid, .text = "short"}));
  EXPECT_FALSE(append_parameter(arena, {.type = static_cast<Type>(77)}));
}

TEST(SqlCodec, DecodesByColumnType) {
  std::string text = "t";
  EXPECT_EQ(decoded(16, text).integer, 1);
  text = "-42";
  EXPECT_EQ(decoded(23, text).integer, -42);
  text = "1.5e300";
  EXPECT_EQ(decoded(701, text).number, 1.5e300);
  text = "NaN";
  EXPECT_TRUE(std::isnan(decoded(701, text).number));
  text = "123456789012345678901234567890.5";
  EXPECT_EQ(decoded(1700, text).type, Type::kNumeric);
  text = "{\"a\": 1}";
  EXPECT_EQ(decoded(3802, text).type, Type::kJson);
  text = "2026-01-31";
  EXPECT_EQ(decoded(1082, text).type, Type::kText);
}

TEST(SqlCodec, DecodesBytesAndUuidsInPlace) {
  std::string bytes = "\\x00ff10";
  const SqlValue raw = decoded(17, bytes);
  EXPECT_EQ(raw.type, Type::kBytes);
  EXPECT_EQ(raw.text, std::string_view("\x00\xff\x10", 3));
  std::string uuid = "01234567-89ab-cdef-0123-456789abcdef";
  EXPECT_EQ(decoded(2950, uuid).text,
            std::string_view("\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef", 16));
}

TEST(SqlCodec, TimestampsGoThereAndBack) {
  EXPECT_EQ(parse_timestamp("1970-01-01 00:00:01.5+00"), 1'500'000);
  EXPECT_EQ(parse_timestamp("2000-02-29 12:34:56.000001"), 951'827'696'000'001);
  EXPECT_EQ(parse_timestamp("infinity"), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(parse_timestamp("294276-12-31 23:59:59.999999+00"), std::numeric_limits<std::int64_t>::max());
  for (const std::int64_t micros :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1'790'000'000'123'456}, std::int64_t{-62'135'596'800'000'001},
        std::int64_t{9'200'000'000'000'000'001}, std::int64_t{-210'000'000'000'000'000}}) {
    EXPECT_EQ(parse_timestamp(format_timestamp(micros)), micros) << format_timestamp(micros);
  }
}

}  // namespace
}  // namespace toolhost::storage
