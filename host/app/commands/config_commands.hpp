#pragma once

namespace CLI {
class App;
}

namespace toolhost::app {

/// `toolhost check-config` and `toolhost config-schema`; they set `exit_code`, which is borrowed.
void add_config_commands(CLI::App& app, int& exit_code);

}  // namespace toolhost::app
