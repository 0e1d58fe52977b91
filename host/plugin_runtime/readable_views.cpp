#include "plugin_runtime/readable_views.hpp"

#include <algorithm>

namespace toolhost::plugin_runtime {
namespace {

bool exports_view(const PluginDefinition& plugin, const std::string& view) {
  return std::find(plugin.exports.begin(), plugin.exports.end(), view) != plugin.exports.end();
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

Error missing(const ReadDeclaration& read, const PluginDefinition* exporter) {
  const auto what = "it reads the view " + read.view + " of the plugin " + read.plugin;
  if (exporter == nullptr)
    return {Errc::kInvalidArgument,
            what + ", which is not loaded: list " + read.plugin +
                " among the plugins of the configuration, or, if it is listed, mend why it was refused",
            {}};
  return {Errc::kInvalidArgument,
          what + ", but " + read.plugin + " " + exporter->version + " exports " +
              (exporter->exports.empty() ? "no view" : "only " + joined(exporter->exports)) + ": load a version of " +
              read.plugin + " that has it",
          {}};
}

}  // namespace

Result<std::vector<storage::ExportedView>> readable_views(const PluginDefinition& reader,
                                                          std::span<const PluginDefinition* const> loaded) {
  std::vector<storage::ExportedView> views;
  for (const auto& read : reader.reads) {
    const PluginDefinition* named = nullptr;
    bool found = false;
    for (const auto* plugin : loaded) {
      if (read.plugin != "*" && plugin->id != read.plugin) continue;
      named = plugin;
      if (!exports_view(*plugin, read.view)) continue;
      found = true;
      const bool is_listed = std::any_of(views.begin(), views.end(), [&](const storage::ExportedView& view) {
        return view.plugin_id == plugin->id && view.view == read.view;
      });
      if (!is_listed) views.push_back({plugin->id, read.view});
    }
    if (!found && !read.optional && read.plugin != "*") return missing(read, named);
  }
  return views;
}

}  // namespace toolhost::plugin_runtime
