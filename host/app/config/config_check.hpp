#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/config_loader.hpp"
#include "app/config/start_check.hpp"
#include "plugin_runtime/plugin_host.hpp"

namespace toolhost::app {

/// What the second look at a configuration needs to know of one plugin.
struct PluginFacts {
  std::filesystem::path file;  ///< as plugin_file() names it
  std::string id;
  bool is_loaded = false;  ///< else nobody knows its tools and settings
  std::vector<std::string> tools;
};

struct InstalledPlugins {
  std::vector<PluginFacts> plugins;
  /// What the plugin's schema says against settings (a JSON object).
  std::function<std::vector<plugin_runtime::SettingsProblem>(std::string_view plugin, std::string_view settings_json)>
      check_settings;
};

/// The plugins of a running host; borrows it.
InstalledPlugins installed_plugins(const plugin_runtime::PluginHost& host);
/// Loads the configured plugins into this process to ask them, without a database and without an instance. `problems`
/// gets those that cannot be loaded; on another machine than the serving one files and trusted keys may be missing.
InstalledPlugins describe_plugins(const HostConfig& config, std::vector<ConfigProblem>& problems,
                                  Machine machine = Machine::kServing);

/// What only the plugins know of a configuration: names without "*" that no tool or plugin has, in every list, rule,
/// limit and text; settings that a plugin's schema refuses, each at its own line. In the order of files and lines.
/// While a plugin is not loaded, its tools may be what is named, and no name is refused.
std::vector<ConfigProblem> check_against_plugins(const HostConfig& config, const InstalledPlugins& installed);
/// The same with the plugins of a host. One that it has refused is asked for its tools and settings all the same.
std::vector<ConfigProblem> check_against_plugins(const HostConfig& config, const plugin_runtime::PluginHost& host);

/// The settings of tenants by plugin id, as PluginHost::set_tenant_settings() takes them.
plugin_runtime::PluginHost::TenantSettings tenant_settings_of(const HostConfig& config,
                                                              const InstalledPlugins& installed);

}  // namespace toolhost::app
