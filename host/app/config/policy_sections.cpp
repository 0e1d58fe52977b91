#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "access/policy.hpp"
#include "access/tool_pattern.hpp"
#include "app/config/tenant_sections.hpp"

namespace toolhost::app {
namespace {

using access::ArgumentTest;
using access::CallLimits;
using access::TenantPolicyConfig;
using access::ToolPatterns;

constexpr std::int64_t kMostCalls = 1'000'000;
constexpr const char* kToolName = "^[A-Za-z0-9_-]{1,64}$";
constexpr const char* kScopePattern = "^[a-z0-9_.*-]{1,128}$";

bool consists_of(std::string_view text, std::string_view marks, std::size_t longest) {
  return !text.empty() && text.size() <= longest && std::all_of(text.begin(), text.end(), [&](unsigned char c) {
    return std::isalnum(c) != 0 || marks.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

template <class Entries>
std::string json_of(const std::optional<Entries>& entries) {
  if (!entries) return {};
  std::string out = "[";
  for (const auto& entry : *entries) out += (out.size() > 1 ? ",\"" : "\"") + entry.text + "\"";
  return out + "]";
}

/// Patterns of tools or, for `plugins`, of their ids. True when there is a list.
bool read_patterns(Section& section, const std::string& key, const char* about, ToolPatterns& target,
                   const std::string& default_json = "[]") {
  auto& problems = section.problems();
  ToolPatterns found;
  const bool is_list = section.scalars(key, about, kToolPattern, default_json, [&](const YAML::Node& item) {
    if (!consists_of(item.Scalar(), "_.*-", 128)) {
      problems.add(item, section.where(key) + " must hold names, or patterns such as create_* or tickets.*; got " +
                             in_quotes(item.Scalar()));
      return;
    }
    found.push_back({item.Scalar(), problems.line(item)});
  });
  if (is_list) target = std::move(found);
  return is_list;
}

void read_patterns(Section& section, const std::string& key, const char* about, std::optional<ToolPatterns>& target) {
  ToolPatterns found;
  if (read_patterns(section, key, about, found, json_of(target))) target = std::move(found);
}

void read_texts(Section& section, std::vector<access::ToolText>& texts) {
  auto& problems = section.problems();
  section.entries(
      "texts", "Other titles and descriptions, by tool.", kToolName, [&](const YAML::Node& name, const Slot& slot) {
        Section entry(slot, problems);
        access::ToolText text{.tool = name.Scalar(), .place = problems.line(name)};
        entry.text("title", "The tool's title for this tenant.", text.title);
        entry.text("description", "What assistants read of the tool.", text.description);
        entry.finish();
        if (slot.schema != nullptr) return;
        if (!consists_of(text.tool, "_-", 64)) {
          problems.add(name,
                       section.where("texts") + " has one tool's name before each text, got " + in_quotes(text.tool));
        } else if (text.title || text.description) {
          texts.push_back(std::move(text));
        } else if (entry.is_usable() || slot.node.IsNull()) {
          problems.add(name, section.where("texts") + " says nothing about '" + text.tool + "'; write its title");
        }
      });
}

void read_tools(Section section, TenantPolicyConfig& policy) {
  read_patterns(section, "allow", "Tools that exist; a tenant's own list replaces the defaults'.", policy.allow);
  read_patterns(section, "deny", "Tools that do not exist, whatever allows them; added to the defaults'.", policy.deny);
  read_texts(section, policy.texts);
  section.finish();
}

void read_role(Section section, access::RoleConfig& role) {
  auto& problems = section.problems();
  role.place = section.is_usable() ? section.place() : role.place;
  access::Scopes scopes;
  const bool has_scopes = section.scalars(
      "scopes", "The most that keys of this role may hold: read, write (which includes read), patterns of tools.",
      kScopePattern, json_of(role.scopes), [&](const YAML::Node& item) {
        if (const auto checked = access::check_scope(item.Scalar()); !checked)
          return problems.add(item, section.where("scopes") + ": " + checked.error().message);
        scopes.push_back({item.Scalar(), problems.line(item)});
      });
  if (has_scopes && section.node()["scopes"].size() == 0) {
    section.add("scopes", section.where("scopes") +
                              " is empty, which is no bound at all; write [read] or [write], or deny [\"*\"]");
  }
  if (has_scopes) role.scopes = std::move(scopes);
  read_patterns(section, "deny", "Tools that do not exist for this role.", role.deny);
  section.finish();
}

void read_roles(Section section, TenantPolicyConfig& policy) {
  constexpr std::array<const char*, 3> kAbout{"Who only reads.", "Who works with it.", "Who looks after it."};
  for (std::size_t role = 0; role < policy.roles.size(); ++role)
    read_role(section.section(to_string(kRoles[role]), kAbout[role]), policy.roles[role]);
  section.finish();
}

class RateReader {
 public:
  RateReader(Section& section, CallLimits& limits) : section_(section), limits_(limits) {}

  /// `rate` and `burst`, which go together.
  void read_rate() {
    const auto found =
        section_.special("rate", "Calls: 50/s, 30/min, 1000/h, or off.",
                         R"("type":"string","pattern":"^(off|[0-9]+(\\.[0-9]+)?/(s|min|h))$")", default_rate());
    std::optional<std::uint32_t> burst;
    section_.integer("burst", "Calls at once before the rate counts; default: as many as the rate names.", burst, 1,
                     10 * kMostCalls);
    const auto rate = found && *found != "off" ? parse_rate(*found) : std::nullopt;
    if (found && *found != "off" && !rate) return section_.bad("rate", "like 50/s, 30/min, 1000/h or off", *found);
    if (burst && !rate) section_.add("burst", section_.where("burst") + " goes with a rate; write both, or neither");
    if (!found) return;
    limits_.rate.reset();
    limits_.rate_off = !rate;
    if (!rate) return;
    const auto usual = static_cast<std::uint32_t>(std::max(1.0, std::ceil(rate->count)));
    limits_.rate = {.per_second = rate->per_second, .burst = burst.value_or(usual), .place = section_.place("rate")};
  }

  void read_concurrent() {
    const auto found = section_.special(
        "concurrent", "Calls at a time, or off.",
        R"("type":["integer","string"],"minimum":1,"maximum":1000000,"pattern":"^off$")", default_concurrent());
    if (!found) return;
    constexpr Unit kNone{"", 1};
    const auto calls = parse_with_unit(*found, {&kNone, 1});
    if (*found != "off" && (!calls || *calls < 1 || *calls > kMostCalls))
      return section_.bad("concurrent", "a whole number from 1 to " + std::to_string(kMostCalls) + ", or off", *found);
    limits_.concurrent.reset();
    limits_.concurrent_off = !calls;
    if (calls)
      limits_.concurrent = {.calls = static_cast<std::uint32_t>(*calls), .place = section_.place("concurrent")};
  }

 private:
  [[nodiscard]] std::string default_rate() const {
    if (!limits_.rate) return {};
    return "\"" + std::to_string(std::lround(limits_.rate->per_second)) + "/s\"";
  }
  [[nodiscard]] std::string default_concurrent() const {
    return limits_.concurrent ? std::to_string(limits_.concurrent->calls) : "";
  }

  Section& section_;
  CallLimits& limits_;
};

void read_call_limits(Section section, CallLimits& limits) {
  RateReader reader(section, limits);
  reader.read_rate();
  reader.read_concurrent();
  section.finish();
}

void read_tool_limits(Section section, std::vector<access::ToolLimits>& all) {
  access::ToolLimits limits;
  read_patterns(section, "tools", "Each tool that matches has limits of its own.", limits.tools, "");
  section.require("tools", "a limit of tools needs 'tools': names, or patterns such as create_*");
  section.choice("per", "Whether the whole tenant shares them, or each key has its own.", limits.per_key,
                 {{"tenant", false}, {"key", true}});
  RateReader reader(section, limits.limits);
  reader.read_rate();
  reader.read_concurrent();
  section.finish();
  if (!section.is_usable()) return;
  if (!section.has("rate") && !section.has("concurrent"))
    section.add("", "a limit of tools needs 'rate' or 'concurrent'");
  all.push_back(std::move(limits));
}

/// A tenant may have less than the host gives everybody; more would do nothing.
template <class Number>
void check_bound(Section& section, const char* key, const std::optional<Number>& own, const char* host_key,
                 std::size_t host_value, std::span<const Unit> units) {
  if (!section.has(key) || !own || *own <= host_value) return;
  const auto text = [&](std::size_t number) {
    return units.empty() ? std::to_string(number) : with_unit(static_cast<std::int64_t>(number), units);
  };
  section.bad(key, "at most " + std::string(host_key) + ", " + text(host_value) + " (or raise that)", text(*own));
}

void read_limits(Section section, access::LimitsConfig& limits, const HostConfig& host) {
  constexpr std::size_t kLeastBytes = 1 << 10, kMostBytes = 64 << 20;
  read_call_limits(section.section("tenant", "Of all keys of a tenant together."), limits.tenant);
  read_call_limits(section.section("key", "Of each key."), limits.key);
  std::vector<access::ToolLimits> of_tools;
  const bool are_listed =
      section.list("tools", "Of tools; a tenant's own come in addition to the defaults'.", "tools: [create_*]",
                   [&](const Slot& slot) { read_tool_limits({slot, section.problems()}, of_tools); });
  if (are_listed) limits.tools = std::move(of_tools);
  section.bytes("request", "Bytes of a request's body; at most http.max_body, which is the default.",
                limits.max_request, kLeastBytes, kMostBytes);
  section.bytes("result", "Bytes of a call's result; at most calls.max_result, which is the default.",
                limits.max_result, kLeastBytes, kMostBytes);
  section.integer("streams", "Open streams of one key; at most mcp.max_streams_per_key, which is the default.",
                  limits.max_streams, 1, kMostCalls);
  check_bound(section, "request", limits.max_request, "http.max_body", host.http.max_body_bytes, size_units());
  check_bound(section, "result", limits.max_result, "calls.max_result", host.plugins.max_result_bytes, size_units());
  check_bound(section, "streams", limits.max_streams, "mcp.max_streams_per_key", host.mcp.max_streams_per_key, {});
  section.finish();
}

constexpr const char* kValuesKeywords =
    R"("type":["string","number","boolean","null","array"],"items":{"type":["string","number","boolean","null"]},)"
    R"("minItems":1)";

/// The conditions on one argument.
class TestReader {
 public:
  TestReader(std::string argument, Problems& problems, std::vector<ArgumentTest>& tests)
      : argument_(std::move(argument)), problems_(problems), tests_(tests) {}

  void read(const Slot& slot) {
    if (slot.schema != nullptr) return describe(slot);
    if (!slot.node.IsMap()) return read_values(slot.node, ArgumentTest::Kind::kIs, "'" + slot.name + "'");
    Section section(slot, problems_);
    read_tests(section);
    section.finish();
    if (slot.node.size() == 0) problems_.add(slot.node, "'" + slot.name + "' says nothing; write what it is");
  }

 private:
  void describe(const Slot& slot) {
    for (const char* keywords : {kValuesKeywords, ""}) {
      auto& form = *slot.schema->alternatives.emplace_back(std::make_unique<SchemaNode>());
      form.keywords = keywords;
      if (*keywords != '\0') continue;
      Section section({.node = slot.node, .schema = &form, .name = slot.name}, problems_);
      read_tests(section);
    }
  }

  void read_tests(Section& section) {
    for (const auto& [key, about, kind] :
         {std::tuple("is", "One of these; case does not count.", ArgumentTest::Kind::kIs),
          std::tuple("is_not", "None of these.", ArgumentTest::Kind::kIsNot)}) {
      const YAML::Node values = section.value(key, about, kValuesKeywords);
      if (values.IsDefined()) read_values(values, kind, section.where(key));
    }
    std::optional<std::string> pattern;
    section.text("matches", "A regular expression (RE2) that is found anywhere in it; (?i) ignores case.", pattern);
    if (pattern) {
      if (const auto checked = access::check_argument_pattern(*pattern); !checked) {
        section.add("matches", section.where("matches") + " is no regular expression: " + checked.error().message);
      } else {
        add(ArgumentTest::Kind::kMatches, section.place("matches")).pattern = *pattern;
      }
    }
    read_bound(section, "above", "A number above this one.", ArgumentTest::Kind::kAbove);
    read_bound(section, "below", "A number below this one.", ArgumentTest::Kind::kBelow);
    read_presence(section, "present", "Whether it is given.", true);
    read_presence(section, "absent", "Whether it is missing.", false);
  }

  void read_bound(Section& section, const std::string& key, const char* about, ArgumentTest::Kind kind) {
    const auto found = section.special(key, about, R"("type":"number")");
    if (!found) return;
    double number = 0;
    const auto [end, error] = std::from_chars(found->data(), found->data() + found->size(), number);
    if (error != std::errc{} || end != found->data() + found->size() || !std::isfinite(number))
      return section.bad(key, "a number", *found);
    add(kind, section.place(key)).number = number;
  }

  void read_presence(Section& section, const std::string& key, const char* about, bool when_true) {
    const auto found = section.special(key, about, R"("type":"boolean")");
    if (!found) return;
    if (*found != "true" && *found != "false") return section.bad(key, "true or false", *found);
    const bool is_present = (*found == "true") == when_true;
    add(is_present ? ArgumentTest::Kind::kPresent : ArgumentTest::Kind::kAbsent, section.place(key));
  }

  void read_values(const YAML::Node& node, ArgumentTest::Kind kind, const std::string& where) {
    std::vector<std::string> values;
    const auto take = [&](const YAML::Node& value) {
      if (value.IsScalar()) {
        values.push_back(value.Scalar());
      } else if (value.IsNull()) {
        values.emplace_back("null");
      } else {
        problems_.add(value, where + " must hold plain values");
      }
    };
    if (node.IsSequence()) {
      for (const auto& value : node) take(value);
      if (node.size() == 0) problems_.add(node, where + " is an empty list, which nothing is one of");
    } else {
      take(node);
    }
    if (!values.empty()) add(kind, problems_.line(node)).values = std::move(values);
  }

  ArgumentTest& add(ArgumentTest::Kind kind, SourcePlace place) {
    return tests_.emplace_back(ArgumentTest{.argument = argument_, .kind = kind, .place = std::move(place)});
  }

  const std::string argument_;
  Problems& problems_;
  std::vector<ArgumentTest>& tests_;
};

void read_rule(Section section, std::vector<access::RuleConfig>& rules) {
  auto& problems = section.problems();
  access::RuleConfig rule{.place = section.place()};
  read_patterns(section, "tools", "The tools it is about; default: all.", rule.tools, "");
  section.scalars(
      "roles", "Whom it is about; default: everybody.", "^(viewer|agent|admin)$", "", [&](const YAML::Node& item) {
        const auto role = role_named(item.Scalar());
        if (!role) {
          problems.add(item,
                       section.where("roles") + " must hold viewer, agent or admin; got " + in_quotes(item.Scalar()));
        } else {
          rule.roles.push_back(*role);
        }
      });
  const bool has_conditions = section.entries(
      "when", "Conditions on arguments, by name or JSON pointer; all must hold. Without any the tools do not exist.",
      "", [&](const YAML::Node& name, const Slot& slot) { TestReader(name.Scalar(), problems, rule.when).read(slot); });
  if (has_conditions && section.node()["when"].size() == 0)
    section.add("when", section.where("when") + " is empty; name an argument, or leave it out");
  section.text("because", "Told to the caller; default: a standard sentence.", rule.because);
  section.finish();
  if (!section.is_usable()) return;
  if (!section.has("tools") && !section.has("roles") && !section.has("when"))
    section.add("", "this rule refuses everything to everybody; it needs 'tools', 'roles' or 'when'");
  rules.push_back(std::move(rule));
}

}  // namespace

void read_policy(Section& section, TenantPolicyConfig& policy, const HostConfig& host) {
  read_patterns(section, "plugins", "Plugins that exist, by id; a tenant's own list replaces the defaults'.",
                policy.plugins);
  read_tools(section.section("tools", "Tools that exist, and their texts. Deny wins."), policy);
  read_roles(section.section("roles", "What the roles may do at most."), policy);
  std::vector<access::RuleConfig> rules;
  const bool are_listed =
      section.list("rules", "Calls that are refused; a tenant's own come in addition to the defaults'.",
                   "tools: [create_ticket]", [&](const Slot& slot) { read_rule({slot, section.problems()}, rules); });
  if (are_listed) policy.rules = std::move(rules);
  read_limits(section.section("limits", "How much; counted in each host process."), policy.limits, host);
  Section audit = section.section("audit", "What the record of calls holds.");
  using access::ArgumentsInAudit;
  audit.choice(
      "arguments", "Of arguments: nothing, a keyed hash, or their text without what is marked sensitive.",
      policy.arguments_in_audit,
      {{"none", ArgumentsInAudit::kNone}, {"hash", ArgumentsInAudit::kHash}, {"store", ArgumentsInAudit::kStore}});
  audit.finish();
}

}  // namespace toolhost::app
