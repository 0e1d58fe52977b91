#include "protocol/find_and_call.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/json_writer.hpp"
#include "protocol/method_params.hpp"

namespace toolhost::protocol {
namespace {

constexpr std::size_t kUsualLimit = 5, kMostFound = 20;
constexpr std::size_t kLongestQuery = 1'000;  // bytes that are looked at
constexpr std::size_t kMostNames = 100;       // told when nothing was found
constexpr std::size_t kShortestStem = 4;      // "ticket" and "tickets" are one word, "a" and "add" are not
// What a word weighs where it stands.
constexpr double kInName = 3, kInTitle = 2, kInText = 1;
// BM25, with what is usual.
constexpr double kAlike = 0.5;    // a word that only begins as the wanted one, or the other way round
constexpr double kWholeName = 3;  // what is added, as a multiple, when all that is wanted stands in the name
constexpr double kSaturation = 1.2, kLengthShare = 0.75;

constexpr std::string_view kFindSchema =
    R"({"type":"object","properties":{"query":{"type":"string","minLength":1,"maxLength":1000,"description":"Words for what is to be done, in English as tools are described, e.g. \"create ticket\""},)"
    R"("limit":{"type":"integer","minimum":1,"maximum":20,"default":5}},"required":["query"],"additionalProperties":false})";
constexpr std::string_view kCallSchema =
    R"({"type":"object","properties":{"name":{"type":"string","description":"As find_tools gave it"},)"
    R"("arguments":{"type":"object","description":"As the tool's inputSchema says"}},"required":["name"],"additionalProperties":false})";

ToolDescription find_tools() {
  return {.name = kFindTools,
          .title = "Find tools",
          .description =
              "Finds tools by words: their names, what they do, and the schemas of their arguments. There are more "
              "tools than this list shows; look here first, then call what fits with call_tool.",
          .input_schema_json = kFindSchema,
          .read_only = true,
          .idempotent = true};
}

ToolDescription call_tool() {
  return {.name = kCallTool,
          .title = "Call a tool",
          .description =
              "Calls a tool that find_tools has found, by its name, with arguments as its inputSchema says. The "
              "answer is the tool's own.",
          .input_schema_json = kCallSchema,
          .destructive = true};
}

/// Takes the next word of a text, in lower case: letters and digits; a capital behind a small letter begins one, and
/// whatever is not ASCII counts as a letter. Empty at the end.
std::string take_word(std::string_view& text) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           static_cast<signed char>(c) < 0;
  };
  const auto is_capital = [](char c) { return c >= 'A' && c <= 'Z'; };
  std::size_t at = 0;
  while (at < text.size() && !is_letter(text[at])) ++at;
  std::string word;
  for (; at < text.size() && is_letter(text[at]); ++at) {
    if (!word.empty() && is_capital(text[at]) && !is_capital(text[at - 1])) break;
    word += is_capital(text[at]) ? static_cast<char>(text[at] + ('a' - 'A')) : text[at];
  }
  text.remove_prefix(at);
  return word;
}

/// From 0, two different words, to 1, the same.
double likeness(std::string_view left, std::string_view right) noexcept {
  if (left == right) return 1;
  if (left.size() > right.size()) std::swap(left, right);
  return left.size() >= kShortestStem && right.starts_with(left) ? kAlike : 0;
}

std::vector<std::string> names_of_arguments(const json::Value& schema) {
  std::vector<std::string> names;
  json::Value properties;
  json::Object members;
  if (json::find(schema, "properties").get(properties) == simdjson::SUCCESS &&
      properties.get(members) == simdjson::SUCCESS)
    for (const auto& [name, member] : members) names.emplace_back(name);
  return names;
}

std::string encode_error_text(std::string_view text, const ResultStyle& style) {
  std::string content = R"([{"type":"text","text":)";
  append_json_string(content, text);
  return encode_call_result(content + "}]", {}, true, style);
}

}  // namespace

std::span<const std::string* const> find_and_call_tools(ListingFamily family) {
  static const auto encoded = [] {
    std::array<std::array<std::string, 2>, kListingFamilies> all;
    for (std::size_t each = 0; each < all.size(); ++each)
      all[each] = {encode_tool(call_tool(), static_cast<ListingFamily>(each)),
                   encode_tool(find_tools(), static_cast<ListingFamily>(each))};
    return all;
  }();
  static const auto views = [] {
    std::array<std::array<const std::string*, 2>, kListingFamilies> all{};
    for (std::size_t each = 0; each < all.size(); ++each) all[each] = {&encoded[each][0], &encoded[each][1]};
    return all;
  }();
  return views[static_cast<std::size_t>(family)];
}

std::variant<FoundCall, std::string> read_call_tool(const json::Value& arguments) {
  FoundCall call{.name = json::text_in(arguments, "name").value_or(""), .arguments = {}};
  if (call.name.empty())
    return "Invalid arguments of call_tool: \"name\" must be the name of a tool, as find_tools gave it";
  json::Value given;
  if (json::find(arguments, "arguments").get(given) != simdjson::SUCCESS || given.is_null()) return call;
  if (!given.is_object()) return "Invalid arguments of call_tool: \"arguments\" must be an object";
  call.arguments = given;
  return call;
}

ToolIndex::ToolIndex(std::span<const ToolView::Entry> entries, const access::Rights* rights) {
  const auto add = [](Tool& tool, std::string_view text, double weight) {
    for (auto word = take_word(text); !word.empty(); word = take_word(text)) {
      tool.words[word] += weight;
      tool.weight += weight;
    }
  };
  double all = 0;
  for (const auto& entry : entries) {
    const auto& from = *entry.tool;
    const auto* const text = rights == nullptr ? nullptr : rights->text_of(from.name);
    const auto& description = text != nullptr && text->description ? *text->description : from.description;
    Tool tool{.name = from.name, .json = {}, .words = {}};
    JsonWriter json(tool.json);
    json.begin_object().member("name", from.name).member("description", description);
    json.key("inputSchema").raw(from.input_schema_json).end_object();
    add(tool, from.name, kInName);
    for (const auto& [word, weight] : tool.words) tool.in_name.push_back(word);
    add(tool, text != nullptr && text->title ? *text->title : from.title, kInTitle);
    add(tool, description, kInText);
    json::Document document;
    if (const auto schema = document.parse(from.input_schema_json))
      for (const auto& name : names_of_arguments(*schema)) add(tool, name, kInText);
    for (const auto& [word, weight] : tool.words) ++tools_with_[word];
    all += tool.weight;
    tools_.push_back(std::move(tool));
  }
  if (!tools_.empty()) mean_weight_ = all / static_cast<double>(tools_.size());
}

double ToolIndex::score(const Tool& tool, std::span<const std::string> words) const {
  double score = 0, named = 0;
  const double length = 1 - kLengthShare + kLengthShare * tool.weight / mean_weight_;
  for (const auto& wanted : words) {
    double best = 0;  // of the words that are like it
    for (const auto& [word, weight] : tool.words) {
      const double alike = likeness(word, wanted);
      if (alike == 0) continue;
      const auto with = static_cast<double>(tools_with_.find(word)->second);
      const double rarity = std::log(1 + (static_cast<double>(tools_.size()) - with + 0.5) / (with + 0.5));
      best = std::max(best, alike * rarity * weight * (kSaturation + 1) / (weight + kSaturation * length));
    }
    score += best;
    double in_name = 0;
    for (const auto& word : tool.in_name) in_name = std::max(in_name, likeness(word, wanted));
    named += in_name;
  }
  // Words that most tools have are worth nearly nothing, and yet tell create_ticket from create_task.
  return words.empty() ? 0 : score * (1 + kWholeName * named / static_cast<double>(words.size()));
}

std::vector<const std::string*> ToolIndex::find(std::string_view query, std::size_t limit) const {
  std::vector<std::string> words;
  query = query.substr(0, kLongestQuery);
  for (auto word = take_word(query); !word.empty(); word = take_word(query))
    if (word.size() > 1) words.push_back(std::move(word));
  std::vector<std::pair<double, const Tool*>> found;
  for (const auto& tool : tools_)
    if (const double fit = score(tool, words); fit > 0) found.emplace_back(fit, &tool);
  std::ranges::sort(found, [](const auto& left, const auto& right) {
    return left.first != right.first ? left.first > right.first : left.second->name < right.second->name;
  });
  std::vector<const std::string*> best;
  for (std::size_t at = 0; at < std::min(limit, found.size()); ++at) best.push_back(&found[at].second->json);
  return best;
}

std::vector<std::string> ToolIndex::names() const {
  std::vector<std::string> names;
  for (const auto& tool : tools_) names.push_back(tool.name);
  return names;
}

std::string encode_found_tools(const ToolIndex& index, const json::Value& arguments, const ResultStyle& style) {
  const auto query = json::text_in(arguments, "query").value_or("");
  if (query.empty())
    return encode_error_text("Invalid arguments of find_tools: \"query\" must be words to look for", style);
  std::int64_t limit = kUsualLimit;
  json::Value given;
  if (json::find(arguments, "limit").get(given) == simdjson::SUCCESS) (void)given.get(limit);
  const auto most = static_cast<std::size_t>(std::clamp<std::int64_t>(limit, 1, kMostFound));

  std::string found;
  JsonWriter json(found);
  const auto tools = index.find(query, most);
  const auto names = index.names();
  json.begin_object().key("tools").begin_array();
  for (const auto* tool : tools) json.raw(*tool);
  json.end_array();
  if (tools.empty()) {
    json.member("hint", "Nothing fits. Try other words, or one of these names.").key("names").begin_array();
    for (const auto& name : std::span(names).first(std::min(names.size(), kMostNames))) json.string(name);
    json.end_array();
  }
  json.key("of").unsigned_integer(names.size()).end_object();

  std::string content = R"([{"type":"text","text":)";
  append_json_string(content, found);
  return encode_call_result(content + "}]", {}, false, style);
}

}  // namespace toolhost::protocol
