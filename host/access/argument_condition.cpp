#include "access/argument_condition.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "base/lower.hpp"

namespace toolhost::access {
namespace {

/// "a~1b" is the member "a/b", "a~0b" the member "a~b" (RFC 6901, section 4).
std::string unescaped(std::string_view token) {
  std::string text;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const bool is_escape = token[i] == '~' && i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1');
    text += !is_escape ? token[i] : (token[++i] == '0' ? '~' : '/');
  }
  return text;
}

std::vector<std::string> path_of(std::string_view argument) {
  if (!argument.starts_with('/')) return {std::string(argument)};
  std::vector<std::string> path;
  while (!argument.empty()) {
    const auto end = std::min(argument.find('/', 1), argument.size());
    path.push_back(unescaped(argument.substr(1, end - 1)));
    argument.remove_prefix(end);
  }
  return path;
}

template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// Calls `visit` with every value at `path` until it answers true.
template <class Visit>
bool any_at(const json::Value& value, std::span<const std::string> path, const Visit& visit) {
  if (path.empty()) return visit(value);
  if (json::Object object; value.get(object) == simdjson::SUCCESS) {
    for (const auto& [name, member] : object) {
      if (name == path.front() && any_at(member, path.subspan(1), visit)) return true;
    }
    return false;
  }
  json::Array array;
  const auto index = number_in<std::size_t>(path.front());
  if (!index || value.get(array) != simdjson::SUCCESS) return false;
  json::Value element;
  return array.at(*index).get(element) == simdjson::SUCCESS && any_at(element, path.subspan(1), visit);
}

/// 8, 8.0 and 8e0 are one number, however either side spells it.
bool is_number(const json::Value& value, std::string_view text) {
  if (std::int64_t integer;
      value.type() == simdjson::dom::element_type::INT64 && value.get(integer) == simdjson::SUCCESS) {
    if (const auto wanted = number_in<std::int64_t>(text)) return *wanted == integer;
  }
  if (std::uint64_t integer;
      value.type() == simdjson::dom::element_type::UINT64 && value.get(integer) == simdjson::SUCCESS) {
    if (const auto wanted = number_in<std::uint64_t>(text)) return *wanted == integer;
  }
  double number = 0;
  const auto wanted = number_in<double>(text);
  return wanted && value.get(number) == simdjson::SUCCESS && *wanted == number;
}

/// What plugins take as not given.
bool is_blank(const json::Value& value) {
  std::string_view text;
  return value.is_null() || (value.get(text) == simdjson::SUCCESS && text.empty());
}

std::string joined(const std::vector<std::string>& values) {
  std::string text = values.size() == 1 ? "" : "one of ";
  for (std::size_t i = 0; i < values.size(); ++i) text += (i == 0 ? "" : ", ") + values[i];
  return text;
}

std::string short_number(double number) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number);
  return {text.data(), end};
}

}  // namespace

ArgumentCondition::ArgumentCondition(const ArgumentTest& test) : test_(test), path_(path_of(test.argument)) {
  if (test.kind != ArgumentTest::Kind::kMatches) return;
  if (auto pattern = TextPattern::compile(test.pattern)) pattern_ = std::move(*pattern);
}

bool ArgumentCondition::holds(const json::Value& arguments) const {
  const auto fulfils = [this](const json::Value& value) { return holds_of(value); };
  if (test_.kind == ArgumentTest::Kind::kAbsent) {
    bool is_there = false;
    const bool is_blank_once = any_at(arguments, path_, [&is_there](const json::Value& value) {
      is_there = true;
      return is_blank(value);
    });
    return is_blank_once || !is_there;
  }
  return is_too_long(arguments) || any_at(arguments, path_, fulfils);
}

bool ArgumentCondition::is_too_long(const json::Value& arguments) const {
  if (test_.kind != ArgumentTest::Kind::kMatches) return false;
  std::size_t bytes = 0;
  const auto add = [&bytes](const json::Value& value) {
    std::string_view text;
    if (value.get(text) == simdjson::SUCCESS) bytes += std::max<std::size_t>(text.size(), 1);  // empty is work too
    return bytes > kMaxMatchedBytes;
  };
  return any_at(arguments, path_, [&add](const json::Value& value) {
    json::Array array;
    return value.get(array) == simdjson::SUCCESS ? std::any_of(array.begin(), array.end(), add) : add(value);
  });
}

bool ArgumentCondition::holds_of(const json::Value& value) const {
  json::Array array;
  if (test_.kind == ArgumentTest::Kind::kPresent) return true;
  if (value.get(array) != simdjson::SUCCESS) return holds_of_one(value);
  return std::any_of(array.begin(), array.end(), [this](const json::Value& element) { return holds_of_one(element); });
}

bool ArgumentCondition::holds_of_one(const json::Value& value) const {
  std::string_view text;
  double number = 0;
  switch (test_.kind) {
    case ArgumentTest::Kind::kIs:
      return is_listed(value);
    case ArgumentTest::Kind::kIsNot:
      return !is_listed(value);
    case ArgumentTest::Kind::kMatches:
      // A pattern that nobody checked before refuses rather than lets through.
      return value.get(text) == simdjson::SUCCESS && (!pattern_ || pattern_->is_found_in(text));
    case ArgumentTest::Kind::kAbove:
      return value.get(number) == simdjson::SUCCESS && number > test_.number;
    case ArgumentTest::Kind::kBelow:
      return value.get(number) == simdjson::SUCCESS && number < test_.number;
    case ArgumentTest::Kind::kPresent:
    case ArgumentTest::Kind::kAbsent:
      break;  // not about a value
  }
  return false;
}

bool ArgumentCondition::is_listed(const json::Value& value) const {
  const auto is = [&](const std::string& wanted) {
    std::string_view text;
    bool flag = false;
    if (value.get(text) == simdjson::SUCCESS) return equals_ignoring_case(text, wanted);
    if (value.get(flag) == simdjson::SUCCESS) return wanted == (flag ? "true" : "false");
    if (value.is_null()) return wanted == "null";
    return is_number(value, wanted);
  };
  return std::any_of(test_.values.begin(), test_.values.end(), is);
}

std::string ArgumentCondition::text() const {
  switch (test_.kind) {
    case ArgumentTest::Kind::kIs:
      return test_.argument + " is " + joined(test_.values);
    case ArgumentTest::Kind::kIsNot:
      return test_.argument + " is not " + joined(test_.values);
    case ArgumentTest::Kind::kMatches:
      return test_.argument + " matches " + test_.pattern;
    case ArgumentTest::Kind::kAbove:
      return test_.argument + " is above " + short_number(test_.number);
    case ArgumentTest::Kind::kBelow:
      return test_.argument + " is below " + short_number(test_.number);
    case ArgumentTest::Kind::kPresent:
      return test_.argument + " is given";
    case ArgumentTest::Kind::kAbsent:
      return test_.argument + " is missing";
  }
  return test_.argument;
}

}  // namespace toolhost::access
