#pragma once
#include <string>
#include <vector>

#include "app/config/config_loader.hpp"
#include "plugin_runtime/plugin_host.hpp"

namespace toolhost::app {

/// Lays each tenant's settings over those of the plugin, key by key, into `plugins.plugins[].tenant_settings`. A plugin
/// is known by its id, or while its file cannot be read by the file's name. Problems name ids that no plugin has.
std::vector<ConfigProblem> lay_tenant_settings(HostConfig& config);

/// Which of `plugins.plugins` an id means; nothing when none. Files are read only when none is called so.
class PluginIds {
 public:
  explicit PluginIds(const HostConfig& config) : config_(config) {}
  std::optional<std::size_t> find(const std::string& id);
  const std::vector<std::string>& all();

 private:
  const HostConfig& config_;
  std::vector<std::string> ids_;
};

/// "unknown plugin 'tikets'; did you mean 'tickets'?"
std::string unknown_plugin(const std::string& id, const std::vector<std::string>& known);

}  // namespace toolhost::app
