#include "access/token_grant.hpp"

#include <algorithm>

namespace toolhost::access {
namespace {

class AnyOf final : public Rights {
 public:
  explicit AnyOf(std::vector<RightsPtr> each) : each_(std::move(each)) {}

  Decision decide(const ToolFacts& tool, const json::Value* arguments, Trace* trace) const override {
    // Rules and limits are the same in all of them: one that passes the scopes speaks for the call.
    for (const auto& rights : each_) {
      auto decision = rights->decide(tool, arguments, nullptr);
      if (decision.reason != Reason::kScope)
        return trace == nullptr ? decision : rights->decide(tool, arguments, trace);
    }
    return each_.front()->decide(tool, arguments, trace);
  }
  bool looks_at_arguments(const ToolFacts& tool) const override { return each_.front()->looks_at_arguments(tool); }
  const ToolText* text_of(std::string_view tool) const override { return each_.front()->text_of(tool); }
  const std::vector<ToolText>& texts() const override { return each_.front()->texts(); }
  bool read_only() const override {
    return std::ranges::all_of(each_, [](const auto& rights) { return rights->read_only(); });
  }
  std::size_t max_request() const override { return each_.front()->max_request(); }
  std::size_t max_result() const override { return each_.front()->max_result(); }
  std::size_t max_streams() const override { return each_.front()->max_streams(); }
  ArgumentsInAudit arguments_in_audit() const override { return each_.front()->arguments_in_audit(); }

 private:
  const std::vector<RightsPtr> each_;
};

bool is_granted(const TokenScopes& scopes, const std::string& name) {
  return std::ranges::find(scopes.granted, name) != scopes.granted.end();
}

bool opens(const ScopedRights& scope, const ToolFacts& tool) {
  return scope.opens->decide(tool, nullptr).allowed();
}

class TokenGrant final : public Grant {
 public:
  TokenGrant(std::shared_ptr<const Grant> counted, TokenScopes scopes)
      : counted_(std::move(counted)), scopes_(std::move(scopes)) {}

  const RightsPtr& rights() const noexcept override { return counted_->rights(); }

  std::optional<Refusal> admit(const ToolFacts& tool, Clock::time_point now, Admission& admission) const override {
    if (auto lacking = lacks(tool)) return lacking;
    return counted_->admit(tool, now, admission);
  }
  Decision look(const ToolFacts& tool, Clock::time_point now, Trace& trace) const override {
    if (auto lacking = lacks(tool)) return std::move(lacking->decision);
    return counted_->look(tool, now, trace);
  }

 private:
  [[nodiscard]] std::optional<Refusal> lacks(const ToolFacts& tool) const {
    const ScopedRights* needed = nullptr;
    for (const auto& scope : scopes_.all) {
      const bool is_ours = is_granted(scopes_, scope.name);
      if (!is_ours && needed != nullptr) continue;
      if (!opens(scope, tool)) continue;
      if (is_ours) return std::nullopt;
      needed = &scope;
    }
    Refusal refusal{.decision = {.reason = Reason::kScope, .message = "Access denied: no scope opens this."}};
    if (needed == nullptr) return refusal;
    refusal.decision.message = "Access denied: this takes the scope " + needed->name +
                               ", which the access token does not have. Let the assistant ask for it, and agree.";
    // Those that it has are named again: what a client asks for replaces what it had.
    std::string wanted;
    for (const auto& name : scopes_.granted) wanted.append(name).append(" ");
    refusal.challenge = scopes_.challenge(wanted + needed->name);
    return refusal;
  }

  const std::shared_ptr<const Grant> counted_;
  const TokenScopes scopes_;
};

}  // namespace

RightsPtr any_of(std::vector<RightsPtr> each) {
  if (each.size() == 1) return std::move(each.front());
  return std::make_shared<const AnyOf>(std::move(each));
}

std::shared_ptr<const Grant> make_token_grant(std::shared_ptr<const Grant> counted, TokenScopes scopes) {
  return std::make_shared<const TokenGrant>(std::move(counted), std::move(scopes));
}

bool opens_only_reading(const TokenScopes& scopes) {
  return std::ranges::all_of(scopes.all, [&](const ScopedRights& scope) {
    return !is_granted(scopes, scope.name) || scope.opens->read_only();
  });
}

}  // namespace toolhost::access
