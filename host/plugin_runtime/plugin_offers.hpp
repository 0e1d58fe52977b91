#pragma once
#include "plugin_runtime/plugin_definition.hpp"
#include "plugin_runtime/plugin_host.hpp"

namespace toolhost::plugin_runtime {

PluginOffers offers_of(const PluginDefinition& definition);

}  // namespace toolhost::plugin_runtime
