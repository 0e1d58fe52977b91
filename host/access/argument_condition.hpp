#pragma once
#include <optional>
#include <string>
#include <vector>

#include "access/policy_config.hpp"
#include "base/json.hpp"
#include "base/text_pattern.hpp"

namespace toolhost::access {

/// An ArgumentTest, ready to be asked of calls. Borrows the test. Immutable; any thread.
class ArgumentCondition {
 public:
  /// Bytes that one pattern looks at in one call: it is matched on an I/O thread.
  static constexpr std::size_t kMaxMatchedBytes = 32 * 1024;

  explicit ArgumentCondition(const ArgumentTest& test);

  /// Of arguments with several members of one name each is looked at: whichever of them a plugin reads has been judged.
  /// A pattern holds of what is_too_long().
  [[nodiscard]] bool holds(const json::Value& arguments) const;
  /// Whether the texts that a pattern is to look at have more than kMaxMatchedBytes together: it does not look at them.
  [[nodiscard]] bool is_too_long(const json::Value& arguments) const;
  [[nodiscard]] const std::string& argument() const noexcept { return test_.argument; }
  /// For people: "priority is urgent", "hours is above 8".
  [[nodiscard]] std::string text() const;

 private:
  [[nodiscard]] bool holds_of(const json::Value& value) const;
  [[nodiscard]] bool holds_of_one(const json::Value& value) const;
  [[nodiscard]] bool is_listed(const json::Value& value) const;

  const ArgumentTest& test_;
  std::vector<std::string> path_;       ///< the reference tokens of the pointer, or the name alone
  std::optional<TextPattern> pattern_;  ///< kMatches
};

}  // namespace toolhost::access
