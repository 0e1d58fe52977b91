#include "plugin_runtime/plugin_secrets.hpp"

namespace toolhost::plugin_runtime {

const Secret* PluginSecrets::find(std::string_view name) const noexcept {
  const auto found = secrets_.find(name);
  return found == secrets_.end() ? nullptr : found->second.get();
}

std::string PluginSecrets::redacted(std::string_view text, std::size_t max_bytes) const {
  std::string out;
  while (!text.empty() && out.size() < max_bytes) {
    const Map::value_type* longest = nullptr;
    for (const auto& entry : secrets_) {
      const auto secret = entry.second->reveal();
      const bool is_longer = longest == nullptr || secret.size() > longest->second->reveal().size();
      if (!secret.empty() && is_longer && text.starts_with(secret)) longest = &entry;
    }
    if (longest == nullptr) {
      out += text.front();
      text.remove_prefix(1);
      continue;
    }
    out.append("[secret ").append(longest->first).append("]");
    text.remove_prefix(longest->second->reveal().size());
  }
  return out;
}

}  // namespace toolhost::plugin_runtime
