#include "protocol/request_state.hpp"

#include <algorithm>
#include <utility>

#include "access/crypto.hpp"
#include "base/base64url.hpp"
#include "base/json_writer.hpp"

namespace toolhost::protocol {
namespace {

constexpr std::string_view kPurposeOfState = "request state";
constexpr std::int64_t kFormatOfState = 1;
constexpr std::size_t kMostStateBytes = std::size_t{40} * 1024;  // sealed it is a third more, and a box opens 64 KiB

/// The value with the members of every object in the order of their names, and without those that are null: the runtime
/// takes nulls that a schema refuses out of the arguments.
void append_canonical(std::string& out, const json::Value& value) {
  json::Object object;
  json::Array array;
  if (value.get(object) == simdjson::SUCCESS) {
    std::vector<std::pair<std::string_view, json::Value>> members;
    for (const auto& [name, member] : object)
      if (!member.is_null()) members.emplace_back(name, member);
    // A name that stands twice keeps its order: names are views into one text.
    std::sort(members.begin(), members.end(), [](const auto& left, const auto& right) {
      return left.first != right.first ? left.first < right.first : left.first.data() < right.first.data();
    });
    out += '{';
    for (const auto& [name, member] : members) {
      append_json_string(out, name);
      out += ':';
      append_canonical(out, member);
      out += ',';
    }
    out += '}';
  } else if (value.get(array) == simdjson::SUCCESS) {
    out += '[';
    for (const auto& element : array) {
      append_canonical(out, element);
      out += ',';
    }
    out += ']';
  } else {
    json::append_text(out, value);
  }
}

/// A digest of everything that the state is bound to.
std::string digest_of(const StateBinding& binding) {
  std::string text = std::to_string(value(binding.key)) + ' ' + std::to_string(value(binding.tenant)) + ' ';
  append_json_string(text, binding.method);
  append_json_string(text, binding.target);
  append_canonical(text, binding.arguments);
  const auto digest = access::sha256(text);
  return to_base64url({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::int64_t whole_seconds(RequestState::Clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::int64_t number_of(const json::Value& object, std::string_view name) {
  json::Value member;
  std::int64_t number = -1;
  if (json::find(object, name).get(member) == simdjson::SUCCESS) (void)member.get(number);
  return number;
}

template <class Take>
void for_each_member(const json::Value& object, std::string_view name, Take take) {
  json::Value member;
  json::Object members;
  if (json::find(object, name).get(member) != simdjson::SUCCESS || member.get(members) != simdjson::SUCCESS) return;
  for (const auto& [key, value] : members) take(key, value);
}

Error refused(std::string_view detail) {
  return {Errc::kInvalidArgument,
          "Invalid requestState: it belongs to another request, was altered, or has expired. Begin again without it.",
          std::string(detail)};
}

StateContents contents_of(const json::Value& root) {
  StateContents contents;
  contents.chain = json::text_in(root, "chain").value_or("");
  contents.round = static_cast<unsigned>(number_of(root, "round"));
  for_each_member(root, "answers", [&](std::string_view key, const json::Value& answer) {
    contents.answers.emplace(key, json::to_text(answer));
  });
  return contents;
}

}  // namespace

RequestState::RequestState(const Secret& sealing_key, std::chrono::seconds life)
    : box_(sealing_key, kPurposeOfState), life_(life) {}

Result<std::string> RequestState::seal(const StateContents& contents, const StateBinding& binding,
                                       Clock::time_point now) const {
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("format").integer(kFormatOfState).member("for", digest_of(binding));
  json.key("until").integer(whole_seconds(now + life_)).member("chain", contents.chain);
  json.key("round").unsigned_integer(contents.round).key("answers").begin_object();
  for (const auto& [key, answer] : contents.answers) json.key(key).raw(answer);
  json.end_object().end_object();
  if (text.size() > kMostStateBytes) return Error{Errc::kLimit, "What was asked and answered so far is too much", ""};
  return box_.seal(text);
}

Result<StateContents> RequestState::open(std::string_view sealed, const StateBinding& binding,
                                         Clock::time_point now) const {
  const auto text = box_.open(sealed);
  if (!text) return refused("it does not open");
  const auto document = json::acquire_document();
  const auto root = document->parse(*text);
  if (!root || number_of(*root, "format") != kFormatOfState) return refused("it has another format");
  if (!access::equal_in_constant_time(json::text_in(*root, "for").value_or(""), digest_of(binding)))
    return refused("it belongs to another request");
  if (whole_seconds(now) >= number_of(*root, "until")) return refused("it has expired");
  return contents_of(*root);
}

}  // namespace toolhost::protocol
