#include "plugin_runtime/plugin_registry.hpp"

#include <algorithm>

#include "plugin_runtime/plugin_instance.hpp"

namespace toolhost::plugin_runtime {
namespace {

void sort_by_name(auto& offers) {
  std::sort(offers.begin(), offers.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
}

/// In a list that is sorted by name; null when there is none.
template <class Offer>
const Offer* named(const std::vector<const Offer*>& offers, std::string_view name) noexcept {
  const auto found = std::lower_bound(offers.begin(), offers.end(), name,
                                      [](const Offer* offer, std::string_view wanted) { return offer->name < wanted; });
  return found != offers.end() && (*found)->name == name ? *found : nullptr;
}

const Resource* with_uri(const std::vector<const Resource*>& resources, std::string_view uri) noexcept {
  const auto found = std::find_if(resources.begin(), resources.end(),
                                  [uri](const Resource* resource) { return resource->uri == uri; });
  return found == resources.end() ? nullptr : *found;
}

bool uses_client(const PluginDefinition& definition) {
  return std::any_of(definition.services.begin(), definition.services.end(),
                     [](std::string_view id) { return id == TH_SVC_CLIENT || id == "?" TH_SVC_CLIENT; });
}

}  // namespace

PluginRegistry::PluginRegistry(std::vector<std::shared_ptr<PluginInstance>> plugins, std::uint64_t generation)
    : plugins_(std::move(plugins)), generation_(generation) {
  for (const auto& plugin : plugins_) {
    const auto& definition = plugin->definition();
    if (uses_client(definition)) logging_plugins_.push_back(definition.id);
    for (const auto& tool : definition.tools) tools_.push_back(&tool.tool);
    for (const auto& offered : definition.resources)
      (offered.resource.uri_template ? templates_ : resources_).push_back(&offered.resource);
    for (const auto& offered : definition.prompts) prompts_.push_back(&offered.prompt);
  }
  sort_by_name(tools_);
  sort_by_name(resources_);
  sort_by_name(templates_);
  sort_by_name(prompts_);
}

const Tool* PluginRegistry::find(std::string_view name) const noexcept {
  return named(tools_, name);
}

FoundResource PluginRegistry::find_resource(std::string_view uri) const {
  if (const auto* const resource = with_uri(resources_, uri)) return {.resource = resource, .variables = {}};
  for (const auto* const candidate : templates_)
    if (auto variables = candidate->uri_template->match(uri))
      return {.resource = candidate, .variables = std::move(*variables)};
  return {};
}

const Resource* PluginRegistry::find_template(std::string_view uri_template) const noexcept {
  return with_uri(templates_, uri_template);
}

const Prompt* PluginRegistry::find_prompt(std::string_view name) const noexcept {
  return named(prompts_, name);
}

bool PluginRegistry::logs_to_clients(std::string_view plugin) const noexcept {
  return std::find(logging_plugins_.begin(), logging_plugins_.end(), plugin) != logging_plugins_.end();
}

}  // namespace toolhost::plugin_runtime
