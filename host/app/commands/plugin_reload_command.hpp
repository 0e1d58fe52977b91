#pragma once

namespace CLI {
class App;
}

namespace toolhost::app {

struct CommonOptions;

/// Adds `plugin reload` to the command `plugin`.
void add_plugin_reload_command(CLI::App& plugin, CommonOptions& common, int& exit_code);

}  // namespace toolhost::app
