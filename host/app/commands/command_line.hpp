#pragma once

namespace toolhost::app {

/// Parses the command line, runs the subcommand, returns the process's exit code (app/exit_code.hpp). Main thread.
int run_command_line(int argc, char** argv);

}  // namespace toolhost::app
