#include "base/similar_name.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "base/lower.hpp"

namespace toolhost {
namespace {

constexpr std::size_t kLongestName = 64;  // bounds the work for hostile input

/// Optimal string alignment distance (Damerau-Levenshtein without repeated edits of one place).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::array<std::array<std::size_t, kLongestName + 1>, 3> rows{};
  for (std::size_t j = 0; j <= b.size(); ++j) rows[1][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto& current = rows[(i + 1) % 3];
    const auto& previous = rows[i % 3];
    const auto& before = rows[(i + 2) % 3];
    current[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (same ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
      if (swapped) current[j] = std::min(current[j], before[j - 2] + 1);
    }
  }
  return rows[(a.size() + 1) % 3][b.size()];
}

/// True for "ticket" and "ticket_id": people leave out what goes without saying.
bool is_first_word_of(std::string_view given, std::string_view name) {
  return name.size() > given.size() && name[given.size()] == '_' &&
         std::equal(given.begin(), given.end(), name.begin(), [](char a, char b) { return lower(a) == lower(b); });
}

}  // namespace

std::optional<std::string_view> similar_name(std::string_view given, std::span<const std::string> names) {
  if (given.empty() || given.size() > kLongestName) return std::nullopt;
  std::optional<std::string_view> best;
  // In half edits. Exclusive: one edit in a short word, a third of a long one.
  std::size_t best_distance = 2 * (given.size() <= 4 ? 2 : given.size() / 3 + 2);
  constexpr std::size_t kRestLeftOut = 3;
  for (const std::string& name : names) {
    if (name.size() > kLongestName) continue;
    const std::size_t distance = is_first_word_of(given, name) ? kRestLeftOut : 2 * edit_distance(given, name);
    if (distance < best_distance) {
      best_distance = distance;
      best = name;
    }
  }
  return best;
}

}  // namespace toolhost
