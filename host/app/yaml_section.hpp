#pragma once
#include <yaml-cpp/yaml.h>

#include <chrono>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/config_loader.hpp"

namespace toolhost::app {

/// No configuration is larger.
constexpr std::size_t kMaxConfigBytes = 1 << 20;

/// Collects problems with their place in the file.
class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}

  void add(const YAML::Mark& mark, std::string message) {
    list_.push_back({file_, mark.line + 1, mark.column + 1, std::move(message)});
  }
  void add(const YAML::Node& node, std::string message) { add(node.Mark(), std::move(message)); }
  /// All of them, in the order of the file.
  std::vector<ConfigProblem> take();

 private:
  std::string file_;
  std::vector<ConfigProblem> list_;
};

/// One mapping of the file. Every key that is read becomes known; finish() reports the others. A value of the wrong
/// form is a problem, and its target keeps the default.
class Section {
 public:
  Section(YAML::Node node, std::string name, Problems& problems);

  [[nodiscard]] YAML::Node node() const { return node_; }
  /// Whether there is a mapping at all.
  [[nodiscard]] bool is_usable() const noexcept { return usable_; }
  Problems& problems() { return problems_; }

  /// The value of `key`, undefined when absent or null.
  YAML::Node get(const std::string& key);
  Section section(const std::string& key);
  std::optional<std::string> scalar(const std::string& key);

  void text(const std::string& key, std::string& target);
  void texts(const std::string& key, std::vector<std::string>& target);
  void secret(const std::string& key, std::optional<SecretReference>& target);
  void bytes(const std::string& key, std::size_t& target, std::size_t low, std::size_t high);

  template <class Integer>
  void integer(const std::string& key, Integer& target, std::int64_t low, std::int64_t high) {
    if (const auto number = whole_number(key, low, high)) target = static_cast<Integer>(*number);
  }

  template <class Duration>
  void duration(const std::string& key, Duration& target, std::chrono::milliseconds low,
                std::chrono::milliseconds high) {
    if (const auto found = milliseconds(key, low, high, Duration(1)))
      target = std::chrono::duration_cast<Duration>(*found);
  }

  template <class Enum>
  void choice(const std::string& key, Enum& target, std::initializer_list<std::pair<std::string_view, Enum>> values) {
    const auto found = scalar(key);
    if (!found) return;
    std::string allowed;
    for (const auto& [word, meaning] : values) {
      if (*found == word) {
        target = meaning;
        return;
      }
      allowed += (allowed.empty() ? "" : ", ") + std::string(word);
    }
    bad(key, "one of: " + allowed, *found);
  }

  /// Reports keys that nobody asked for.
  void finish();

  void bad(const std::string& key, const std::string& wanted, const std::string& got);
  [[nodiscard]] std::string where(const std::string& key = "") const;

 private:
  std::optional<std::int64_t> whole_number(const std::string& key, std::int64_t low, std::int64_t high);
  /// A whole number of `unit`s.
  std::optional<std::chrono::milliseconds> milliseconds(const std::string& key, std::chrono::milliseconds low,
                                                        std::chrono::milliseconds high, std::chrono::milliseconds unit);

  YAML::Node node_;
  std::string name_;
  Problems& problems_;
  std::vector<std::string> known_;
  bool usable_ = false;
};

/// A plugin's own settings travel as JSON; plain YAML scalars keep the type that the YAML core schema gives them.
/// False when they nest too deep, as an alias of itself does, or grow too large.
bool append_json(std::string& out, const YAML::Node& node, int depth = 0);

}  // namespace toolhost::app
