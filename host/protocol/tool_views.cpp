#include "protocol/tool_views.hpp"

#include <algorithm>
#include <atomic>

#include "access/grant.hpp"

namespace toolhost::protocol {
namespace {

using access::Rights;
using plugin_runtime::Tool;
using plugin_runtime::ToolRegistry;

constexpr std::size_t kRemembered = 16;  // views; more are looked through whenever their number has doubled
constexpr std::size_t kSlots = 64;       // of each thread

/// What a thread has seen lately.
struct Slot {
  std::uint64_t owner = 0;
  std::uint64_t generation = 0;
  std::weak_ptr<const Rights> rights;
  std::shared_ptr<const ToolView> view;
};

/// The same object, not only one that came to the same address.
bool is_same(const std::weak_ptr<const Rights>& known, const std::shared_ptr<const Rights>& rights) noexcept {
  return !known.owner_before(rights) && !rights.owner_before(known);
}

std::size_t slot_of(const Rights* rights) noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(rights);
  return (address >> 4 ^ address >> 10 ^ address >> 16) % kSlots;
}

std::array<std::string, kListingFamilies> encode(const Tool& tool, const access::ToolText* text) {
  ToolDescription description{.name = tool.name,
                              .title = tool.title,
                              .description = tool.description,
                              .input_schema_json = tool.input_schema_json,
                              .output_schema_json = tool.output_schema_json,
                              .meta_json = tool.meta_json,
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

ToolViews::ToolViews()
    : number_([] {
        static std::atomic<std::uint64_t> last{0};
        return ++last;
      }()),
      forget_at_(kRemembered) {}

const ToolView& ToolViews::of(const Caller& caller, const ToolRegistry& registry) {
  static const RightsPtr kNone;
  thread_local std::array<Slot, kSlots> slots;
  const RightsPtr& rights = caller.grant == nullptr ? kNone : caller.grant->rights();
  Slot& slot = slots[slot_of(rights.get())];
  if (slot.owner == number_ && slot.generation == registry.generation() && is_same(slot.rights, rights))
    return *slot.view;
  // After a reload every thread comes here: what belongs to rights that are gone goes now.
  for (Slot& other : slots)
    if (other.rights.expired()) other = {};
  slot.view = find_or_make(rights, registry);
  slot.rights = rights;
  slot.generation = registry.generation();
  slot.owner = number_;
  return *slot.view;
}

std::size_t ToolViews::size() const {
  const std::lock_guard lock(mutex_);
  return known_.size();
}

ToolViews::ViewPtr ToolViews::find_or_make(const RightsPtr& rights, const ToolRegistry& registry) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(rights.get());
    if (found != known_.end() && found->second.generation == registry.generation() &&
        is_same(found->second.rights, rights))
      return found->second.view;
  }
  // Without the lock: threads that need other views do not wait for this one. Two may make the same; one stays.
  auto view = std::make_shared<ToolView>();
  for (const Tool* tool : registry.tools()) {
    const auto facts = facts_of(*tool);
    if (rights == nullptr)
      view->entries.push_back({tool, false});
    else if (rights->decide(facts, nullptr).allowed())
      view->entries.push_back({tool, rights->looks_at_arguments(facts)});
  }
  view->encoded = encoded(rights.get(), registry);
  const std::lock_guard lock(mutex_);
  if (known_.size() >= forget_at_) forget_what_is_gone();
  known_[rights.get()] = {rights, registry.generation(), view};
  return view;
}

std::shared_ptr<const EncodedTools> ToolViews::encoded(const Rights* rights, const ToolRegistry& registry) {
  const std::lock_guard lock(mutex_);
  if (plain_ == nullptr || encoded_generation_ != registry.generation()) {
    plain_ = std::make_shared<EncodedTools>(registry, nullptr, nullptr);
    encoded_generation_ = registry.generation();
    with_texts_.clear();
  }
  if (rights == nullptr || rights->texts().empty()) return plain_;
  auto& known = with_texts_[key_of(rights->texts())];
  auto encoded = known.lock();
  if (encoded == nullptr) known = encoded = std::make_shared<EncodedTools>(registry, rights, plain_);
  return encoded;
}

/// With mutex_ held.
void ToolViews::forget_what_is_gone() {
  std::erase_if(known_, [](const auto& known) { return known.first != nullptr && known.second.rights.expired(); });
  std::erase_if(with_texts_, [](const auto& known) { return known.second.expired(); });
  forget_at_ = std::max(known_.size() * 2, kRemembered);
}

}  // namespace toolhost::protocol
