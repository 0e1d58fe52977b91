#include "app/explain.hpp"

#include <algorithm>

#include "access/api_key.hpp"
#include "access/grant.hpp"
#include "app/commands/console.hpp"
#include "app/commands/moment.hpp"
#include "base/json.hpp"
#include "base/json_writer.hpp"
#include "base/similar_name.hpp"
#include "protocol/tool_views.hpp"

namespace toolhost::app {
namespace {

using access::Decision;
using access::KnownKey;
using access::Reason;
using access::Step;
using access::ToolFacts;
using protocol::facts_of;

constexpr std::string_view kKeyStart = "hdsk_";

/// Takes the steps of one call.
class Questions {
 public:
  Questions(const KnownKey& key, const access::Policy& policy, const plugin_runtime::ToolRegistry& registry,
            Explanation& out)
      : key_(key), policy_(policy), registry_(registry), rights_(rights_of(key)), out_(out) {}

  void ask(const std::string& tool_name, const json::Value* arguments, std::chrono::system_clock::time_point now) {
    ask_key(now);
    say_role();
    list_tools();
    const auto* tool = find_tool(tool_name);
    if (tool == nullptr) return;
    ask_policy(facts_of(*tool), arguments);
    if (arguments != nullptr) ask_schema(*tool, *arguments);
  }

 private:
  /// Whether the tool exists, then limits, then rules about arguments.
  void ask_policy(const ToolFacts& tool, const json::Value* arguments) {
    access::Trace steps;
    const Decision decision = rights_->decide(tool, arguments, &steps);
    const auto rules = std::find_if(steps.begin(), steps.end(),
                                    [](const Step& step) { return step.what == access::kRuleAboutArguments; });
    out_.steps.insert(out_.steps.end(), steps.begin(), rules);
    take(rights_->decide(tool, nullptr));
    if (key_.caller->grant != nullptr) take(key_.caller->grant->look(tool, access::Grant::Clock::now(), out_.steps));
    out_.steps.insert(out_.steps.end(), rules, steps.end());
    take(decision);
  }

  std::shared_ptr<const access::Rights> rights_of(const KnownKey& key) const {
    const auto& grant = key.caller->grant;
    return grant != nullptr ? grant->rights() : policy_.rights(key.caller->tenant, key.caller->role, key.scopes);
  }

  /// The first refusal is the answer.
  void take(const Decision& decision) {
    if (decision.allowed() || reason_ != Reason::kAllowed) return;
    reason_ = decision.reason;
    out_.allowed = false;
    out_.reason = access::to_string(decision.reason);
    out_.place = decision.place.file.empty() && decision.place.line == 0 ? std::string() : decision.place.text();
    const auto refusing =
        std::find_if(out_.steps.begin(), out_.steps.end(), [](const Step& step) { return !step.passed; });
    out_.message = decision.message;
    if (out_.message.empty() && refusing != out_.steps.end()) out_.message = refusing->text;
  }

  void refuse(Reason reason, std::string what, std::string text) {
    out_.steps.push_back({.what = std::move(what), .text = std::move(text), .passed = false});
    take({.reason = reason});
  }

  void ask_key(std::chrono::system_clock::time_point now) {
    const bool has_expired = key_.expires_at && *key_.expires_at <= now;
    is_let_in_ = !key_.disabled && !has_expired && !key_.has_owner_left;
    if (key_.disabled)
      return refuse(Reason::kKeyDisabled, "key",
                    "is disabled; 'toolhost key enable " + out_.key + "' lets it in again");
    if (has_expired) return refuse(Reason::kKeyExpired, "key", "the key expired at " + rfc3339(*key_.expires_at));
    if (key_.has_owner_left) {
      return refuse(
          Reason::kOwnerLeft, "key",
          key_.owner + " made it and is no member of " + out_.tenant +
              " any more, or has not proved that address (in the trial, or to the sign-in provider); name them again, "
              "have them sign in, or delete it");
    }
    const std::string end =
        key_.expires_at ? "it is valid until " + rfc3339(*key_.expires_at) : "it is valid and does not expire";
    out_.steps.push_back({.what = "key", .text = end});
  }

  void say_role() {
    using Kind = access::RoleOrigin::Kind;
    const auto origin = policy_.membership().origin_of_role(key_.caller->tenant, key_.owner);
    const std::string role = to_string(key_.caller->role);
    std::string text;
    if (key_.owner.empty()) {
      text = "the key has no owner, so it has the tenant's default role: " + role;
    } else if (origin.kind == Kind::kPerson) {
      text = key_.owner + " is a member of " + out_.tenant + ": " + role;
    } else if (origin.kind == Kind::kDomain) {
      text = key_.owner + " is of a domain whose people are members of " + out_.tenant + ": " + role;
    } else {
      text = key_.owner + " is no member of " + out_.tenant + ", so the key has the tenant's default role: " + role;
    }
    auto place = origin.place;
    if (place.file.empty()) place = access::built_in_place();
    out_.steps.push_back({.what = "person", .text = std::move(text), .place = std::move(place)});
  }

  void list_tools() {
    if (!is_let_in_) return;
    for (const auto* tool : registry_.tools())
      if (rights_->decide(facts_of(*tool), nullptr).allowed()) out_.tools.push_back(tool->name);
  }

  const plugin_runtime::Tool* find_tool(const std::string& name) {
    const auto* tool = registry_.find(name);
    if (tool != nullptr) {
      out_.steps.push_back({.what = "tool", .text = name + " is a tool of the plugin " + tool->plugin});
      return tool;
    }
    std::vector<std::string> names;
    for (const auto* each : registry_.tools()) names.push_back(each->name);
    std::string text = "no plugin that runs has a tool '" + name + "'";
    if (const auto near = similar_name(name, names)) {
      out_.did_you_mean = *near;
      text += "; did you mean '" + out_.did_you_mean + "'?";
    }
    refuse(Reason::kUnknownTool, "tool", std::move(text));
    return nullptr;
  }

  /// What the tool itself would say; no matter of rights.
  void ask_schema(const plugin_runtime::Tool& tool, const json::Value& arguments) {
    const auto violations = tool.input_schema.violations(arguments, 1);
    if (violations.empty()) return;
    out_.steps.push_back({.what = "schema",
                          .text = "the arguments do not fit the tool, which would answer: " + violations[0].message,
                          .passed = false});
  }

  const KnownKey& key_;
  const access::Policy& policy_;
  const plugin_runtime::ToolRegistry& registry_;
  const std::shared_ptr<const access::Rights> rights_;
  Explanation& out_;
  Reason reason_ = Reason::kAllowed;
  bool is_let_in_ = true;
};

/// "denied by role", "stopped by the limit tenant_rate", "unknown tool".
std::string verdict(const Explanation& explained) {
  const std::string& reason = explained.reason;
  if (explained.allowed) return "allowed";
  if (reason == "unknown_tool") return "unknown tool";
  if (reason.ends_with("_rate") || reason.ends_with("_concurrency")) {
    std::string limit = reason;
    std::replace(limit.begin(), limit.end(), '_', ' ');
    return "stopped by limit (" + limit + ")";
  }
  if (reason == "key_expired") return "denied by expiry";
  if (reason == "key_disabled" || reason == "owner_left") return "denied";
  if (reason == "plugin") return "denied by the plugins of the tenant";
  if (reason == "tool") return "denied by the lists of tools";
  return "denied by " + reason;
}

/// What decided, without the words that only the caller needs.
std::string_view sentence(const Explanation& explained) {
  constexpr std::string_view kForTheCaller = "Access denied: ";
  const std::string_view text = explained.message;
  return text.starts_with(kForTheCaller) ? text.substr(kForTheCaller.size()) : text;
}

std::string member_text(const json::Value& object, std::string_view key) {
  std::string_view text;
  if (json::find(object, key).get(text) != simdjson::SUCCESS) return {};
  return std::string(text);
}
bool member_flag(const json::Value& object, std::string_view key) {
  bool flag = false;
  return json::find(object, key).get(flag) == simdjson::SUCCESS && flag;
}

/// A step as it travels; its place is text already.
Step step_from(const json::Value& value) {
  Step step{
      .what = member_text(value, "what"), .text = member_text(value, "text"), .passed = member_flag(value, "passed")};
  step.place.file = member_text(value, "place");
  return step;
}

std::string place_of(const Step& step) {
  return step.place.file.empty() ? std::string() : step.place.text();
}

}  // namespace

Result<std::string> beginning_of_key(std::string_view given) {
  while (given.ends_with('.')) given.remove_suffix(1);  // as `key list` shows it
  if (given.empty() || !given.starts_with(kKeyStart.substr(0, std::min(given.size(), kKeyStart.size()))))
    return Error{Errc::kInvalidArgument, "a key begins with 'hdsk_'; 'toolhost key list' shows them", ""};
  if (given.size() <= access::kKeyPrefixLength) return std::string(given);
  const auto flaw = access::describe_malformed_key(given);
  if (flaw.empty()) return std::string(given.substr(0, access::kKeyPrefixLength));
  return Error{Errc::kInvalidArgument,
               "this is neither a key (" + std::string(flaw) + ") nor the beginning of its first " +
                   std::to_string(access::kKeyPrefixLength) + " characters; 'toolhost key list' shows them",
               ""};
}

Result<json::Value> parse_arguments(std::string_view text, json::Document& document) {
  const auto parsed = document.parse(text);
  if (!parsed) return Error{Errc::kInvalidArgument, "the arguments are no JSON: " + parsed.error().message, ""};
  if (parsed->is_object()) return *parsed;
  return Error{Errc::kInvalidArgument, "the arguments must be a JSON object, e.g. {\"title\": \"Printer\"}", ""};
}

Result<const KnownKey*> find_key(const std::vector<KnownKey>& keys, std::string_view given) {
  const auto beginning = beginning_of_key(given);
  if (!beginning) return beginning.error();
  std::vector<const KnownKey*> found;
  for (const auto& key : keys)
    if (std::string_view(key.caller->key_prefix).starts_with(*beginning)) found.push_back(&key);
  if (found.empty()) {
    return Error{Errc::kNotFound, "no key begins with '" + *beginning + "'; 'toolhost key list' shows those that exist",
                 ""};
  }
  if (found.size() == 1) return found.front();
  std::string matches;
  for (const auto* key : found) {
    matches += "\n" + key->caller->key_prefix + "... of tenant " + key->caller->tenant + " (\"" + key->name + "\")";
    if (matches.size() > 1'000) break;
  }
  return Error{Errc::kConflict, std::to_string(found.size()) + " keys begin with '" + *beginning + "':" + matches, ""};
}

Result<Explanation> explain(const std::vector<KnownKey>& keys, const access::Policy& policy,
                            const plugin_runtime::ToolRegistry& registry, const ExplainQuery& query,
                            std::chrono::system_clock::time_point now) {
  const auto key = find_key(keys, query.key);
  if (!key) return key.error();
  json::Document document;
  std::optional<json::Value> arguments;
  if (query.arguments) {
    const auto parsed = parse_arguments(*query.arguments, document);
    if (!parsed) return parsed.error();
    arguments = *parsed;
  }
  const Caller& caller = *(*key)->caller;
  Explanation explained{.key = caller.key_prefix,
                        .name = (*key)->name,
                        .tenant = caller.tenant,
                        .owner = (*key)->owner,
                        .role = to_string(caller.role),
                        .tool = query.tool,
                        .allowed = true,
                        .reason = access::to_string(Reason::kAllowed)};
  Questions(**key, policy, registry, explained).ask(query.tool, arguments ? &*arguments : nullptr, now);
  return explained;
}

std::string to_json(const Explanation& explained) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("key", explained.key).member("name", explained.name);
  json.member("tenant", explained.tenant).member("owner", explained.owner).member("role", explained.role);
  json.member("tool", explained.tool).key("allowed").boolean(explained.allowed);
  json.member("reason", explained.reason).member("place", explained.place).member("message", explained.message);
  if (!explained.did_you_mean.empty()) json.member("did_you_mean", explained.did_you_mean);
  json.key("steps").begin_array();
  for (const auto& step : explained.steps) {
    json.begin_object().member("what", step.what).key("passed").boolean(step.passed);
    json.member("text", step.text).member("place", place_of(step)).end_object();
  }
  json.end_array().key("tools").begin_array();
  for (const auto& tool : explained.tools) json.string(tool);
  json.end_array().end_object();
  return out;
}

Result<Explanation> explanation_from_json(std::string_view text) {
  json::Document document;
  const auto root = document.parse(text);
  json::Array steps, tools;
  if (!root || json::find(*root, "steps").get(steps) != simdjson::SUCCESS ||
      json::find(*root, "tools").get(tools) != simdjson::SUCCESS) {
    return Error{Errc::kInternal, "the host's answer is not understood; is it of another version?", ""};
  }
  Explanation explained{.key = member_text(*root, "key"),
                        .name = member_text(*root, "name"),
                        .tenant = member_text(*root, "tenant"),
                        .owner = member_text(*root, "owner"),
                        .role = member_text(*root, "role"),
                        .tool = member_text(*root, "tool"),
                        .allowed = member_flag(*root, "allowed"),
                        .reason = member_text(*root, "reason"),
                        .place = member_text(*root, "place"),
                        .message = member_text(*root, "message"),
                        .did_you_mean = member_text(*root, "did_you_mean")};
  for (const auto& step : steps) explained.steps.push_back(step_from(step));
  for (const auto& tool : tools) {
    std::string_view name;
    if (tool.get(name) == simdjson::SUCCESS) explained.tools.emplace_back(name);
  }
  return explained;
}

std::string to_text(const Explanation& explained, bool is_live) {
  std::string out = explained.key + "... \"" + printable(explained.name) + "\" of " +
                    (explained.owner.empty() ? "nobody" : printable(explained.owner)) + ", " + explained.role + " in " +
                    explained.tenant + "\n\n";
  std::vector<std::vector<std::string>> rows;
  for (const auto& step : explained.steps)
    rows.push_back({step.passed ? "  ok" : "  NO", step.what, step.text, place_of(step)});
  out += columns(rows);
  out += "\n" + printable(explained.tool) + ": " + verdict(explained);
  if (const auto text = sentence(explained); !text.empty()) out += ": " + printable(text);
  if (!explained.place.empty()) out += " (" + explained.place + ")";
  out += "\n";
  if (!is_live) out += "No host is running with this data directory: limits are shown as configured.\n";
  out += "Tools of this key (" + std::to_string(explained.tools.size()) + "):";
  for (const auto& tool : explained.tools) out += (&tool == &explained.tools.front() ? " " : ", ") + tool;
  return out + "\n";
}

}  // namespace toolhost::app
