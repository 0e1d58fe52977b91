#include "app/commands/plugin_check_commands.hpp"

#include <CLI/CLI.hpp>
#include <iostream>

#include "app/commands/command_context.hpp"
#include "app/plugin_check/inspection.hpp"

namespace toolhost::app {
namespace {

struct InspectOptions {
  std::string file;
  bool as_json = false;
};

int inspect(const InspectOptions& options) {
  const auto inspection = inspect_plugin(options.file);
  if (!inspection) return fail(inspection.error());
  if (options.as_json)
    std::cout << as_json(*inspection, {}) << "\n";
  else
    std::cout << as_text(*inspection);
  return inspection->problems.empty() ? kExitOk : kExitFailed;
}

}  // namespace

void add_plugin_check_commands(CLI::App& plugin, int& exit_code) {
  const auto options = std::make_shared<InspectOptions>();
  auto* command = plugin.add_subcommand("inspect", "Say what a plugin file is, without running any of it");
  command->add_option("FILE", options->file, "The plugin's .so file")->required();
  command->add_flag("--json", options->as_json, "Print JSON for programs");
  command->footer(
      "Identity card, hash, exports, needed libraries, the oldest glibc it runs on, and whether a host on this "
      "machine\n"
      "would load it as it is. Exit codes: 0 it would be loaded, 1 it would not, 2 the file cannot be read.");
  command->callback([options, &exit_code] { exit_code = inspect(*options); });
}

}  // namespace toolhost::app
