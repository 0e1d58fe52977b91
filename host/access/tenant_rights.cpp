#include "access/tenant_rights.hpp"

#include <algorithm>
#include <limits>

#include "access/tool_pattern.hpp"

namespace toolhost::access {
namespace {

const Scope* scope_named(const Scopes& scopes, std::string_view name) {
  const auto found = std::find_if(scopes.begin(), scopes.end(), [&](const auto& each) { return each.text == name; });
  return found == scopes.end() ? nullptr : &*found;
}

Scopes without(Scopes scopes, std::string_view name) {
  std::erase_if(scopes, [&](const Scope& scope) { return scope.text == name; });
  return scopes;
}

bool is_pattern(const Scope& scope) {
  return scope.text != "read" && scope.text != "write";
}

bool leave_only_reading(const Scopes& scopes) {
  return scope_named(scopes, "read") != nullptr && scope_named(scopes, "write") == nullptr;
}

/// What a set of scopes says of a tool.
struct Verdict {
  bool passed = true;
  const Scope* scope = nullptr;  ///< that decided; null: there are none
};

Verdict judge(const Scopes& scopes, const ToolFacts& tool) {
  const Scope* read = scope_named(scopes, "read");
  const Scope* write = scope_named(scopes, "write");
  if (read != nullptr && write == nullptr && !tool.read_only) return {false, read};
  const auto pattern = std::find_if(scopes.begin(), scopes.end(), is_pattern);
  if (pattern == scopes.end()) return {true, write != nullptr ? write : read};
  const auto matching = std::find_if(
      pattern, scopes.end(), [&](const Scope& scope) { return is_pattern(scope) && matches(scope.text, tool); });
  return matching == scopes.end() ? Verdict{false, &*pattern} : Verdict{true, &*matching};
}

std::string explain(const Verdict& verdict, const Scopes& scopes, const ToolFacts& tool) {
  const std::string name(tool.name);
  if (verdict.scope == nullptr) return "no scopes: nothing is held back";
  if (verdict.passed && is_pattern(*verdict.scope)) return "'" + verdict.scope->text + "' matches " + name;
  if (verdict.passed) return "'" + verdict.scope->text + "' lets " + name + " through";
  if (is_pattern(*verdict.scope)) {
    Scopes patterns = scopes;
    std::erase_if(patterns, [](const Scope& scope) { return !is_pattern(scope); });
    return "none of " + quoted_list(patterns) + " matches " + name;
  }
  return "'read' lets through only tools that declare that they are read-only; " + name + " does not";
}

/// The place of the first entry, for when none of them matched.
const SourcePlace& place_of(const ToolPatterns& patterns, const SourcePlace& otherwise) {
  return patterns.empty() ? otherwise : patterns.front().place;
}

/// Collects what one decision comes to.
class Review {
 public:
  explicit Review(Trace* trace) : trace_(trace) {}

  /// One step; `text` is called when somebody reads it.
  template <class Text>
  void step(Reason reason, std::string_view what, bool passed, const SourcePlace& place, const Text& text) {
    if (trace_ != nullptr) trace_->push_back({std::string(what), text(), place, passed});
    if (passed || !decision_.allowed()) return;
    decision_.reason = reason;
    decision_.place = place;
  }
  [[nodiscard]] bool is_over() const { return trace_ == nullptr && !decision_.allowed(); }
  [[nodiscard]] bool is_traced() const { return trace_ != nullptr; }
  Decision& decision() { return decision_; }

 private:
  Trace* const trace_;
  Decision decision_;
};

void look_at_plugin(Review& review, const TenantPolicyConfig& config, const ToolFacts& tool) {
  const auto& plugins = *config.plugins;
  const auto found =
      std::find_if(plugins.begin(), plugins.end(), [&](const auto& each) { return is_like(tool.plugin, each.text); });
  const bool passed = found != plugins.end();
  review.step(Reason::kPlugin, "plugins of the tenant", passed, passed ? found->place : place_of(plugins, config.place),
              [&] {
                const std::string plugin(tool.plugin);
                if (passed) return "'" + found->text + "' matches the plugin " + plugin;
                return plugins.empty() ? "the list is empty, so the plugin " + plugin + " does not exist here"
                                       : "none of " + quoted_list(plugins) + " matches the plugin " + plugin;
              });
}

void look_at_lists(Review& review, const TenantPolicyConfig& config, const ToolFacts& tool) {
  const std::string_view name = tool.name;
  const ToolPattern* allowed = first_match(*config.allow, tool);
  review.step(Reason::kTool, "allow list", allowed != nullptr,
              allowed != nullptr ? allowed->place : place_of(*config.allow, config.place), [&] {
                if (allowed != nullptr) return "'" + allowed->text + "' matches " + std::string(name);
                return config.allow->empty()
                           ? "it is empty, so no tool is allowed"
                           : "none of " + quoted_list(*config.allow) + " matches " + std::string(name);
              });
  if (review.is_over()) return;
  const ToolPattern* denied = first_match(config.deny, tool);
  review.step(Reason::kTool, "deny list", denied == nullptr, denied != nullptr ? denied->place : SourcePlace{}, [&] {
    if (denied != nullptr)
      return "'" + denied->text + "' matches " + std::string(name) + ", and what is denied stays denied";
    return config.deny.empty() ? std::string("it is empty") : "nothing in it matches " + std::string(name);
  });
}

void look_at_scopes(Review& review, Reason reason, std::string_view what, const Scopes& scopes, const ToolFacts& tool) {
  const Verdict verdict = judge(scopes, tool);
  review.step(reason, what, verdict.passed, verdict.scope != nullptr ? verdict.scope->place : SourcePlace{},
              [&] { return explain(verdict, scopes, tool); });
}

void look_at_role_denials(Review& review, std::string_view what, const RoleConfig& role, const ToolFacts& tool) {
  if (role.deny.empty()) return;
  const ToolPattern* denied = first_match(role.deny, tool);
  review.step(Reason::kRole, what, denied == nullptr, denied != nullptr ? denied->place : role.deny.front().place, [&] {
    return denied != nullptr ? "its deny list has '" + denied->text + "', which matches " + std::string(tool.name)
                             : "nothing in its deny list matches " + std::string(tool.name);
  });
}

std::string text_of(const std::vector<ArgumentCondition>& conditions) {
  std::string text;
  for (const auto& condition : conditions) text += (text.empty() ? "" : " and ") + condition.text();
  return text;
}

std::string too_long(const ArgumentCondition& condition) {
  return condition.argument() + " is too long to be looked at by a rule of the tenant (more than " +
         std::to_string(ArgumentCondition::kMaxMatchedBytes / 1024) + " KiB)";
}

void look_at_hiding_rule(Review& review, const CompiledRule& rule, Role role, const ToolFacts& tool) {
  review.step(Reason::kRule, "rule", false, rule.config->place, [&] {
    const auto& because = rule.config->because;
    return "it takes " + std::string(tool.name) + " from the role " + to_string(role) +
           (because.empty() ? "" : ": " + because);
  });
}

void look_at_argument_rule(Review& review, const CompiledRule& rule, const ToolFacts& tool,
                           const json::Value* arguments) {
  const auto& conditions = rule.conditions;
  const bool refused = arguments != nullptr && std::all_of(conditions.begin(), conditions.end(),
                                                           [&](const auto& each) { return each.holds(*arguments); });
  const auto unseen = refused ? std::find_if(conditions.begin(), conditions.end(),
                                             [&](const auto& each) { return each.is_too_long(*arguments); })
                              : conditions.end();
  const bool is_first = review.decision().allowed();
  review.step(Reason::kRule, kRuleAboutArguments, !refused, rule.config->place, [&] {
    const std::string text = "it refuses calls where " + text_of(conditions);
    if (arguments == nullptr) return text + "; that is asked of each call";
    if (unseen != conditions.end()) return text + "; " + too_long(*unseen) + ", which counts as matching";
    return text + (refused ? "; so it is here" : "; not so here");
  });
  if (!refused || !is_first) return;
  const auto& because = rule.config->because;
  review.decision().message =
      "Access denied: " + (unseen != conditions.end() ? "the argument " + too_long(*unseen)
                           : because.empty() ? std::string(tool.name) + " may not be called when " + text_of(conditions)
                                             : because);
}

/// Of patterns or scopes.
template <class List>
bool have_same_texts(const List& left, const List& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](const auto& a, const auto& b) { return a.text == b.text; });
}

bool are_alike(const std::vector<ToolText>& left, const std::vector<ToolText>& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](const auto& a, const auto& b) {
    return a.tool == b.tool && a.title == b.title && a.description == b.description;
  });
}

bool are_alike(const std::vector<const CompiledRule*>& left, const std::vector<const CompiledRule*>& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](const auto* a, const auto* b) { return have_same_texts(a->config->tools, b->config->tools); });
}

}  // namespace

TenantRights::TenantRights(std::shared_ptr<const TenantPolicy> policy, Role role, Scopes key_scopes)
    : policy_(std::move(policy)),
      role_(role),
      finds_tools_(scope_named(key_scopes, kFindsTools) != nullptr),
      key_scopes_(without(std::move(key_scopes), kFindsTools)) {
  for (const CompiledRule& rule : policy_->rules) {
    if (!rule.concerns(role_)) continue;
    (rule.conditions.empty() ? hiding_rules_ : argument_rules_).push_back(&rule);
  }
}

Decision TenantRights::decide(const ToolFacts& tool, const json::Value* arguments, Trace* trace) const {
  Review review(trace);
  look_at_plugin(review, policy_->config, tool);
  if (!review.is_over()) look_at_lists(review, policy_->config, tool);
  if (!review.is_over()) {
    const std::string role = trace != nullptr ? std::string("role ") + to_string(role_) : std::string();
    look_at_scopes(review, Reason::kRole, role, role_scopes(), tool);
    if (!review.is_over()) look_at_role_denials(review, role, policy_->role(role_), tool);
  }
  if (!review.is_over()) look_at_scopes(review, Reason::kScope, "scopes of the key", key_scopes_, tool);
  for (const CompiledRule* rule : hiding_rules_) {
    if (!review.is_over() && rule->concerns(tool)) look_at_hiding_rule(review, *rule, role_, tool);
  }
  if (arguments == nullptr && !review.is_traced()) return std::move(review.decision());
  for (const CompiledRule* rule : argument_rules_) {
    if (!review.is_over() && rule->concerns(tool)) look_at_argument_rule(review, *rule, tool, arguments);
  }
  return std::move(review.decision());
}

bool TenantRights::looks_at_arguments(const ToolFacts& tool) const {
  return std::any_of(argument_rules_.begin(), argument_rules_.end(),
                     [&](const CompiledRule* rule) { return rule->concerns(tool); });
}

const ToolText* TenantRights::text_of(std::string_view tool) const {
  const auto found = std::lower_bound(texts().begin(), texts().end(), tool,
                                      [](const ToolText& text, std::string_view name) { return text.tool < name; });
  return found != texts().end() && found->tool == tool ? &*found : nullptr;
}

bool TenantRights::read_only() const {
  return leave_only_reading(role_scopes()) || leave_only_reading(key_scopes_);
}

std::size_t TenantRights::max_request() const {
  return policy_->config.limits.max_request.value_or(std::numeric_limits<std::size_t>::max());
}

std::size_t TenantRights::max_result() const {
  return policy_->config.limits.max_result.value_or(std::numeric_limits<std::size_t>::max());
}

std::size_t TenantRights::max_streams() const {
  const auto& limit = policy_->config.limits.max_streams;
  return limit ? *limit : std::numeric_limits<std::size_t>::max();
}

ArgumentsInAudit TenantRights::arguments_in_audit() const {
  return *policy_->config.arguments_in_audit;
}

bool TenantRights::lists_like(const TenantRights& other) const {
  const auto &mine = policy_->config, &others = other.policy_->config;
  return have_same_texts(*mine.plugins, *others.plugins) && have_same_texts(*mine.allow, *others.allow) &&
         have_same_texts(mine.deny, others.deny) && have_same_texts(role_scopes(), other.role_scopes()) &&
         have_same_texts(policy_->role(role_).deny, other.policy_->role(other.role_).deny) &&
         have_same_texts(key_scopes_, other.key_scopes_) && finds_tools_ == other.finds_tools_ &&
         are_alike(hiding_rules_, other.hiding_rules_) && are_alike(mine.texts, others.texts);
}

const Scopes& TenantRights::role_scopes() const {
  return *policy_->role(role_).scopes;
}

bool finds_tools(const Rights& rights) noexcept {
  const auto* of_tenant = dynamic_cast<const TenantRights*>(&rights);
  return of_tenant != nullptr && of_tenant->finds_tools();
}

bool list_alike(const Rights& left, const Rights& right) {
  const auto* a = dynamic_cast<const TenantRights*>(&left);
  const auto* b = dynamic_cast<const TenantRights*>(&right);
  return &left == &right || (a != nullptr && b != nullptr && a->lists_like(*b));
}

}  // namespace toolhost::access
