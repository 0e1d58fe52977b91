#pragma once
#include "app/commands/command_context.hpp"

namespace CLI {
class App;
}

namespace toolhost::app {

/// Adds `toolhost top` and `toolhost log-level`, which ask a running host.
void add_observe_commands(CLI::App& app, CommonOptions& options, int& exit_code);

}  // namespace toolhost::app
