#include "categories.hpp"

#include <toolhost/plugin/call.hpp>

#include <algorithm>
#include <utility>

#include "refusal.hpp"
#include "text.hpp"

namespace helpdesk::tickets {

std::vector<std::string> categories_of(const toolhost::Call& call) {
  std::vector<std::string> categories;
  while (true) {
    std::string category = clean_line(call.config("/categories/" + std::to_string(categories.size())));
    if (category.empty()) return categories;
    categories.push_back(std::move(category));
  }
}

std::string read_category(const std::string& category, const std::vector<std::string>& categories) {
  if (categories.empty()) return category;
  const std::string folded = fold_case(category);
  std::vector<std::pair<std::size_t, std::string>> ranked;
  for (const std::string& one : categories) ranked.emplace_back(edit_distance(fold_case(one), folded), one);
  std::sort(ranked.begin(), ranked.end());
  if (ranked.front().first == 0) return ranked.front().second;
  std::string message = "category '" + category + "' is not one of this helpdesk's: ";
  for (std::size_t i = 0; i < ranked.size(); ++i) message.append(i == 0 ? "" : ", ").append(ranked[i].second);
  throw Refusal(Refusal::Kind::kInvalid, message);
}

}  // namespace helpdesk::tickets
