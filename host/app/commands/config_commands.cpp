#include "app/commands/config_commands.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>

#include "app/commands/console.hpp"
#include "app/commands/exit_code.hpp"
#include "app/config/config_check.hpp"
#include "app/config/config_loader.hpp"
#include "app/config/config_schema.hpp"
#include "app/config/start_check.hpp"

namespace toolhost::app {
namespace {

constexpr const char* kLookedHere =
    "Files, variables and secrets were looked for on this machine; 'toolhost check-config --elsewhere' leaves them out";

int check_config(const std::string& file, Machine machine) {
  LoadedConfig loaded = load_config(file);
  auto& problems = loaded.problems;
  const bool was_read = std::none_of(problems.begin(), problems.end(),
                                     [&](const auto& problem) { return problem.line == 0 && problem.file == file; });
  bool misses_something = false;
  if (was_read) {
    const auto installed = describe_plugins(loaded.config, problems, machine);
    for (auto& problem : check_against_plugins(loaded.config, installed)) problems.push_back(std::move(problem));
    auto found = check_start(loaded.config, machine);
    misses_something = found.size() > check_start(loaded.config, Machine::kOther).size();
    for (auto& problem : found) problems.push_back(std::move(problem));
    sort_by_place(problems, loaded.config.files);
  }
  for (const auto& problem : problems) std::cerr << to_string(problem) << "\n";
  if (misses_something) std::cerr << kLookedHere << "\n";
  if (!problems.empty()) return kExitUsage;
  std::cout << printable(file) << ": ok\n";
  return kExitOk;
}

}  // namespace

void add_config_commands(CLI::App& app, int& exit_code) {
  const auto text = std::make_shared<std::string>();
  auto* check = app.add_subcommand("check-config", "Say everything that is wrong with a configuration");
  check->add_option("FILE", *text, "The host's file; the tenants beside it are looked at, too")->required();
  const auto elsewhere = std::make_shared<bool>(false);
  check->add_flag("--elsewhere", *elsewhere,
                  "For another machine: secrets, TLS and plugin files that FILE names need not be here");
  check->callback(
      [=, &exit_code] { exit_code = check_config(*text, *elsewhere ? Machine::kOther : Machine::kServing); });

  const auto which = std::make_shared<std::string>("host");
  auto* schema = app.add_subcommand("config-schema", "Print the JSON Schema of a configuration file, for editors");
  schema->add_option("WHICH", *which, "host (default) or tenant")->check(CLI::IsMember({"host", "tenant"}));
  schema->callback([which, &exit_code] {
    std::cout << (*which == "tenant" ? tenant_schema() : host_schema());
    exit_code = kExitOk;
  });
}

}  // namespace toolhost::app
