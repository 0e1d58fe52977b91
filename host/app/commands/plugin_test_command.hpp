#pragma once

namespace CLI {
class App;
}

namespace toolhost::app {

/// Adds `test` to the commands of `plugin`.
void add_plugin_test_command(CLI::App& plugin, int& exit_code);

}  // namespace toolhost::app
