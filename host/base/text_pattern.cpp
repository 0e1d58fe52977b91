#include "base/text_pattern.hpp"

#include <re2/re2.h>

namespace toolhost {
namespace {

constexpr int kMemoryBytes = 1 << 20;

RE2::Options options() {
  RE2::Options options(RE2::Quiet);
  options.set_max_mem(kMemoryBytes);
  options.set_never_capture(true);
  return options;
}

}  // namespace

struct TextPattern::Compiled {
  explicit Compiled(const std::string& expression) : re2(expression, options()) {}
  const RE2 re2;
};

Result<TextPattern> TextPattern::compile(const std::string& expression) {
  auto compiled = std::make_shared<const Compiled>(expression);
  if (compiled->re2.ok()) return TextPattern(std::move(compiled));
  return Error{Errc::kInvalidArgument,
               "the pattern \"" + expression + "\" is not supported: " + compiled->re2.error() +
                   " (RE2 syntax: no look-around, no back references)",
               ""};
}

bool TextPattern::is_found_in(std::string_view text) const {
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), compiled_->re2);
}

}  // namespace toolhost
