#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "app/config/config_loader.hpp"
#include "base/result.hpp"
#include "plugin_runtime/plugin_host.hpp"

namespace toolhost::app {

/// What came of `toolhost plugin reload`.
struct PluginReloadReport {
  bool dry_run = false;  ///< nothing was replaced; `replaced` says what would be
  plugin_runtime::PluginReplacement replaced;
  /// What the configuration in force names and no plugin has any more: the next start would be refused.
  std::vector<ConfigProblem> problems;
};
std::string to_json(const PluginReloadReport& report);
/// What to_json() wrote; kInternal when it is something else.
Result<PluginReloadReport> plugin_reload_report_from_json(std::string_view text);
/// For people, without the problems; lines.
std::string to_text(const PluginReloadReport& report);

/// A plugin of the running host, as the command compares it with its file.
struct RunningPlugin {
  std::string id, version, file, sha256;  ///< version and hash are empty when it does not serve
  plugin_runtime::PluginOffers offers;
  plugin_runtime::PluginPins pins;    ///< what the configuration in force wants its file to be
  plugin_runtime::PluginTrust trust;  ///< what the host demands of every plugin file
};  // as JSON without the hashes of files
/// Without pins and trust. kNotFound: no such plugin.
Result<RunningPlugin> running_plugin(const plugin_runtime::PluginHost& plugins, std::string_view id);
std::string to_json(const RunningPlugin& plugin);
/// What to_json() wrote; kInternal when it is something else.
Result<RunningPlugin> running_plugin_from_json(std::string_view text);

}  // namespace toolhost::app
