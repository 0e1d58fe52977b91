#pragma once

namespace CLI {
class App;
}

namespace toolhost::app {

struct CommonOptions;

/// `toolhost plugin keygen`, `sign` and `verify`, under the command `plugin`.
void add_plugin_trust_commands(CLI::App& plugin, CommonOptions& common, int& exit_code);

}  // namespace toolhost::app
