#include "app/config/config_diff.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "access/argument_condition.hpp"
#include "access/grant.hpp"
#include "base/json.hpp"
#include "base/lower.hpp"
#include "protocol/tool_views.hpp"

namespace toolhost::app {
namespace {

using access::CallLimits;
using access::LimitsConfig;
using access::TenantPolicyConfig;
using Lines = std::vector<std::string>;
using Tools = std::span<const plugin_runtime::Tool* const>;

constexpr unsigned kEverybody = 0b111;
constexpr std::size_t kMostNames = 12;  // in one line

std::string names_of_roles(unsigned roles) {
  std::string text;
  for (const auto role : kRoles) {
    if ((roles >> static_cast<unsigned>(role) & 1U) == 0) continue;
    text += (text.empty() ? "" : ", ") + std::string(to_string(role));
  }
  return text;
}

std::string joined(const Lines& names) {
  std::string text;
  for (std::size_t index = 0; index < names.size() && index < kMostNames; ++index)
    text += (index == 0 ? "" : ", ") + names[index];
  if (names.size() > kMostNames) text += " and " + std::to_string(names.size() - kMostNames) + " more";
  return text;
}

/// For each tool the roles that see it, a bit for each.
std::vector<unsigned> sight(const access::Policy& policy, std::string_view tenant, Tools tools) {
  std::vector<unsigned> seen(tools.size(), 0);
  for (const auto role : kRoles) {
    const auto rights = policy.rights(tenant, role, {});
    for (std::size_t index = 0; index < tools.size(); ++index) {
      const auto& tool = *tools[index];
      if (rights->decide(protocol::facts_of(tool), nullptr).allowed()) seen[index] |= 1U << static_cast<unsigned>(role);
    }
  }
  return seen;
}

template <class Placed>
  requires requires(Placed each) { each.place; }
void forget_place(Placed& each) {
  each.place = {};
}
template <class Placed>
void forget_place(std::vector<Placed>& all) {
  for (auto& each : all) forget_place(each);
}
template <class Placed>
void forget_place(std::optional<Placed>& each) {
  if (each) forget_place(*each);
}
void forget_place(CallLimits& limits) {
  forget_place(limits.rate);
  forget_place(limits.concurrent);
}

void forget_places(TenantPolicyConfig& tenant) {
  forget_place(tenant);
  forget_place(tenant.plugins);
  forget_place(tenant.allow);
  forget_place(tenant.deny);
  for (auto& role : tenant.roles) {
    forget_place(role);
    forget_place(role.scopes);
    forget_place(role.deny);
  }
  for (auto& rule : tenant.rules) {
    forget_place(rule);
    forget_place(rule.tools);
    forget_place(rule.when);
  }
  forget_place(tenant.limits.tenant);
  forget_place(tenant.limits.key);
  for (auto& each : tenant.limits.tools) {
    forget_place(each.tools);
    forget_place(each.limits);
  }
  forget_place(tenant.texts);
  tenant.people.default_place = {};
}

/// One side of a tenant: what stands in the file (the defaults when nothing does), and what follows from it.
struct Side {
  const HostConfig& config;
  const access::Policy& policy;
  const TenantPolicyConfig* tenant;  // null: not in the file
  const TenantConfig* row;           // likewise
};

/// Both sides of every tenant, by name.
class Sides {
 public:
  explicit Sides(const ConfigView& view) : view_(view) {
    for (const auto& row : view.config.tenants) rows_.emplace(row.name, &row);
  }
  [[nodiscard]] Side of(const std::string& tenant) const {
    const auto& tenants = view_.config.policy.tenants;
    const auto policy = tenants.find(tenant);
    const auto row = rows_.find(tenant);
    return {view_.config, view_.policy, policy == tenants.end() ? nullptr : &policy->second,
            row == rows_.end() ? nullptr : row->second};
  }

 private:
  const ConfigView& view_;
  std::map<std::string_view, const TenantConfig*> rows_;
};

std::map<std::string, std::string> members(const std::string& object) {
  std::map<std::string, std::string> found;
  json::Document document;
  const auto root = document.parse(object.empty() ? "{}" : object);
  json::Object fields;
  if (!root || root->get(fields) != simdjson::SUCCESS) return found;
  for (const auto& field : fields) found.emplace(std::string(field.key), json::to_text(field.value));
  return found;
}

/// The members that differ between two JSON objects. Their values are not shown: a setting may be a secret.
Lines changed_keys(const std::string& was, const std::string& is) {
  const auto before = members(was), after = members(is);
  Lines keys;
  for (const auto& [key, text] : before)
    if (!after.contains(key) || after.at(key) != text) keys.push_back(key);
  for (const auto& [key, text] : after)
    if (!before.contains(key)) keys.push_back(key);
  return keys;
}

std::string settings_text(const std::string& plugin, const std::string& was, const std::string& is) {
  const auto keys = changed_keys(was, is);
  return ": settings of " + plugin + " change" + (keys.empty() ? std::string() : ": " + joined(keys));
}

/// Says what differs for one tenant.
class TenantDiff {
 public:
  TenantDiff(std::string name, Side before, Side after, Tools tools, Lines& lines)
      : name_(std::move(name)), before_(before), after_(after), tools_(tools), lines_(lines) {}

  void describe() {
    describe_presence();
    describe_tools();
    describe_people();
    describe_rules();
    describe_texts();
    describe_limits();
    describe_audit();
    describe_settings();
  }

 private:
  void say(const std::string& text) { lines_.push_back(name_ + text); }

  void describe_presence() {
    const auto* before = before_.row;
    const auto* after = after_.row;
    if (before == nullptr && after != nullptr) say(" is new in the configuration");
    if (before != nullptr && after == nullptr) say(" has left the configuration: its people have the defaults");
    if (before == nullptr || after == nullptr) return;
    if (after->says_title && before->title != after->title)
      say(": title is \"" + after->title + "\", was \"" + before->title + "\"");
    if (after->says_time_zone && before->time_zone != after->time_zone)
      say(": time zone " + before->time_zone + " -> " + after->time_zone);
  }

  void describe_tools() {
    const auto before = sight(before_.policy, name_, tools_);
    const auto after = sight(after_.policy, name_, tools_);
    std::map<std::string, Lines> lost, gained;  // by roles
    for (std::size_t index = 0; index < tools_.size(); ++index) {
      const unsigned gone = before[index] & ~after[index];
      const unsigned come = after[index] & ~before[index];
      if (gone != 0) lost[after[index] == 0 ? "" : names_of_roles(gone)].push_back(tools_[index]->name);
      if (come != 0) gained[after[index] == kEverybody ? "" : names_of_roles(come)].push_back(tools_[index]->name);
    }
    const auto tell = [this](const char* verb, const std::map<std::string, Lines>& by_roles) {
      for (const auto& [roles, names] : by_roles)
        say(verb + joined(names) + (roles.empty() ? std::string() : " (" + roles + ")"));
    };
    tell(" loses ", lost);
    tell(" gains ", gained);
  }

  /// By address, in lower case.
  static std::map<std::string, const Member*> people_of(const Side& side) {
    std::map<std::string, const Member*> people;
    if (side.tenant == nullptr) return people;
    for (const auto& member : side.tenant->people.members) people.emplace(lower(member.email), &member);
    return people;
  }

  void describe_people() {
    const auto before = people_of(before_);
    const auto after = people_of(after_);
    for (const auto& [email, was] : before) {
      const auto found = after.find(email);
      if (found == after.end()) {
        say(": " + email + " is no member any more, was " + to_string(was->role));
        continue;
      }
      const Member& is = *found->second;
      if (is.role != was->role) say(": " + email + " is " + to_string(is.role) + " now, was " + to_string(was->role));
      if (is.name != was->name)
        say(": " + email + (is.name.empty() ? " has no name now" : " is called " + is.name + " now"));
    }
    for (const auto& [email, member] : after)
      if (!before.contains(email)) say(": " + email + " is a new member, " + to_string(member->role));
    const TenantPolicyConfig none;
    const auto was = (before_.tenant != nullptr ? before_.tenant : &none)->people.default_role;
    const auto is = (after_.tenant != nullptr ? after_.tenant : &none)->people.default_role;
    if (was != is) say(": default role " + std::string(to_string(was)) + " -> " + to_string(is));
  }

  /// A rule in words, the same for rules that mean the same wherever they stand.
  static std::string text_of(const access::RuleConfig& rule) {
    std::string text = "for ";
    for (const auto& tool : rule.tools) text += (&tool == &rule.tools.front() ? "" : ", ") + tool.text;
    if (rule.tools.empty()) text += "every tool";
    for (const auto& role : rule.roles)
      text += (&role == &rule.roles.front() ? " by " : ", ") + std::string(to_string(role));
    for (const auto& test : rule.when) {
      text += (&test == &rule.when.front() ? " when " : " and ") + access::ArgumentCondition(test).text();
    }
    return text;
  }

  struct RuleText {
    std::string place, because;
  };
  static std::map<std::string, RuleText> rules_of(const Side& side) {
    std::map<std::string, RuleText> rules;
    const auto add = [&](const TenantPolicyConfig& from) {
      for (const auto& rule : from.rules) rules.emplace(text_of(rule), RuleText{rule.place.text(), rule.because});
    };
    add(side.config.policy.defaults);
    if (side.tenant != nullptr) add(*side.tenant);
    return rules;
  }

  void describe_rules() {
    const auto before = rules_of(before_);
    const auto after = rules_of(after_);
    for (const auto& [text, rule] : before) {
      const auto found = after.find(text);
      if (found == after.end()) {
        say(": no longer refused: calls " + text);
      } else if (found->second.because != rule.because) {
        say(": another sentence for refused calls " + text);
      }
    }
    for (const auto& [text, rule] : after)
      if (!before.contains(text)) say(": refused from now on: calls " + text + " (" + rule.place + ")");
  }

  void describe_texts() {
    const auto before = before_.policy.rights(name_, Role::kAdmin, {});
    const auto after = after_.policy.rights(name_, Role::kAdmin, {});
    Lines changed;
    for (const auto* tool : tools_) {
      const auto* was = before->text_of(tool->name);
      const auto* is = after->text_of(tool->name);
      const auto part = [](const access::ToolText* text, auto member) {
        return text == nullptr ? std::optional<std::string>() : text->*member;
      };
      if (part(was, &access::ToolText::title) != part(is, &access::ToolText::title) ||
          part(was, &access::ToolText::description) != part(is, &access::ToolText::description)) {
        changed.push_back(tool->name);
      }
    }
    if (!changed.empty()) say(": other title or description of " + joined(changed));
  }

  static std::string rate_text(const CallLimits& limits) {
    return limits.rate && !limits.rate_off ? access::text_of(*limits.rate) : "off";
  }
  static std::string concurrent_text(const CallLimits& limits) {
    return limits.concurrent && !limits.concurrent_off ? std::to_string(limits.concurrent->calls) : "off";
  }
  template <class Number>
  static std::string number_text(const std::optional<Number>& number) {
    return number ? std::to_string(*number) : "default";
  }

  void say_if_changed(const std::string& what, const std::string& was, const std::string& is) {
    if (was != is) say(": " + what + " " + was + " -> " + is);
  }

  void describe_limits() {
    const LimitsConfig& before = before_.policy.limits(name_);
    const LimitsConfig& after = after_.policy.limits(name_);
    say_if_changed("tenant rate", rate_text(before.tenant), rate_text(after.tenant));
    say_if_changed("tenant calls at a time", concurrent_text(before.tenant), concurrent_text(after.tenant));
    say_if_changed("key rate", rate_text(before.key), rate_text(after.key));
    say_if_changed("key calls at a time", concurrent_text(before.key), concurrent_text(after.key));
    say_if_changed("bytes of a request", number_text(before.max_request), number_text(after.max_request));
    say_if_changed("bytes of a result", number_text(before.max_result), number_text(after.max_result));
    say_if_changed("open streams of a key", number_text(before.max_streams), number_text(after.max_streams));
    const auto was = tool_limits(before), is = tool_limits(after);
    for (const auto& each : was)
      if (!is.contains(each)) say(": no more limit " + each);
    for (const auto& each : is)
      if (!was.contains(each)) say(": new limit " + each);
  }

  static std::set<std::string> tool_limits(const LimitsConfig& limits) {
    std::set<std::string> texts;
    for (const auto& each : limits.tools) {
      Lines names;
      for (const auto& pattern : each.tools) names.push_back(pattern.text);
      texts.insert("for " + joined(names) + " per " + (each.per_key ? "key" : "tenant") + ": rate " +
                   rate_text(each.limits) + ", at a time " + concurrent_text(each.limits));
    }
    return texts;
  }

  void describe_audit() {
    constexpr std::array<const char*, 3> kNames{"none", "hash", "store"};
    const auto name = [&](const access::Policy& policy) {
      return std::string(
          kNames[static_cast<std::size_t>(policy.rights(name_, Role::kAgent, {})->arguments_in_audit())]);
    };
    say_if_changed("arguments in the audit", name(before_.policy), name(after_.policy));
  }

  /// By plugin file, what the tenant's settings are; empty: the plugin's own.
  static std::map<std::string, std::string> settings_of(const Side& side, const std::string& tenant) {
    std::map<std::string, std::string> settings;
    for (const auto& plugin : side.config.plugins.plugins) {
      const auto found = plugin.tenant_settings.find(tenant);
      if (found != plugin.tenant_settings.end()) settings[plugin.file.stem().string()] = found->second;
    }
    return settings;
  }

  void describe_settings() {
    const auto before = settings_of(before_, name_);
    const auto after = settings_of(after_, name_);
    std::set<std::string> plugins;
    for (const auto& [plugin, text] : before) plugins.insert(plugin);
    for (const auto& [plugin, text] : after) plugins.insert(plugin);
    for (const auto& plugin : plugins) {
      const auto was = before.contains(plugin) ? before.at(plugin) : std::string();
      const auto is = after.contains(plugin) ? after.at(plugin) : std::string();
      if (was != is) say(settings_text(plugin, was, is));
    }
  }

  const std::string name_;
  const Side before_, after_;
  const Tools tools_;
  Lines& lines_;
};

/// Whether both policies say the same of a tenant that has the same defaults.
bool is_same(const access::PolicyConfig& before, const access::PolicyConfig& after, const std::string& tenant) {
  const auto was = before.tenants.find(tenant), is = after.tenants.find(tenant);
  return was != before.tenants.end() && is != after.tenants.end() && was->second == is->second;
}

/// Whether the rest of the configuration does.
bool is_same(const Side& before, const Side& after, const std::string& tenant) {
  if ((before.row == nullptr) != (after.row == nullptr)) return false;
  if (before.row != nullptr &&
      (before.row->title != after.row->title || before.row->time_zone != after.row->time_zone)) {
    return false;
  }
  const auto& plugins_before = before.config.plugins.plugins;
  const auto& plugins_after = after.config.plugins.plugins;
  return std::equal(plugins_before.begin(), plugins_before.end(), plugins_after.begin(), plugins_after.end(),
                    [&](const auto& left, const auto& right) {
                      const auto was_settings = left.tenant_settings.find(tenant);
                      const auto is_settings = right.tenant_settings.find(tenant);
                      const bool had = was_settings != left.tenant_settings.end();
                      const bool has = is_settings != right.tenant_settings.end();
                      return had == has && (!had || was_settings->second == is_settings->second);
                    });
}

}  // namespace

std::vector<std::string> describe_tenant_settings(const plugin_runtime::PluginSpec& before,
                                                  const plugin_runtime::PluginSpec& after) {
  Lines lines;
  std::set<std::string> tenants;
  for (const auto* plugin : {&before, &after})
    for (const auto& [tenant, text] : plugin->tenant_settings) tenants.insert(tenant);
  const auto of = [](const plugin_runtime::PluginSpec& plugin, const std::string& tenant) {
    const auto found = plugin.tenant_settings.find(tenant);
    return found == plugin.tenant_settings.end() ? std::string() : found->second;
  };
  for (const auto& tenant : tenants) {
    const auto was = of(before, tenant), is = of(after, tenant);
    if (was != is) lines.push_back(tenant + settings_text(after.file.stem().string(), was, is));
  }
  return lines;
}

access::PolicyConfig without_places(access::PolicyConfig policy) {
  forget_places(policy.defaults);
  for (auto& [name, tenant] : policy.tenants) forget_places(tenant);
  return policy;
}

std::vector<std::string> describe_changes(const ConfigView& before, const ConfigView& after, Tools tools) {
  Lines lines;
  const auto was = without_places(before.config.policy), is = without_places(after.config.policy);
  const Sides sides_before(before), sides_after(after);
  std::set<std::string> tenants;
  for (const auto* view : {&before, &after})
    for (const auto& [name, tenant] : view->config.policy.tenants) tenants.insert(name);
  const bool same_defaults = was.defaults == is.defaults;
  for (const auto& name : tenants) {
    const auto side_before = sides_before.of(name), side_after = sides_after.of(name);
    if (same_defaults && is_same(was, is, name) && is_same(side_before, side_after, name)) continue;
    TenantDiff(name, side_before, side_after, tools, lines).describe();
  }
  // A name that no tenant can have: what holds for those that no file names.
  if (!same_defaults) {
    const std::string others = "every other tenant";
    TenantDiff(others, sides_before.of(others), sides_after.of(others), tools, lines).describe();
  }
  return lines;
}

}  // namespace toolhost::app
