#include "app/commands/plugin_test_command.hpp"

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "app/commands/command_context.hpp"
#include "app/commands/console.hpp"
#include "app/plugin_test/case_runner.hpp"
#include "base/json_writer.hpp"
#include "base/similar_name.hpp"
#include "plugin_runtime/black_box.hpp"

namespace toolhost::app {
namespace {

struct TestOptions {
  std::string plugin, cases;
  std::vector<std::string> only;
  bool update = false, as_json = false, keep = false;
};

/// Text of somebody else's that may have several lines.
std::string printable_lines(std::string_view text, std::string_view margin) {
  std::string out;
  while (!text.empty()) {
    const auto end = text.find('\n');
    out.append(margin).append(printable(text.substr(0, end))).append("\n");
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out;
}

std::string place_text(const ConfigPlace& place) {
  std::string text = place.file + ":" + std::to_string(place.line);
  if (place.column > 0) text += ":" + std::to_string(place.column);
  return text;
}

void print_result(const CaseResult& result) {
  std::cout << (result.problem ? "FAIL  " : "ok    ") << printable(result.name) << " (" << result.took.count() << " ms";
  if (result.updated > 0) std::cout << ", " << counted(result.updated, "golden answer") << " written";
  std::cout << ")\n";
  if (result.problem) {
    const auto& problem = *result.problem;
    std::cout << "  " << printable(place_text(problem.place)) << ": " << printable(problem.step) << ": "
              << printable(problem.message) << "\n"
              << printable_lines(problem.difference, "    ");
    for (const auto& report : problem.reports) std::cout << "  log: " << printable(report) << "\n";
  }
  std::cout << std::flush;
}

void write_result(JsonWriter& json, const CaseResult& result) {
  json.begin_object().member("name", result.name).key("passed").boolean(!result.problem);
  json.key("milliseconds").integer(result.took.count()).key("updated").unsigned_integer(result.updated);
  if (result.problem) {
    const auto& problem = *result.problem;
    json.key("problem").begin_object().member("file", problem.place.file).key("line").integer(problem.place.line);
    json.member("step", problem.step).member("message", problem.message).member("difference", problem.difference);
    json.member("log", problem.reports).end_object();
  }
  json.end_object();
}

/// Problems of settings stand at their lines, when the plugin can be asked; else there are none.
std::vector<ConfigProblem> problems_of_settings(const TestOptions& options, const TestFile& file) {
  std::vector<ConfigProblem> problems;
  const auto store = std::filesystem::temp_directory_path();
  std::string name = store / "toolhost-settings-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) return problems;
  if (const auto plugin = plugin_runtime::describe_plugin_file(options.plugin, name)) {
    for (const auto& problem : plugin_runtime::check_plugin_settings(plugin->settings_schema.get(), file.settings)) {
      const auto place = file.settings_places.find(problem.pointer);
      if (place == file.settings_places.end()) continue;
      problems.push_back({place->second.file, place->second.line, place->second.column,
                          "settings of " + plugin->id + problem.pointer + ": " + problem.message});
    }
  }
  std::error_code ignored;
  std::filesystem::remove_all(name, ignored);
  return problems;
}

int refuse(const std::vector<ConfigProblem>& problems) {
  for (const auto& problem : problems) std::cerr << to_string(problem) << "\n";
  std::cerr << counted(problems.size(), "problem") << ": nothing was run\n";
  return kExitUsage;
}

/// The cases that are to run; an error names one that does not exist.
Result<std::vector<const TestCase*>> chosen(const TestOptions& options, const TestFile& file) {
  std::vector<const TestCase*> cases;
  std::vector<std::string> names;
  for (const auto& of : file.cases) {
    names.push_back(of.name);
    if (options.only.empty() || std::ranges::count(options.only, of.name) > 0) cases.push_back(&of);
  }
  for (const auto& name : options.only) {
    if (std::ranges::count(names, name) > 0) continue;
    auto error = unknown_name("case", "'" + name + "'", {});
    if (const auto near = similar_name(name, names)) error.message += "; did you mean '" + std::string(*near) + "'?";
    error.code = Errc::kInvalidArgument;
    return error;
  }
  return cases;
}

ScratchHost::Config scratch_config(const TestOptions& options, const TestFile& file) {
  ScratchHost::Config config{.steps_time = true, .keep = options.keep};
  config.plugins.push_back({.file = options.plugin, .settings_json = file.settings});
  for (const auto& plugin : file.plugins)
    config.plugins.push_back({.file = plugin.file, .settings_json = plugin.settings});
  return config;
}

/// What the golden file is to keep after an update of all cases.
void drop_unasked(GoldenFile& golden, const TestFile& file) {
  std::map<std::string, std::vector<std::string>> asked;
  for (const auto& of : file.cases)
    for (std::size_t index = 0; index < of.steps.size(); ++index)
      if (!of.steps[index].expected && of.steps[index].kind != TestStep::Kind::kAdvance)
        asked[of.name].push_back(CaseRunner::golden_name(of, index));
  golden.keep_only(asked);
}

void print_summary(const TestOptions& options, const std::vector<CaseResult>& results, std::size_t failed) {
  if (options.as_json) {
    std::string out;
    JsonWriter json(out);
    json.begin_object().key("passed").unsigned_integer(results.size() - failed).key("failed").unsigned_integer(failed);
    json.key("cases").begin_array();
    for (const auto& result : results) write_result(json, result);
    json.end_array().end_object();
    std::cout << out << "\n";
  } else {
    std::cout << results.size() - failed << " passed, " << failed << " failed\n";
  }
}

int run_cases(const TestOptions& options, const TestFile& file) {
  const auto cases = chosen(options, file);
  if (!cases) return fail(cases.error());
  auto golden = GoldenFile::load(options.cases);
  if (!golden) return fail(golden.error());
  plugin_runtime::install_black_box();
  PluginReports reports;
  const auto host = ScratchHost::start(scratch_config(options, file), reports);
  if (!host) {
    if (const auto problems = problems_of_settings(options, file); !problems.empty()) return refuse(problems);
    return fail(host.error());
  }
  CaseRunner runner(**host, reports, file, *golden, options.update);
  if (const auto added = runner.add_tenants(); !added) return fail(added.error());
  std::vector<CaseResult> results;
  std::size_t failed = 0;
  for (const auto* of : *cases) {
    results.push_back(runner.run(*of));
    failed += results.back().problem ? 1 : 0;
    if (!options.as_json) print_result(results.back());
  }
  if (options.update) {
    if (options.only.empty()) drop_unasked(*golden, file);
    if (const auto saved = golden->save(); !saved) return fail(saved.error());
  }
  print_summary(options, results, failed);
  if (options.keep)
    std::cerr << "kept: " << (*host)->directory().string() << "; 'toolhost serve --data-dir "
              << (*host)->directory().string() << "' opens its database\n";
  return failed == 0 ? kExitOk : kExitFailed;
}

int test_plugin(const TestOptions& options) {
  auto loaded = load_test_file(options.cases);
  if (!loaded.problems.empty()) return refuse(loaded.problems);
  return run_cases(options, loaded.file);
}

}  // namespace

void add_plugin_test_command(CLI::App& plugin, int& exit_code) {
  const auto options = std::make_shared<TestOptions>();
  auto* test = plugin.add_subcommand("test", "Call a plugin's tools as a file of cases says, and compare the answers");
  test->add_option("FILE", options->plugin, "The plugin")->required();
  test->add_option("CASES", options->cases, "The cases (YAML)")->required();
  test->add_flag("--update", options->update, "Accept the answers of steps without 'expect': write the golden file");
  test->add_option("--only", options->only, "Only the case of this name; may be repeated")
      ->type_name("NAME")
      ->allow_extra_args(false);
  test->add_flag("--json", options->as_json, "Print JSON for programs");
  test->add_flag("--keep", options->keep, "Leave the database for a look at it");
  test->footer(
      "Everything runs against a PostgreSQL of its own, which is made for it and removed. Time stands still until a "
      "case\nmoves it, ids follow from a seed: the same cases have the same answers. What a step answers that has no "
      "'expect'\nis compared with CASES.golden.json beside CASES. The format: plugin-api/README.md, \"Test it\".\n"
      "Exit codes: 0 all passed, 1 some failed, 2 a mistake in the cases or the plugin was refused, 3 no database.");
  test->callback([options, &exit_code] { exit_code = test_plugin(*options); });
}

}  // namespace toolhost::app
