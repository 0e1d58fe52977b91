#include "app/commands/plugin_reload_command.hpp"

#include <CLI/CLI.hpp>
#include <iostream>

#include "app/admin_socket.hpp"
#include "app/commands/command_context.hpp"
#include "app/commands/console.hpp"
#include "app/config/scratch_store.hpp"
#include "app/plugin_reload.hpp"
#include "base/json_writer.hpp"

namespace toolhost::app {
namespace {

struct ReloadOptions {
  std::string id;
  bool dry_run = false, as_json = false;
};

Result<std::string> ask(const CommonOptions& common, std::string_view command, const std::string& id) {
  const auto data_dir = data_dir_of(common);
  if (!data_dir) return data_dir.error();
  std::string request;
  JsonWriter(request).begin_object().member("command", command).member("id", id).end_object();
  return AdminClient::ask(*data_dir, request);
}

/// The file is loaded into this process, not into the one that serves.
Result<PluginReloadReport> compare(const CommonOptions& common, const std::string& id) {
  const auto answer = ask(common, "plugin", id);
  if (!answer) return answer.error();
  const auto running = running_plugin_from_json(*answer);
  if (!running) return running.error();
  const ScratchStore store;
  // Code of it runs here, so it must be what the host would trust, but for the hash: that it is another is what a dry
  // run is for.
  const auto described =
      plugin_runtime::describe_plugin_file(running->file, store.path(), running->pins, running->trust);
  if (!described) return described.error();
  PluginReloadReport report{.dry_run = true};
  report.replaced.id = described->id;
  report.replaced.version_before = running->version;
  report.replaced.version = described->version;
  report.replaced.sha256 = described->sha256;
  report.replaced.offers_sha256 = plugin_runtime::hash_of(described->offers);
  report.replaced.same_file = described->sha256 == running->sha256;
  report.replaced.changes = plugin_runtime::offer_changes(running->offers, described->offers);
  return report;
}

Result<PluginReloadReport> reload(const CommonOptions& common, const std::string& id) {
  const auto answer = ask(common, "reload_plugin", id);
  return answer ? plugin_reload_report_from_json(*answer) : answer.error();
}

int run(const CommonOptions& common, const ReloadOptions& options) {
  const auto report = options.dry_run ? compare(common, options.id) : reload(common, options.id);
  if (!report) return fail(report.error());
  std::cout << (options.as_json ? to_json(*report) + "\n" : to_text(*report));
  for (const auto& problem : report->problems) std::cerr << printable(problem.message) << "\n";
  if (!report->problems.empty())
    std::cerr << "toolhost: the plugin serves, but with this configuration the host would not start again\n";
  return kExitOk;
}

}  // namespace

void add_plugin_reload_command(CLI::App& plugin, CommonOptions& common, int& exit_code) {
  auto* command = plugin.add_subcommand(
      "reload", "Put what a plugin's file holds now in the place of what serves, while calls run");
  add_common(*command, common);
  static ReloadOptions options;
  command->add_option("PLUGIN", options.id, "Its id, e.g. tickets")->required();
  command->add_flag("--dry-run", options.dry_run, "Load the file here, say what it offers otherwise, change nothing");
  command->add_flag("--json", options.as_json, "Print JSON for programs");
  command->footer(
      "Replace the file by renaming a new one over it, then reload. Calls that run end in the version that they began\n"
      "in; all others begin in the new one. A version that is refused leaves the old one serving. Its migrations run\n"
      "while the old one serves, so they must suit both. No code is unloaded: each version stays in memory until the\n"
      "host is restarted, and 64 of one plugin are the most.\n"
      "The hash 'offers_sha256' that --dry-run prints can be written into the plugin's entry of the configuration:\n"
      "a version that shows clients anything else is then refused.");
  command->callback([&] { exit_code = run(common, options); });
}

}  // namespace toolhost::app
