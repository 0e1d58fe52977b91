#include "app/yaml_section.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>
#include <tuple>

#include "base/json_writer.hpp"
#include "base/similar_name.hpp"

namespace toolhost::app {
namespace {

/// Reads one number with one of several unit suffixes: "30s", "4MiB".
struct Unit {
  std::string_view suffix;
  std::int64_t factor;
};
std::optional<std::int64_t> parse_with_unit(std::string_view text, std::initializer_list<Unit> units) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number < 0) return std::nullopt;
  std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
  while (suffix.starts_with(' ')) suffix.remove_prefix(1);
  for (const Unit& unit : units) {
    if (suffix != unit.suffix) continue;
    if (number > std::numeric_limits<std::int64_t>::max() / unit.factor) return std::nullopt;
    return number * unit.factor;
  }
  return std::nullopt;
}

}  // namespace

std::vector<ConfigProblem> Problems::take() {
  std::sort(list_.begin(), list_.end(), [](const auto& a, const auto& b) {
    return std::tie(a.line, a.column, a.message) < std::tie(b.line, b.column, b.message);
  });
  return std::move(list_);
}

Section::Section(YAML::Node node, std::string name, Problems& problems)
    : node_(std::move(node)), name_(std::move(name)), problems_(problems) {
  if (!node_.IsDefined() || node_.IsNull()) return;
  if (!node_.IsMap()) {
    problems_.add(node_, where() + " must be a mapping of keys to values");
    return;
  }
  std::set<std::string> seen;
  for (const auto& entry : node_) {
    if (!entry.first.IsScalar()) {
      problems_.add(entry.first, "keys must be plain words");
    } else if (!seen.insert(entry.first.Scalar()).second) {
      problems_.add(entry.first, "duplicate key '" + entry.first.Scalar() + "'; keep one of them");
    }
  }
  usable_ = true;
}

YAML::Node Section::get(const std::string& key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.push_back(key);
  if (!usable_) return YAML::Node(YAML::NodeType::Undefined);
  for (const auto& entry : node_) {
    if (entry.first.IsScalar() && entry.first.Scalar() == key) {
      return entry.second.IsNull() ? YAML::Node(YAML::NodeType::Undefined) : entry.second;
    }
  }
  return YAML::Node(YAML::NodeType::Undefined);
}

Section Section::section(const std::string& key) {
  return Section(get(key), name_.empty() ? key : name_ + "." + key, problems_);
}

std::optional<std::string> Section::scalar(const std::string& key) {
  const YAML::Node found = get(key);
  if (!found.IsDefined()) return std::nullopt;
  if (found.IsScalar()) return found.Scalar();
  problems_.add(found, where(key) + " must be a single value, not a " + (found.IsMap() ? "mapping" : "list"));
  return std::nullopt;
}

void Section::text(const std::string& key, std::string& target) {
  if (const auto found = scalar(key)) target = *found;
}

void Section::texts(const std::string& key, std::vector<std::string>& target) {
  const YAML::Node list = get(key);
  if (!list.IsDefined()) return;
  if (!list.IsSequence()) {
    problems_.add(list, where(key) + " must be a list, such as [\"one\", \"two\"]");
    return;
  }
  target.clear();
  for (const auto& item : list) {
    if (item.IsScalar()) {
      target.push_back(item.Scalar());
    } else {
      problems_.add(item, where(key) + " must hold plain texts");
    }
  }
}

void Section::secret(const std::string& key, std::optional<SecretReference>& target) {
  const auto found = scalar(key);
  if (!found) return;
  if (!found->starts_with("env:") && !found->starts_with("file:")) {
    problems_.add(get(key),
                  where(key) + " must say where the secret stands: env:NAME or file:/path; it is never written here");
    return;
  }
  target = SecretReference{*found};
}

void Section::bytes(const std::string& key, std::size_t& target, std::size_t low, std::size_t high) {
  const auto found = scalar(key);
  if (!found) return;
  const auto number = parse_with_unit(*found, {{"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}});
  if (!number || *number < static_cast<std::int64_t>(low) || *number > static_cast<std::int64_t>(high)) {
    bad(key, "a size from " + std::to_string(low) + " to " + std::to_string(high) + " bytes, such as 64KiB or 4MiB",
        *found);
    return;
  }
  target = static_cast<std::size_t>(*number);
}

std::optional<std::int64_t> Section::whole_number(const std::string& key, std::int64_t low, std::int64_t high) {
  const auto found = scalar(key);
  if (!found) return std::nullopt;
  const auto number = parse_with_unit(*found, {{"", 1}});
  if (number && *number >= low && *number <= high) return number;
  bad(key, "a whole number from " + std::to_string(low) + " to " + std::to_string(high), *found);
  return std::nullopt;
}

std::optional<std::chrono::milliseconds> Section::milliseconds(const std::string& key, std::chrono::milliseconds low,
                                                               std::chrono::milliseconds high,
                                                               std::chrono::milliseconds unit) {
  const auto found = scalar(key);
  if (!found) return std::nullopt;
  const auto number = parse_with_unit(*found, {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}});
  const auto limit = [](std::chrono::milliseconds value) {
    return value.count() % 1000 == 0 ? std::to_string(value.count() / 1000) + "s"
                                     : std::to_string(value.count()) + "ms";
  };
  if (number && *number >= low.count() && *number <= high.count() && *number % unit.count() == 0)
    return std::chrono::milliseconds(*number);
  bad(key, "a time from " + limit(low) + " to " + limit(high) + ", such as 500ms, 30s, 5m or 1h", *found);
  return std::nullopt;
}

void Section::finish() {
  if (!usable_) return;
  for (const auto& entry : node_) {
    if (!entry.first.IsScalar()) continue;
    const std::string& key = entry.first.Scalar();
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    std::string message = "unknown key '" + key + "'" + (name_.empty() ? "" : " in " + name_);
    if (const auto near = similar_name(key, known_)) {
      message += "; did you mean '" + std::string(*near) + "'?";
    } else {
      message += "; known here:";
      for (const auto& name : known_) message += " " + name;
    }
    problems_.add(entry.first, std::move(message));
  }
}

void Section::bad(const std::string& key, const std::string& wanted, const std::string& got) {
  problems_.add(get(key), where(key) + " must be " + wanted + "; got '" + got + "'");
}

std::string Section::where(const std::string& key) const {
  if (key.empty()) return name_.empty() ? "the file" : "'" + name_ + "'";
  return "'" + (name_.empty() ? key : name_ + "." + key) + "'";
}

bool append_json(std::string& out, const YAML::Node& node, int depth) {
  constexpr int kDeepest = 32;
  if (depth > kDeepest || out.size() > kMaxConfigBytes) return false;
  JsonWriter writer(out);
  switch (node.Type()) {
    case YAML::NodeType::Map: {
      out += '{';
      bool first = true;
      for (const auto& entry : node) {
        if (!std::exchange(first, false)) out += ',';
        append_json_string(out, entry.first.Scalar());
        out += ':';
        if (!append_json(out, entry.second, depth + 1)) return false;
      }
      out += '}';
      return true;
    }
    case YAML::NodeType::Sequence: {
      out += '[';
      bool first = true;
      for (const auto& item : node) {
        if (!std::exchange(first, false)) out += ',';
        if (!append_json(out, item, depth + 1)) return false;
      }
      out += ']';
      return true;
    }
    case YAML::NodeType::Scalar: {
      bool flag = false;
      std::int64_t integer = 0;
      double number = 0;
      const bool quoted = node.Tag() == "!";
      if (!quoted && YAML::convert<bool>::decode(node, flag)) {
        writer.boolean(flag);
      } else if (!quoted && YAML::convert<std::int64_t>::decode(node, integer)) {
        writer.integer(integer);
      } else if (!quoted && YAML::convert<double>::decode(node, number)) {
        writer.number(number);
      } else {
        writer.string(node.Scalar());
      }
      return true;
    }
    case YAML::NodeType::Null:
    case YAML::NodeType::Undefined:
      writer.null();
  }
  return true;
}

}  // namespace toolhost::app
