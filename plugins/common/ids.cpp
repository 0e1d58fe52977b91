#include "ids.hpp"

#include <toolhost/plugin/call.hpp>

#include "refusal.hpp"
#include "text.hpp"

namespace helpdesk {

std::string read_id(const Findable& kind, std::string_view input) {
  if (auto ref = read_ref(input)) return *std::move(ref);
  const std::string noun(kind.noun);
  throw Refusal(Refusal::Kind::kInvalid, "'" + clean_line(input) + "' is not a " + noun +
                                             " id: ids are six letters and digits such as 7QK4MX. Use " +
                                             std::string(kind.finder) + " to find the " + noun + ".");
}

void refuse_unknown(const Findable& kind, std::string_view ref, const std::vector<IdAndTitle>& nearest) {
  std::string message(kind.noun);
  message.front() = static_cast<char>(message.front() - 'a' + 'A');
  message.append(" ").append(ref).append(" not found.");
  for (std::size_t i = 0; i < nearest.size(); ++i) {
    message.append(i == 0 ? " Nearest: " : ", ")
        .append(nearest[i].first)
        .append(" ")
        .append(quote_line(nearest[i].second));
  }
  message.append(nearest.empty() ? "" : ".").append(" Use ").append(kind.finder).append(" to find it.");
  throw Refusal(Refusal::Kind::kNotFound, message);
}

std::vector<IdAndTitle> nearest_ids(toolhost::Call& call, std::string_view relation, std::string_view ref) {
  std::string sql = "select ref, title from ";
  sql.append(relation).append(
      " candidates where ref = any($1::text::text[]) or (ref >= $2::text and ref < $2::text || '~') "
      "order by ref = any($1::text::text[]) desc, ref limit 3");
  toolhost::Rows rows = call.query(sql, refs_one_mistake_away(ref), ref.substr(0, 4));
  std::vector<IdAndTitle> found;
  while (const toolhost::Row row = rows.next()) found.emplace_back(row.text(0), clean_line(row.text(1)));
  return found;
}

}  // namespace helpdesk
