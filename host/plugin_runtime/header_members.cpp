#include "plugin_runtime/header_members.hpp"

#include <algorithm>
#include <array>

#include "base/lower.hpp"

namespace toolhost::plugin_runtime {
namespace {

constexpr std::string_view kMark = "x-mcp-header";
/// Keywords whose value is data, not a schema.
constexpr std::array<std::string_view, 4> kData{"const", "enum", "default", "examples"};
/// Keywords whose members are named freely, and are schemas.
constexpr std::array<std::string_view, 4> kNamed{"$defs", "definitions", "dependentSchemas", "patternProperties"};

bool is_one_of(const auto& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

class Collector {
 public:
  Result<> schema(const json::Value& value, bool is_reachable) {
    json::Object members;
    if (value.get(members) != simdjson::SUCCESS) return {};
    if (const auto mark = json::find(value, kMark); mark.error() == simdjson::SUCCESS)
      if (auto noted = note(value, mark.value_unsafe(), is_reachable); !noted) return noted;
    for (const auto& [key, member] : members) {
      if (key == kMark || is_one_of(kData, key)) continue;
      if (key == "properties" || is_one_of(kNamed, key)) {
        if (auto done = named(member, is_reachable && key == "properties"); !done) return done;
      } else if (auto done = nested(member); !done) {
        return done;
      }
    }
    return {};
  }

  HeaderMembers found;

 private:
  Result<> named(const json::Value& schemas, bool is_reachable) {
    json::Object members;
    if (schemas.get(members) != simdjson::SUCCESS) return {};
    for (const auto& [name, member] : members) {
      path_.emplace_back(name);
      if (auto done = schema(member, is_reachable); !done) return done;
      path_.pop_back();
    }
    return {};
  }

  Result<> nested(const json::Value& value) {
    json::Array elements;
    if (value.get(elements) != simdjson::SUCCESS) return schema(value, false);
    for (const auto& element : elements)
      if (auto done = schema(element, false); !done) return done;
    return {};
  }

  Result<> note(const json::Value& value, const json::Value& mark, bool is_reachable) {
    const auto refuse = [this](const std::string& reason) {
      std::string place;
      for (const auto& name : path_) place += "/" + name;
      return Error{Errc::kInvalidArgument, "\"x-mcp-header\" at " + (place.empty() ? "/" : place) + " " + reason, {}};
    };
    std::string_view name, type;
    if (mark.get(name) != simdjson::SUCCESS || !is_token(name))
      return refuse("is no HTTP token; use letters, digits and hyphens");
    if (!is_reachable || path_.empty())
      return refuse("must mark a member that \"properties\" alone lead to; move or remove it");
    if (json::find(value, "type").get(type) != simdjson::SUCCESS) type = {};
    HeaderMember member{.name = std::string(name), .path = path_, .type = HeaderMember::Type::kString};
    if (type == "integer")
      member.type = HeaderMember::Type::kInteger;
    else if (type == "boolean")
      member.type = HeaderMember::Type::kBoolean;
    else if (type != "string")
      return refuse("may only mark a \"type\" of string, integer or boolean");
    const auto is_same = [&](const HeaderMember& other) { return equals_ignoring_case(other.name, name); };
    if (std::any_of(found.begin(), found.end(), is_same))
      return refuse("uses the name " + member.name + " a second time; case does not count");
    found.push_back(std::move(member));
    return {};
  }

  std::vector<std::string> path_;
};

}  // namespace

Result<HeaderMembers> header_members(const json::Value& input_schema) {
  Collector collector;
  if (auto done = collector.schema(input_schema, true); !done) return done.error();
  return std::move(collector.found);
}

}  // namespace toolhost::plugin_runtime
