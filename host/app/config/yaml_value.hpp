#pragma once
#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "app/config/host_config.hpp"

namespace toolhost::app {

class Problems;

/// No file of configuration is larger.
constexpr std::size_t kMaxConfigBytes = 1 << 20;

struct Unit {
  std::string_view suffix;
  std::int64_t factor;
};
/// The units of sizes (bytes) and of times (milliseconds), smallest first.
std::span<const Unit> size_units();
std::span<const Unit> time_units();
/// A whole number with one of these suffixes: "30s", "4 MiB"; nothing when it is none or too large.
std::optional<std::int64_t> parse_with_unit(std::string_view text, std::span<const Unit> units);
/// In the largest unit in which it is whole.
std::string with_unit(std::int64_t number, std::span<const Unit> units);

/// "50/s", "30/min", "0.5/h": how many, and how many a second.
struct Rate {
  double count = 0, per_second = 0;
};
std::optional<Rate> parse_rate(std::string_view text);

/// A text of the file as a problem quotes it: printable and not too long.
std::string in_quotes(std::string_view text);

/// True, and a problem, when aliases name themselves or stand for more than any configuration holds.
bool has_runaway_alias(const YAML::Node& root, Problems& problems);

/// A plugin's settings, which travel as JSON: plain scalars have the type that the YAML core schema (1.2) gives them.
/// `places` learns where each value stands. Duplicate keys are problems; so is an object of more than 1 MiB.
void append_settings(std::string& json, SettingsPlaces& places, const YAML::Node& node, Problems& problems);

}  // namespace toolhost::app
