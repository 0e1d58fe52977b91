#pragma once

namespace CLI {
class App;
}

namespace toolhost::app {

struct CommonOptions;

/// Adds `tool cost` to the program.
void add_tool_commands(CLI::App& app, CommonOptions& common, int& exit_code);

}  // namespace toolhost::app
