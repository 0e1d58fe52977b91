#pragma once
#include "app/commands/command_context.hpp"

namespace CLI {
class App;
}

namespace toolhost::app {

/// Adds `toolhost explain`, which asks the running host, or works it out from the database when none runs.
void add_explain_command(CLI::App& app, CommonOptions& options, int& exit_code);

}  // namespace toolhost::app
