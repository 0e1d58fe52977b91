#include "app/config/tenant_settings.hpp"

#include <algorithm>

#include "app/config/yaml_value.hpp"
#include "base/json.hpp"
#include "base/json_writer.hpp"
#include "base/similar_name.hpp"

namespace toolhost::app {
namespace {

/// The members of `base` with those of `over` in their place; both are JSON objects, `base` may be empty.
std::string merge(std::string_view base, std::string_view over) {
  json::Document base_text, over_text;
  const auto base_root = base_text.parse(base.empty() ? "{}" : base);
  const auto over_root = over_text.parse(over);
  json::Object base_members, over_members;
  if (!base_root || !over_root || base_root->get(base_members) || over_root->get(over_members))
    return std::string(over);
  std::string out;
  JsonWriter writer(out);
  writer.begin_object();
  for (const auto& member : base_members)
    if (json::find(*over_root, member.key).error()) writer.key(member.key).raw(json::to_text(member.value));
  for (const auto& member : over_members) writer.key(member.key).raw(json::to_text(member.value));
  writer.end_object();
  return out;
}

/// Without a look into the file.
std::string likely_id(const plugin_runtime::PluginSpec& plugin) {
  return plugin.pins.id.empty() ? plugin.file.stem().string() : plugin.pins.id;
}

}  // namespace

std::optional<std::size_t> PluginIds::find(const std::string& id) {
  const auto& plugins = config_.plugins.plugins;
  // Most files are called as their plugin, and hashing each of them at every reload would take its time.
  const auto named =
      std::find_if(plugins.begin(), plugins.end(), [&](const auto& plugin) { return likely_id(plugin) == id; });
  if (named != plugins.end()) return named - plugins.begin();
  const auto found = std::find(all().begin(), all().end(), id);
  if (found == all().end()) return std::nullopt;
  return found - all().begin();
}

const std::vector<std::string>& PluginIds::all() {
  if (!ids_.empty()) return ids_;
  for (const auto& plugin : config_.plugins.plugins) {
    const auto found = plugin_runtime::identify_plugin_file(plugin_file(config_, plugin));
    ids_.push_back(found ? found->id : likely_id(plugin));
  }
  return ids_;
}

std::string unknown_plugin(const std::string& id, const std::vector<std::string>& known) {
  std::string message = "unknown plugin " + in_quotes(id);
  if (const auto near = similar_name(id, known)) return message + "; did you mean '" + std::string(*near) + "'?";
  message += known.empty() ? "; no plugin is configured" : "; configured are:";
  for (const auto& name : known) message += " " + name;
  return message;
}

std::vector<ConfigProblem> lay_tenant_settings(HostConfig& config) {
  std::vector<ConfigProblem> problems;
  PluginIds ids(config);
  for (const auto& settings : config.tenant_settings) {
    const auto index = ids.find(settings.plugin);
    if (!index) {
      const auto& [file, line, column] = settings.entry;
      problems.push_back({file, line, column, unknown_plugin(settings.plugin, ids.all())});
      continue;
    }
    auto& plugin = config.plugins.plugins[*index];
    plugin.tenant_settings[settings.tenant] = merge(plugin.settings_json, settings.json);
  }
  return problems;
}

}  // namespace toolhost::app
