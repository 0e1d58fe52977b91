#include "app/config/time_zone_name.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>
#include <vector>

#include "app/config/yaml_value.hpp"
#include "base/similar_name.hpp"

namespace toolhost::app {
namespace {

namespace fs = std::filesystem;

// Zones that PostgreSQL reads as abbreviations of one offset. UTC and GMT are both, and the same.
constexpr std::array<std::string_view, 8> kAbbreviations{"CET", "EET", "EST", "HST", "MET", "MST", "UCT", "WET"};
// Beside the zones: copies of them, and what the machine itself is set to.
constexpr std::array<std::string_view, 5> kNoZones{"posix", "right", "localtime", "posixrules", "Factory"};

bool is_zone_file(const fs::path& file) {
  std::array<char, 4> magic{};
  std::ifstream in(file, std::ios::binary);
  return in.read(magic.data(), magic.size()) && std::string_view(magic.data(), magic.size()) == "TZif";
}

bool is_zone(const std::string& name, const fs::path& database) {
  const bool is_name = !name.empty() && name.find("..") == std::string::npos && name.front() != '/' &&
                       std::all_of(name.begin(), name.end(), [](unsigned char c) {
                         return std::isalnum(c) != 0 || c == '/' || c == '_' || c == '+' || c == '-';
                       });
  if (!is_name) return false;
  const std::string first = name.substr(0, name.find('/'));
  if (std::find(kNoZones.begin(), kNoZones.end(), first) != kNoZones.end()) return false;
  std::error_code ignored;
  return fs::is_regular_file(database / name, ignored) && is_zone_file(database / name);
}

bool is_abbreviation(const std::string& name) {
  return std::find(kAbbreviations.begin(), kAbbreviations.end(), name) != kAbbreviations.end();
}

std::vector<std::string> all_zones(const fs::path& database) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (auto entry = fs::recursive_directory_iterator(database, ignored); entry != fs::recursive_directory_iterator();
       entry.increment(ignored)) {
    std::string name = entry->path().lexically_relative(database).string();
    if (!is_abbreviation(name) && is_zone(name, database)) names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

std::optional<std::string> flaw_of_time_zone(const std::string& name, const fs::path& database) {
  std::error_code ignored;
  if (!fs::is_directory(database, ignored)) return std::nullopt;
  if (is_abbreviation(name))
    return in_quotes(name) + " is an abbreviation, which has no summer time; write a place such as America/New_York";
  if (is_zone(name, database)) return std::nullopt;
  const auto zones = all_zones(database);
  // People know the city: "Berlin" is Europe/Berlin.
  const auto place = std::find_if(zones.begin(), zones.end(), [&](const auto& zone) {
    return zone.ends_with("/" + name) && zone.find('/') == zone.size() - name.size() - 1;
  });
  const auto near = place != zones.end() ? std::optional<std::string_view>(*place) : similar_name(name, zones);
  return in_quotes(name) + " is no IANA time zone; " +
         (near ? "did you mean " + std::string(*near) + "?" : "write one such as Europe/Berlin or UTC");
}

}  // namespace toolhost::app
