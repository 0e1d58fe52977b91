#include "app/plugin_test/expected_value.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/json_writer.hpp"
#include "base/similar_name.hpp"
#include "base/text_pattern.hpp"

namespace toolhost::app {
namespace {

constexpr std::string_view kAnything = "any";
constexpr std::size_t kLongestLine = 100;
constexpr std::size_t kAround = 2;
constexpr std::size_t kMostComparedLines = 4000;  // of each side; more are shown as they are

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_name(std::string_view text) {
  return !text.empty() && text[0] >= 'a' && text[0] <= 'z' && std::ranges::all_of(text, is_name_character);
}

/// Of "$name".
std::optional<std::string_view> name_in(std::string_view text) {
  if (!text.starts_with('$') || !is_name(text.substr(1))) return std::nullopt;
  return text.substr(1);
}

std::optional<std::string_view> expression_in(std::string_view text) {
  if (text.size() < 3 || text.front() != '/' || text.back() != '/') return std::nullopt;
  return text.substr(1, text.size() - 2);
}

std::optional<std::string_view> literal_in(std::string_view text) {
  if (!text.starts_with("$=")) return std::nullopt;
  return text.substr(2);
}

/// Calls `plain` with what stands between the names ${...} of a text, and `name` with these.
template <class Plain, class Name>
void for_each_part(std::string_view text, Plain plain, Name name) {
  for (;;) {
    const auto begin = text.find("${");
    const auto end = begin == std::string_view::npos ? begin : text.find('}', begin);
    if (end == std::string_view::npos) return plain(text);
    const auto found = text.substr(begin + 2, end - begin - 2);
    if (is_name(found)) {
      plain(text.substr(0, begin));
      name(found);
    } else {
      plain(text.substr(0, end + 1));
    }
    text.remove_prefix(end + 1);
  }
}

/// Of a captured JSON text: strings plain.
std::string plain_text(const std::string& json_text) {
  json::Document document;
  const auto value = document.parse(json_text);
  std::string_view text;
  if (value && value->get(text) == simdjson::SUCCESS) return std::string(text);
  return json_text;
}

std::string quoted_for_expression(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x80 && std::isalnum(static_cast<unsigned char>(c)) == 0) out += '\\';
    out += c;
  }
  return out;
}

std::string with_captures(std::string_view text, const Captures& captures, bool is_expression) {
  std::string out;
  for_each_part(
      text, [&](std::string_view part) { out += part; },
      [&](std::string_view name) {
        const auto found = captures.find(name);
        const auto value = found == captures.end() ? std::string() : plain_text(found->second);
        out += is_expression ? quoted_for_expression(value) : value;
      });
  return out;
}

bool are_equal_numbers(const json::Value& left, const json::Value& right) {
  std::int64_t a = 0, b = 0;
  if (left.get(a) == simdjson::SUCCESS && right.get(b) == simdjson::SUCCESS) return a == b;
  double x = 0, y = 0;
  return left.get(x) == simdjson::SUCCESS && right.get(y) == simdjson::SUCCESS && x == y;
}

bool text_matches(std::string_view expected, const json::Value& actual, const Captures& captures) {
  if (const auto name = name_in(expected)) {
    if (*name == kAnything) return true;
    const auto captured = captures.find(*name);
    json::Document document;
    if (captured == captures.end()) return false;
    const auto value = document.parse(captured->second);
    return value && json::to_text(*value) == json::to_text(actual);
  }
  std::string_view text;
  if (actual.get(text) != simdjson::SUCCESS) return false;
  if (const auto literal = literal_in(expected)) return *literal == text;
  if (const auto expression = expression_in(expected)) {
    const auto pattern = TextPattern::compile(with_captures(*expression, captures, true));
    return pattern && pattern->is_found_in(text);
  }
  return with_captures(expected, captures, false) == text;
}

bool objects_match(const json::Object& expected, const json::Object& actual, const Captures& captures, Extent extent) {
  if (extent == Extent::kWhole && expected.size() != actual.size()) return false;
  return std::ranges::all_of(expected, [&](const auto& member) {
    json::Value value;
    return actual.at_key(member.key).get(value) == simdjson::SUCCESS && matches(member.value, value, captures, extent);
  });
}

bool arrays_match(const json::Array& expected, const json::Array& actual, const Captures& captures, Extent extent) {
  auto at = actual.begin();
  for (const auto& item : expected) {
    if (extent == Extent::kPart)
      while (at != actual.end() && !matches(item, *at, captures, extent)) ++at;
    if (at == actual.end() || !matches(item, *at, captures, extent)) return false;
    ++at;
  }
  return extent == Extent::kPart || !(at != actual.end());
}

/// Writes `expected` with the actual value where it matches.
class UnmatchedWriter {
 public:
  UnmatchedWriter(std::string& out, const Captures& captures, Extent extent)
      : json_(out), captures_(captures), extent_(extent) {}

  void write(const json::Value& expected, const json::Value& actual) {
    json::Object objects[2];
    json::Array arrays[2];
    if (matches(expected, actual, captures_, extent_)) {
      json_.raw(json::to_text(actual));
    } else if (expected.get(objects[0]) == simdjson::SUCCESS && actual.get(objects[1]) == simdjson::SUCCESS) {
      write_objects(objects[0], objects[1]);
    } else if (expected.get(arrays[0]) == simdjson::SUCCESS && actual.get(arrays[1]) == simdjson::SUCCESS) {
      extent_ == Extent::kWhole ? write_arrays(arrays[0], arrays[1]) : write_parts(arrays[0], arrays[1]);
    } else {
      json_.raw(json::to_text(expected));
    }
  }

 private:
  void write_objects(const json::Object& expected, const json::Object& actual) {
    json_.begin_object();
    json::Value found;
    for (const auto& member : actual) {
      if (expected.at_key(member.key).get(found) == simdjson::SUCCESS) {
        json_.key(member.key);
        write(found, member.value);
      } else if (extent_ == Extent::kPart) {
        json_.key(member.key).raw(json::to_text(member.value));
      }
    }
    for (const auto& member : expected)
      if (actual.at_key(member.key).get(found) != simdjson::SUCCESS)
        json_.key(member.key).raw(json::to_text(member.value));
    json_.end_object();
  }

  void write_arrays(const json::Array& expected, const json::Array& actual) {
    json_.begin_array();
    auto at = actual.begin();
    for (const auto& item : expected) {
      if (at != actual.end()) {
        write(item, *at);
        ++at;
      } else {
        json_.raw(json::to_text(item));
      }
    }
    json_.end_array();
  }

  /// The items that there are, and behind them those that are missed.
  void write_parts(const json::Array& expected, const json::Array& actual) {
    json_.begin_array();
    for (const auto& item : actual) json_.raw(json::to_text(item));
    auto at = actual.begin();
    for (const auto& item : expected) {
      auto found = at;
      while (found != actual.end() && !matches(item, *found, captures_, extent_)) ++found;
      if (found != actual.end())
        at = ++found;
      else
        json_.raw(json::to_text(item));
    }
    json_.end_array();
  }

  JsonWriter json_;
  const Captures& captures_;
  const Extent extent_;
};

/// Writes a value as one to expect.
class LiteralWriter {
 public:
  LiteralWriter(std::string& out, const Captures& captures) : json_(out), captures_(captures) {}

  /// `expected` may be null.
  void write(const json::Value& actual, const json::Value* expected) {
    if (expected != nullptr && matches(*expected, actual, captures_)) {
      json_.raw(json::to_text(*expected));
      return;
    }
    json::Object object, expected_object;
    json::Array array, expected_array;
    std::string_view text;
    if (actual.get(object) == simdjson::SUCCESS) {
      const bool has = expected != nullptr && expected->get(expected_object) == simdjson::SUCCESS;
      json_.begin_object();
      for (const auto& member : object) {
        json::Value found;
        const bool is_there = has && expected_object.at_key(member.key).get(found) == simdjson::SUCCESS;
        json_.key(member.key);
        write(member.value, is_there ? &found : nullptr);
      }
      json_.end_object();
    } else if (actual.get(array) == simdjson::SUCCESS) {
      const bool has = expected != nullptr && expected->get(expected_array) == simdjson::SUCCESS;
      std::vector<json::Value> before;
      if (has) before.assign(expected_array.begin(), expected_array.end());
      json_.begin_array();
      std::size_t index = 0;
      for (const auto& item : array) {
        write(item, index < before.size() ? &before[index] : nullptr);
        ++index;
      }
      json_.end_array();
    } else if (actual.get(text) == simdjson::SUCCESS) {
      json_.string(needs_escape(text) ? "$=" + std::string(text) : std::string(text));
    } else {
      json_.raw(json::to_text(actual));
    }
  }

 private:
  static bool needs_escape(std::string_view text) {
    bool has_name = false;
    for_each_part(text, [](std::string_view) {}, [&](std::string_view) { has_name = true; });
    return has_name || name_in(text) || expression_in(text) || literal_in(text);
  }

  JsonWriter json_;
  const Captures& captures_;
};

Result<> fill_in(JsonWriter& json, const json::Value& value, const Captures& captures) {
  json::Object object;
  json::Array array;
  std::string_view text;
  if (value.get(object) == simdjson::SUCCESS) {
    json.begin_object();
    for (const auto& member : object) {
      json.key(member.key);
      if (auto filled = fill_in(json, member.value, captures); !filled) return filled;
    }
    json.end_object();
  } else if (value.get(array) == simdjson::SUCCESS) {
    json.begin_array();
    for (const auto& item : array)
      if (auto filled = fill_in(json, item, captures); !filled) return filled;
    json.end_array();
  } else if (value.get(text) == simdjson::SUCCESS) {
    const auto name = name_in(text);
    if (const auto found = name ? captures.find(*name) : captures.end(); found != captures.end()) {
      json.raw(found->second);
      return {};
    }
    auto filled = filled_in(text, captures);
    if (!filled) return filled.error();
    json.string(*filled);
  } else {
    json.raw(json::to_text(value));
  }
  return {};
}

Error unknown_capture(std::string_view name) {
  return {Errc::kNotFound, "nothing was captured under the name " + std::string(name), {}};
}

// ---- lines

/// "|" and the lines of the text below.
void put_text_block(std::string& out, std::string_view text, std::size_t indent) {
  out += '|';
  for (;;) {
    const auto end = text.find('\n');
    out.append("\n").append(indent + 2, ' ').append(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

void put_on_lines(std::string& out, const json::Value& value, std::size_t indent, std::size_t used,
                  bool is_for_reading) {
  std::string_view text;
  if (is_for_reading && value.get(text) == simdjson::SUCCESS && text.find('\n') != std::string_view::npos)
    return put_text_block(out, text, indent);
  const auto compact = json::to_text(value);
  json::Object object;
  json::Array array;
  const bool is_object = value.get(object) == simdjson::SUCCESS && object.size() > 0;
  const bool is_array = value.get(array) == simdjson::SUCCESS && array.size() > 0;
  const bool holds_others =
      is_array && std::ranges::any_of(array, [](const auto& item) { return item.is_object() || item.is_array(); });
  if ((!is_object && !is_array) || (is_array && !holds_others && used + compact.size() < kLongestLine)) {
    out += compact;
    return;
  }
  const std::string margin(indent + 2, ' ');
  const char* const between = is_for_reading ? "\n" : ",\n";
  const char* before = is_object ? "{\n" : "[\n";
  if (is_object) {
    for (const auto& member : object) {
      out += before + margin;
      append_json_string(out, member.key);
      out += ": ";
      put_on_lines(out, member.value, indent + 2, margin.size() + member.key.size() + 4, is_for_reading);
      before = between;
    }
  } else {
    for (const auto& item : array) {
      out += before + margin;
      put_on_lines(out, item, indent + 2, margin.size(), is_for_reading);
      before = between;
    }
  }
  out += "\n" + std::string(indent, ' ') + (is_object ? "}" : "]");
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

struct DiffLine {
  char mark = ' ';
  std::string_view text;
};

/// By the longest common subsequence of what is left when equal beginnings and ends are taken off.
std::vector<DiffLine> diff_lines(std::vector<std::string_view> expected, std::vector<std::string_view> actual) {
  std::vector<DiffLine> out, tail;
  std::size_t same = 0;
  while (same < std::min(expected.size(), actual.size()) && expected[same] == actual[same])
    out.push_back({' ', expected[same++]});
  expected.erase(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(same));
  actual.erase(actual.begin(), actual.begin() + static_cast<std::ptrdiff_t>(same));
  while (!expected.empty() && !actual.empty() && expected.back() == actual.back()) {
    tail.push_back({' ', expected.back()});
    expected.pop_back();
    actual.pop_back();
  }
  const auto rows = expected.size(), columns = actual.size();
  if (rows > kMostComparedLines || columns > kMostComparedLines) {
    for (const auto line : expected) out.push_back({'-', line});
    for (const auto line : actual) out.push_back({'+', line});
  } else {
    std::vector<std::vector<std::uint16_t>> common(rows + 1, std::vector<std::uint16_t>(columns + 1));
    for (auto i = rows; i-- > 0;)
      for (auto j = columns; j-- > 0;)
        common[i][j] = expected[i] == actual[j] ? static_cast<std::uint16_t>(common[i + 1][j + 1] + 1)
                                                : std::max(common[i + 1][j], common[i][j + 1]);
    std::size_t i = 0, j = 0;
    while (i < rows || j < columns) {
      if (i < rows && j < columns && expected[i] == actual[j]) {
        out.push_back({' ', expected[i++]});
        ++j;
      } else if (i < rows && (j == columns || common[i + 1][j] >= common[i][j + 1])) {
        out.push_back({'-', expected[i++]});
      } else {
        out.push_back({'+', actual[j++]});
      }
    }
  }
  out.insert(out.end(), tail.rbegin(), tail.rend());
  return out;
}

}  // namespace

bool matches(const json::Value& expected, const json::Value& actual, const Captures& captures, Extent extent) {
  json::Object objects[2];
  json::Array arrays[2];
  std::string_view text;
  if (expected.get(text) == simdjson::SUCCESS) return text_matches(text, actual, captures);
  if (expected.get(objects[0]) == simdjson::SUCCESS)
    return actual.get(objects[1]) == simdjson::SUCCESS && objects_match(objects[0], objects[1], captures, extent);
  if (expected.get(arrays[0]) == simdjson::SUCCESS)
    return actual.get(arrays[1]) == simdjson::SUCCESS && arrays_match(arrays[0], arrays[1], captures, extent);
  if (expected.is_number()) return actual.is_number() && are_equal_numbers(expected, actual);
  return json::to_text(expected) == json::to_text(actual);
}

std::string unmatched(const json::Value& expected, const json::Value& actual, const Captures& captures, Extent extent) {
  std::string out;
  UnmatchedWriter(out, captures, extent).write(expected, actual);
  return out;
}

std::string literally(const json::Value& actual) {
  std::string out;
  LiteralWriter(out, {}).write(actual, nullptr);
  return out;
}

std::string literally(const json::Value& actual, const json::Value& expected, const Captures& captures) {
  std::string out;
  LiteralWriter(out, captures).write(actual, &expected);
  return out;
}

Result<std::string> filled_in(const json::Value& value, const Captures& captures) {
  std::string out;
  JsonWriter json(out);
  if (auto filled = fill_in(json, value, captures); !filled) return filled.error();
  return out;
}

Result<std::string> filled_in(std::string_view text, const Captures& captures) {
  if (const auto literal = literal_in(text)) return std::string(*literal);
  const auto whole = name_in(text);
  if (whole) {
    const auto found = captures.find(*whole);
    if (found == captures.end()) return unknown_capture(*whole);
    return plain_text(found->second);
  }
  std::string missing;
  for_each_part(
      text, [](std::string_view) {},
      [&](std::string_view name) {
        if (!captures.contains(name)) missing = name;
      });
  if (!missing.empty()) return unknown_capture(missing);
  return with_captures(text, captures, false);
}

std::string problem_in(std::string_view text, const Captures& known, bool is_expected) {
  if (literal_in(text)) return {};
  std::vector<std::string> names;
  for (const auto& [name, value] : known) names.push_back(name);
  const auto unknown = [&](std::string_view name) {
    std::string message = "nothing is captured under the name '" + std::string(name) + "' before this step";
    if (const auto near = similar_name(name, names)) message += "; did you mean '" + std::string(*near) + "'?";
    return message + " (write '$=" + std::string(text) + "' for the text itself)";
  };
  if (const auto name = name_in(text)) {
    if (*name == kAnything && is_expected) return {};
    return known.contains(*name) ? "" : unknown(*name);
  }
  std::string problem;
  for_each_part(
      text, [](std::string_view) {},
      [&](std::string_view name) {
        if (problem.empty() && !known.contains(name)) problem = unknown(name);
      });
  if (!problem.empty() || !is_expected) return problem;
  if (const auto expression = expression_in(text)) {
    const auto pattern = TextPattern::compile(with_captures(*expression, known, true));
    if (!pattern) return "this is no regular expression: " + pattern.error().message;
  }
  return {};
}

bool is_capture_name(std::string_view name) {
  return is_name(name) && name != kAnything;
}

std::string on_lines(const json::Value& value) {
  std::string out;
  put_on_lines(out, value, 0, 0, false);
  return out;
}

std::string for_reading(const json::Value& value) {
  std::string out;
  put_on_lines(out, value, 0, 0, true);
  return out;
}

std::string difference(std::string_view expected, std::string_view actual) {
  if (expected == actual) return {};
  const auto lines = diff_lines(lines_of(expected), lines_of(actual));
  std::vector<bool> is_shown(lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].mark == ' ') continue;
    for (auto j = i - std::min(i, kAround); j <= std::min(i + kAround, lines.size() - 1); ++j) is_shown[j] = true;
  }
  std::string out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (is_shown[i]) {
      out.append(1, lines[i].mark).append(" ").append(lines[i].text).append("\n");
    } else if (i == 0 || is_shown[i - 1]) {
      out += "  ...\n";
    }
  }
  return out;
}

}  // namespace toolhost::app
