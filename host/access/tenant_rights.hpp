#pragma once
#include <memory>
#include <string_view>
#include <vector>

#include "access/rights.hpp"
#include "access/tenant_policy.hpp"

namespace toolhost::access {

/// Rights as a Policy makes them: one role with one set of key scopes in one tenant.
class TenantRights final : public Rights {
 public:
  TenantRights(std::shared_ptr<const TenantPolicy> policy, Role role, Scopes key_scopes);

  [[nodiscard]] Decision decide(const ToolFacts& tool, const json::Value* arguments, Trace* trace) const override;
  [[nodiscard]] bool looks_at_arguments(const ToolFacts& tool) const override;
  [[nodiscard]] const ToolText* text_of(std::string_view tool) const override;
  [[nodiscard]] const std::vector<ToolText>& texts() const override { return policy_->config.texts; }
  [[nodiscard]] bool read_only() const override;
  [[nodiscard]] std::size_t max_request() const override;
  [[nodiscard]] std::size_t max_result() const override;
  [[nodiscard]] std::size_t max_streams() const override;
  [[nodiscard]] ArgumentsInAudit arguments_in_audit() const override;

  /// Whether the key's list of tools is find-and-call.
  [[nodiscard]] bool finds_tools() const noexcept { return finds_tools_; }
  [[nodiscard]] bool lists_like(const TenantRights& other) const;

 private:
  [[nodiscard]] const Scopes& role_scopes() const;

  const std::shared_ptr<const TenantPolicy> policy_;
  const Role role_;
  const bool finds_tools_;
  const Scopes key_scopes_;
  std::vector<const CompiledRule*> hiding_rules_, argument_rules_;  ///< those of this role; in policy_
};

/// What a key holds beside its scopes when its list of tools is to be find-and-call: it stands among them, bounds
/// nothing, and no pattern looks like it.
inline constexpr std::string_view kFindsTools = "list:find";
/// Whether rights are those of such a key.
bool finds_tools(const Rights& rights) noexcept;

/// Whether a client would be shown the same tools, with the same texts, for both; places do not count.
bool list_alike(const Rights& left, const Rights& right);

}  // namespace toolhost::access
