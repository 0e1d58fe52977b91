#pragma once
#include <memory>
#include <string_view>
#include <vector>

#include "plugin_runtime/plugin_host.hpp"

namespace toolhost::plugin_runtime {

class PluginInstance;

/// What the serving plugins offer. Shares them, so that a call keeps its tool for as long as it keeps its registry.
class PluginRegistry final : public ToolRegistry {
 public:
  PluginRegistry(std::vector<std::shared_ptr<PluginInstance>> plugins, std::uint64_t generation);

  [[nodiscard]] std::span<const Tool* const> tools() const noexcept override { return tools_; }
  [[nodiscard]] const Tool* find(std::string_view name) const noexcept override;
  [[nodiscard]] std::span<const Resource* const> resources() const noexcept override { return resources_; }
  [[nodiscard]] std::span<const Resource* const> templates() const noexcept override { return templates_; }
  [[nodiscard]] std::span<const Prompt* const> prompts() const noexcept override { return prompts_; }
  [[nodiscard]] FoundResource find_resource(std::string_view uri) const override;
  [[nodiscard]] const Resource* find_template(std::string_view uri_template) const noexcept override;
  [[nodiscard]] const Prompt* find_prompt(std::string_view name) const noexcept override;
  [[nodiscard]] bool logs_to_clients(std::string_view plugin) const noexcept override;
  [[nodiscard]] std::uint64_t generation() const noexcept override { return generation_; }
  [[nodiscard]] const std::vector<std::shared_ptr<PluginInstance>>& plugins() const noexcept { return plugins_; }

 private:
  const std::vector<std::shared_ptr<PluginInstance>> plugins_;
  const std::uint64_t generation_;
  std::vector<std::string_view> logging_plugins_;  // ids
  std::vector<const Tool*> tools_;
  std::vector<const Resource*> resources_, templates_;
  std::vector<const Prompt*> prompts_;
};

}  // namespace toolhost::plugin_runtime
