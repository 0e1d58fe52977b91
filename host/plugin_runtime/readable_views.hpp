#pragma once
#include <span>
#include <vector>

#include "base/result.hpp"
#include "plugin_runtime/plugin_definition.hpp"
#include "storage/migrator.hpp"

namespace toolhost::plugin_runtime {

/// What `reader` may read of the `loaded` plugins, itself among them, in the order of its declarations and, for "*", of
/// `loaded`; each view once. kInvalidArgument, with what to load, when something is missing that it cannot do without.
Result<std::vector<storage::ExportedView>> readable_views(const PluginDefinition& reader,
                                                          std::span<const PluginDefinition* const> loaded);

}  // namespace toolhost::plugin_runtime
