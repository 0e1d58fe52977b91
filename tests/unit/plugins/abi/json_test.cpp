#include <gtest/gtest.h>
#include <toolhost/plugin/json.hpp>

#include <cmath>
#include <limits>

namespace toolhost::detail {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string unescaped(std::string_view json) {
  JsonReader reader(json);
  std::string text;
  reader.string(text);
  EXPECT_TRUE(reader.at_end());
  return text;
}

template <class Number>
std::string written(Number number) {
  std::string out;
  append_json_number(out, number);
  return out;
}

TEST(JsonString, EscapesWhatMustBeEscaped) {
  EXPECT_EQ(escaped("a\"b\\c\n\t\r\x01/ü😀"), R"("a\"b\\c\n\t\r\u0001/ü😀")");
  EXPECT_EQ(escaped(std::string_view("a\0b", 3)), R"("a\u0000b")");
  EXPECT_EQ(escaped(""), R"("")");
}

TEST(JsonString, ReadsEveryEscape) {
  EXPECT_EQ(unescaped(R"("\"\\\/\b\f\n\r\t\u0041\u00fc\u20ac\ud83d\ude00")"), "\"\\/\b\f\n\r\tAü€😀");
}

TEST(JsonString, RoundTripsAllControlCharacters) {
  std::string all;
  for (int c = 0; c < 128; ++c) all.push_back(static_cast<char>(c));
  EXPECT_EQ(unescaped(escaped(all)), all);
}

TEST(JsonNumber, WritesShortestForm) {
  EXPECT_EQ(written(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(written(std::uint8_t{200}), "200");
  EXPECT_EQ(written(0.1), "0.1");
  EXPECT_THROW(written(std::nan("")), Error);
  EXPECT_THROW(written(std::numeric_limits<double>::infinity()), Error);
}

TEST(JsonNumber, ReadsIntegersInEverySpelling) {
  EXPECT_EQ(JsonReader("-9223372036854775808").i64(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(JsonReader(" 3.0").i64(), 3);
  EXPECT_EQ(JsonReader("12e2").i64(), 1200);
  EXPECT_DOUBLE_EQ(JsonReader("-1.5e-3").f64(), -0.0015);
}

TEST(JsonNumber, RefusesWhatIsNoInteger) {
  for (const char* text : {"1.5", "9223372036854775808", "1e19", "-1e300"}) {
    try {
      JsonReader(text).i64();
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), TH_E_INVALID) << text;
    }
  }
}

TEST(JsonReader, WalksObjectsAndArrays) {
  JsonReader reader(R"( { "a" : [ 1 , 2 ] , "b" : { } , "c":[] , "d" : null , "e":true } )");
  std::string seen;
  std::int64_t sum = 0;
  reader.object([&](std::string_view name) {
    seen += name;
    if (name == "a") {
      reader.array([&] { sum += reader.i64(); });
    } else if (name == "d") {
      EXPECT_TRUE(reader.null());
    } else if (name == "e") {
      EXPECT_TRUE(reader.boolean());
    } else {
      reader.raw();
    }
  });
  EXPECT_EQ(seen, "abcde");
  EXPECT_EQ(sum, 3);
  EXPECT_TRUE(reader.at_end());
}

TEST(JsonReader, ReturnsAnyValueAsText) {
  for (const std::string text : {R"({"a":[{"b":"]}\""},{}]})", R"("a\"b")", "-1.5", "true", "false", "null", "[]"}) {
    const std::string padded = " " + text + " ,";
    EXPECT_EQ(JsonReader(padded).raw(), text);
  }
}

TEST(JsonReader, ThrowsOnEveryTruncation) {
  const std::string whole = R"({"a":[1,"\u00fc\ud83d\ude00",true,null,-2.5e1],"b":{"c":"d"}})";
  const auto read = [](std::string_view text) {
    JsonReader reader(text);
    reader.object([&](std::string_view name) {
      if (name != "a") {
        reader.raw();
        return;
      }
      int i = 0;
      reader.array([&] {
        std::string out;
        switch (i++) {
          case 1:
            reader.string(out);
            break;
          case 2:
            reader.boolean();
            break;
          case 3:
            if (!reader.null()) reader.f64();
            break;
          default:
            reader.f64();
        }
      });
    });
  };
  EXPECT_NO_THROW(read(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string cut(whole, 0, size);
    EXPECT_THROW(read(cut), Error) << cut;
  }
}

TEST(JsonReader, ThrowsOnUnpairedSurrogates) {
  for (const char* text :
       {R"("\ud83d")", R"("\ud83dx")", R"("\ude00")", R"("\ud83d\u0041")", R"("\u12g4")", R"("\q")"}) {
    EXPECT_THROW(unescaped(text), Error) << text;
  }
}

}  // namespace
}  // namespace toolhost::detail
