#include <gtest/gtest.h>
#include <toolhost/plugin/sql.hpp>
#include <toolhost/plugin/values.hpp>

namespace {

enum class Size { kSmall, kLarge, kUnnamed };
TH_ENUM(Size, value(Size::kSmall, "small"), value(Size::kLarge, "large"))

}  // namespace

namespace toolhost {
namespace {

TEST(Uuid, RoundTrips) {
  const std::string text = "0190f3a1-7c2e-7abc-8def-0123456789ab";
  EXPECT_EQ(Uuid::parse(text)->str(), text);
  EXPECT_EQ(Uuid::parse("0190F3A1-7C2E-7ABC-8DEF-0123456789AB")->str(), text);
}

TEST(Uuid, RefusesOtherText) {
  for (const char* text : {"", "0190f3a17c2e7abc8def0123456789ab", "0190f3a1-7c2e-7abc-8def-0123456789a",
                           "0190f3a1-7c2e-7abc-8def-0123456789ag", "0190f3a1_7c2e-7abc-8def-0123456789ab",
                           "+190f3a1-7c2e-7abc-8def-0123456789ab"}) {
    EXPECT_FALSE(Uuid::parse(text)) << text;
  }
}

TEST(Time, WritesRfc3339) {
  EXPECT_EQ(Time{0}.str(), "1970-01-01T00:00:00Z");
  EXPECT_EQ(Time{1'764'000'000'120'000}.str(), "2025-11-24T16:00:00.12Z");
  EXPECT_EQ(Time{-1}.str(), "1969-12-31T23:59:59.999999Z");
}

TEST(Time, ReadsEveryOffset) {
  EXPECT_EQ(Time::parse("2025-11-24T16:00:00.12Z")->us, 1'764'000'000'120'000);
  EXPECT_EQ(Time::parse("2025-11-24T17:30:00.120000999+01:30")->us, 1'764'000'000'120'000);
  EXPECT_EQ(Time::parse("2025-11-24t11:00:00-05:00")->us, 1'764'000'000'000'000);
  EXPECT_EQ(Time::parse("2024-02-29T00:00:00Z")->str(), "2024-02-29T00:00:00Z");
}

TEST(Time, RefusesOtherText) {
  for (const char* text :
       {"", "2025-11-24", "2025-02-29T00:00:00Z", "2025-13-01T00:00:00Z", "2025-11-24T24:00:00Z", "2025-11-24T16:00:00",
        "2025-11-24T16:00:00.Z", "2025-11-24T16:00:00Zx", "2025-11-24T16:00:00+1:00", "2025-11-24T16:00:00+01:60"}) {
    EXPECT_FALSE(Time::parse(text)) << text;
  }
}

TEST(Nullable, TellsThreeStatesApart) {
  const Nullable<int> absent, null = nullptr, value = 5;
  EXPECT_TRUE(absent.is_absent() && !absent.is_null() && !absent.has_value());
  EXPECT_TRUE(!null.is_absent() && null.is_null() && !null.has_value());
  EXPECT_TRUE(!value.is_absent() && !value.is_null() && *value == 5);
}

TEST(Parameters, HaveTheTypeOfTheirArgument) {
  const std::optional<std::string> none, some = "x";
  const Nullable<Size> cleared = nullptr;
  const Uuid uuid;
  const detail::Parameters<bool, short, double, char[4], std::optional<std::string>, std::optional<std::string>, Uuid,
                           Time, Json, Size, Nullable<Size>, std::nullptr_t>
  parameters(true, short{-3}, 1.5, "abc", none, some, uuid, Time{7}, Json("[1]"), Size::kLarge, cleared, nullptr);
  const th_value* values = parameters.data();
  ASSERT_EQ(parameters.size(), 12u);
  const std::uint32_t types[] = {TH_V_BOOL, TH_V_I64,  TH_V_F64,  TH_V_TEXT, TH_V_NULL, TH_V_TEXT,
                                 TH_V_UUID, TH_V_TIME, TH_V_JSON, TH_V_TEXT, TH_V_NULL, TH_V_NULL};
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_EQ(values[i].type, types[i]) << i;
    EXPECT_EQ(values[i].reserved, 0u);
  }
  EXPECT_EQ(values[0].u.i64, 1);
  EXPECT_EQ(values[1].u.i64, -3);
  EXPECT_EQ(values[2].u.f64, 1.5);
  EXPECT_EQ(view(values[3].u.s), "abc");
  EXPECT_EQ(values[6].u.s.len, 16u);
  EXPECT_EQ(values[7].u.i64, 7);
  EXPECT_EQ(view(values[9].u.s), "large");
}

TEST(Parameters, RefuseNumbersAboveSixtyThreeBits) {
  EXPECT_THROW(detail::Parameters<std::uint64_t>(std::uint64_t{1} << 63), Error);
}

TEST(Values, KeepCopies) {
  Values values;
  for (int i = 1; i <= 100; ++i) EXPECT_EQ(values.add("text " + std::to_string(i)), static_cast<std::size_t>(i));
  EXPECT_EQ(values.add(5), 101u);
  EXPECT_EQ(view(values.data()[0].u.s), "text 1");
  EXPECT_EQ(view(values.data()[99].u.s), "text 100");
  EXPECT_EQ(values.data()[100].u.i64, 5);
}

TEST(ArrayLiteral, RoundTrips) {
  const std::vector<std::string> texts = {"plain", "", "a,b", "quo\"te", "back\\slash", "{brace}", "NULL", " ü "};
  EXPECT_EQ(detail::parse_array_literal(detail::array_literal(texts)), texts);
  EXPECT_EQ(detail::array_literal(std::vector<std::string>{}), "{}");
}

TEST(ArrayLiteral, ReadsWhatPostgresqlWrites) {
  EXPECT_EQ(detail::parse_array_literal("{}"), std::vector<std::string>{});
  EXPECT_EQ(detail::parse_array_literal(R"({a,"b c","\"d\""})"), (std::vector<std::string>{"a", "b c", "\"d\""}));
}

TEST(ArrayLiteral, RefusesNullAndNesting) {
  for (const char* text : {"", "a", "{a", "{NULL}", "{{a},{b}}", "{\"a}", "{\"a\"b}"}) {
    EXPECT_THROW(detail::parse_array_literal(text), std::logic_error) << text;
  }
}

th_value text_of(std::uint32_t type, std::string_view text) {
  return detail::text_value(type, text);
}

TEST(Row, ReadsColumnsByType) {
  const th_value values[] = {text_of(TH_V_TEXT, "small"),        detail::number_value(TH_V_I64, 300),
                             detail::number_value(TH_V_NULL, 0), text_of(TH_V_NUMERIC, "1.25"),
                             text_of(TH_V_TEXT, "{a,b}"),        text_of(TH_V_JSON, "[1]")};
  const Row row(values, 6);
  EXPECT_EQ(row.get<std::string>(0), "small");
  EXPECT_EQ(row.get<Size>(0), Size::kSmall);
  EXPECT_EQ(row.get<int>(1), 300);
  EXPECT_EQ(row.get<std::optional<int>>(2), std::nullopt);
  EXPECT_EQ(row.get<double>(3), 1.25);
  EXPECT_EQ(row.text(3), "1.25");
  EXPECT_EQ(row.get<std::vector<std::string>>(4), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(row.get<Json>(5).text, "[1]");
}

TEST(Row, ThrowsOnMistakes) {
  const th_value values[] = {text_of(TH_V_TEXT, "medium"), detail::number_value(TH_V_I64, 300),
                             detail::number_value(TH_V_NULL, 0)};
  const Row row(values, 3);
  EXPECT_THROW(std::ignore = row.get<Size>(0), std::logic_error);
  EXPECT_THROW(std::ignore = row.get<std::int8_t>(1), std::logic_error);
  EXPECT_THROW(std::ignore = row.text(1), std::logic_error);
  EXPECT_THROW(std::ignore = row.i64(2), std::logic_error);
  EXPECT_THROW(std::ignore = row.i64(3), std::logic_error);
}

TEST(EnumName, ThrowsForAnUnnamedEnumerator) {
  EXPECT_THROW(detail::enum_name(Size::kUnnamed), std::logic_error);
}

}  // namespace
}  // namespace toolhost
