#include "plugin_runtime/plugin_definition.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>

namespace toolhost::plugin_runtime {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

th_status do_nothing(void*, void*, th_call*) {
  return TH_OK;
}

/// A correct definition of one tool, to be made wrong in one respect.
struct Sample {
  Sample(const Sample&) = delete;
  Sample& operator=(const Sample&) = delete;
  Sample() {
    tool.struct_size = sizeof(tool);
    tool.name = "make";
    tool.description = "Makes a thing.";
    tool.input_schema = R"({ "type": "object",
                             "properties": {} })";
    tool.handle = do_nothing;
    migration = {sizeof(th_migration), 1, "things", "create table things ()"};
    plugin.struct_size = sizeof(plugin);
    plugin.id = "acme.things";
    plugin.name = "Things";
    plugin.version = "1.2.3";
    plugin.tools = tools.data();
    plugin.migrations = migrations.data();
    plugin.services = services.data();
    card.id = "acme.things";
    card.version = "1.2.3";
  }

  Result<PluginDefinition> adopt() const { return adopt_definition(&plugin, card, milliseconds(30'000)); }
  std::string refusal() const {
    const auto adopted = adopt();
    return adopted ? std::string("adopted") : adopted.error().message;
  }

  th_tool_def tool{};
  th_migration migration{};
  std::array<const th_tool_def*, 3> tools{&tool, nullptr, nullptr};
  std::array<const th_migration*, 2> migrations{&migration, nullptr};
  std::array<const char*, 3> services{TH_SVC_DB, "?toolhost.future/9", nullptr};
  th_plugin_def plugin{};
  ElfCard card;
};

TEST(AdoptDefinition, RefusesLimitsThatContradictThemselves) {
  Sample sample;
  sample.tool.flags = TH_TOOL_SERIAL;
  EXPECT_EQ((*sample.adopt()).tools.at(0).tool.max_concurrency, 1U);
  sample.tool.max_concurrency = 1;
  EXPECT_EQ(sample.refusal(), "adopted");
  sample.tool.max_concurrency = 2;
  EXPECT_THAT(sample.refusal(), HasSubstr("TH_TOOL_SERIAL runs one call at a time, but max_concurrency is 2"));
  sample.tool.flags = TH_TOOL_NONBLOCKING;
  EXPECT_THAT(sample.refusal(), HasSubstr("cannot wait for its turn; drop TH_TOOL_NONBLOCKING, or max_concurrency"));
  sample.tool.flags = TH_TOOL_NONBLOCKING | TH_TOOL_SERIAL;
  sample.tool.max_concurrency = 0;
  EXPECT_THAT(sample.refusal(), HasSubstr("drop TH_TOOL_NONBLOCKING, or TH_TOOL_SERIAL"));
  sample.tool.flags = 0;
  sample.tool.reserved_limits = 1;
  EXPECT_THAT(sample.refusal(), HasSubstr("reserved_limits is not 0"));
}

TEST(AdoptDefinition, CopiesWhatAPluginDeclares) {
  Sample sample;
  sample.tool.flags = TH_TOOL_READ_ONLY | TH_TOOL_IDEMPOTENT;
  sample.tool.timeout_ms = 1500;
  sample.tool.output_schema = R"({"type":"object"})";
  const auto adopted = sample.adopt();
  ASSERT_TRUE(adopted) << adopted.error().message;
  EXPECT_EQ(adopted->id, "acme.things");
  ASSERT_EQ(adopted->tools.size(), 1U);
  const auto& tool = adopted->tools[0].tool;
  EXPECT_EQ(tool.name, "make");
  EXPECT_EQ(tool.plugin, "acme.things");
  EXPECT_EQ(tool.input_schema_json, R"({"type":"object","properties":{}})") << "compact: it goes into every tools/list";
  EXPECT_TRUE(tool.read_only);
  EXPECT_TRUE(tool.idempotent);
  EXPECT_FALSE(tool.destructive);
  EXPECT_TRUE(tool.output_schema);
  EXPECT_EQ(tool.timeout, milliseconds(1500));
  ASSERT_EQ(adopted->migrations.size(), 1U);
  EXPECT_EQ(adopted->migrations[0].name, "things");
  EXPECT_THAT(adopted->services, testing::ElementsAre(TH_SVC_DB, "?toolhost.future/9"));
}

TEST(AdoptDefinition, FindsWhatTheAuditMustNotStore) {
  Sample sample;
  EXPECT_TRUE(sample.adopt()->tools[0].tool.sensitive.empty());
  sample.tool.input_schema = R"({"type":"object","properties":{"pin":{"type":"string","x-sensitive":true}}})";
  const auto adopted = sample.adopt();
  ASSERT_TRUE(adopted) << adopted.error().message;
  json::Document document;
  std::string text;
  adopted->tools[0].tool.sensitive.append_redacted(text, document.parse(R"({"pin":"1"})").value());
  EXPECT_EQ(text, R"({"pin":"[redacted]"})");
}

/// A definition of minor 1 with a resource, a template and a prompt, to be made wrong in one respect.
struct OfferSample : Sample {
  OfferSample() {
    for (auto* each : {&resource, &note}) {
      each->struct_size = sizeof(*each);
      each->read = do_nothing;
    }
    resource.uri = "things:/all";
    resource.name = "all";
    note.uri = "things:/{id}";
    note.name = "one";
    note.flags = TH_RESOURCE_TEMPLATE;
    argument.struct_size = sizeof(argument);
    argument.name = "tone";
    prompt.struct_size = sizeof(prompt);
    prompt.name = "praise";
    prompt.arguments = arguments.data();
    prompt.get = do_nothing;
    plugin.resources = resources.data();
    plugin.prompts = prompts.data();
  }

  th_resource_def resource{}, note{};
  th_prompt_argument argument{};
  th_prompt_def prompt{};
  std::array<const th_resource_def*, 3> resources{&resource, &note, nullptr};
  std::array<const th_prompt_argument*, 3> arguments{&argument, nullptr, nullptr};
  std::array<const th_prompt_def*, 3> prompts{&prompt, nullptr, nullptr};
};

TEST(AdoptDefinition, TakesWhatAPluginOffersBesideTools) {
  OfferSample sample;
  sample.note.complete = do_nothing;
  sample.note.flags |= TH_RESOURCE_NONBLOCKING;
  sample.resource.timeout_ms = 100;
  const auto adopted = sample.adopt();
  ASSERT_TRUE(adopted) << adopted.error().message;
  ASSERT_EQ(adopted->resources.size(), 2U);
  const auto& all = adopted->resources[0].resource;
  EXPECT_FALSE(all.uri_template);
  EXPECT_FALSE(all.complete);
  EXPECT_FALSE(all.size);
  EXPECT_EQ(all.read.timeout, milliseconds(100));
  EXPECT_TRUE(all.read.read_only);
  const auto& one = adopted->resources[1].resource;
  EXPECT_TRUE(one.uri_template);
  ASSERT_TRUE(one.complete);
  EXPECT_TRUE(one.complete->non_blocking && one.read.non_blocking);
  EXPECT_EQ(one.complete->name, "resource:one");
  EXPECT_EQ(adopted->prompts.at(0).prompt.get.name, "prompt:praise");
}

TEST(AdoptDefinition, NamesWhatIsWrongWithAnOffer) {
  const auto problem = [](auto change) {
    OfferSample sample;
    change(sample);
    return sample.refusal();
  };
  EXPECT_THAT(problem([](auto& s) { s.resource.uri = "all"; }),
              HasSubstr("resource all: uri is 'all', but it must be"));
  EXPECT_THAT(problem([](auto& s) { s.resource.uri = "things:/{id}"; }), HasSubstr("TH_RESOURCE_TEMPLATE"));
  EXPECT_THAT(problem([](auto& s) { s.note.uri = "things:/{a}{b}"; }), HasSubstr("side by side"));
  EXPECT_THAT(problem([](auto& s) { s.note.uri = "things:/all"; }), HasSubstr("no {variable}"));
  EXPECT_THAT(problem([](auto& s) { s.resource.name = "with space"; }), HasSubstr("resources[0].name is 'with space'"));
  EXPECT_THAT(problem([](auto& s) { s.resource.name = "one"; }), HasSubstr("the resource one twice"));
  EXPECT_THAT(problem([](auto& s) { s.note.flags = 0, s.note.uri = s.resource.uri; }), HasSubstr("things:/all"));
  EXPECT_THAT(problem([](auto& s) { s.resource.flags = 4; }), HasSubstr("bits that this host does not know"));
  EXPECT_THAT(problem([](auto& s) { s.resource.read = nullptr; }), HasSubstr("read is NULL"));
  EXPECT_THAT(problem([](auto& s) { s.resource.complete = do_nothing; }), HasSubstr("complete is for templates"));
  EXPECT_THAT(problem([](auto& s) { s.resource.annotations_json = "[]"; }),
              HasSubstr("annotations_json is not a JSON object"));
  EXPECT_THAT(problem([](auto& s) { s.resource.icons_json = "{}"; }), HasSubstr("icons_json is not a JSON array"));
  EXPECT_THAT(problem([](auto& s) { s.resource.struct_size = 12; }), HasSubstr("resources[0] has struct_size 12"));
  EXPECT_THAT(problem([](auto& s) { s.prompt.name = ""; }), HasSubstr("prompts[0].name is empty"));
  EXPECT_THAT(problem([](auto& s) { s.prompt.get = nullptr; }), HasSubstr("prompt praise: get is NULL"));
  EXPECT_THAT(problem([](auto& s) { s.prompts[1] = &s.prompt; }), HasSubstr("the prompt praise twice"));
  EXPECT_THAT(problem([](auto& s) { s.arguments[1] = &s.argument; }), HasSubstr("the argument tone twice"));
  EXPECT_THAT(problem([](auto& s) { s.argument.required = 2; }), HasSubstr("neither 0 nor 1"));
  EXPECT_THAT(problem([](auto& s) { s.tool.icons_json = "{}"; }), HasSubstr("tool make: icons_json"));
  EXPECT_THAT(problem([](auto& s) {
                s.tool.input_schema = R"({"type":"object","properties":{"a":{"type":"number","x-mcp-header":"A"}}})";
              }),
              HasSubstr("tool make: input_schema: \"x-mcp-header\" at /a"));
}

TEST(AdoptDefinition, GivesAToolWithoutTimeoutTheDefault) {
  EXPECT_EQ(Sample().adopt()->tools[0].tool.timeout, milliseconds(30'000));
}

TEST(AdoptDefinition, RefusesStructsThatAreTooSmallOrAbsurd) {
  for (const std::uint32_t size : {0U, 4U, 100U, 1U << 30, 0xffffffffU}) {
    Sample sample;
    sample.plugin.struct_size = size;
    EXPECT_THAT(sample.refusal(), HasSubstr("struct_size " + std::to_string(size)));
    Sample other;
    other.tool.struct_size = size == 100 ? 70 : size;
    EXPECT_THAT(other.refusal(), HasSubstr("tools[0] has struct_size"));
  }
}

TEST(AdoptDefinition, AcceptsALongerStructOnlyWhenItsUnknownEndIsZero) {
  Sample sample;
  struct Newer {
    th_plugin_def known;
    std::uint64_t unknown;
  } newer{sample.plugin, 0};
  newer.known.struct_size = sizeof(newer);
  EXPECT_TRUE(adopt_definition(&newer.known, sample.card, milliseconds(1)));
  newer.unknown = 1;
  const auto refused = adopt_definition(&newer.known, sample.card, milliseconds(1));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("does not know; upgrade the host"));
}

TEST(AdoptDefinition, NamesTheFieldThatIsMissingOrNoText) {
  Sample sample;
  sample.plugin.name = nullptr;
  EXPECT_THAT(sample.refusal(), HasSubstr("name is NULL"));
  Sample not_utf8;
  not_utf8.tool.description = "\xc3\x28";
  EXPECT_THAT(not_utf8.refusal(), HasSubstr("tool make: description is not UTF-8"));
  Sample no_handler;
  no_handler.tool.handle = nullptr;
  EXPECT_THAT(no_handler.refusal(), HasSubstr("tool make: handle is NULL"));
  EXPECT_THAT(adopt_definition(nullptr, sample.card, milliseconds(1)).error().message,
              HasSubstr("its definition is NULL"));
}

TEST(AdoptDefinition, RefusesToolNamesThatAssistantsRefuse) {
  const std::string longest(64, 'a'), too_long(65, 'a');
  for (const std::string& name :
       {std::string("with space"), std::string("dotted.name"), std::string("\xc3\xa4"), too_long}) {
    Sample sample;
    sample.tool.name = name.c_str();
    EXPECT_THAT(sample.refusal(), HasSubstr("a tool name is 1 to 64")) << name;
  }
  Sample sample;
  sample.tool.name = longest.c_str();
  EXPECT_TRUE(sample.adopt());
}

TEST(AdoptDefinition, RefusesSchemasThatAreNoObjectSchemas) {
  for (const char* schema :
       {"{", "[]", R"({"type":"array"})", R"({})", R"({"type":"object","$ref":"https://example.com/x"})"}) {
    Sample sample;
    sample.tool.input_schema = schema;
    EXPECT_THAT(sample.refusal(), HasSubstr("tool make: input_schema")) << schema;
    Sample other;
    other.tool.output_schema = schema;
    EXPECT_THAT(other.refusal(), HasSubstr("tool make: output_schema")) << schema;
  }
}

TEST(AdoptDefinition, RefusesUnknownFlagsServicesAndNewerMinors) {
  Sample sample;
  sample.tool.flags = 1U << 31;
  EXPECT_THAT(sample.refusal(), HasSubstr("flags hold bits"));
  Sample no_service;
  no_service.services[1] = "toolhost.future/9";
  EXPECT_THAT(no_service.refusal(), HasSubstr("requires the service toolhost.future/9"));
  Sample newer;
  newer.plugin.abi_minor_required = TH_ABI_MINOR + 1;
  EXPECT_THAT(newer.refusal(), HasSubstr("needs plugin ABI 1.2, this host offers 1.1"));
}

TEST(AdoptDefinition, RefusesAnIdThatIsNotTheCards) {
  Sample sample;
  sample.card.id = "acme.other";
  EXPECT_THAT(sample.refusal(), HasSubstr("its card says acme.other 1.2.3, but its definition says acme.things 1.2.3"));
}

TEST(AdoptDefinition, RefusesTwoToolsOfOneName) {
  Sample sample;
  const th_tool_def twin = sample.tool;
  sample.tools[1] = &twin;
  EXPECT_THAT(sample.refusal(), HasSubstr("declares the tool make twice"));
}

TEST(AdoptDefinition, KeepsJobsApartFromTools) {
  Sample sample;
  auto job = sample.tool;
  job.name = "index";
  job.description = nullptr;
  job.flags = TH_TOOL_JOB | TH_TOOL_AFTER_WRITES;
  job.interval_ms = 60'000;
  sample.tools[1] = &job;
  const auto adopted = sample.adopt();
  ASSERT_TRUE(adopted) << adopted.error().message;
  EXPECT_EQ(adopted->tools.size(), 1U);
  ASSERT_EQ(adopted->jobs.size(), 1U);
  EXPECT_EQ(adopted->jobs[0].definition.tool.name, "index");
  EXPECT_EQ(adopted->jobs[0].interval, milliseconds(60'000));
  EXPECT_TRUE(adopted->jobs[0].after_writes);
  EXPECT_EQ(adopted->jobs[0].definition.tool.timeout, std::chrono::minutes(10));
}

TEST(AdoptDefinition, RefusesWhatOnlyAJobMayBeAndWhatNoJobMayBe) {
  Sample blocking;
  blocking.tool.flags = TH_TOOL_JOB | TH_TOOL_NONBLOCKING;
  EXPECT_THAT(blocking.refusal(), HasSubstr("job make: a job runs on a worker and may wait; drop the flag"));
  Sample follows;
  follows.tool.flags = TH_TOOL_AFTER_WRITES;
  EXPECT_THAT(follows.refusal(), HasSubstr("tool make: TH_TOOL_AFTER_WRITES is for jobs; add TH_TOOL_JOB"));
  Sample scheduled;
  scheduled.tool.interval_ms = 1;
  EXPECT_THAT(scheduled.refusal(), HasSubstr("tool make: interval_ms is for jobs"));
  Sample twin;
  auto job = twin.tool;
  job.flags = TH_TOOL_JOB;
  twin.tools[1] = &job;
  EXPECT_THAT(twin.refusal(), HasSubstr("declares the tool make twice"));
}

TEST(AdoptDefinition, FillsTheStructsOfTheFirstHeaderWithZeros) {
  Sample sample;
  sample.tool.struct_size = 80;
  sample.tool.interval_ms = 1;  // what lies behind it is none of ours
  const char* const exports[] = {"no.view", nullptr};
  sample.plugin.struct_size = 112;
  sample.plugin.exports = exports;
  const auto adopted = sample.adopt();
  ASSERT_TRUE(adopted) << adopted.error().message;
  EXPECT_TRUE(adopted->exports.empty());
}

TEST(AdoptDefinition, ReadsWhatAPluginExportsAndReads) {
  Sample sample;
  const char* const exports[] = {"titles", "v2_titles", nullptr};
  const char* const reads[] = {"com.acme.b.titles", "?c.x", "*.documents", nullptr};
  sample.plugin.exports = exports;
  sample.plugin.reads = reads;
  const auto adopted = sample.adopt();
  ASSERT_TRUE(adopted) << adopted.error().message;
  EXPECT_THAT(adopted->exports, testing::ElementsAre("titles", "v2_titles"));
  ASSERT_EQ(adopted->reads.size(), 3U);
  EXPECT_EQ(adopted->reads[0].plugin + "|" + adopted->reads[0].view, "com.acme.b|titles");
  EXPECT_FALSE(adopted->reads[0].optional);
  EXPECT_EQ(adopted->reads[1].plugin + "|" + adopted->reads[1].view, "c|x");
  EXPECT_TRUE(adopted->reads[1].optional);
  EXPECT_EQ(adopted->reads[2].plugin, "*");
}

TEST(AdoptDefinition, RefusesExportsAndReadsThatNameNoView) {
  for (const char* name : {"Titles", "a.titles", "1st", "a b", "a\"b"}) {
    Sample sample;
    const char* const exports[] = {name, nullptr};
    sample.plugin.exports = exports;
    EXPECT_THAT(sample.refusal(), HasSubstr("but a view is named with a-z 0-9 _")) << name;
  }
  for (const char* name : {"titles", "b.", ".titles", "?", "b.*", "B.titles", "**.x", "b.ti\"tles"}) {
    Sample sample;
    const char* const reads[] = {name, nullptr};
    sample.plugin.reads = reads;
    EXPECT_THAT(sample.refusal(), HasSubstr("is written plugin.view, ?plugin.view or *.view")) << name;
  }
  Sample tableless;
  const char* const exports[] = {"titles", nullptr};
  tableless.plugin.exports = exports;
  tableless.plugin.migrations = nullptr;
  EXPECT_THAT(tableless.refusal(), HasSubstr("exports the view titles, but has no migrations"));
  Sample twice;
  const char* const reads[] = {"b.x", "?b.x", nullptr};
  twice.plugin.reads = reads;
  EXPECT_THAT(twice.refusal(), HasSubstr("reads names 'b.x' twice"));
}

TEST(PluginId, FollowsItsGrammar) {
  for (const char* id : {"a", "acme.tickets", "a1_b.2c"}) EXPECT_TRUE(is_plugin_id(id)) << id;
  for (const char* id : {"", "A", "1a", ".a", "a.", "a..b", "a-b", "../a", "a/b", "_a"})
    EXPECT_FALSE(is_plugin_id(id)) << id;
  EXPECT_TRUE(is_plugin_id(std::string(47, 'a')));
  EXPECT_FALSE(is_plugin_id(std::string(48, 'a')));
}

}  // namespace
}  // namespace toolhost::plugin_runtime
