#pragma once

namespace CLI {
class App;
}

namespace toolhost::app {

/// Adds `inspect`, `validate` and what the latter starts to the commands under `plugin`; a command puts its exit code
/// into `exit_code`, which outlives the parsing.
void add_plugin_check_commands(CLI::App& plugin, int& exit_code);

}  // namespace toolhost::app
