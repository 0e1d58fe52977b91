#include "people.hpp"

#include <toolhost/plugin/call.hpp>

#include <algorithm>
#include <utility>

#include "arguments.hpp"
#include "refusal.hpp"
#include "text.hpp"

namespace helpdesk {
namespace {

using toolhost::Person;

constexpr std::size_t kEverybody = 1000;
constexpr std::size_t kListed = 5;

bool is_address(std::string_view text) {
  const std::size_t at = text.find('@');
  return at != 0 && at != std::string_view::npos && at + 1 < text.size() &&
         text.find('@', at + 1) == std::string_view::npos && text.find(' ') == std::string_view::npos;
}

/// "Ana Lopez <ana.lopez@acme.com>, Ana Ruiz <ana.ruiz@acme.com>"
std::string listed(const std::vector<Person>& people) {
  std::string text;
  for (std::size_t i = 0; i < people.size() && i < kListed; ++i) {
    text.append(i == 0 ? "" : ", ").append(clean_line(people[i].name));
    text.append(people[i].name.empty() ? "<" : " <").append(people[i].email).append(">");
  }
  return people.size() > kListed ? text + ", ..." : text;
}

/// How far `text` is from the nearest of the person's name, its words and the address before its "@".
std::size_t distance_to(const Person& person, std::string_view text) {
  const std::string name = fold_case(clean_line(person.name));
  std::size_t nearest = std::min(edit_distance(name, text),
                                 edit_distance(fold_case(person.email.substr(0, person.email.find('@'))), text));
  for (std::size_t start = 0; start < name.size();) {
    const std::size_t end = std::min(name.find(' ', start), name.size());
    nearest = std::min(nearest, edit_distance(std::string_view(name).substr(start, end - start), text));
    start = end + 1;
  }
  return nearest;
}

/// The members whose names are most like `text`, at most three; all of them when they are few.
std::vector<Person> nearest_to(const std::vector<Person>& people, std::string_view text) {
  if (people.size() <= kListed) return people;
  const std::string folded = fold_case(text);
  std::vector<std::pair<std::size_t, std::size_t>> ranked;  // distance, place in `people`
  for (const Person& person : people) ranked.emplace_back(distance_to(person, folded), ranked.size());
  std::partial_sort(ranked.begin(), ranked.begin() + 3, ranked.end());
  std::vector<Person> nearest;
  for (std::size_t i = 0; i < 3; ++i) nearest.push_back(people[ranked[i].second]);
  return nearest;
}

}  // namespace

std::vector<Person> People::named(std::string_view person) const {
  std::vector<Person> people = find_(person, kEverybody);
  std::erase_if(people, [](const Person& one) { return one.email.starts_with('*'); });  // a whole domain: nobody
  return people;
}

std::optional<std::string> People::resolved(std::string_view parameter, std::string_view person) const {
  if (is_word(person, "me")) return principal_;
  const std::vector<Person> found = named(person);
  if (found.size() == 1) return found.front().email;
  if (is_address(person)) return std::string(person);
  if (found.size() > 1) {
    throw Refusal(Refusal::Kind::kInvalid, std::string(parameter) + ": " + std::to_string(found.size()) +
                                               " people match '" + std::string(person) + "': " + listed(found) +
                                               "; give the e-mail address");
  }
  if (named("").empty()) return std::string(person);
  return std::nullopt;
}

std::string People::nobody_called(std::string_view parameter, std::string_view person,
                                  std::string_view separator) const {
  return std::string(parameter) + ": nobody here is called '" + std::string(person) + '\'' + std::string(separator) +
         listed(nearest_to(named(""), person));
}

std::string People::read(std::string_view parameter, std::string_view person) const {
  if (auto stored = resolved(parameter, person)) return *std::move(stored);
  throw Refusal(Refusal::Kind::kInvalid,
                nobody_called(parameter, person, ". Nearest: ") + ". Give an e-mail address for somebody else");
}

std::string People::read_filter(std::string_view parameter, std::string_view person,
                                std::vector<std::string>& warnings) const {
  if (auto stored = resolved(parameter, person)) return *std::move(stored);
  warnings.push_back(nobody_called(parameter, person, "; nearest: "));
  return std::string(person);
}

std::string People::read_exact(std::string_view person) const {
  std::vector<Person> found = named(person);
  const std::string folded = fold_case(person);
  std::erase_if(found, [&](const Person& one) {
    return fold_case(one.email) != folded && fold_case(clean_line(one.name)) != folded;
  });
  return found.size() == 1 ? found.front().email : std::string(person);
}

std::string People::called(const std::string& person) const {
  const std::vector<Person> found = is_address(person) ? named(person) : std::vector<Person>{};
  std::string called = found.size() == 1 ? clean_line(found.front().name) : std::string();
  return called.empty() ? clean_line(person) : called;
}

People people_of(toolhost::Call& call) {
  return {std::string(call.principal()), [&call](std::string_view text, std::size_t limit) -> std::vector<Person> {
            try {
              return call.people(text, limit);
            } catch (const toolhost::Error& error) {
              if (error.status() == TH_E_UNSUPPORTED) return {};  // a host that knows no members
              throw;
            }
          }};
}

}  // namespace helpdesk
