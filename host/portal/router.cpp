#include "portal/router.hpp"

#include "base/cut.hpp"
#include "base/lower.hpp"

namespace toolhost::portal {
namespace {

std::string_view take_segment(std::string_view& path) noexcept {
  const auto at = path.find('/', 1);
  const auto segment = path.substr(0, at);
  path = at == std::string_view::npos ? std::string_view() : path.substr(at);
  return segment;
}

/// "q=0", "q=0.0", ...
bool is_weight_of_nothing(std::string_view parameter) noexcept {
  const auto name = trimmed(take_until(parameter, '='));
  return equals_ignoring_case(name, "q") && parameter.starts_with('0') &&
         trimmed(parameter).find_first_not_of("0.") == std::string_view::npos;
}

}  // namespace

bool accepts_html(std::string_view accept) noexcept {
  while (!accept.empty()) {
    auto range = take_until(accept, ',');
    if (!equals_ignoring_case(trimmed(take_until(range, ';')), "text/html")) continue;
    bool is_wanted = true;
    while (!range.empty())
      if (is_weight_of_nothing(take_until(range, ';'))) is_wanted = false;
    if (is_wanted) return true;
  }
  return false;
}

std::optional<std::vector<std::string_view>> match_path(std::string_view pattern, std::string_view path) {
  std::vector<std::string_view> parts;
  while (!pattern.empty() && !path.empty()) {
    const auto wanted = take_segment(pattern), given = take_segment(path);
    if (wanted == given) continue;
    if (wanted != "/*" || given.size() < 2 || given.front() != '/') return std::nullopt;
    parts.push_back(given.substr(1));
  }
  return pattern.empty() && path.empty() ? std::optional(std::move(parts)) : std::nullopt;
}

}  // namespace toolhost::portal
