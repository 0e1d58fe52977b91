#include "plugin_runtime/plugin_offers.hpp"

#include <set>

#include "base/json_writer.hpp"
#include "plugin_runtime/regular_file.hpp"

namespace toolhost::plugin_runtime {
namespace {

/// Absent members are left out, so that what one version does not say and the other says nothing of is the same.
void text_member(JsonWriter& json, std::string_view name, std::string_view text) {
  if (!text.empty()) json.member(name, text);
}
void raw_member(JsonWriter& json, std::string_view name, std::string_view value) {
  if (!value.empty()) json.key(name).raw(value);
}

void common_members(JsonWriter& json, const auto& offered) {
  json.member("name", offered.name);
  text_member(json, "title", offered.title);
  text_member(json, "description", offered.description);
  raw_member(json, "icons", offered.icons_json);
  raw_member(json, "_meta", offered.meta_json);
}

std::string text_of(const Tool& tool) {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  common_members(json, tool);
  raw_member(json, "inputSchema", tool.input_schema_json);
  raw_member(json, "outputSchema", tool.output_schema_json);
  json.key("annotations").begin_object();
  json.key("readOnlyHint").boolean(tool.read_only).key("destructiveHint").boolean(tool.destructive);
  json.key("idempotentHint").boolean(tool.idempotent).key("openWorldHint").boolean(tool.open_world);
  json.end_object().end_object();
  return text;
}

std::string text_of(const Resource& resource) {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  common_members(json, resource);
  json.member(resource.uri_template ? "uriTemplate" : "uri", resource.uri);
  text_member(json, "mimeType", resource.mime_type);
  raw_member(json, "annotations", resource.annotations_json);
  if (resource.size) json.key("size").integer(*resource.size);
  json.end_object();
  return text;
}

std::string text_of(const Prompt& prompt) {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  common_members(json, prompt);
  json.key("arguments").begin_array();
  for (const auto& argument : prompt.arguments) {
    json.begin_object().member("name", argument.name);
    text_member(json, "title", argument.title);
    text_member(json, "description", argument.description);
    json.key("required").boolean(argument.required).end_object();
  }
  json.end_array().end_object();
  return text;
}

/// Says where two values differ, member by member as far as both are objects.
void compare(const std::string& path, const json::Value& before, const json::Value& after,
             std::vector<std::string>& lines) {
  json::Object old_members, new_members;
  if (before.get(old_members) != simdjson::SUCCESS || after.get(new_members) != simdjson::SUCCESS) {
    const auto was = json::to_text(before), is = json::to_text(after);
    if (was != is) lines.push_back(path + ": " + was + " -> " + is);
    return;
  }
  std::set<std::string_view> names;
  for (const auto& member : old_members) names.insert(member.key);
  for (const auto& member : new_members) names.insert(member.key);
  for (const auto name : names) {
    const auto inner = path + (path.find(':') == std::string::npos ? ": " : "/") + std::string(name);
    json::Value was, is;
    const bool had = old_members.at_key(name).get(was) == simdjson::SUCCESS;
    const bool has = new_members.at_key(name).get(is) == simdjson::SUCCESS;
    if (!had)
      lines.push_back(inner + " is new: " + json::to_text(is));
    else if (!has)
      lines.push_back(inner + " is gone: " + json::to_text(was));
    else
      compare(inner, was, is, lines);
  }
}

}  // namespace

PluginOffers offers_of(const PluginDefinition& definition) {
  PluginOffers offers;
  for (const auto& offered : definition.tools) offers["tool " + offered.tool.name] = text_of(offered.tool);
  for (const auto& offered : definition.resources) {
    const auto& resource = offered.resource;
    offers[(resource.uri_template ? "template " : "resource ") + resource.name] = text_of(resource);
  }
  for (const auto& offered : definition.prompts) offers["prompt " + offered.prompt.name] = text_of(offered.prompt);
  return offers;
}

std::string hash_of(const PluginOffers& offers) {
  std::string all;
  for (const auto& [name, text] : offers) all.append(text).push_back('\n');
  return sha256_of(all);
}

std::vector<std::string> offer_changes(const PluginOffers& before, const PluginOffers& after) {
  std::vector<std::string> lines;
  for (const auto& [name, text] : before) {
    const auto found = after.find(name);
    if (found == after.end()) {
      lines.push_back(name + " is gone");
      continue;
    }
    if (found->second == text) continue;
    json::Document was, is;
    const auto old_value = was.parse(text), new_value = is.parse(found->second);
    if (old_value && new_value) compare(name, *old_value, *new_value, lines);
  }
  for (const auto& [name, text] : after)
    if (!before.contains(name)) lines.push_back(name + " is new: " + text);
  return lines;
}

}  // namespace toolhost::plugin_runtime
