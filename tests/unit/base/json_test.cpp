#include "base/json.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace toolhost::json {
namespace {

std::string error_of(std::string_view text) {
  Document document;
  const auto parsed = document.parse(text);
  if (parsed.has_value()) return "parsed";
  EXPECT_EQ(parsed.error().code, Errc::kInvalidArgument);
  return parsed.error().message;
}

std::string round_trip(std::string_view text) {
  Document document;
  const auto parsed = document.parse(text);
  return parsed.has_value() ? to_text(*parsed) : parsed.error().message;
}

TEST(JsonDocument, WritesBackWhatItRead) {
  for (const std::string_view text :
       {R"({"a":[1,-2,3.5,true,false,null,"x"],"b":{}})", R"("\u0000\n\"")", "0", "null", R"([[],[[]]])",
        R"({"dup":1,"dup":2})", "-9223372036854775808", "18446744073709551615", R"("😀אב")"}) {
    EXPECT_EQ(round_trip(text), text);
  }
  EXPECT_EQ(round_trip(" { \"a\" : 1e2 } "), R"({"a":100})");
  EXPECT_EQ(round_trip(R"("\ud83d\ude00 \u00e9")"), "\"😀 é\"");
}

TEST(JsonDocument, SaysWhatIsWrong) {
  EXPECT_EQ(error_of(""), "invalid JSON: the text is empty");
  EXPECT_EQ(error_of("  \n"), "invalid JSON: the text is empty");
  EXPECT_NE(error_of("{\"a\":1} x").find("bytes after the value"), std::string::npos);
  EXPECT_NE(error_of("[1,2").find("bracket"), std::string::npos);
  EXPECT_EQ(error_of("\"abc"), "invalid JSON: a string is not closed");
  EXPECT_EQ(error_of("\"a\nb\""), "invalid JSON: a string holds a control character that is not escaped");
  EXPECT_EQ(error_of(R"("\q")"), "invalid JSON: a string holds an invalid escape sequence");
  EXPECT_EQ(error_of("[tru]"), "invalid JSON: a literal is not true, false or null");
  EXPECT_EQ(error_of("\"\xFF\""), "invalid JSON: the text is not valid UTF-8");
  EXPECT_EQ(error_of("\"\xED\xA0\x80\""), "invalid JSON: the text is not valid UTF-8");
  for (const std::string_view text :
       {"01", "-", "1.", ".5", "1e", "NaN", "{'a':1}", "[1,]", "{\"a\":1,}", "[1 2]", "nul", "\xEF\xBB\xBF{}"}) {
    EXPECT_TRUE(error_of(text).starts_with("invalid JSON: ")) << text;
  }
}

TEST(JsonDocument, RefusesUnpairedSurrogates) {
  for (const std::string_view text :
       {R"("\ud800")", R"("\uDC00")", R"("\ud800\u0041")", R"("\ud800\ud800")", R"("\udc00\ud800")", R"("\ud800x")",
        R"("\uD83D\n")", R"({"\udfff":1})", R"("\ud83d\ude00\ude00")", R"("\\\ud800")"}) {
    EXPECT_TRUE(error_of(text).starts_with("invalid JSON: a string holds an")) << text << ": " << error_of(text);
  }
  for (const std::string_view text : {R"("\ud83d\ude00")", R"("\\ud800")", R"("\\\\udc00")", R"("\ud7ff\ue000")"}) {
    EXPECT_EQ(error_of(text), "parsed") << text;
  }
}

TEST(JsonDocument, AcceptsDepth256AndNotMore) {
  const auto nested = [](std::size_t depth, char open, char close) {
    return std::string(depth, open) + std::string(depth, close);
  };
  EXPECT_EQ(error_of(nested(256, '[', ']')), "parsed");
  EXPECT_EQ(error_of(nested(257, '[', ']')), "invalid JSON: nested deeper than 256 levels");
  EXPECT_EQ(error_of(nested(100'000, '[', ']')), "invalid JSON: nested deeper than 256 levels");
  std::string objects;
  for (int depth = 0; depth < 100'000; ++depth) objects += "{\"a\":";
  objects += "1" + std::string(100'000, '}');
  EXPECT_EQ(error_of(objects), "invalid JSON: nested deeper than 256 levels");
  Document grown;  // the limit stays when the parser grows
  ASSERT_TRUE(grown.parse("[\"" + std::string(100'000, 'x') + "\"]").has_value());
  EXPECT_TRUE(grown.parse(nested(257, '[', ']')).has_error());
}

TEST(JsonDocument, RefusesNumbersThatFitNowhere) {
  EXPECT_EQ(round_trip("18446744073709551616"), "invalid JSON: a number is malformed or out of range");
  EXPECT_EQ(round_trip("-9223372036854775809"), "invalid JSON: a number is malformed or out of range");
  EXPECT_EQ(round_trip("1e400"), "invalid JSON: a number is malformed or out of range");
  EXPECT_EQ(round_trip("18446744073709551616.0"), "18446744073709551616");
}

TEST(JsonDocument, IsReusedAfterAnErrorAndAfterLongerTexts) {
  Document document;
  for (const std::size_t length : {10u, 5'000u, 20u, 300'000u, 1u}) {
    EXPECT_TRUE(document.parse("{").has_error());
    const std::string text = "\"" + std::string(length, 'x') + "\"";
    const auto parsed = document.parse(text);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(to_text(document.root()), text);
  }
  EXPECT_GE(document.capacity(), 300'000u);
}

TEST(JsonDocument, FindsMembers) {
  Document document;
  const auto root = document.parse(R"({"a":{"b\n":1},"a":2})");
  ASSERT_TRUE(root.has_value());
  Value inner;
  ASSERT_EQ(find(*root, "a").get(inner), simdjson::SUCCESS);
  EXPECT_EQ(to_text(inner), R"({"b\n":1})");
  EXPECT_EQ(find(inner, "b\n").error(), simdjson::SUCCESS);
  EXPECT_NE(find(*root, "c").error(), simdjson::SUCCESS);
  EXPECT_NE(find(find(inner, "b\n").value(), "x").error(), simdjson::SUCCESS);
}

TEST(JsonDocumentPool, ReusesDocumentsOfTheThread) {
  DocumentPtr first = acquire_document();
  const Document* const address = first.get();
  first.reset();
  EXPECT_EQ(acquire_document().get(), address);
}

TEST(JsonDocumentPool, DoesNotKeepHugeDocuments) {
  DocumentPtr huge = acquire_document();
  ASSERT_TRUE(huge->parse("\"" + std::string(1'000'000, 'x') + "\"").has_value());
  huge.reset();
  for (int round = 0; round < 16; ++round) EXPECT_LE(acquire_document()->capacity(), 256u * 1024);
}

TEST(JsonDocumentPool, TakesDocumentsBackOnAnyThread) {
  for (int round = 0; round < 20; ++round) {
    std::vector<DocumentPtr> documents;
    for (int index = 0; index < 20; ++index) {
      documents.push_back(acquire_document());
      ASSERT_TRUE(documents.back()->parse("[1]").has_value());
    }
    std::thread([taken = std::move(documents)]() mutable {
      taken.clear();
      EXPECT_TRUE(acquire_document()->parse("[2]").has_value());
    }).join();
  }
}

TEST(JsonDocumentPool, TakesDocumentsBackAfterThePoolOfTheThreadIsGone) {
  struct Keeper {
    DocumentPtr document;
  };
  std::thread([] {
    thread_local Keeper keeper;  // made before the pool, so destroyed after it
    keeper.document = acquire_document();
    EXPECT_TRUE(keeper.document->parse("[1]").has_value());
  }).join();
}

}  // namespace
}  // namespace toolhost::json
