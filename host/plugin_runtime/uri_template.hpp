#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace toolhost::plugin_runtime {

/// "scheme:" and at least one more character, UTF-8 without white space, controls, quotes, angle brackets and braces.
bool is_absolute_uri(std::string_view text) noexcept;

/// An RFC 6570 template whose expressions are {name}. Each stands for one or more characters other than '/', and text
/// lies between any two, so a URI fits in one way or not at all. Immutable.
class UriTemplate {
 public:
  using Variables = std::vector<std::pair<std::string, std::string>>;

  /// kInvalidArgument with what is wrong and the cure.
  static Result<UriTemplate> parse(std::string_view text);
  /// The variables, percent-decoded, when the URI fits and they are UTF-8. In time linear in the URI, or nearly so.
  [[nodiscard]] std::optional<Variables> match(std::string_view uri) const;
  [[nodiscard]] const std::vector<std::string>& variables() const noexcept { return names_; }

 private:
  /// What lies between two '/': text, variable, text, ... text; the texts at both ends may be empty.
  using Segment = std::vector<std::string>;
  static bool match_segment(const Segment& segment, std::string_view text, std::vector<std::string_view>& values);

  std::vector<Segment> segments_;
  std::vector<std::string> names_;
};

}  // namespace toolhost::plugin_runtime
