#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace toolhost {

/// A regular expression in RE2's syntax, which is matched in time linear in the text. Immutable; copies share it. Any
/// thread.
class TextPattern {
 public:
  /// kInvalidArgument, with what is wrong in it, for what RE2 does not know (look-around, back references) or what
  /// would take more than 1 MiB.
  static Result<TextPattern> compile(const std::string& expression);

  /// Whether it matches anywhere in the text (UTF-8).
  [[nodiscard]] bool is_found_in(std::string_view text) const;

 private:
  struct Compiled;
  explicit TextPattern(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}

  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace toolhost
