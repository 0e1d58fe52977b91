#include "app/commands/tenant_commands.hpp"

#include <CLI/CLI.hpp>
#include <iostream>

#include "app/commands/console.hpp"
#include "base/json_writer.hpp"

namespace toolhost::app {
namespace {

struct TenantOptions {
  std::string name, title, time_zone = "UTC";
  bool as_json = false;
};

void print_json(const std::vector<storage::TenantRow>& tenants) {
  std::string out;
  JsonWriter json(out);
  json.begin_array();
  for (const auto& tenant : tenants) {
    json.begin_object().member("name", tenant.name).member("title", tenant.title);
    json.member("time_zone", tenant.time_zone).member("created_at", tenant.created_at).end_object();
  }
  json.end_array();
  std::cout << out << "\n";
}

int list_tenants(const CommonOptions& common, const TenantOptions& options) {
  const auto list = [&](CommandContext& context) -> int {
    const auto tenants = context.directory->tenants();
    if (!tenants) return fail(tenants.error());
    if (options.as_json) {
      print_json(*tenants);
      return kExitOk;
    }
    std::vector<std::vector<std::string>> rows{{"NAME", "TITLE", "TIME ZONE", "CREATED"}};
    for (const auto& tenant : *tenants)
      rows.push_back({tenant.name, tenant.title, tenant.time_zone, tenant.created_at});
    std::cout << columns(rows);
    return kExitOk;
  };
  return with_context(common, list);
}

int create_tenant(const CommonOptions& common, const TenantOptions& options) {
  const auto create = [&](CommandContext& context) -> int {
    const auto& title = options.title.empty() ? options.name : options.title;
    const auto tenant = context.directory->create_tenant(options.name, title, options.time_zone, command_actor());
    if (!tenant) return fail(tenant.error());
    std::cerr << "created tenant " << tenant->name << " (time zone " << tenant->time_zone << ")\n";
    return kExitOk;
  };
  return with_context(common, create, NoDatabase::kMake);
}

}  // namespace

void add_tenant_commands(CLI::App& app, CommonOptions& common, int& exit_code) {
  const auto options = std::make_shared<TenantOptions>();
  auto* tenant = app.add_subcommand("tenant", "List and create tenants")->require_subcommand(1);

  auto* list = tenant->add_subcommand("list", "List the tenants");
  add_common(*list, common);
  list->add_flag("--json", options->as_json, "Print JSON for programs");
  list->callback([options, &common, &exit_code] { exit_code = list_tenants(common, *options); });

  auto* create = tenant->add_subcommand("create", "Create a tenant");
  add_common(*create, common);
  create->add_option("NAME", options->name, "Lower-case letters, digits and hyphens")->required();
  create->add_option("--title", options->title, "Name for people")->type_name("TEXT");
  create->add_option("--time-zone", options->time_zone, "IANA time zone (default UTC)")->type_name("ZONE");
  create->callback([options, &common, &exit_code] { exit_code = create_tenant(common, *options); });
}

}  // namespace toolhost::app
