#pragma once
#include "access/gatekeeper.hpp"
#include "app/admin_socket.hpp"
#include "app/reload.hpp"
#include "plugin_runtime/plugin_host.hpp"

namespace toolhost::app {

/// Answers to the commands "reload" (dry_run) and "explain" (key, tool, args). The arguments outlive the server that
/// calls them.
AdminHandlers control_handlers(ConfigurationControl& control, const access::Gatekeeper& gatekeeper,
                               const plugin_runtime::PluginHost& plugins);

}  // namespace toolhost::app
