#include "protocol/tool_views.hpp"

#include <algorithm>

#include "access/tenant_rights.hpp"
#include "protocol/find_and_call.hpp"

namespace toolhost::protocol {
namespace {

using access::Rights;
using plugin_runtime::Tool;
using plugin_runtime::ToolRegistry;

constexpr std::size_t kRemembered = 16;  // encodings with texts; more are looked through when their number has doubled

std::array<std::string, kListingFamilies> encode(const Tool& tool, const access::ToolText* text) {
  ToolDescription description{.name = tool.name,
                              .title = tool.title,
                              .description = tool.description,
                              .input_schema_json = tool.input_schema_json,
                              .output_schema_json = tool.output_schema_json,
                              .meta_json = tool.meta_json,
                              .icons_json = tool.icons_json,
                              .read_only = tool.read_only,
                              .destructive = tool.destructive,
                              .idempotent = tool.idempotent,
                              .open_world = tool.open_world};
  if (text != nullptr && text->title) description.title = *text->title;
  if (text != nullptr && text->description) description.description = *text->description;
  std::array<std::string, kListingFamilies> encoded;
  for (std::size_t family = 0; family < encoded.size(); ++family)
    encoded[family] = encode_tool(description, static_cast<ListingFamily>(family));
  return encoded;
}

/// Equal for equal texts only.
std::string key_of(const std::vector<access::ToolText>& texts) {
  std::string key;
  const auto add = [&](const std::optional<std::string>& text) {
    key += text ? std::to_string(text->size()) + ':' + *text : "-";
  };
  for (const auto& text : texts) {
    add(text.tool);
    add(text.title);
    add(text.description);
  }
  return key;
}

}  // namespace

EncodedTools::EncodedTools(const ToolRegistry& registry, const Rights* rights,
                           std::shared_ptr<const EncodedTools> plain)
    : plain_(std::move(plain)) {
  for (const Tool* tool : registry.tools()) {
    const auto* const text = plain_ == nullptr ? nullptr : rights->text_of(tool->name);
    if (plain_ == nullptr || text != nullptr) tools_.emplace(tool, encode(*tool, text));
  }
}

const std::string& EncodedTools::of(const Tool& tool, ListingFamily family) const {
  const auto found = tools_.find(&tool);
  if (found == tools_.end()) return plain_->of(tool, family);
  return found->second[static_cast<std::size_t>(family)];
}

const ToolView::Entry* ToolView::find(std::string_view name) const noexcept {
  const auto found =
      std::lower_bound(entries.begin(), entries.end(), name,
                       [](const Entry& entry, std::string_view wanted) { return entry.tool->name < wanted; });
  return found != entries.end() && found->tool->name == name ? &*found : nullptr;
}

access::ToolFacts facts_of(const Tool& tool) noexcept {
  return {.name = tool.name, .plugin = tool.plugin, .read_only = tool.read_only};
}

const ToolView& ToolViews::of(const Caller& caller, const ToolRegistry& registry) {
  return views_.of(caller, registry, [&](const std::shared_ptr<const Rights>& rights) {
    auto view = std::make_shared<ToolView>();
    for (const Tool* tool : registry.tools()) {
      const auto facts = facts_of(*tool);
      if (rights == nullptr)
        view->entries.push_back({tool, false});
      else if (rights->decide(facts, nullptr).allowed())
        view->entries.push_back({tool, rights->looks_at_arguments(facts)});
    }
    view->encoded = encoded(rights.get(), registry);
    if (rights != nullptr && access::finds_tools(*rights))
      view->index = std::make_shared<ToolIndex>(view->entries, rights.get());
    return view;
  });
}

std::shared_ptr<const EncodedTools> ToolViews::encoded(const Rights* rights, const ToolRegistry& registry) {
  const std::lock_guard lock(mutex_);
  if (plain_ == nullptr || encoded_generation_ != registry.generation()) {
    plain_ = std::make_shared<EncodedTools>(registry, nullptr, nullptr);
    encoded_generation_ = registry.generation();
    with_texts_.clear();
  }
  if (rights == nullptr || rights->texts().empty()) return plain_;
  if (with_texts_.size() >= forget_at_) {
    std::erase_if(with_texts_, [](const auto& known) { return known.second.expired(); });
    forget_at_ = std::max(with_texts_.size() * 2, kRemembered);
  }
  auto& known = with_texts_[key_of(rights->texts())];
  auto encoded = known.lock();
  if (encoded == nullptr) known = encoded = std::make_shared<EncodedTools>(registry, rights, plain_);
  return encoded;
}

}  // namespace toolhost::protocol
