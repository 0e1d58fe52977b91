#include "app/config/config_check.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "app/commands/console.hpp"
#include "app/config/scratch_store.hpp"
#include "app/config/tenant_settings.hpp"
#include "app/config/yaml_value.hpp"
#include "base/similar_name.hpp"

namespace toolhost::app {
namespace {

namespace fs = std::filesystem;
using plugin_runtime::SettingsProblem;

const PluginFacts* facts_of(const InstalledPlugins& installed, const fs::path& file) {
  const auto found = std::find_if(installed.plugins.begin(), installed.plugins.end(),
                                  [&](const auto& plugin) { return plugin.file == file; });
  return found == installed.plugins.end() ? nullptr : &*found;
}

/// Names of a configuration held against those that exist.
class NameCheck {
 public:
  NameCheck(const InstalledPlugins& installed, std::vector<ConfigProblem>& problems) : problems_(problems) {
    for (const auto& plugin : installed.plugins) {
      ids_.push_back(plugin.id);
      for (const auto& tool : plugin.tools) {
        tools_.push_back(tool);
        whole_names_.push_back(plugin.id + "." + tool);
      }
    }
  }

  void check(const access::TenantPolicyConfig& policy) {
    if (policy.plugins) check_plugins(*policy.plugins);
    if (policy.allow) check_tools(*policy.allow);
    check_tools(policy.deny);
    for (const auto& role : policy.roles) {
      check_tools(role.deny);
      if (role.scopes) check_scopes(*role.scopes);
    }
    for (const auto& rule : policy.rules) check_tools(rule.tools);
    for (const auto& limits : policy.limits.tools) check_tools(limits.tools);
    for (const auto& text : policy.texts) check_tool(text.tool, text.place);
  }

 private:
  static bool has(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  void check_plugins(const access::ToolPatterns& patterns) {
    for (const auto& [text, place] : patterns)
      if (text.find('*') == std::string::npos && !has(ids_, text)) add(place, unknown_plugin(text, ids_));
  }
  void check_tools(const access::ToolPatterns& patterns) {
    for (const auto& [text, place] : patterns)
      if (text.find('*') == std::string::npos) check_tool(text, place);
  }
  void check_scopes(const access::Scopes& scopes) {
    for (const auto& [text, place] : scopes) {
      if (text == "read" || text == "write" || text.find('*') != std::string::npos || is_tool(text)) continue;
      auto names = tools_;
      names.insert(names.begin(), {"read", "write"});
      add(place, in_quotes(text) + " is neither read, nor write, nor a tool" + meant(text, names));
    }
  }
  [[nodiscard]] bool is_tool(const std::string& name) const {
    return has(name.find('.') == std::string::npos ? tools_ : whole_names_, name);
  }
  void check_tool(const std::string& name, const SourcePlace& place) {
    if (is_tool(name)) return;
    const bool is_whole = name.find('.') != std::string::npos;
    add(place, "no plugin has a tool " + in_quotes(name) + meant(name, is_whole ? whole_names_ : tools_));
  }
  static std::string meant(const std::string& name, const std::vector<std::string>& names) {
    const auto near = similar_name(name, names);
    return near ? "; did you mean '" + std::string(*near) + "'?" : "; 'toolhost plugin list' shows what there is";
  }
  void add(const SourcePlace& place, std::string message) {
    if (!place.file.empty()) problems_.push_back({place.file, place.line, 0, std::move(message)});
  }

  std::vector<ConfigProblem>& problems_;
  std::vector<std::string> ids_, tools_, whole_names_;
};

/// The settings of one plugin held against its schema.
class SettingsCheck {
 public:
  SettingsCheck(const HostConfig& config, std::size_t index, const PluginFacts& plugin,
                const InstalledPlugins& installed, std::vector<ConfigProblem>& problems)
      : config_(config),
        spec_(config.plugins.plugins[index]),
        own_(config.plugin_places[index]),
        plugin_(plugin),
        installed_(installed),
        problems_(problems) {}

  void run() {
    const auto own = installed_.check_settings(plugin_.id, spec_.settings_json.empty() ? "{}" : spec_.settings_json);
    std::set<std::pair<std::string, std::string>> known;
    for (const auto& problem : own) {
      add(own_.settings, own_.entry, problem);
      known.emplace(problem.pointer, problem.message);
    }
    for (const auto& settings : config_.tenant_settings) {
      const auto merged = spec_.tenant_settings.find(settings.tenant);
      if (settings.plugin != plugin_.id || merged == spec_.tenant_settings.end()) continue;
      for (const auto& problem : installed_.check_settings(plugin_.id, merged->second))
        if (!known.contains({problem.pointer, problem.message})) add(settings.places, settings.entry, problem);
    }
  }

 private:
  /// At the value itself, or at the nearest around it that stands in this file.
  void add(const SettingsPlaces& places, const ConfigPlace& entry, const SettingsProblem& problem) {
    std::string pointer = problem.pointer;
    auto found = places.find(pointer);
    while (found == places.end() && !pointer.empty()) {
      pointer.resize(pointer.rfind('/'));
      found = places.find(pointer);
    }
    const auto& [file, line, column] = found == places.end() ? entry : found->second;
    if (file.empty()) return;
    problems_.push_back(
        {file, line, column, "the plugin " + plugin_.id + " refuses this: " + printable(problem.message)});
  }

  const HostConfig& config_;
  const plugin_runtime::PluginSpec& spec_;
  const PluginPlace& own_;
  const PluginFacts& plugin_;
  const InstalledPlugins& installed_;
  std::vector<ConfigProblem>& problems_;
};

/// Settings under the name of a plugin's file, when the plugin calls itself otherwise.
void check_id(const HostConfig& config, std::size_t index, const PluginFacts& plugin,
              std::vector<ConfigProblem>& problems) {
  const std::string stem = config.plugins.plugins[index].file.stem().string();
  if (stem == plugin.id) return;
  for (const auto& settings : config.tenant_settings) {
    if (settings.plugin != stem) continue;
    const auto& [file, line, column] = settings.entry;
    problems.push_back(
        {file, line, column,
         "the plugin in " + in_quotes(stem + ".so") + " is called '" + plugin.id + "'; name its settings so"});
  }
}

using Schemas = std::map<std::string, std::shared_ptr<const JsonSchema>, std::less<>>;

/// Fills in what the plugin's file declares.
Result<> ask(PluginFacts& plugin, const fs::path& store, const plugin_runtime::PluginPins& pins,
             const plugin_runtime::PluginTrust& trust, Schemas& schemas) {
  auto described = plugin_runtime::describe_plugin_file(plugin.file, store, pins, trust);
  if (!described) return described.error();
  plugin.id = described->id;
  plugin.is_loaded = true;
  plugin.tools = std::move(described->tools);
  schemas[plugin.id] = std::move(described->settings_schema);
  return boost::system::in_place_value;
}

/// `otherwise` is asked for plugins that are not among these; may be empty.
decltype(InstalledPlugins::check_settings) check_with(Schemas schemas,
                                                      decltype(InstalledPlugins::check_settings) otherwise) {
  return [schemas = std::move(schemas), otherwise = std::move(otherwise)](std::string_view plugin,
                                                                          std::string_view settings) {
    const auto schema = schemas.find(plugin);
    if (schema != schemas.end()) return plugin_runtime::check_plugin_settings(schema->second.get(), settings);
    return otherwise ? otherwise(plugin, settings) : std::vector<SettingsProblem>();
  };
}

}  // namespace

InstalledPlugins installed_plugins(const plugin_runtime::PluginHost& host) {
  InstalledPlugins installed;
  const auto registry = host.registry();
  for (const auto& info : host.plugins()) {
    PluginFacts facts{.file = absolute_path(info.file).lexically_normal(),
                      .id = info.id,
                      .is_loaded = info.state == "serving" || info.state == "quarantined",
                      .tools = {}};
    for (const auto* tool : registry->tools())
      if (tool->plugin == info.id) facts.tools.push_back(tool->name);
    for (const auto& offers : {registry->resources(), registry->templates()})
      for (const auto* resource : offers)
        if (resource->read.plugin == info.id) facts.tools.push_back(resource->read.name);
    for (const auto* prompt : registry->prompts())
      if (prompt->get.plugin == info.id) facts.tools.push_back(prompt->get.name);
    installed.plugins.push_back(std::move(facts));
  }
  installed.check_settings = [&host](std::string_view plugin, std::string_view settings) {
    return host.check_settings(plugin, settings);
  };
  return installed;
}

InstalledPlugins describe_plugins(const HostConfig& config, std::vector<ConfigProblem>& problems, Machine machine) {
  InstalledPlugins installed;
  Schemas schemas;
  const ScratchStore scratch;
  const auto& specs = config.plugins.plugins;
  auto trust = config.plugins.trust;
  const auto is_elsewhere = [](const auto& key) {
    std::error_code ignored;
    return !fs::exists(key.file, ignored);
  };
  if (machine == Machine::kOther && std::any_of(trust.keys.begin(), trust.keys.end(), is_elsewhere)) {
    trust.keys.clear();
    trust.require_signature = false;
  }
  for (std::size_t index = 0; index < specs.size(); ++index) {
    const auto file = plugin_file(config, specs[index]);
    auto& facts = installed.plugins.emplace_back(PluginFacts{.file = file, .id = specs[index].file.stem().string()});
    const auto asked = ask(facts, scratch.path(), specs[index].pins, trust, schemas);
    std::error_code ignored;
    if (asked || (machine == Machine::kOther && !fs::exists(file, ignored))) continue;
    const auto& [name, line, column] = config.plugin_places[index].entry;
    problems.push_back({name.empty() ? "built-in default" : name, line, column,
                        "this plugin cannot be loaded: " + printable(asked.error().message)});
  }
  installed.check_settings = check_with(std::move(schemas), nullptr);
  return installed;
}

std::vector<ConfigProblem> check_against_plugins(const HostConfig& config, const plugin_runtime::PluginHost& host) {
  auto installed = installed_plugins(host);
  Schemas schemas;
  const auto& specs = config.plugins.plugins;
  for (auto& plugin : installed.plugins) {
    if (plugin.is_loaded) continue;
    const auto spec = std::find_if(specs.begin(), specs.end(),
                                   [&](const auto& each) { return plugin_file(config, each) == plugin.file; });
    // What was refused for its bytes is refused again, before any of it runs.
    if (spec != specs.end()) (void)ask(plugin, config.data_dir / "plugins", spec->pins, config.plugins.trust, schemas);
  }
  installed.check_settings = check_with(std::move(schemas), std::move(installed.check_settings));
  return check_against_plugins(config, installed);
}

std::vector<ConfigProblem> check_against_plugins(const HostConfig& config, const InstalledPlugins& installed) {
  std::vector<ConfigProblem> problems;
  bool are_all_loaded = true;
  const auto& specs = config.plugins.plugins;
  for (std::size_t index = 0; index < specs.size(); ++index) {
    const auto* plugin = facts_of(installed, plugin_file(config, specs[index]));
    if (plugin == nullptr || !plugin->is_loaded) {
      are_all_loaded = false;
      continue;
    }
    check_id(config, index, *plugin, problems);
    SettingsCheck(config, index, *plugin, installed, problems).run();
  }
  if (are_all_loaded) {
    NameCheck names(installed, problems);
    names.check(config.policy.defaults);
    for (const auto& [name, policy] : config.policy.tenants) names.check(policy);
  }
  sort_by_place(problems, config.files);
  return problems;
}

plugin_runtime::PluginHost::TenantSettings tenant_settings_of(const HostConfig& config,
                                                              const InstalledPlugins& installed) {
  plugin_runtime::PluginHost::TenantSettings settings;
  for (const auto& spec : config.plugins.plugins) {
    const auto* plugin = facts_of(installed, plugin_file(config, spec));
    settings[plugin != nullptr ? plugin->id : spec.file.stem().string()] = spec.tenant_settings;
  }
  return settings;
}

}  // namespace toolhost::app
