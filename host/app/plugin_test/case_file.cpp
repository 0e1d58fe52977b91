#include "app/plugin_test/case_file.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <set>

#include "app/config/time_zone_name.hpp"
#include "app/config/yaml_section.hpp"
#include "base/json_writer.hpp"
#include "base/similar_name.hpp"

namespace toolhost::app {
namespace {

namespace fs = std::filesystem;
using Kind = TestStep::Kind;
using Moment = plugin_runtime::SteppedTime::Moment;

constexpr std::size_t kLongestTenant = 36, kLongestOtherTenant = 20;
constexpr const char* kTenantLetters = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr const char* kFirstClock = "2026-01-01T00:00:00Z";
constexpr std::array<std::pair<Kind, const char*>, 6> kKinds{{{Kind::kCall, "call"},
                                                              {Kind::kRead, "read"},
                                                              {Kind::kPrompt, "prompt"},
                                                              {Kind::kComplete, "complete"},
                                                              {Kind::kJob, "job"},
                                                              {Kind::kAdvance, "advance"}}};

const char* word_of(Kind kind) {
  return std::ranges::find(kKinds, kind, [](const auto& entry) { return entry.first; })->second;
}

class Reader {
 public:
  Reader(TestFile& file, Problems& problems, fs::path directory)
      : file_(file), problems_(problems), directory_(std::move(directory)) {}

  void read(Section& root) {
    root.list("plugins", "Further plugins to load", "file: other.so", [&](Slot slot) { read_plugin(std::move(slot)); });
    root.free_mapping("settings", "Settings of the tested plugin", [&](const YAML::Node& node) {
      file_.settings.clear();
      append_settings(file_.settings, file_.settings_places, node, problems_);
    });
    read_clock(root);
    root.integer("seed", "What ids follow from", file_.seed, 0, INT64_MAX);
    root.text("time_zone", "Of the tenants", file_.time_zone);
    if (const auto flaw = flaw_of_time_zone(file_.time_zone)) root.add("time_zone", *flaw);
    root.list("members", "People of the tenants", "email: ana@example.com",
              [&](Slot slot) { read_member(std::move(slot)); });
    root.require("cases", "'cases' is missing; write 'cases: [{name: ..., steps: [{call: ...}]}]'");
    root.list("cases", "What is tested", "name: ...", [&](Slot slot) { read_case(std::move(slot)); });
    root.finish();
  }

 private:
  void read_plugin(Slot slot) {
    Section section(std::move(slot), problems_);
    TestFile::Plugin plugin;
    std::string file;
    section.require("file", "a plugin needs its file; write 'file: other.so'");
    section.text("file", "The plugin's file", file);
    section.free_mapping("settings", "Its settings", [&](const YAML::Node& node) {
      SettingsPlaces places;
      plugin.settings.clear();
      append_settings(plugin.settings, places, node, problems_);
    });
    section.finish();
    plugin.file = directory_ / file;
    plugin.place = problems_.place(section.node());
    file_.plugins.push_back(std::move(plugin));
  }

  void read_clock(Section& root) {
    std::string text = kFirstClock;
    root.text("clock", "When each case begins", text);
    if (const auto moment = parse_moment(text))
      file_.clock = *moment;
    else
      root.bad("clock", "a time in UTC such as 2026-03-01T09:00:00Z", text);
  }

  static std::optional<Moment> parse_moment(const std::string& text) {
    int year = 0, length = 0;
    unsigned month = 0, day = 0, hour = 0, minute = 0, second = 0;
    if (std::sscanf(text.c_str(), "%4d-%2u-%2uT%2u:%2u:%2uZ%n", &year, &month, &day, &hour, &minute, &second,
                    &length) != 6 ||
        static_cast<std::size_t>(length) != text.size() || text.size() != std::string_view(kFirstClock).size())
      return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
    if (!date.ok() || year < 1970 || hour > 23 || minute > 59 || second > 59) return std::nullopt;
    return Moment(std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
                  std::chrono::seconds(second));
  }

  void read_member(Slot slot) {
    Section section(std::move(slot), problems_);
    Member member;
    section.require("email", "a member needs an address; write 'email: ana@example.com'");
    section.text("email", "The person's e-mail address", member.email);
    section.text("name", "The person's name", member.name);
    section.choice("role", "What the person may do", member.role,
                   {{"viewer", Role::kViewer}, {"agent", Role::kAgent}, {"admin", Role::kAdmin}});
    section.finish();
    if (!member.email.empty() && member.email.find('@') == std::string::npos)
      section.bad("email", "an e-mail address", member.email);
    if (member.name.empty()) member.name = member.email.substr(0, member.email.find('@'));
    file_.members.push_back(std::move(member));
  }

  void read_case(Slot slot) {
    Section section(std::move(slot), problems_);
    TestCase found;
    found.place = problems_.place(section.node());
    section.require("name", "a case needs a name; write 'name: ...'");
    section.text("name", "What is tested", found.name);
    if (!found.name.empty() && !names_.insert(found.name).second)
      section.add("name", "two cases are called " + in_quotes(found.name) + "; give one of them another name");
    found.tenant = new_tenant(found.name);
    known_.clear();
    section.require("steps", "a case needs steps; write 'steps: [{call: ...}]'");
    section.list("steps", "What happens in it", "call: ...", [&](Slot step) { read_step(std::move(step), found); });
    section.finish();
    file_.cases.push_back(std::move(found));
  }

  /// Letters and digits of the name, unlike those of the other cases.
  std::string new_tenant(const std::string& name) {
    std::string tenant;
    for (const char c : name) {
      const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      if (is_plain)
        tenant += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      else if (!tenant.empty() && tenant.back() != '-')
        tenant += '-';
    }
    tenant.resize(std::min(tenant.size(), kLongestTenant));
    while (tenant.ends_with('-')) tenant.pop_back();
    if (tenant.empty()) tenant = "case";
    const std::string first = tenant;
    for (int number = 2; !tenants_.insert(tenant).second; ++number) tenant = first + "-" + std::to_string(number);
    return tenant;
  }

  void read_step(Slot slot, TestCase& of) {
    Section section(std::move(slot), problems_);
    if (!section.is_usable()) return;
    TestStep step;
    step.place = problems_.place(section.node());
    if (!read_kind(section, step)) return;
    if (step.kind == Kind::kAdvance) {
      section.finish();
      of.steps.push_back(std::move(step));
      return;
    }
    read_arguments(section, step);
    if (step.kind == Kind::kJob)
      section.text("plugin", "Which plugin's job", step.plugin);
    else
      read_caller(section, step);
    section.text("tenant", "Another tenant", step.tenant);
    if (step.tenant.size() > kLongestOtherTenant || step.tenant.find_first_not_of(kTenantLetters) != std::string::npos)
      section.bad("tenant", "at most 20 of a-z and 0-9", step.tenant);
    read_expected(section, step);
    read_captures(section, step);
    section.finish();
    of.steps.push_back(std::move(step));
  }

  bool read_kind(Section& section, TestStep& step) {
    std::vector<Kind> found;
    for (const auto& [kind, word] : kKinds)
      if (section.has(word)) found.push_back(kind);
    if (found.size() != 1) {
      section.add("", found.empty() ? "a step does one of: call, read, prompt, complete, job, advance; write 'call: "
                                      "NAME_OF_A_TOOL'"
                                    : "a step does one thing, not '" + std::string(word_of(found[0])) + "' and '" +
                                          word_of(found[1]) + "'; make it two steps");
      return false;
    }
    step.kind = found[0];
    if (step.kind == Kind::kAdvance) {
      std::chrono::milliseconds by{0};
      section.duration("advance", "How far time moves on", by, std::chrono::milliseconds(1),
                       std::chrono::hours(24 * 3660));
      step.advance = by;
      step.name = section.node()["advance"].IsScalar() ? section.node()["advance"].Scalar() : "";
      return true;
    }
    const std::string word = word_of(step.kind);
    section.require(word, "'" + word + "' needs a name");
    section.text(word, "What is asked for", step.name);
    if (step.kind == Kind::kRead) check_texts(section.node()[word], false);
    return true;
  }

  void read_arguments(Section& section, TestStep& step) {
    if (step.kind == Kind::kComplete) return read_completion(section, step);
    if (step.kind != Kind::kRead) {
      section.free_mapping("arguments", "What is passed",
                           [&](const YAML::Node& node) { step.arguments = json_of(node, false); });
    }
    if (step.kind == Kind::kJob) return;  // which has nobody to ask
    step.can_be_asked = section.has("answers");
    section.entries("answers", "What the client answers when it is asked", "", [&](const YAML::Node& name, Slot value) {
      if (!value.node.IsMap())
        return problems_.add(value.node, "an answer is what a client of MCP sends; write '" + name.Scalar() +
                                             ": {action: accept, content: {...}}'");
      step.answers[name.Scalar()] = json_of(value.node, false);
    });
  }

  void read_completion(Section& section, TestStep& step) {
    std::string name, value, context = "{}";
    Section argument = section.section("argument", "What is being completed");
    if (argument.is_usable()) {
      argument.require("name", "'argument' needs the name of what is completed");
      argument.text("name", "Of the argument", name);
      argument.text("value", "What was typed so far", value);
      argument.finish();
    } else {
      section.add("", "'complete' needs what is completed; write 'argument: {name: ..., value: ...}'");
    }
    section.free_mapping("context", "Arguments that were given before",
                         [&](const YAML::Node& node) { context = json_of(node, false); });
    step.arguments.clear();
    JsonWriter json(step.arguments);
    json.begin_object().key("argument").begin_object().member("name", name).member("value", value).end_object();
    json.key("context").begin_object().key("arguments").raw(context).end_object().end_object();
  }

  void read_caller(Section& section, TestStep& step) {
    std::string who = "agent";
    section.text("as", "Who does it: a role, or a member's address", who);
    if (const auto role = role_named(who)) {
      step.role = role;
      step.person = who + "@example.com";
      return;
    }
    const auto is_who = [&](const Member& member) { return member.email == who; };
    step.person = who;
    if (std::ranges::any_of(file_.members, is_who)) return;
    std::vector<std::string> known{"viewer", "agent", "admin"};
    std::string list = "viewer, agent, admin";
    for (const auto& member : file_.members) {
      known.push_back(member.email);
      list += ", " + member.email;
    }
    const auto near = similar_name(who, known);
    section.add("as", in_quotes(who) + " is no role and nobody of 'members'; " +
                          (near ? "did you mean '" + std::string(*near) + "'?" : "there is: " + list));
  }

  void read_expected(Section& section, TestStep& step) {
    Section expect = section.section("expect", "What it answers");
    if (!expect.is_usable()) return;
    auto& expected = step.expected.emplace();
    expected.place = section.place("expect");
    JsonWriter json(expected.members);
    json.begin_object();
    const auto take = [&](const char* key, const char* about) {
      const auto node = expect.value(key, about, "");
      if (node.IsDefined()) json.key(key).raw(json_of(node, true));
    };
    take("outcome", "ok, tool_error, invalid_arguments, denied ...");
    if (step.kind == Kind::kCall || step.kind == Kind::kJob) {
      take("structured", "The whole structured content");
      const auto part = expect.value("contains", "Parts of the structured content", "");
      if (part.IsDefined()) expected.contains = json_of(part, true);
      if (part.IsDefined() && expect.has("structured"))
        expect.add("contains", "'structured' is the whole and 'contains' a part; write one of them");
    }
    if (step.kind == Kind::kCall) {
      take("content", "All content blocks");
      take("questions", "What the client is asked");
    }
    take("text", "The text blocks");
    if (step.kind == Kind::kRead) take("contents", "What is read");
    if (step.kind == Kind::kPrompt) {
      take("messages", "Of the prompt");
      take("description", "Of the prompt");
    }
    if (step.kind == Kind::kComplete) take("completion", "The values");
    const auto error = expect.value("error", "What it fails with", "");
    if (error.IsDefined()) {
      if (error.IsScalar()) expected.error = error.Scalar();
      check_texts(error, true);
      if (expected.error.empty()) expect.add("error", "'error' must be a text; /./ is any error");
      if (expect.has("text")) expect.add("error", "'error' is the text of an answer that fails; leave out 'text'");
    }
    json.end_object();
    expect.finish();
  }

  void read_captures(Section& section, TestStep& step) {
    section.entries("capture", "Names for parts of the answer", "", [&](const YAML::Node& name, Slot value) {
      if (!is_capture_name(name.Scalar()))
        return problems_.add(name, in_quotes(name.Scalar()) +
                                       " is no name for what is captured; it takes a-z, 0-9 and _, begins with a "
                                       "letter, and 'any' is taken");
      if (!value.node.IsScalar() || !value.node.Scalar().starts_with('/'))
        return problems_.add(value.node, "what is captured is named by a JSON pointer, such as /structured/id");
      step.captures[name.Scalar()] = value.node.Scalar();
    });
    // Known to the steps after this one.
    for (const auto& [name, pointer] : step.captures) known_[name] = "\"\"";
  }

  std::string json_of(const YAML::Node& node, bool is_expected) {
    check_texts(node, is_expected);
    std::string json;
    SettingsPlaces places;
    append_settings(json, places, node, problems_);
    return json;
  }

  void check_texts(const YAML::Node& node, bool is_expected) {
    if (node.IsScalar()) {
      if (auto problem = problem_in(node.Scalar(), known_, is_expected); !problem.empty())
        problems_.add(node, std::move(problem));
    } else {
      for (const auto& entry : node) check_texts(node.IsMap() ? entry.second : YAML::Node(entry), is_expected);
    }
  }

  TestFile& file_;
  Problems& problems_;
  const fs::path directory_;
  std::set<std::string> names_, tenants_;
  Captures known_;  // by the steps so far of the case that is read
};

}  // namespace

std::string TestStep::title() const {
  return std::string(word_of(kind)) + " " + name;
}

std::string TestFile::tenant_of(const TestCase& of, const TestStep& step) {
  return step.tenant.empty() ? of.tenant : of.tenant + "--" + step.tenant;
}

LoadedTestFile parse_test_file(const std::string& yaml, const std::string& name, const fs::path& directory) {
  LoadedTestFile loaded;
  Problems problems(name);
  try {
    const auto documents = YAML::LoadAll(yaml);
    if (documents.size() > 1) problems.add(documents[1], "a second document begins here; keep one in a file");
    const YAML::Node root = documents.empty() ? YAML::Node(YAML::NodeType::Map) : documents.front();
    if (!has_runaway_alias(root, problems)) {
      Section section({.node = root.IsNull() ? YAML::Node(YAML::NodeType::Map) : root}, problems);
      Reader(loaded.file, problems, directory).read(section);
    }
  } catch (const YAML::Exception& error) {
    problems.add(error.mark, "this is not YAML: " + error.msg);
  }
  loaded.problems = problems.take();
  return loaded;
}

LoadedTestFile load_test_file(const fs::path& file) {
  const auto refused = [&](const char* message) {
    LoadedTestFile loaded;
    loaded.problems.push_back({.file = file.string(), .message = message});
    return loaded;
  };
  std::error_code ignored;
  if (fs::is_directory(file, ignored)) return refused("is a directory; name the file in it");
  std::ifstream in(file, std::ios::binary);
  if (!in) return refused("cannot be read; check the path and its permissions");
  std::string text(kMaxConfigBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kMaxConfigBytes) return refused("is larger than 1 MiB; make two files of it");
  auto loaded = parse_test_file(text, file.string(), file.parent_path());
  for (const auto& plugin : loaded.file.plugins) {
    if (fs::exists(plugin.file, ignored)) continue;
    loaded.problems.push_back({plugin.place.file, plugin.place.line, plugin.place.column,
                               "there is no plugin " + in_quotes(plugin.file.string()) +
                                   "; its file is looked for from the directory of the cases"});
  }
  return loaded;
}

}  // namespace toolhost::app
