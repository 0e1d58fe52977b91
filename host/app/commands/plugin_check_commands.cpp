#include "app/commands/plugin_check_commands.hpp"

#include <CLI/CLI.hpp>
#include <csignal>
#include <fstream>
#include <iostream>
#include <random>

#include "app/commands/command_context.hpp"
#include "app/commands/console.hpp"
#include "app/plugin_check/inspection.hpp"
#include "app/plugin_check/validation.hpp"
#include "base/json.hpp"
#include "base/json_writer.hpp"

namespace toolhost::app {
namespace {

struct InspectOptions {
  std::string file;
  bool as_json = false, loads = false;
};

int inspect(const InspectOptions& options) {
  const auto inspection = inspect_plugin(options.file);
  if (!inspection) return fail(inspection.error());
  std::string definition;
  if (options.loads) {
    auto loaded = load_definition(options.file);
    if (!loaded) {
      fail(loaded.error());
      return kExitFailed;
    }
    definition = std::move(*loaded);
  }
  if (options.as_json) {
    std::cout << as_json(*inspection, definition) << "\n";
  } else {
    std::cout << as_text(*inspection);
    if (!definition.empty()) std::cout << definition_text(definition);
  }
  return inspection->problems.empty() ? kExitOk : kExitFailed;
}

struct ValidateOptions {
  std::string file, settings_file;
  std::vector<std::string> only, skip, with;
  std::optional<std::uint64_t> seed;
  bool as_json = false, lists = false;
};

int list_checks(bool as_json) {
  if (as_json) {
    std::string out;
    JsonWriter json(out);
    json.begin_array();
    for (const auto& check : all_checks())
      json.begin_object().member("id", check.id).member("proves", check.proves).member("cure", check.cure).end_object();
    json.end_array();
    std::cout << out << "\n";
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& check : all_checks()) rows.push_back({std::string(check.id), std::string(check.proves)});
  std::cout << columns(rows);
  return kExitOk;
}

void print_result(const CheckResult& result) {
  std::string line(to_string(result.status));
  line += std::string(8 - line.size(), ' ') + std::string(result.check->id);
  if (!result.cause.empty()) line += ": " + result.cause + " in " + result.step;
  if (!result.text.empty()) line += ": " + result.text;
  std::cout << printable(line) << "\n";
  const bool is_bad = result.status == CheckResult::Status::kFailed || result.status == CheckResult::Status::kDied;
  if (is_bad) std::cout << "        " << result.check->cure << "\n";
  std::cout.flush();
}

Result<std::string> settings_of(const std::string& file) {
  if (file.empty()) return std::string();
  std::ifstream input(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(input), {}};
  if (!input) return Error{Errc::kInvalidArgument, file + " cannot be read; name a file with a JSON object", {}};
  json::Document document;
  const auto root = document.parse(text);
  if (!root || !root->is_object())
    return Error{
        Errc::kInvalidArgument, file + " holds no JSON object" + (root ? "" : ": " + root.error().message), {}};
  return json::to_text(*root);
}

int validate(const ValidateOptions& options) {
  if (options.lists) return list_checks(options.as_json);
  if (options.file.empty()) {
    fail({Errc::kInvalidArgument, "FILE is needed; see 'toolhost plugin validate --help'", {}});
    return kExitUsage;
  }
  auto settings = settings_of(options.settings_file);
  if (!settings) return fail(settings.error());
  ValidationOptions wanted{.file = options.file,
                           .only = options.only,
                           .skip = options.skip,
                           .seed = options.seed ? *options.seed : std::random_device()(),
                           .settings_json = std::move(*settings),
                           .with = {options.with.begin(), options.with.end()}};
  // What was started ends with its scratch directories.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, [](int) { interrupt_children(); });
  const auto validation = validate_plugin(wanted, [&](const CheckResult& result) {
    if (!options.as_json) print_result(result);
  });
  if (!validation) {
    fail(validation.error());
    return kExitUsage;
  }
  if (options.as_json) {
    std::cout << as_json(*validation) << "\n";
  } else {
    std::array<std::size_t, 4> counts{};
    for (const auto& result : validation->results) ++counts[static_cast<std::size_t>(result.status)];
    std::cout << counts[0] << " passed, " << counts[1] << " failed, " << counts[3] << " died, " << counts[2]
              << " skipped; seed " << validation->seed << "\n";
  }
  return validation->has_passed() ? kExitOk : kExitFailed;
}

void add_inspect(CLI::App& plugin, int& exit_code) {
  const auto options = std::make_shared<InspectOptions>();
  auto* command = plugin.add_subcommand("inspect", "Say what a plugin file is, without running any of it");
  command->add_option("FILE", options->file, "The plugin's .so file")->required();
  command->add_flag("--load", options->loads,
                    "Also say what it offers, which takes running its code in a child process");
  command->add_flag("--json", options->as_json, "Print JSON for programs");
  command->footer(
      "Identity card, hash, exports, needed libraries, the oldest glibc it runs on, and whether a host on this "
      "machine\n"
      "would load it as it is. Exit codes: 0 it would be loaded, 1 it would not, 2 the file cannot be read.");
  command->callback([options, &exit_code] { exit_code = inspect(*options); });
}

void add_validate(CLI::App& plugin, int& exit_code) {
  const auto options = std::make_shared<ValidateOptions>();
  auto* command = plugin.add_subcommand("validate", "Check a plugin file as a host and its clients will meet it");
  command->add_option("FILE", options->file, "The plugin's .so file");
  command->add_flag("--list", options->lists, "List the checks, and run none");
  command->add_option("--only", options->only, "Run this check; may be repeated")
      ->type_name("CHECK")
      ->allow_extra_args(false);
  command->add_option("--skip", options->skip, "Leave this check out; may be repeated")
      ->type_name("CHECK")
      ->allow_extra_args(false);
  command->add_option("--seed", options->seed, "Of the random arguments; the last line tells which was taken")
      ->type_name("N");
  command->add_option("--settings", options->settings_file, "The plugin's settings, a JSON object")->type_name("FILE");
  command->add_option("--with", options->with, "Also load this plugin, whose views it reads; may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false);
  command->add_flag("--json", options->as_json, "Print JSON for programs");
  command->footer(
      "Each check runs in a process of its own, with limits on time, memory, files and descriptors, so that a plugin "
      "that\n"
      "crashes or hangs costs that check only. A scratch PostgreSQL is started and removed again.\n"
      "Exit codes: 0 nothing failed, 1 something did, 2 the checks could not be run.");
  command->callback([options, &exit_code] { exit_code = validate(*options); });
}

/// What validate starts for each check; for nobody else.
void add_run_check(CLI::App& plugin, int& exit_code) {
  struct Options {
    CheckJob job;
    int report = -1;
  };
  const auto options = std::make_shared<Options>();
  auto& job = options->job;
  auto* command = plugin.add_subcommand("run-check", "")->group("");
  command->add_option("--file", job.file)->required();
  command->add_option("--store", job.store)->required();
  command->add_option("--seed", job.seed);
  command->add_option("--database", job.database_url);
  command->add_option("--settings", job.settings_json);
  command->add_option("--with", job.with)->allow_extra_args(false);
  command->add_option("--optional", job.optional_services)->allow_extra_args(false);
  command->add_option("CHECK", job.check)->required();
  command->add_option("DESCRIPTOR", options->report)->required();
  command->callback([options, &exit_code] { exit_code = run_check(options->job, options->report); });
}

}  // namespace

void add_plugin_check_commands(CLI::App& plugin, int& exit_code) {
  add_inspect(plugin, exit_code);
  add_validate(plugin, exit_code);
  add_run_check(plugin, exit_code);
}

}  // namespace toolhost::app
