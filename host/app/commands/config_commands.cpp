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

namespace toolhost::app {
namespace {

int check_config(const std::string& file) {
  LoadedConfig loaded = load_config(file);
  auto& problems = loaded.problems;
  const bool was_read = std::none_of(problems.begin(), problems.end(),
                                     [&](const auto& problem) { return problem.line == 0 && problem.file == file; });
  if (was_read) {
    const auto installed = describe_plugins(loaded.config, problems);
    for (auto& problem : check_against_plugins(loaded.config, installed)) problems.push_back(std::move(problem));
    sort_by_place(problems, loaded.config.files);
  }
  for (const auto& problem : problems) std::cerr << to_string(problem) << "\n";
  if (!problems.empty()) return kExitUsage;
  std::cout << printable(file) << ": ok\n";
  return kExitOk;
}

}  // namespace

void add_config_commands(CLI::App& app, int& exit_code) {
  const auto text = std::make_shared<std::string>();
  auto* check = app.add_subcommand("check-config", "Say everything that is wrong with a configuration");
  check->add_option("FILE", *text, "The host's file; the tenants beside it are looked at, too")->required();
  check->callback([text, &exit_code] { exit_code = check_config(*text); });

  const auto which = std::make_shared<std::string>("host");
  auto* schema = app.add_subcommand("config-schema", "Print the JSON Schema of a configuration file, for editors");
  schema->add_option("WHICH", *which, "host (default) or tenant")->check(CLI::IsMember({"host", "tenant"}));
  schema->callback([which, &exit_code] {
    std::cout << (*which == "tenant" ? tenant_schema() : host_schema());
    exit_code = kExitOk;
  });
}

}  // namespace toolhost::app
