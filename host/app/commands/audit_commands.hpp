#pragma once
#include "app/commands/command_context.hpp"

namespace CLI {
class App;
}

namespace toolhost::app {

/// Adds `toolhost audit list`, `audit verify` and `audit export`.
void add_audit_commands(CLI::App& app, CommonOptions& options, int& exit_code);

}  // namespace toolhost::app
