#include "ids.hpp"

#include <toolhost/plugin/call.hpp>

#include <algorithm>
#include <optional>

#include "refusal.hpp"
#include "text.hpp"

namespace helpdesk {
namespace {

constexpr std::string_view kSeparators = " \t-_.:#";

void skip_separators(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kSeparators), text.size()));
}

/// Takes the noun and "id" from the front, when they stand for themselves.
void skip_words(std::string_view& text, std::string_view noun) {
  for (const std::string_view word : {noun, std::string_view("id")}) {
    const std::string_view rest = text.substr(std::min(word.size(), text.size()));
    if (fold_case(text.substr(0, word.size())) != word || rest.find_first_of(kSeparators) != 0) continue;
    text = rest;
    skip_separators(text);
  }
}

/// "91BRKB-3", a message of 91BRKB.
bool is_message_id(std::string_view text) {
  const std::size_t dash = text.find('-');
  return dash == kRefLength && dash + 1 < text.size() &&
         text.find_first_not_of("0123456789", dash + 1) == std::string_view::npos;
}

/// An id among what people write around it: "ticket #7QK-4MX". What separates characters counts for nothing when
/// without it there is exactly an id.
std::optional<std::string> read_written_id(const Findable& kind, std::string_view input) {
  const std::string line = clean_line(input);
  std::string_view text = line;
  skip_separators(text);
  skip_words(text, kind.noun);
  text = text.substr(0, text.find_last_not_of(kSeparators) + 1);
  if (auto ref = read_ref(text)) return ref;
  if (text.starts_with("T-") || text.starts_with("t-")) text.remove_prefix(2);
  if (kind.noun == "ticket" && is_message_id(text)) text = text.substr(0, kRefLength);
  std::string characters(text);
  std::erase_if(characters, [](char c) { return kSeparators.find(c) != std::string_view::npos; });
  return characters.size() == kRefLength ? read_ref(characters) : std::nullopt;
}

}  // namespace

std::string read_id(const Findable& kind, std::string_view input) {
  if (auto ref = read_ref(input)) return *std::move(ref);
  if (auto ref = read_written_id(kind, input)) return *std::move(ref);
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
