#include "app/commands/reload_command.hpp"

#include <CLI/CLI.hpp>
#include <iostream>

#include "app/admin_socket.hpp"
#include "app/commands/console.hpp"
#include "app/config/config_loader.hpp"
#include "app/reload.hpp"

namespace toolhost::app {
namespace {

int reload(const CommonOptions& options, bool dry_run, bool as_json) {
  const auto data_dir = data_dir_of(options);
  if (!data_dir) return fail(data_dir.error());
  const auto answer =
      AdminClient::ask(*data_dir, dry_run ? R"({"command":"reload","dry_run":true})" : R"({"command":"reload"})");
  if (!answer) return fail(answer.error());
  const auto report = reload_report_from_json(*answer);
  if (!report) return fail(report.error());
  if (as_json) {
    std::cout << *answer << "\n";
  } else if (report->problems.empty()) {
    std::cout << to_text(*report);
  }
  if (report->problems.empty()) return kExitOk;
  for (const auto& problem : report->problems) std::cerr << printable(to_string(problem)) << "\n";
  std::cerr << "toolhost: nothing has changed; generation " << report->generation << " stays in force\n";
  return kExitUsage;
}

}  // namespace

void add_reload_command(CLI::App& app, CommonOptions& options, int& exit_code) {
  auto* command = app.add_subcommand("reload", "Let the running host read its configuration anew");
  add_common(*command, options);
  static bool dry_run, as_json;
  command->add_flag("--dry-run", dry_run, "Say what would change, and change nothing");
  command->add_flag("--json", as_json, "Print JSON for programs");
  command->footer(
      "Exit codes: 0 the files are in force, 2 they are refused, and what was in force stays;\n"
      "otherwise as for every command. SIGHUP does the same, and files that change (reload.watch).");
  command->callback([&] { exit_code = reload(options, dry_run, as_json); });
}

}  // namespace toolhost::app
