#pragma once
#include "app/commands/command_context.hpp"

namespace toolhost::app {

/// `toolhost stdio`: MCP on standard input and output, for assistants that start programs.
void add_stdio_command(CLI::App& app, CommonOptions& options, int& exit_code);

}  // namespace toolhost::app
