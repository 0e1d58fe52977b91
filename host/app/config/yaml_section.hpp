#pragma once
#include <yaml-cpp/yaml.h>

#include <chrono>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "app/config/config_loader.hpp"
#include "app/config/config_schema.hpp"
#include "app/config/yaml_value.hpp"

namespace toolhost::app {

/// Collects what is wrong with one file, with its places.
class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}

  void add(const YAML::Mark& mark, std::string message);
  void add(const YAML::Node& node, std::string message) { add(node.Mark(), std::move(message)); }
  /// All of them, in the order of the file.
  std::vector<ConfigProblem> take();

  /// Keeps where the value of a key stands.
  void note(const std::string& key, const YAML::Node& node) { places_[key] = place(node); }
  [[nodiscard]] KeyPlaces take_places() { return std::move(places_); }

  [[nodiscard]] ConfigPlace place(const YAML::Node& node) const;
  [[nodiscard]] SourcePlace line(const YAML::Node& node) const;

 private:
  std::string file_;
  std::vector<ConfigProblem> list_;
  KeyPlaces places_;
};

/// One value to be: a node of the file that is read, or the schema that is written.
struct Slot {
  YAML::Node node;
  SchemaNode* schema = nullptr;
  std::string name;  ///< as problems call it: "http.port", "tenants[].members[]"; empty: the file
};

/// One mapping of a file, in one of two modes, so that the file and its schema are of one making:
/// - reading: each call takes its key into the target. Every key that is asked for becomes known; finish() reports the
///   others. A value of the wrong form is a problem, and its target keeps the default.
/// - describing: there is no file; each call adds its key to the schema, `about` as its description, and the target's
///   value as its default. is_usable() is false.
class Section {
 public:
  Section(Slot slot, Problems& problems);

  /// Whether there is a mapping to read.
  [[nodiscard]] bool is_usable() const noexcept { return usable_; }
  [[nodiscard]] YAML::Node node() const { return slot_.node; }
  Problems& problems() { return problems_; }

  Section section(const std::string& key, const char* about);
  void text(const std::string& key, const char* about, std::string& target, const char* pattern = "");
  void text(const std::string& key, const char* about, std::optional<std::string>& target);
  void texts(const std::string& key, const char* about, std::vector<std::string>& target);
  void flag(const std::string& key, const char* about, bool& target);
  void secret(const std::string& key, const char* about, std::optional<SecretReference>& target);

  template <class Integer>
  void integer(const std::string& key, const char* about, Integer& target, std::int64_t low, std::int64_t high) {
    const auto number = whole_number(key, about, static_cast<std::int64_t>(target), low, high);
    if (number) target = static_cast<Integer>(*number);
  }
  template <class Integer>
  void integer(const std::string& key, const char* about, std::optional<Integer>& target, std::int64_t low,
               std::int64_t high) {
    const auto number = whole_number(key, about, std::nullopt, low, high);
    if (number) target = static_cast<Integer>(*number);
  }

  /// A size in bytes: 64KiB, 4MiB.
  template <class Bytes>
  void bytes(const std::string& key, const char* about, Bytes& target, std::size_t low, std::size_t high) {
    std::optional<std::int64_t> now;
    if constexpr (std::is_integral_v<Bytes>) now = static_cast<std::int64_t>(target);
    if (const auto size = size_in_bytes(key, about, now, low, high)) target = *size;
  }

  /// A time: 500ms, 30s, 5m, 1h, 30d; whole in the target's unit.
  template <class Duration>
  void duration(const std::string& key, const char* about, Duration& target, std::chrono::milliseconds low,
                std::chrono::milliseconds high) {
    const auto found = milliseconds(key, about, target, low, high, Duration(1));
    if (found) target = std::chrono::duration_cast<Duration>(*found);
  }

  template <class Enum>
  using Words = std::initializer_list<std::pair<std::string_view, Enum>>;
  /// One of these words.
  template <class Enum>
    requires std::is_enum_v<Enum> || std::is_same_v<Enum, bool>
  void choice(const std::string& key, const char* about, Enum& target, Words<Enum> words) {
    std::optional<Enum> chosen = target;
    choice(key, about, chosen, words);
    target = *chosen;
  }
  template <class Enum>
  void choice(const std::string& key, const char* about, std::optional<Enum>& target, Words<Enum> words) {
    std::vector<std::string_view> names;
    std::string_view now;
    for (const auto& [word, meaning] : words) {
      names.push_back(word);
      if (target && *target == meaning) now = word;
    }
    if (const auto at = index_of_word(key, about, names, now)) target = (words.begin() + *at)->second;
  }

  /// A list of plain texts, which `pattern` describes; `read` gets each as a scalar node. False: there is no list.
  bool scalars(const std::string& key, const char* about, const char* pattern, const std::string& default_json,
               const std::function<void(const YAML::Node&)>& read);
  /// A list of anything: `read` gets each item; while describing, once. `such_as` shows one in problems.
  bool list(const std::string& key, const char* about, const char* such_as, const std::function<void(Slot)>& read);
  /// A mapping with names of the operator's own: `read` gets each name and what stands behind it; while describing,
  /// once, with an empty name. `pattern` describes the names.
  bool entries(const std::string& key, const char* about, const char* pattern,
               const std::function<void(const YAML::Node& name, Slot value)>& read);
  /// A mapping that is somebody else's: `read` gets it as it is.
  void free_mapping(const std::string& key, const char* about, const std::function<void(const YAML::Node&)>& read);
  /// A scalar of a form of its own, which `keywords` (JSON members) describe.
  std::optional<std::string> special(const std::string& key, const char* about, const std::string& keywords,
                                     const std::string& default_json = {});

  /// A value of a form of its own, as it stands.
  YAML::Node value(const std::string& key, const char* about, const std::string& keywords);

  /// A key that has to be there: `message` says so when it is not.
  void require(const std::string& key, const std::string& message);
  /// Reports keys that nobody asked for.
  void finish();

  /// "'http.port' must be <wanted>; got '99999'".
  void bad(const std::string& key, const std::string& wanted, const std::string& got);
  /// About a key's value, or about the whole section when it has none.
  void add(const std::string& key, const std::string& message);
  [[nodiscard]] bool has(const std::string& key) const { return find(key).IsDefined(); }
  [[nodiscard]] std::string where(const std::string& key = "") const;
  /// Of a key's value, or of the section when it has none.
  [[nodiscard]] SourcePlace place(const std::string& key = "") const;

 private:
  [[nodiscard]] YAML::Node find(const std::string& key) const;
  /// Makes the key known. Reading: its value, undefined when absent or null, and its place is noted. Describing: adds
  /// it to the schema.
  Slot take(const std::string& key, const char* about, const std::string& keywords = {},
            const std::string& default_json = {});
  std::optional<std::string> scalar(const std::string& key, const Slot& slot);

  std::optional<std::int64_t> whole_number(const std::string& key, const char* about, std::optional<std::int64_t> now,
                                           std::int64_t low, std::int64_t high);
  std::optional<std::size_t> size_in_bytes(const std::string& key, const char* about, std::optional<std::int64_t> now,
                                           std::size_t low, std::size_t high);
  /// A whole number of `unit`s.
  std::optional<std::chrono::milliseconds> milliseconds(const std::string& key, const char* about,
                                                        std::chrono::milliseconds now, std::chrono::milliseconds low,
                                                        std::chrono::milliseconds high, std::chrono::milliseconds unit);
  std::optional<std::ptrdiff_t> index_of_word(const std::string& key, const char* about,
                                              const std::vector<std::string_view>& words, std::string_view now);

  Slot slot_;
  Problems& problems_;
  std::vector<std::string> known_;
  bool usable_ = false;
};

}  // namespace toolhost::app
