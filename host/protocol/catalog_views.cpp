#include "protocol/catalog_views.hpp"

#include <algorithm>
#include <functional>

#include "protocol/encode_results.hpp"
#include "protocol/list_cursor.hpp"

namespace toolhost::protocol {
namespace {

using plugin_runtime::Prompt;
using plugin_runtime::Resource;
using plugin_runtime::Tool;
using plugin_runtime::ToolRegistry;

template <class Encode>
std::array<std::string, kListingFamilies> encode_all(Encode encode) {
  std::array<std::string, kListingFamilies> encoded;
  for (std::size_t family = 0; family < encoded.size(); ++family)
    encoded[family] = encode(static_cast<ListingFamily>(family));
  return encoded;
}

ListedItem list_resource(const Resource& resource) {
  return {resource.name, &resource.read,
          encode_all([&](ListingFamily family) { return encode_resource(resource, family); })};
}

ListedItem list_prompt(const Prompt& prompt) {
  return {prompt.name, &prompt.get, encode_all([&](ListingFamily family) { return encode_prompt(prompt, family); })};
}

/// What becomes of the view's handlers by the rights of its callers; null: all of them.
struct Visible {
  const access::Rights* rights;
  CatalogView& view;

  [[nodiscard]] bool has(const Tool& handler) const {
    return rights == nullptr || rights->decide(facts_of(handler), nullptr).allowed();
  }
  [[nodiscard]] bool add(const Tool& handler) const {
    if (!has(handler)) return false;
    view.handlers.push_back({&handler, rights != nullptr && rights->looks_at_arguments(facts_of(handler))});
    return true;
  }
  void add_all(const std::vector<ListedItem>& items, CatalogView::List& list) const {
    for (const auto& item : items)
      if (add(*item.tool)) list.push_back(&item);
  }
  /// Of something that exists for the callers.
  void add_completion(const std::optional<Tool>& complete) const {
    if (complete && add(*complete)) view.has_completions = true;
  }
  /// Behind the handlers: whether one of them, or a tool, is of a plugin that sends log messages.
  [[nodiscard]] bool has_logging(const ToolRegistry& registry) const {
    return std::ranges::any_of(view.handlers,
                               [&](const auto& entry) { return registry.logs_to_clients(entry.tool->plugin); }) ||
           std::ranges::any_of(registry.tools(),
                               [&](const Tool* tool) { return registry.logs_to_clients(tool->plugin) && has(*tool); });
  }
};

bool is_before(const ToolView::Entry& entry, const Tool* tool) noexcept {
  return std::less<>()(entry.tool, tool);
}

}  // namespace

EncodedCatalog::EncodedCatalog(const ToolRegistry& registry) {
  for (const Resource* resource : registry.resources()) resources.push_back(list_resource(*resource));
  for (const Resource* resource : registry.templates()) templates.push_back(list_resource(*resource));
  for (const Prompt* prompt : registry.prompts()) prompts.push_back(list_prompt(*prompt));
}

Result<std::string> CatalogViews::resources_page(const Caller& caller, const ToolRegistry& registry,
                                                 const ResultStyle& style, std::optional<std::string_view> cursor) {
  return page("resources", of(caller, registry).resources, style, cursor);
}

Result<std::string> CatalogViews::templates_page(const Caller& caller, const ToolRegistry& registry,
                                                 const ResultStyle& style, std::optional<std::string_view> cursor) {
  return page("resourceTemplates", of(caller, registry).templates, style, cursor);
}

Result<std::string> CatalogViews::prompts_page(const Caller& caller, const ToolRegistry& registry,
                                               const ResultStyle& style, std::optional<std::string_view> cursor) {
  return page("prompts", of(caller, registry).prompts, style, cursor);
}

Result<std::string> CatalogViews::page(std::string_view name, const CatalogView::List& list, const ResultStyle& style,
                                       std::optional<std::string_view> cursor) const {
  auto found = find_page(std::span(list), page_size_, cursor, [](const ListedItem* const& item) { return item->name; });
  if (!found) return found.error();
  const auto family = static_cast<std::size_t>(listing_family(style.revision));
  std::vector<const std::string*> items;
  items.reserve(found->items.size());
  for (const auto* item : found->items) items.push_back(&item->encoded[family]);
  return encode_page(name, items, found->next_cursor, style);
}

ServerCapabilities CatalogViews::capabilities(const Caller& caller, const ToolRegistry& registry) {
  const CatalogView& view = of(caller, registry);
  return {.resources = !view.resources.empty() || !view.templates.empty(),
          .prompts = !view.prompts.empty(),
          .completions = view.has_completions,
          .logging = view.has_logging};
}

ToolView::Entry CatalogViews::find(const Caller& caller, const ToolRegistry& registry, const Tool& handler) {
  const auto& handlers = of(caller, registry).handlers;
  const auto found = std::lower_bound(handlers.begin(), handlers.end(), &handler, is_before);
  return found != handlers.end() && found->tool == &handler ? *found : ToolView::Entry{};
}

const CatalogView& CatalogViews::of(const Caller& caller, const ToolRegistry& registry) {
  return views_.of(caller, registry, [&](const std::shared_ptr<const access::Rights>& rights) {
    auto view = std::make_shared<CatalogView>();
    view->encoded = encoded(registry);
    const Visible visible{rights.get(), *view};
    visible.add_all(view->encoded->resources, view->resources);
    visible.add_all(view->encoded->templates, view->templates);
    visible.add_all(view->encoded->prompts, view->prompts);
    for (const Resource* one : registry.templates()) visible.add_completion(one->complete);
    for (const Prompt* one : registry.prompts()) visible.add_completion(one->complete);
    view->has_logging = visible.has_logging(registry);
    std::sort(view->handlers.begin(), view->handlers.end(),
              [](const auto& a, const auto& b) { return std::less<>()(a.tool, b.tool); });
    return view;
  });
}

std::shared_ptr<const EncodedCatalog> CatalogViews::encoded(const ToolRegistry& registry) {
  const std::lock_guard lock(mutex_);
  if (encoded_ == nullptr || encoded_generation_ != registry.generation()) {
    encoded_ = std::make_shared<EncodedCatalog>(registry);
    encoded_generation_ = registry.generation();
  }
  return encoded_;
}

}  // namespace toolhost::protocol
