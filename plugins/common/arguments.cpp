#include "arguments.hpp"

#include <toolhost/plugin/call.hpp>

#include <algorithm>

#include "refusal.hpp"
#include "text.hpp"

namespace helpdesk {

std::optional<std::string> given(const std::optional<std::string>& argument) {
  if (!argument) return std::nullopt;
  std::string line = clean_line(*argument);
  if (line.empty()) return std::nullopt;
  return line;
}

std::optional<std::string> given_filter(std::string_view parameter, const std::optional<std::string>& argument) {
  std::optional<std::string> line = given(argument);
  if (line || !argument) return line;
  throw Refusal(Refusal::Kind::kInvalid,
                std::string(parameter) + " is empty; give something to look for, or leave it out");
}

bool is_word(std::string_view text, std::string_view word) {
  return fold_case(text) == word;
}

void refuse_nul(std::string_view parameter, std::string_view text) {
  if (text.find('\0') == std::string_view::npos) return;
  throw Refusal(Refusal::Kind::kInvalid,
                std::string(parameter) + " contains a NUL character (\\u0000), which no text may hold; remove it");
}

std::vector<std::string> read_tags(const std::vector<std::string>& tags) {
  std::vector<std::string> read;
  for (const std::string& tag : tags) {
    std::string line = fold_case(clean_line(tag));
    if (!line.empty() && std::find(read.begin(), read.end(), line) == read.end()) read.push_back(std::move(line));
  }
  return read;
}

std::optional<std::vector<std::string>> read_tag_filter(const std::vector<std::string>& tags) {
  if (tags.empty()) return std::nullopt;
  std::vector<std::string> read = read_tags(tags);
  if (!read.empty()) return read;
  throw Refusal(Refusal::Kind::kInvalid, "tags holds nothing to look for; give a tag, or leave it out");
}

std::string today(toolhost::Call& call) {
  const std::string time_zone(call.time_zone());
  toolhost::Rows rows = call.query("select to_char($2::timestamptz at time zone $1::text, 'YYYY-MM-DD (Dy')", time_zone,
                                   toolhost::Time{call.now_us()});
  return std::string(rows.next().text(0)) + ", " + time_zone + ')';
}

void refuse_moment(std::string_view parameter, std::string_view given, std::string_view today, bool takes_time) {
  throw Refusal(Refusal::Kind::kInvalid, std::string(parameter) + " '" + std::string(given) +
                                             "' is not a date; today is " + std::string(today) + "; use YYYY-MM-DD" +
                                             (takes_time ? " or a timestamp such as 2026-11-30T17:00" : "") +
                                             " (years 2000 to 2199)");
}

std::uint32_t random_bits(toolhost::Call& call) {
  // The last four bytes of a UUID of version 7 are random.
  const auto bytes = call.new_uuid().bytes;
  return std::uint32_t{bytes[12]} << 24 | std::uint32_t{bytes[13]} << 16 | std::uint32_t{bytes[14]} << 8 | bytes[15];
}

}  // namespace helpdesk
