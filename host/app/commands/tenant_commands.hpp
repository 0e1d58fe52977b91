#pragma once
#include "app/commands/command_context.hpp"

namespace toolhost::app {

/// Adds `toolhost tenant list|create`; they set `exit_code`, which is borrowed, as `options` is.
void add_tenant_commands(CLI::App& app, CommonOptions& options, int& exit_code);

}  // namespace toolhost::app
