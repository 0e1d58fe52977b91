#include "base/json_schema.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <thread>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TOOLHOST_HAS_ALLOCATION_HOOKS
#include <sanitizer/allocator_interface.h>
#endif
#endif

namespace {
thread_local volatile std::size_t allocations = 0;  // compilers assume that new changes nothing they can see

#ifdef TOOLHOST_HAS_ALLOCATION_HOOKS
const int kHooks = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, std::size_t) { allocations = allocations + 1; }, [](const volatile void*) {});
#endif
}  // namespace

#ifndef TOOLHOST_HAS_ALLOCATION_HOOKS
void* operator new(std::size_t size) {
  allocations = allocations + 1;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
#endif

namespace toolhost {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

JsonSchema schema_of(std::string_view text) {
  auto schema = JsonSchema::compile(text);
  if (schema.has_error()) throw std::runtime_error(schema.error().message);
  return std::move(*schema);
}

std::string refusal(std::string_view text, const JsonSchema::Options& options = {}) {
  const auto schema = JsonSchema::compile(text, options);
  if (schema.has_value()) return "compiled";
  EXPECT_EQ(schema.error().code, Errc::kInvalidArgument);
  return schema.error().message;
}

bool accepts(const JsonSchema& schema, std::string_view text) {
  json::Document document;
  return schema.accepts(document.parse(text).value());
}

std::vector<std::string> messages(const JsonSchema& schema, std::string_view text, std::size_t limit = 8) {
  json::Document document;
  std::vector<std::string> list;
  for (const auto& violation : schema.violations(document.parse(text).value(), limit))
    list.push_back(violation.message);
  return list;
}

constexpr std::string_view kListTickets = R"({
  "type": "object",
  "properties": {
    "status": {"enum": ["open", "pending", "closed"]},
    "priority": {"type": "string", "enum": ["low", "normal", "medium", "high", "urgent"]},
    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
    "title": {"type": "string", "minLength": 1, "maxLength": 200},
    "created": {"type": "string", "format": "date"},
    "id": {"type": "string", "pattern": "^T-[0-9]+$"},
    "price": {"type": "number", "multipleOf": 0.01},
    "requester": {"type": "object", "properties": {"email": {"type": "string", "format": "email"},
                  "name": {"type": "string"}},
                  "required": ["email"], "additionalProperties": false},
    "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3, "uniqueItems": true},
    "cursor": {"type": ["string", "null"]}
  },
  "required": ["title"],
  "additionalProperties": false
})";

TEST(JsonSchemaMessages, TellTheCure) {
  const JsonSchema schema = schema_of(kListTickets);
  EXPECT_THAT(messages(schema, R"({"title":"x","state":"open"})"),
              ElementsAre("unknown parameter 'state'; did you mean 'status'?"));
  EXPECT_THAT(messages(schema, "{}"), ElementsAre("missing required parameter 'title'"));
  EXPECT_THAT(
      messages(schema, R"({"title":"x","priority":"medum"})"),
      ElementsAre("'priority' must be one of: low, normal, medium, high, urgent; got 'medum'; did you mean 'medium'?"));
  EXPECT_THAT(messages(schema, R"({"title":"x","priority":"zzz"})"),
              ElementsAre("'priority' must be one of: low, normal, medium, high, urgent; got 'zzz'"));
  EXPECT_THAT(messages(schema, R"({"title":"x","limit":250})"), ElementsAre("'limit' must be at most 100; got 250"));
  EXPECT_THAT(messages(schema, R"({"title":"x","limit":0})"), ElementsAre("'limit' must be at least 1; got 0"));
  EXPECT_THAT(messages(schema, R"({"title":"x","limit":"ten"})"), ElementsAre("'limit' must be an integer; got 'ten'"));
  EXPECT_THAT(messages(schema, R"({"title":"x","limit":1.5})"), ElementsAre("'limit' must be an integer; got 1.5"));
  EXPECT_THAT(messages(schema, R"({"title":""})"), ElementsAre("'title' must have at least 1 characters; got 0"));
  EXPECT_THAT(messages(schema, R"({"title":"x","created":"31.1.2026"})"),
              ElementsAre("'created' must be a date such as 2026-01-31; got '31.1.2026'"));
  EXPECT_THAT(messages(schema, R"({"title":"x","id":"17"})"),
              ElementsAre("'id' must match the pattern ^T-[0-9]+$; got '17'"));
  EXPECT_THAT(messages(schema, R"({"title":"x","price":0.005})"),
              ElementsAre("'price' must be a multiple of 0.01; got 0.005"));
  EXPECT_THAT(messages(schema, R"({"title":"x","cursor":7})"), ElementsAre("'cursor' must be a string or null; got 7"));
  EXPECT_THAT(messages(schema, R"({"title":"x","tags":["a",2]})"), ElementsAre("'tags[1]' must be a string; got 2"));
  EXPECT_THAT(messages(schema, R"({"title":"x","tags":["a","a"]})"),
              ElementsAre("'tags' must not hold the same item twice"));
  EXPECT_THAT(messages(schema, R"({"title":"x","tags":["a","b","c","d"]})"),
              ElementsAre("'tags' must have at most 3 items; got 4"));
  EXPECT_THAT(messages(schema, R"({"title":"x","requester":{"email":"a@b.example","nam":"x"}})"),
              ElementsAre("unknown parameter 'requester.nam'; did you mean 'name'?"));
  EXPECT_THAT(messages(schema, R"({"title":"x","requester":{}})"),
              ElementsAre("missing required parameter 'requester.email'"));
  EXPECT_THAT(messages(schema, "[]"), ElementsAre("the value must be an object; got an array"));
  EXPECT_THAT(messages(schema, R"({"title":"x","qqqqqq":1})"),
              ElementsAre(HasSubstr("unknown parameter 'qqqqqq'; allowed are: status, ")));
  EXPECT_THAT(messages(schema_of(R"({"additionalProperties":false})"), R"({"a":1})"),
              ElementsAre("unknown parameter 'a'; none are allowed here"));
}

TEST(JsonSchemaMessages, NameThePlaceAndTheKeyword) {
  const JsonSchema schema = schema_of(R"({"properties":{"a/b~":{"items":{"const":1}}}})");
  json::Document document;
  const auto found = schema.violations(document.parse(R"({"a/b~":[1,2]})").value());
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].path, "/a~1b~0/1");
  EXPECT_EQ(found[0].keyword, "const");
  EXPECT_EQ(found[0].message, "'a/b~[1]' must be 1; got 2");
}

TEST(JsonSchemaMessages, PutNamesBeforeValuesBeforeForms) {
  const JsonSchema schema = schema_of(
      R"({"not":{"required":["z"]},"properties":{"n":{"maximum":1}},"required":["a"],
          "additionalProperties":{"type":"null"}})");
  EXPECT_THAT(messages(schema, R"({"n":2,"z":1})"),
              ElementsAre("missing required parameter 'a'", "'n' must be at most 1; got 2", "'z' must be null; got 1",
                          "the value has a form that is not allowed; got an object"));
  EXPECT_THAT(messages(schema, R"({"n":2,"z":1})", 1), ElementsAre("missing required parameter 'a'"));
}

TEST(JsonSchemaMessages, LookIntoTheAlternativeThatWasMeant) {
  const JsonSchema schema = schema_of(R"({"anyOf":[{"type":"null"},{"type":"integer","minimum":1}]})");
  EXPECT_THAT(messages(schema, "0"), ElementsAre("the value must be at least 1; got 0"));
  EXPECT_THAT(messages(schema, "\"x\""), ElementsAre("the value must be an integer or null; got 'x'"));
  EXPECT_THAT(messages(schema_of(R"({"oneOf":[{"minimum":1},{"maximum":5}]})"), "3"),
              ElementsAre("the value fits several of the allowed forms; it must fit only one"));
}

TEST(JsonSchemaMessages, StayShortForHostileValues) {
  const JsonSchema schema = schema_of(kListTickets);
  std::string many = R"({"title":"x")";
  for (int index = 0; index < 20'000; ++index) many += ",\"" + std::string(50, 'k') + std::to_string(index) + "\":1";
  many += "}";
  EXPECT_EQ(messages(schema, many, 8).size(), 8u);
  const auto one = messages(schema, R"({"title":"x","priority":")" + std::string(100'000, 'x') + "\"}");
  ASSERT_EQ(one.size(), 1u);
  EXPECT_LT(one[0].size(), 300u);
  const auto cut = messages(schema_of(R"({"const":1})"), "\"" + std::string(59, 'x') + "\u20ac\u20ac\"");
  EXPECT_THAT(cut, ElementsAre("the value must be 1; got '" + std::string(59, 'x') + "...'"));
}

TEST(JsonSchema, AllocatesNothingForAConformingValue) {
  const JsonSchema schema = schema_of(kListTickets);
  json::Document document;
  const json::Value value = document
                                .parse(
                                    R"({"title":"Printer on fire","status":"open","priority":"high","limit":50,
                     "created":"2026-01-31","id":"T-17",
                     "price":19.99,"requester":{"email":"a@b.example","name":"A"},"tags":["x","y"],"cursor":null})")
                                .value();
  ASSERT_TRUE(schema.accepts(value));  // RE2 builds its automaton with the first match
#ifdef TOOLHOST_HAS_ALLOCATION_HOOKS
  ASSERT_GT(kHooks, 0);
#endif
  std::size_t before = allocations;
  EXPECT_FALSE(json::to_text(value).empty());
  ASSERT_GT(allocations, before) << "allocations are not counted";
  before = allocations;
  for (int round = 0; round < 10; ++round) ASSERT_TRUE(schema.accepts(value));
  EXPECT_EQ(allocations, before);
}

TEST(JsonSchema, CountsLengthInCodePoints) {
  const JsonSchema schema = schema_of(R"({"maxLength":2,"pattern":"^.*$"})");
  EXPECT_TRUE(accepts(schema, "\"\U0001F600\u05d0\""));
  EXPECT_FALSE(accepts(schema, "\"\U0001F600\u05d0a\""));
}

TEST(JsonSchema, ComparesNumbersExactly) {
  EXPECT_TRUE(accepts(schema_of(R"({"maximum":9007199254740993})"), "9007199254740993"));
  EXPECT_FALSE(accepts(schema_of(R"({"maximum":9007199254740992})"), "9007199254740993"));
  EXPECT_FALSE(accepts(schema_of(R"({"exclusiveMinimum":18446744073709551615})"), "18446744073709551615"));
  EXPECT_TRUE(accepts(schema_of(R"({"const":1.0})"), "1"));
  EXPECT_TRUE(accepts(schema_of(R"({"type":"integer"})"), "1.0"));
  EXPECT_FALSE(accepts(schema_of(R"({"type":"integer"})"), "1.5"));
  EXPECT_TRUE(accepts(schema_of(R"({"multipleOf":0.01})"), "0.07"));
}

TEST(JsonSchema, ChecksBothOfADuplicateMember) {
  const JsonSchema schema = schema_of(R"({"properties":{"a":{"type":"integer"}}})");
  EXPECT_FALSE(accepts(schema, R"({"a":1,"a":"x"})"));
  EXPECT_FALSE(accepts(schema, R"({"a":"x","a":1})"));
}

TEST(JsonSchema, HandlesMoreThan64RequiredNames) {
  std::string names;
  std::string value;
  for (int index = 0; index < 70; ++index) {
    names += (index > 0 ? ",\"n" : "\"n") + std::to_string(index) + "\"";
    value += (index > 0 ? ",\"n" : "\"n") + std::to_string(index) + "\":1";
  }
  const JsonSchema schema = schema_of("{\"required\":[" + names + "]}");
  EXPECT_TRUE(accepts(schema, "{" + value + "}"));
  for (const std::string_view missing : {"n0", "n63", "n64", "n69"}) {
    std::string without = "{" + value + "}";
    without.replace(without.find("\"" + std::string(missing) + "\""), missing.size() + 2, "\"other\"");
    EXPECT_FALSE(accepts(schema, without)) << missing;
  }
}

TEST(JsonSchema, RefusesWhatIsNoSchema) {
  EXPECT_THAT(refusal("{"), HasSubstr("invalid JSON"));
  EXPECT_THAT(refusal("[]"), HasSubstr("a schema is an object, true or false"));
  EXPECT_THAT(refusal(R"({"properties":{"a b/c":{"type":"strin"}}})"),
              testing::StartsWith("invalid JSON Schema at #/properties/a b~1c: \"type\" must be"));
  EXPECT_THAT(refusal(R"({"minimum":"1"})"), HasSubstr("\"minimum\" must be a number"));
  EXPECT_THAT(refusal(R"({"multipleOf":0})"), HasSubstr("greater than 0"));
  EXPECT_THAT(refusal(R"({"minLength":-1})"), HasSubstr("0 or more"));
  EXPECT_THAT(refusal(R"({"maxItems":1.5})"), HasSubstr("integer"));
  EXPECT_THAT(refusal(R"({"enum":"a"})"), HasSubstr("array"));
  EXPECT_THAT(refusal(R"({"required":["a",1]})"), HasSubstr("array of strings"));
  EXPECT_THAT(refusal(R"({"required":"a"})"), HasSubstr("array of strings"));
  EXPECT_THAT(refusal(R"({"properties":[]})"), HasSubstr("must be an object"));
  EXPECT_THAT(refusal(R"({"allOf":[]})"), HasSubstr("not empty"));
  EXPECT_THAT(refusal(R"({"items":[{}]})"), HasSubstr("a schema is an object"));
  EXPECT_THAT(refusal(R"({"uniqueItems":1})"), HasSubstr("true or false"));
  EXPECT_THAT(refusal(R"({"pattern":"("})"), HasSubstr("not supported"));
  EXPECT_THAT(refusal(R"x({"pattern":"(?=a)"})x"), HasSubstr("RE2"));
  EXPECT_THAT(refusal(R"({"patternProperties":{"(a)\\1":true}})"), HasSubstr("RE2"));
  EXPECT_THAT(refusal(R"({"$schema":"http://json-schema.org/draft-07/schema#"})"), HasSubstr("2020-12"));
  EXPECT_THAT(refusal(R"({"$id":7})"), HasSubstr("must be a string"));
  EXPECT_THAT(refusal(R"({"$ref":"https://example.com/other"})"), HasSubstr("nothing is fetched"));
  EXPECT_THAT(refusal(R"({"$ref":"#/$defs/a"})"), HasSubstr("leads nowhere"));
  EXPECT_THAT(refusal(R"({"$ref":"#a"})"), HasSubstr("anchor"));
  EXPECT_THAT(refusal(R"({"$defs":{"a":{"$anchor":"x"},"b":{"$anchor":"x"}}})"), HasSubstr("twice"));
  EXPECT_THAT(refusal(R"({"$defs":{"a":{"$id":"x"},"b":{"$id":"x"}}})"), HasSubstr("twice"));
  EXPECT_EQ(refusal(R"({"$schema":"https://json-schema.org/draft/2020-12/schema","unknown":{"type":7}})"), "compiled");
}

TEST(JsonSchema, RefusesLoops) {
  EXPECT_THAT(refusal(R"({"$ref":"#"})"), HasSubstr("leads back to itself"));
  EXPECT_THAT(refusal(
                  R"({"$ref":"#/$defs/a","$defs":{"a":{"allOf":[{"not":{"$ref":"#/$defs/b"}}]},
              "b":{"if":{"$ref":"#/$defs/a"}}}})"),
              HasSubstr("leads back to itself"));
  EXPECT_EQ(refusal(R"({"properties":{"child":{"$ref":"#"}}})"), "compiled");
  const JsonSchema dynamic = schema_of(R"({"$dynamicAnchor":"a","$dynamicRef":"#a"})");
  EXPECT_FALSE(accepts(dynamic, "1"));
}

TEST(JsonSchema, RefusesHostileSchemas) {
  EXPECT_THAT(refusal("{\"description\":\"" + std::string(300'000, 'x') + "\"}"), HasSubstr("at most 262144"));
  std::string deep;
  for (int depth = 0; depth < 100; ++depth) deep += "{\"not\":";
  EXPECT_THAT(refusal(deep + "{}" + std::string(100, '}')), HasSubstr("nested deeper than 64"));
  std::string very_deep;
  for (int depth = 0; depth < 100'000; ++depth) very_deep += "{\"not\":";
  EXPECT_THAT(refusal(very_deep + "{}" + std::string(100'000, '}'), {.max_schema_bytes = 2 << 20}),
              HasSubstr("256 levels"));
  EXPECT_THAT(refusal(R"({"pattern":"((((a{100}){100}){100}){100}){100}"})"), HasSubstr("not supported"));
}

TEST(JsonSchema, BoundsChainsAndExplosionsOfReferences) {
  std::string chain = R"({"$ref":"#/$defs/d0","$defs":{)";
  for (int index = 0; index < 4000; ++index) {
    chain += "\"d" + std::to_string(index) + "\":{\"$ref\":\"#/$defs/d" + std::to_string(index + 1) + "\"},";
  }
  chain += R"("d4000":true}})";
  EXPECT_FALSE(accepts(schema_of(chain), "1"));  // deeper than max_depth

  std::string explosion = R"({"$ref":"#/$defs/d0","$defs":{)";
  for (int index = 0; index < 40; ++index) {
    const std::string next = "{\"$ref\":\"#/$defs/d" + std::to_string(index + 1) + "\"}";
    explosion += "\"d" + std::to_string(index) + "\":{\"allOf\":[" + next + "," + next + "]},";
  }
  explosion += R"("d40":true}})";
  const auto schema = JsonSchema::compile(explosion, {.max_applications = 10'000});
  ASSERT_TRUE(schema.has_value());
  EXPECT_FALSE(accepts(*schema, "1"));
  EXPECT_THAT(messages(*schema, "1"), testing::Contains("the value takes too long to check"));
}

TEST(JsonSchema, BoundsDeepValues) {
  const JsonSchema tree =
      schema_of(R"({"type":"object","properties":{"child":{"$ref":"#"}},"additionalProperties":false})");
  const auto nested = [](int depth) {
    std::string text;
    for (int level = 0; level < depth; ++level) text += "{\"child\":";
    return text + "{}" + std::string(static_cast<std::size_t>(depth), '}');
  };
  EXPECT_TRUE(accepts(tree, nested(64)));
  EXPECT_FALSE(accepts(tree, nested(65)));
  EXPECT_THAT(messages(tree, nested(200)), ElementsAre(HasSubstr("nested too deeply")));
}

TEST(JsonSchema, LetsTheOutermostDynamicAnchorDecide) {
  // The "strict tree" of the specification, with both documents in one.
  const JsonSchema strict = schema_of(R"({
    "$id": "https://example.com/strict-tree", "$dynamicAnchor": "node", "$ref": "tree", "unevaluatedProperties": false,
    "$defs": {"tree": {"$id": "tree", "$dynamicAnchor": "node", "type": "object", "properties": {
      "data": true, "children": {"type": "array", "items": {"$dynamicRef": "#node"}}}}}})");
  EXPECT_TRUE(accepts(strict, R"({"data":1,"children":[{"data":2,"children":[]}]})"));
  EXPECT_FALSE(accepts(strict, R"({"data":1,"children":[{"daat":2}]})"));
  EXPECT_THAT(messages(strict, R"({"children":[{"daat":2}]})"), ElementsAre("unknown parameter 'children[0].daat'"));
}

TEST(JsonSchema, FindsDuplicatesInHugeArrays) {
  const JsonSchema schema = schema_of(R"({"uniqueItems":true})");
  std::string items = "[";
  for (int index = 0; index < 200'000; ++index) items += std::to_string(index) + ",";
  EXPECT_TRUE(accepts(schema, items + "{\"a\":1}]"));
  EXPECT_FALSE(accepts(schema, items + "777.0]"));
  EXPECT_FALSE(accepts(schema, R"([{"a":1,"b":2},{"b":2,"a":1.0}])"));
  EXPECT_TRUE(accepts(schema, R"([1,"1",true,null,"true"])"));
}

TEST(JsonSchema, MatchesPatternsInLinearTime) {
  const JsonSchema schema = schema_of(R"({"pattern":"^(a+)+$"})");
  EXPECT_FALSE(accepts(schema, "\"" + std::string(500'000, 'a') + "b\""));
  EXPECT_TRUE(accepts(schema, "\"" + std::string(500'000, 'a') + "\""));
  EXPECT_TRUE(accepts(schema_of(R"({"pattern":"^\\u00e9\\ud83d\\ude00$"})"), "\"\u00e9\U0001F600\""));
}

TEST(JsonSchema, AssertsFormatsOnlyWhenAsked) {
  EXPECT_FALSE(accepts(schema_of(R"({"format":"date"})"), "\"x\""));
  EXPECT_TRUE(accepts(schema_of(R"({"format":"hostname"})"), "\"not a host\""));
  const auto annotation = JsonSchema::compile(R"({"format":"date"})", {.assert_formats = false});
  EXPECT_TRUE(accepts(*annotation, "\"x\""));
}

TEST(JsonSchema, ServesManyThreadsAtATime) {
  const JsonSchema schema = schema_of(kListTickets);
  std::vector<std::thread> threads;
  for (int index = 0; index < 4; ++index) {
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        EXPECT_TRUE(accepts(schema, R"({"title":"x","id":"T-1"})"));
        EXPECT_EQ(messages(schema, R"({"title":"x","id":"T1"})").size(), 1u);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace toolhost
