#include "base/json_writer.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>

namespace toolhost {
namespace {

std::string as_json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string number(double value) {
  std::string out;
  JsonWriter(out).number(value);
  return out;
}

TEST(JsonWriter, PlacesCommas) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object()
      .member("a", "x")
      .key("b")
      .begin_array()
      .integer(-1)
      .unsigned_integer(18446744073709551615u)
      .null();
  writer.begin_object().end_object().begin_array().end_array().boolean(true).raw("{\"raw\":1}").end_array();
  writer.key("c").boolean(false).end_object();
  EXPECT_EQ(out, R"({"a":"x","b":[-1,18446744073709551615,null,{},[],true,{"raw":1}],"c":false})");
}

TEST(JsonWriter, EscapesWhatRfc8259Demands) {
  EXPECT_EQ(as_json("\"\\/\b\f\n\r\t"), R"("\"\\/\b\f\n\r\t")");
  EXPECT_EQ(as_json(std::string_view("\0\x01\x1f\x7f", 4)), "\"\\u0000\\u0001\\u001f\x7f\"");
}

TEST(JsonWriter, EscapesAtEveryOffsetOfARun) {
  // The fast path looks at eight bytes at a time.
  for (std::size_t length = 1; length < 40; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      std::string text(length, 'a');
      text[at] = '\n';
      EXPECT_EQ(as_json(text), "\"" + std::string(at, 'a') + "\\n" + std::string(length - at - 1, 'a') + "\"");
    }
  }
}

TEST(JsonWriter, EveryByteIsEitherKeptOrEscaped) {
  for (int byte = 0; byte < 0x80; ++byte) {
    const std::string text = "aaaaaaa" + std::string(1, static_cast<char>(byte)) + "bbbbbbbb";
    const bool is_kept = byte >= 0x20 && byte != '"' && byte != '\\';
    EXPECT_EQ(as_json(text) == "\"" + text + "\"", is_kept) << byte;
  }
}

TEST(JsonWriter, KeepsValidUtf8) {
  for (const std::string_view text :
       {"\u00e9", "\u20ac", "\U0001F600", "\uFFFF", "\U0010FFFF", "\u2028\u2029", "\u05d0\u05d1"}) {
    EXPECT_EQ(as_json(text), "\"" + std::string(text) + "\"");
  }
}

TEST(JsonWriter, ReplacesInvalidUtf8) {
  constexpr std::string_view kMark = "\xEF\xBF\xBD";
  const auto marks = [&](int count) {
    std::string text = "\"";
    for (int index = 0; index < count; ++index) text += kMark;
    return text + "\"";
  };
  EXPECT_EQ(as_json("\x80"), marks(1));
  EXPECT_EQ(as_json("\xC0\xAF"), marks(2));          // overlong
  EXPECT_EQ(as_json("\xE0\x80\x80"), marks(3));      // overlong
  EXPECT_EQ(as_json("\xED\xA0\x80"), marks(3));      // a surrogate
  EXPECT_EQ(as_json("\xF4\x90\x80\x80"), marks(4));  // over U+10FFFF
  EXPECT_EQ(as_json("\xE2\x82"), marks(1));          // cut off: one mark for the part
  EXPECT_EQ(as_json("\xF0\x9F\x98"), marks(1));
  EXPECT_EQ(as_json("a\xFF"
                    "b\xE2\x82"
                    "c"),
            "\"a" + std::string(kMark) + "b" + std::string(kMark) + "c\"");
}

TEST(JsonWriter, WritesTheShortestDouble) {
  EXPECT_EQ(number(0.1), "0.1");
  EXPECT_EQ(number(1.0), "1");
  EXPECT_EQ(number(-0.0), "-0");
  EXPECT_EQ(number(1e300), "1e+300");
  EXPECT_EQ(number(std::numeric_limits<double>::denorm_min()), "5e-324");
  EXPECT_EQ(number(std::nan("")), "null");
  EXPECT_EQ(number(std::numeric_limits<double>::infinity()), "null");
}

TEST(JsonWriter, DoublesReadBackUnchanged) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 20000; ++round) {
    const double value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    const std::string text = number(value);
    double back = 0;
    std::from_chars(text.data(), text.data() + text.size(), back);
    ASSERT_EQ(back, value) << text;
  }
}

}  // namespace
}  // namespace toolhost
