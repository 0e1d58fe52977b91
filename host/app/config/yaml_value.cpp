#include "app/config/yaml_value.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>

#include "app/commands/console.hpp"
#include "app/config/yaml_section.hpp"
#include "base/json_writer.hpp"

namespace toolhost::app {
namespace {

constexpr std::array<Unit, 4> kSizeUnits{{{"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}}};
constexpr std::array<Unit, 5> kTimeUnits{{{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};

constexpr int kDeepest = 64;                   // nesting of a file
constexpr std::size_t kMostNodes = 1'000'000;  // of a file, with aliases written out
constexpr std::size_t kLongestQuote = 80;

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

template <class Number>
std::optional<Number> number_of(std::string_view text, int base) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<double> double_of(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

/// YAML 1.2, 10.3.2: what a plain scalar is.
void write_plain(JsonWriter& writer, const std::string& text) {
  if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) {
    writer.null();
    return;
  }
  if (is_one_of(text, {"true", "True", "TRUE"}) || is_one_of(text, {"false", "False", "FALSE"})) {
    writer.boolean(text[0] == 't' || text[0] == 'T');
    return;
  }
  std::string_view digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  const bool is_number = !digits.empty() && digits.find_first_not_of("-.0123456789eE+") == std::string_view::npos &&
                         digits.find_first_of("0123456789") != std::string_view::npos;
  std::optional<std::int64_t> integer;
  if (digits.starts_with("0x")) integer = number_of<std::int64_t>(digits.substr(2), 16);
  if (digits.starts_with("0o")) integer = number_of<std::int64_t>(digits.substr(2), 8);
  if (is_number && !integer) integer = number_of<std::int64_t>(digits, 10);
  if (integer) {
    writer.integer(*integer);
  } else if (const auto natural = number_of<std::uint64_t>(digits, 10); is_number && natural) {
    writer.unsigned_integer(*natural);
  } else if (const auto number = double_of(digits); is_number && number) {
    writer.number(*number);
  } else {
    writer.string(text);
  }
}

std::string pointer_token(const std::string& key) {
  std::string token = "/";
  for (const char c : key) {
    if (c == '~') {
      token += "~0";
    } else if (c == '/') {
      token += "~1";
    } else {
      token += c;
    }
  }
  return token;
}

/// Writes settings as JSON.
class SettingsText {
 public:
  SettingsText(std::string& out, SettingsPlaces& places, Problems& problems)
      : out_(out), places_(places), problems_(problems) {}

  /// False when there is too much of it.
  bool append(const YAML::Node& node, const std::string& pointer) {
    if (out_.size() > kMaxConfigBytes) return false;
    places_.emplace(pointer, problems_.place(node));
    if (node.IsMap()) return append_map(node, pointer);
    if (node.IsSequence()) return append_list(node, pointer);
    JsonWriter writer(out_);
    if (!node.IsScalar()) {
      writer.null();
    } else if (node.Tag() == "!") {  // quoted
      writer.string(node.Scalar());
    } else {
      write_plain(writer, node.Scalar());
    }
    return true;
  }

 private:
  bool append_map(const YAML::Node& node, const std::string& pointer) {
    std::set<std::string> seen;
    out_ += '{';
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) {
        problems_.add(entry.first, "keys must be plain words");
        continue;
      }
      const std::string& key = entry.first.Scalar();
      if (!seen.insert(key).second) {
        problems_.add(entry.first, "duplicate key " + in_quotes(key) + "; keep one of them");
        continue;
      }
      if (seen.size() > 1) out_ += ',';
      append_json_string(out_, key);
      out_ += ':';
      if (!append(entry.second, pointer + pointer_token(key))) return false;
    }
    out_ += '}';
    return true;
  }

  bool append_list(const YAML::Node& node, const std::string& pointer) {
    out_ += '[';
    std::size_t index = 0;
    for (const auto& item : node) {
      if (index > 0) out_ += ',';
      if (!append(item, pointer + "/" + std::to_string(index++))) return false;
    }
    out_ += ']';
    return true;
  }

  std::string& out_;
  SettingsPlaces& places_;
  Problems& problems_;
};

/// Walks a file as its readers do, aliases written out.
class AliasWalk {
 public:
  /// Where it goes too far, if it does.
  std::optional<YAML::Mark> run(const YAML::Node& node, int depth = 0) {
    if (depth > kDeepest || ++nodes_ > kMostNodes) return node.Mark();
    if (!node.IsMap() && !node.IsSequence()) return std::nullopt;
    for (const auto& entry : node) {
      const auto found = run(node.IsMap() ? entry.second : YAML::Node(entry), depth + 1);
      if (found) return found;
    }
    return std::nullopt;
  }

 private:
  std::size_t nodes_ = 0;
};

}  // namespace

std::span<const Unit> size_units() {
  return kSizeUnits;
}
std::span<const Unit> time_units() {
  return kTimeUnits;
}

std::optional<std::int64_t> parse_with_unit(std::string_view text, std::span<const Unit> units) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number < 0 || text.front() == '-') return std::nullopt;
  std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (suffix.starts_with(' ')) suffix.remove_prefix(1);
  for (const Unit& unit : units) {
    if (suffix != unit.suffix) continue;
    if (number > std::numeric_limits<std::int64_t>::max() / unit.factor) return std::nullopt;
    return number * unit.factor;
  }
  return std::nullopt;
}

std::string with_unit(std::int64_t number, std::span<const Unit> units) {
  for (auto unit = units.rbegin(); unit != units.rend(); ++unit)
    if (number % unit->factor == 0 && (number != 0 || unit->factor == 1000))
      return std::to_string(number / unit->factor) + std::string(unit->suffix);
  return std::to_string(number);
}

std::optional<Rate> parse_rate(std::string_view text) {
  constexpr double kMost = 1'000'000;
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto digits = text.substr(0, slash), unit = text.substr(slash + 1);
  if (digits.find_first_not_of("0123456789.") != std::string_view::npos) return std::nullopt;
  const double seconds = unit == "s" ? 1 : unit == "min" ? 60 : unit == "h" ? 3600 : 0;
  const auto count = double_of(digits);
  if (!count || *count <= 0 || *count > kMost || seconds == 0) return std::nullopt;
  return Rate{*count, *count / seconds};
}

std::string in_quotes(std::string_view text) {
  const bool is_long = text.size() > kLongestQuote;
  auto end = std::min(text.size(), kLongestQuote);
  while (is_long && end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80) --end;  // whole characters
  return "'" + printable(text.substr(0, end)) + (is_long ? "...'" : "'");
}

bool has_runaway_alias(const YAML::Node& root, Problems& problems) {
  const auto found = AliasWalk().run(root);
  if (found) {
    problems.add(*found,
                 "nests deeper than 64 levels, or is more than a million values with its aliases written out; does an "
                 "alias name itself?");
  }
  return found.has_value();
}

void append_settings(std::string& json, SettingsPlaces& places, const YAML::Node& node, Problems& problems) {
  if (SettingsText(json, places, problems).append(node, "")) return;
  problems.add(node, "these settings are more than 1 MiB, aliases written out");
  json = "{}";
}

}  // namespace toolhost::app
