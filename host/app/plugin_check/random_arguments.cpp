#include "app/plugin_check/random_arguments.hpp"

#include <algorithm>
#include <cmath>

#include "base/json_writer.hpp"

namespace toolhost::app {
namespace {

constexpr unsigned kAttempts = 60;
constexpr unsigned kMaxDepth = 12;

std::optional<double> number_in(const json::Value& schema, std::string_view key) {
  const auto found = json::find(schema, key);
  double number = 0;
  return found.get(number) == simdjson::SUCCESS ? std::optional(number) : std::nullopt;
}

std::size_t length_in(const json::Value& schema, std::string_view key, std::size_t otherwise) {
  return static_cast<std::size_t>(
      std::max<std::int64_t>(json::integer_in(schema, key).value_or(static_cast<std::int64_t>(otherwise)), 0));
}

json::Value element(const json::Array& array, std::size_t index) {
  return array.at(index).value();
}

}  // namespace

std::uint64_t Random::next() noexcept {
  // splitmix64
  state_ += 0x9e3779b97f4a7c15;
  auto z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

RandomArguments::RandomArguments(std::string_view schema_json, const JsonSchema& schema, std::uint64_t seed)
    : schema_(schema), random_(seed) {
  document_.parse(schema_json).value();
}

std::string RandomArguments::valid() {
  return find(Size::kAny);
}

std::string RandomArguments::smallest() {
  auto found = find(Size::kSmallest);
  return found.empty() ? find(Size::kAny) : found;
}

std::string RandomArguments::find(Size size) {
  for (unsigned attempt = 0; attempt < kAttempts; ++attempt) {
    std::string text;
    append(text, document_.root(), size, 0);
    json::Document document;
    const auto value = document.parse(text);
    if (value && value->is_object() && schema_.accepts(*value)) return text;
  }
  return {};
}

std::string RandomArguments::near_miss() {
  std::string text = valid();
  if (text.empty()) text = "{}";
  json::Document document;
  const auto root = document.parse(text);
  json::Object object;
  if (!root || root->get(object) != simdjson::SUCCESS) return text;
  const auto changed = object.size() == 0 ? 0 : random_.below(object.size() + 1);
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  std::size_t index = 0;
  for (const auto [key, value] : object) {
    const bool is_changed = index++ == changed;
    if (is_changed && random_.one_in(3)) continue;  // missing
    json.key(key).raw(is_changed ? odd_value() : json::to_text(value));
  }
  if (changed == object.size()) json.key("surplus").raw(odd_value());
  json.end_object();
  return out;
}

std::string RandomArguments::odd_value() {
  constexpr std::array<std::string_view, 16> kOdd{"null",
                                                  "true",
                                                  "0",
                                                  "-1",
                                                  "9223372036854775807",
                                                  "1e308",
                                                  "-0.5",
                                                  "\"\"",
                                                  "\" \"",
                                                  "\"\\u0000\"",
                                                  "[]",
                                                  "[[[[[]]]]]",
                                                  "{}",
                                                  "{\"\":1}",
                                                  "\"\\ud83d\\udd01\"",
                                                  "\"'; drop table x; --\""};
  if (random_.one_in(8)) return '"' + std::string(10'000, 'x') + '"';
  return std::string(kOdd[random_.below(kOdd.size())]);
}

/// What the schema itself gives: "const", a value of "enum", now and then an example or the default.
bool RandomArguments::append_given(std::string& out, const json::Value& schema) {
  json::Value value;
  if (json::find(schema, "const").get(value) == simdjson::SUCCESS) {
    json::append_text(out, value);
    return true;
  }
  json::Array values;
  if (json::find(schema, "enum").get(values) == simdjson::SUCCESS && values.size() > 0) {
    json::append_text(out, element(values, random_.below(values.size())));
    return true;
  }
  const bool has_pattern = json::text_in(schema, "pattern").has_value();
  if (json::find(schema, "examples").get(values) == simdjson::SUCCESS && values.size() > 0 &&
      (has_pattern || random_.one_in(3))) {
    json::append_text(out, element(values, random_.below(values.size())));
    return true;
  }
  if (json::find(schema, "default").get(value) == simdjson::SUCCESS && (has_pattern || random_.one_in(6))) {
    json::append_text(out, value);
    return true;
  }
  return false;
}

void RandomArguments::append(std::string& out, const json::Value& schema, Size size, unsigned depth) {
  if (!schema.is_object() || depth > kMaxDepth) {
    out += depth == 0 ? "{}" : "\"any\"";
    return;
  }
  if (append_given(out, schema)) return;
  if (const auto reference = json::text_in(schema, "$ref"); reference && reference->starts_with('#')) {
    json::Value target;
    if (document_.root().at_pointer(reference->substr(1)).get(target) == simdjson::SUCCESS)
      return append(out, target, size, depth + 1);
  }
  for (const char* key : {"oneOf", "anyOf", "allOf"}) {
    json::Array choices;
    const bool has_own_shape = json::find(schema, "properties").error() == simdjson::SUCCESS;
    if (has_own_shape || json::find(schema, key).get(choices) != simdjson::SUCCESS || choices.size() == 0) continue;
    return append(out, element(choices, random_.below(choices.size())), size, depth + 1);
  }
  std::string type(json::text_in(schema, "type").value_or(""));
  json::Array types;
  if (json::find(schema, "type").get(types) == simdjson::SUCCESS && types.size() > 0) {
    const auto chosen = element(types, random_.below(types.size()));
    if (chosen.is_string()) type = std::string_view(chosen);
  }
  if (type.empty() && json::find(schema, "properties").error() == simdjson::SUCCESS) type = "object";
  if (type == "object") return append_object(out, schema, size, depth);
  if (type == "array") return append_array(out, schema, size, depth);
  if (type == "integer" || type == "number") return append_number(out, schema, type == "integer");
  if (type == "boolean") {
    out += random_.one_in(2) ? "true" : "false";
  } else if (type == "null") {
    out += "null";
  } else {
    append_text(out, schema, size);
  }
}

void RandomArguments::append_object(std::string& out, const json::Value& schema, Size size, unsigned depth) {
  std::vector<std::string_view> required;
  json::Array names;
  if (json::find(schema, "required").get(names) == simdjson::SUCCESS)
    for (const auto name : names)
      if (name.is_string()) required.emplace_back(std::string_view(name));
  JsonWriter json(out);
  json.begin_object();
  json::Object properties;
  if (json::find(schema, "properties").get(properties) == simdjson::SUCCESS) {
    for (const auto [key, member] : properties) {
      const bool is_required = std::find(required.begin(), required.end(), key) != required.end();
      if (!is_required && (size == Size::kSmallest || random_.one_in(2))) continue;
      std::string text;
      append(text, member, size, depth + 1);
      json.key(key).raw(text);
    }
  }
  json::Value more;
  if (json::find(schema, "additionalProperties").get(more) == simdjson::SUCCESS && more.is_object() &&
      length_in(schema, "minProperties", 0) > 0) {
    std::string text;
    append(text, more, size, depth + 1);
    json.key("any").raw(text);
  }
  json.end_object();
}

void RandomArguments::append_array(std::string& out, const json::Value& schema, Size size, unsigned depth) {
  const auto least = length_in(schema, "minItems", 0);
  const auto most = std::max(least, length_in(schema, "maxItems", least + 3));
  auto count = least;
  if (size == Size::kAny) count += random_.below(std::min<std::size_t>(most - least, 4) + 1);
  json::Value items;
  const bool has_items = json::find(schema, "items").get(items) == simdjson::SUCCESS;
  out += '[';
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) out += ',';
    if (has_items)
      append(out, items, size, depth + 1);
    else
      out += "\"any\"";
  }
  out += ']';
}

void RandomArguments::append_text(std::string& out, const json::Value& schema, Size size) {
  const auto format = json::text_in(schema, "format").value_or("");
  const auto digits = [&](std::uint64_t below, unsigned width) {
    auto text = std::to_string(random_.below(below));
    return std::string(width - std::min<std::size_t>(width, text.size()), '0') + text;
  };
  if (format == "date" || format == "date-time") {
    out += "\"20" + digits(60, 2) + "-0" + std::to_string(1 + random_.below(9)) + "-1" + digits(10, 1);
    out += format == "date" ? "\"" : "T1" + digits(10, 1) + ":26:53Z\"";
    return;
  }
  if (format == "email") {
    out += "\"person" + digits(100, 1) + "@example.com\"";
    return;
  }
  if (format == "uri") {
    out += "\"https://example.com/" + digits(1000, 1) + "\"";
    return;
  }
  if (format == "uuid") {
    out += "\"01963d2c-" + digits(10'000, 4) + "-7" + digits(1000, 3) + "-8" + digits(1000, 3) + "-" +
           digits(1'000'000, 12) + "\"";
    return;
  }
  const auto least = length_in(schema, "minLength", 0);
  const auto most = std::max(least, length_in(schema, "maxLength", least + 40));
  auto length = std::max<std::size_t>(least, std::min<std::size_t>(most, 3));
  if (size == Size::kAny) {
    // Both ends of the range, and something between them.
    length = random_.one_in(6) ? least : random_.one_in(6) ? std::min<std::size_t>(most, 20'000) : 0;
    if (length == 0 && most > 0) length = least + random_.below(std::min<std::size_t>(most - least, 40) + 1);
  }
  constexpr std::array<std::string_view, 12> kPieces{"a", "b", "z", "7", "-", "_", " ", "'", "%", "é", "ש", "🔁"};
  const auto pieces = size == Size::kSmallest || random_.one_in(2) ? std::size_t{4} : kPieces.size();
  std::string text;
  for (std::size_t i = 0; i < length; ++i) text += kPieces[random_.below(pieces)];
  append_json_string(out, text);
}

void RandomArguments::append_number(std::string& out, const json::Value& schema, bool is_integer) {
  auto low = number_in(schema, "minimum").value_or(number_in(schema, "exclusiveMinimum").value_or(-1'000'000));
  auto high = number_in(schema, "maximum").value_or(number_in(schema, "exclusiveMaximum").value_or(1'000'000));
  if (low > high) std::swap(low, high);
  const auto step = number_in(schema, "multipleOf").value_or(0);
  double value = low;
  switch (random_.below(4)) {
    case 0:
      break;
    case 1:
      value = high;
      break;
    default:
      value = low + (high - low) * (static_cast<double>(random_.below(1'000'001)) / 1e6);
  }
  if (step > 0) value = std::ceil(value / step) * step;
  if (is_integer || step >= 1) {
    // Beyond that no double is exact.
    constexpr double kLimit = 9e15;
    out += std::to_string(static_cast<std::int64_t>(std::clamp(std::trunc(value), -kLimit, kLimit)));
    return;
  }
  JsonWriter(out).number(value);
}

}  // namespace toolhost::app
