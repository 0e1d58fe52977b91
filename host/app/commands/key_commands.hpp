#pragma once
#include "app/commands/command_context.hpp"

namespace toolhost::app {

/// Adds `toolhost key create|list|rotate|disable|enable|delete`; they set `exit_code`, which is borrowed, as `options`
/// is.
void add_key_commands(CLI::App& app, CommonOptions& options, int& exit_code);

}  // namespace toolhost::app
