#include "app/commands/tool_commands.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <tuple>

#include "access/policy.hpp"
#include "app/commands/command_context.hpp"
#include "app/commands/console.hpp"
#include "app/commands/token_estimate.hpp"
#include "base/json_writer.hpp"
#include "protocol/tool_views.hpp"

namespace toolhost::app {
namespace {

using plugin_runtime::Tool;

struct CostOptions {
  std::string tenant, role = "agent";
  bool as_json = false;
};

struct ToolCost {
  std::string name;
  std::size_t tokens = 0;
};

/// What one tenant's list of tools is made of.
struct TenantCost {
  std::string tenant;
  std::vector<ToolCost> tools;  ///< the dearest first
  std::size_t tokens = 0;
};

/// What clients hand to the model of a tool: its name, description and input schema.
std::string text_for_model(const Tool& tool, const access::ToolText* text) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("name", tool.name);
  json.member("description", text != nullptr && text->description ? *text->description : tool.description);
  json.key("inputSchema").raw(tool.input_schema_json).end_object();
  return out;
}

TenantCost cost_of(const std::string& tenant, const access::Rights& rights,
                   const plugin_runtime::ToolRegistry& registry) {
  TenantCost cost{.tenant = tenant};
  for (const Tool* tool : registry.tools()) {
    if (!rights.decide(protocol::facts_of(*tool), nullptr).allowed()) continue;
    cost.tools.push_back({tool->name, estimated_tokens(text_for_model(*tool, rights.text_of(tool->name)))});
    cost.tokens += cost.tools.back().tokens;
  }
  std::ranges::sort(cost.tools, [](const ToolCost& left, const ToolCost& right) {
    return std::tie(right.tokens, left.name) < std::tie(left.tokens, right.name);
  });
  return cost;
}

void print_json(const std::vector<TenantCost>& costs) {
  std::string out;
  JsonWriter json(out);
  json.begin_array();
  for (const auto& cost : costs) {
    json.begin_object().member("tenant", cost.tenant).key("tokens").unsigned_integer(cost.tokens);
    json.key("tools").begin_array();
    for (const auto& tool : cost.tools)
      json.begin_object().member("name", tool.name).key("tokens").unsigned_integer(tool.tokens).end_object();
    json.end_array().end_object();
  }
  json.end_array();
  std::cout << out << "\n";
}

void print_text(const std::vector<TenantCost>& costs, bool with_tools) {
  std::vector<std::vector<std::string>> rows{{"TENANT", "TOOLS", "TOKENS"}};
  if (with_tools) rows = {{"TOOL", "TOKENS"}};
  for (const auto& cost : costs) {
    if (!with_tools) {
      rows.push_back({cost.tenant, grouped(cost.tools.size()), grouped(cost.tokens)});
      continue;
    }
    for (const auto& tool : cost.tools) rows.push_back({tool.name, grouped(tool.tokens)});
    rows.push_back({"all " + counted(cost.tools.size(), "tool"), grouped(cost.tokens)});
  }
  std::cout << columns(rows);
}

Result<std::vector<std::string>> tenants_of(CommandContext& context, const std::string& wanted) {
  if (!wanted.empty()) {
    const auto tenant = context.directory->tenant(wanted);
    if (!tenant) return tenant.error();
    return std::vector{tenant->name};
  }
  const auto rows = context.directory->tenants();
  if (!rows) return rows.error();
  std::vector<std::string> names;
  for (const auto& row : *rows) names.push_back(row.name);
  return names;
}

int print_cost(const CommonOptions& common, const CostOptions& options) {
  return with_context(common, [&](CommandContext& context) -> int {
    const auto tenants = tenants_of(context, options.tenant);
    if (!tenants) return fail(tenants.error());
    auto config = plugin_host_config(context.config);
    if (!config) return fail(config.error());
    const auto plugins =
        plugin_runtime::PluginHost::start(std::move(*config), context.database.address, *context.events);
    if (!plugins) return fail(plugins.error());
    const auto policy = access::Policy::compile(context.config.policy);
    const auto registry = (*plugins)->registry();
    std::vector<TenantCost> costs;
    for (const auto& tenant : *tenants)
      costs.push_back(
          cost_of(tenant, *policy->rights(tenant, role_named(options.role).value_or(Role::kAgent), {}), *registry));
    (*plugins)->stop(std::chrono::milliseconds(0));
    if (options.as_json)
      print_json(costs);
    else
      print_text(costs, !options.tenant.empty());
    return kExitOk;
  });
}

}  // namespace

void add_tool_commands(CLI::App& app, CommonOptions& common, int& exit_code) {
  const auto options = std::make_shared<CostOptions>();
  auto* tool = app.add_subcommand("tool", "Look at tools")->require_subcommand(1);
  auto* cost =
      tool->add_subcommand("cost", "Say how many tokens each tenant's list of tools takes in a model's context");
  add_common(*cost, common);
  cost->add_option("--tenant", options->tenant, "Only this tenant's, tool by tool")->type_name("NAME");
  cost->add_option("--role", options->role, "As people of this role see it (default agent)")
      ->check(CLI::IsMember({"viewer", "agent", "admin"}))
      ->type_name("ROLE");
  cost->add_flag("--json", options->as_json, "Print JSON for programs");
  cost->footer(
      "An estimate of what o200k_base counts, off by less than a tenth: names, descriptions and input schemas, which "
      "is\nwhat assistants hand to their model. The rights are those of a key with all scopes.");
  cost->callback([options, &common, &exit_code] { exit_code = print_cost(common, *options); });
}

}  // namespace toolhost::app
