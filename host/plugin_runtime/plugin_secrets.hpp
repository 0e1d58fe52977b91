#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/secret.hpp"

namespace toolhost::plugin_runtime {

/// The secrets that one plugin may read, by name. Immutable; any thread.
class PluginSecrets {
 public:
  /// Shared with the configuration: a secret is in memory once, and cannot be copied.
  using Map = std::map<std::string, std::shared_ptr<const Secret>, std::less<>>;

  PluginSecrets() = default;
  explicit PluginSecrets(Map secrets) : secrets_(std::move(secrets)) {}

  [[nodiscard]] bool empty() const noexcept { return secrets_.empty(); }
  /// Null: none of this name.
  [[nodiscard]] const Secret* find(std::string_view name) const noexcept;
  /// The text with "[secret NAME]" in place of every secret; it ends within about `max_bytes`, never in the middle of a
  /// secret.
  [[nodiscard]] std::string redacted(std::string_view text, std::size_t max_bytes = SIZE_MAX) const;

 private:
  Map secrets_;
};

}  // namespace toolhost::plugin_runtime
