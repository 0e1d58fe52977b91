#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"

namespace toolhost::plugin_runtime {

/// Where an input schema says "x-sensitive": true, at any depth: in properties, items, the branches of allOf, anyOf,
/// oneOf, if and the like, and behind local references, recursive ones too. A member that may be sensitive by one
/// branch is; patternProperties count for every member. Immutable; any thread.
class SensitiveMembers {
 public:
  SensitiveMembers() = default;
  /// `schema` is one that JsonSchema has compiled.
  explicit SensitiveMembers(const json::Value& schema);

  [[nodiscard]] bool empty() const noexcept { return places_.empty(); }
  /// Appends `arguments` as compact JSON, sensitive values as "[redacted]".
  void append_redacted(std::string& out, const json::Value& arguments) const;

 private:
  friend class SensitiveMembersCompiler;
  friend class RedactingWriter;
  using Places = std::vector<std::uint32_t>;
  /// One subschema with all that apply to the same value.
  struct Place {
    bool is_sensitive = false;
    std::vector<std::pair<std::string, Places>> members;  // sorted by name; the whole answer for a member named here
    Places other_members, items;
  };

  std::vector<Place> places_;  // none when nothing is sensitive
  Places root_;                // those of the arguments as a whole
};

}  // namespace toolhost::plugin_runtime
