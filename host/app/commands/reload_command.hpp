#pragma once
#include "app/commands/command_context.hpp"

namespace CLI {
class App;
}

namespace toolhost::app {

/// Adds `toolhost reload`, which asks the running host.
void add_reload_command(CLI::App& app, CommonOptions& options, int& exit_code);

}  // namespace toolhost::app
