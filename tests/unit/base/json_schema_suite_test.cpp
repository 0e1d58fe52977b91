// The official JSON Schema Test Suite, draft 2020-12: every required file and the optional ones for the formats we
// assert.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "base/json.hpp"
#include "base/json_schema.hpp"

namespace toolhost {
namespace {

namespace fs = std::filesystem;

// A group is left out only because it needs a document that would have to be fetched, and nothing is fetched. A group
// that is named here and compiles fails the test.
constexpr std::string_view kMetaschema = "refers to the metaschema, a remote document";
constexpr std::string_view kRemote = "refers to a document that the suite serves from http://localhost:1234";
constexpr std::string_view kDialect = "its dialect is described by a remote metaschema";
const std::map<std::string, std::string_view> kExcluded = {
    {"anchor.json/invalid anchors", kMetaschema},
    {"defs.json/validate definition against metaschema", kMetaschema},
    {"id.json/Invalid use of fragments in location-independent $id", kMetaschema},
    {"id.json/Valid use of empty fragments in location-independent $id", kMetaschema},
    {"id.json/Unnormalized $ids are allowed but discouraged", kMetaschema},
    {"ref.json/remote ref, containing refs itself", kMetaschema},
    {"ref.json/URN base URI with f-component", kMetaschema},
    {"dynamicRef.json/strict-tree schema, guards against misspelled properties", kRemote},
    {"dynamicRef.json/tests for implementation dynamic anchor and reference link", kRemote},
    {"dynamicRef.json/$ref and $dynamicAnchor are independent of order - $defs first", kRemote},
    {"dynamicRef.json/$ref and $dynamicAnchor are independent of order - $ref first", kRemote},
    {"refRemote.json/Location-independent identifier in remote ref", kRemote},
    {"refRemote.json/anchor within remote ref", kRemote},
    {"refRemote.json/base URI change", kRemote},
    {"refRemote.json/base URI change - change folder", kRemote},
    {"refRemote.json/base URI change - change folder in subschema", kRemote},
    {"refRemote.json/fragment within remote ref", kRemote},
    {"refRemote.json/ref within remote ref", kRemote},
    {"refRemote.json/remote HTTP ref with different $id", kRemote},
    {"refRemote.json/remote HTTP ref with different URN $id", kRemote},
    {"refRemote.json/remote HTTP ref with nested absolute ref", kRemote},
    {"refRemote.json/remote ref", kRemote},
    {"refRemote.json/remote ref with ref to defs", kRemote},
    {"refRemote.json/retrieved nested refs resolve relative to their URI not $id", kRemote},
    {"refRemote.json/root ref in remote ref", kRemote},
    {"vocabulary.json/ignore unrecognized optional vocabulary", kDialect},
    {"vocabulary.json/schema that uses custom metaschema with with no validation vocabulary", kDialect},
};

std::string read(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::string text_of(const json::Value& object, std::string_view key) {
  return std::string(json::find(object, key).get_string().value());
}

struct Tally {
  int groups = 0;
  int tests = 0;
  std::map<std::string, std::string> refused;  // group to reason
};

void run_file(const fs::path& path, const JsonSchema::Options& options, Tally& tally) {
  json::Document document;
  const auto groups = document.parse(read(path));
  ASSERT_TRUE(groups.has_value()) << path << ": " << groups.error().message;
  for (const auto group : json::Array(*groups)) {
    const std::string name = path.filename().string() + "/" + text_of(group, "description");
    const auto schema = JsonSchema::compile(json::to_text(json::find(group, "schema").value()), options);
    if (schema.has_error()) {
      tally.refused.emplace(name, schema.error().message);
      continue;
    }
    ++tally.groups;
    for (const auto test : json::Array(json::find(group, "tests").value())) {
      const json::Value data = json::find(test, "data").value();
      const bool is_valid = json::find(test, "valid").get_bool().value();
      const std::string where = name + "/" + text_of(test, "description") + ": " + json::to_text(data);
      EXPECT_EQ(schema->accepts(data), is_valid) << where;
      EXPECT_EQ(schema->violations(data).empty(), is_valid) << where;
      ++tally.tests;
    }
  }
}

const fs::path kSuite = fs::path(TOOLHOST_JSON_SCHEMA_SUITE) / "tests" / "draft2020-12";

TEST(JsonSchemaSuite, PassesEveryRequiredFile) {
  ASSERT_TRUE(fs::is_directory(kSuite))
      << "the JSON Schema Test Suite is missing; install libtest-json-schema-acceptance-perl and configure again";
  Tally tally;
  for (const auto& file : fs::directory_iterator(kSuite)) {
    if (file.path().extension() == ".json") run_file(file.path(), {.assert_formats = false}, tally);
  }
  for (const auto& [group, reason] : tally.refused) EXPECT_TRUE(kExcluded.contains(group)) << group << ": " << reason;
  for (const auto& [group, reason] : kExcluded)
    EXPECT_TRUE(tally.refused.contains(group)) << group << " is no longer refused";
  std::cout << tally.groups << " groups, " << tally.tests << " tests, " << tally.refused.size() << " groups left out\n";
}

TEST(JsonSchemaSuite, PassesTheFormatsWeAssert) {
  ASSERT_TRUE(fs::is_directory(kSuite));
  Tally tally;
  for (const auto* const format : {"date", "date-time", "email", "uri", "uuid"}) {
    run_file(kSuite / "optional" / "format" / (std::string(format) + ".json"), {}, tally);
  }
  EXPECT_EQ(tally.refused.size(), 0u);
}

}  // namespace
}  // namespace toolhost
