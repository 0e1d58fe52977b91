#include "app/commands/command_line.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <span>

#include "app/commands/audit_commands.hpp"
#include "app/commands/command_context.hpp"
#include "app/commands/config_commands.hpp"
#include "app/commands/console.hpp"
#include "app/commands/data_commands.hpp"
#include "app/commands/explain_command.hpp"
#include "app/commands/key_commands.hpp"
#include "app/commands/plugin_check_commands.hpp"
#include "app/commands/plugin_new_command.hpp"
#include "app/commands/plugin_reload_command.hpp"
#include "app/commands/plugin_test_command.hpp"
#include "app/commands/plugin_trust_commands.hpp"
#include "app/commands/reload_command.hpp"
#include "app/commands/stdio_command.hpp"
#include "app/commands/tenant_commands.hpp"
#include "app/commands/tool_commands.hpp"
#include "app/commands/top_command.hpp"
#include "app/config/start_check.hpp"
#include "base/json_writer.hpp"
#include "base/similar_name.hpp"

namespace toolhost::app {
namespace {

/// Names as rights and limits are given for them.
std::string offers_of(const plugin_runtime::PluginInfo& plugin) {
  std::string text;
  const auto add = [&](std::string_view kind, const std::vector<std::string>& names) {
    for (const auto& name : names) text.append(text.empty() ? "" : ", ").append(kind).append(name);
  };
  add("", plugin.tools);
  add("resource:", plugin.resources);
  add("resource:", plugin.templates);
  add("prompt:", plugin.prompts);
  return text;
}

int list_plugins(const CommonOptions& options, bool as_json) {
  return with_context(options, [&](CommandContext& context) -> int {
    auto config = plugin_host_config(context.config);
    if (!config) return fail(config.error());
    // A refusal is part of the answer here, so the loader's own report of it would only say it twice.
    const auto quiet = observability::create_fan_out({});
    const auto host = plugin_runtime::PluginHost::start(std::move(*config), context.database.address, *quiet);
    if (!host) return fail(host.error());
    const auto plugins = (*host)->plugins();
    (*host)->stop(std::chrono::milliseconds(0));
    const bool all_serve =
        std::all_of(plugins.begin(), plugins.end(), [](const auto& plugin) { return plugin.state == "serving"; });
    if (as_json) {
      std::string out;
      JsonWriter json(out);
      json.begin_array();
      for (const auto& plugin : plugins) {
        json.begin_object().member("id", plugin.id).member("name", plugin.name).member("version", plugin.version);
        json.member("vendor", plugin.vendor).member("file", plugin.file).member("sha256", plugin.sha256);
        json.member("offers_sha256", plugin.offers_sha256);
        json.member("signed_by", plugin.signed_by);
        json.member("built_with", plugin.built_with).key("abi_minor").unsigned_integer(plugin.abi_minor);
        json.member("state", plugin.state).member("reason", plugin.reason);
        json.member("tools", plugin.tools).member("resources", plugin.resources);
        json.member("templates", plugin.templates).member("prompts", plugin.prompts);
        json.member("services", plugin.services);
        json.end_object();
      }
      json.end_array();
      std::cout << out << "\n";
      return all_serve ? kExitOk : kExitFailed;
    }
    std::vector<std::vector<std::string>> rows{{"PLUGIN", "VERSION", "STATE", "OFFERS", "FILE"}};
    for (const auto& plugin : plugins)
      rows.push_back({plugin.id, plugin.version, plugin.state, offers_of(plugin), plugin.file});
    std::cout << columns(rows);
    for (const auto& plugin : plugins) {
      if (!plugin.reason.empty()) std::cout << plugin.id << ": " << printable(plugin.reason) << "\n";
    }
    return all_serve ? kExitOk : kExitFailed;
  });
}

/// Tells what was applied, as it happens.
class MigrationReporter final : public observability::EventSink {
 public:
  void emit(const observability::Event& event) noexcept override {
    if (const auto* notice = std::get_if<observability::HostNotice>(&event)) std::cerr << notice->message << "\n";
    if (const auto* report = std::get_if<observability::PluginReported>(&event)) {
      if (report->incident != observability::PluginIncident::kRefused) return;
      std::cerr << report->plugin << ": " << report->detail << "\n";
    }
  }
};

int migrate(const CommonOptions& options) {
  auto config = configuration(options);
  if (!config) return fail(config.error());
  MigrationReporter events;
  const auto database = open_database(*config, DatabaseUse::kCommand, events);
  if (!database) return fail(database.error());
  auto plugin_config = plugin_host_config(*config);
  if (!plugin_config) return fail(plugin_config.error());
  // Loading the plugins is what applies their migrations.
  const auto host = plugin_runtime::PluginHost::start(std::move(*plugin_config), database->address, events);
  if (!host) return fail(host.error());
  const auto plugins = (*host)->plugins();
  (*host)->stop(std::chrono::milliseconds(0));
  const bool all_serve =
      std::all_of(plugins.begin(), plugins.end(), [](const auto& plugin) { return plugin.state == "serving"; });
  std::cerr << (all_serve ? "the database is up to date\n" : "some plugins were refused; see above\n");
  return all_serve ? kExitOk : kExitFailed;
}

int print_database_url(const CommonOptions& options) {
  const auto print = [&](CommandContext& context) -> int {
    std::cout << context.database.address.url() << std::endl;
    const bool ends_with_us = context.database.embedded && context.database.embedded->pid() > 0;
    if (ends_with_us) std::cerr << "the embedded database is stopped; it answers there while 'toolhost serve' runs\n";
    return kExitOk;
  };
  return with_context(options, print);
}

int start_serving(const CommonOptions& options, std::optional<std::uint16_t> port, const std::string& address) {
  // What stands on the command line holds for reloads as well.
  const auto load_again = [=] {
    LoadedConfig loaded = load(options);
    if (port) loaded.config.http.port = *port;
    if (!address.empty()) loaded.config.http.address = address;
    return loaded;
  };
  LoadedConfig loaded = load_again();
  for (auto& problem : check_start(loaded.config, Machine::kServing)) loaded.problems.push_back(std::move(problem));
  sort_by_place(loaded.problems, loaded.config.files);
  if (!loaded.problems.empty()) return fail(report_problems(loaded.problems));
  return serve(std::move(loaded), load_again);
}

constexpr const char* kNoValue = "needs a value; it was empty";

/// An empty text would count as an option that is not given, for which commands do the widest thing.
void refuse_empty_values(CLI::App& app) {
  const CLI::Validator not_empty([](std::string& text) { return text.empty() ? kNoValue : ""; }, "");
  for (auto* option : app.get_options())
    if (option->get_items_expected_max() > 0) option->transform(not_empty);  // first, before other checks
  for (auto* command : app.get_subcommands([](const CLI::App*) { return true; })) refuse_empty_values(*command);
}

/// Says so when an option ends in "=", for which the next argument would be taken; true when one does.
bool has_empty_value(std::span<char* const> arguments) {
  for (const std::string argument : arguments) {
    if (argument == "--") return false;
    if (!argument.starts_with("--") || argument.find('=') != argument.size() - 1) continue;
    std::cerr << printable(argument.substr(0, argument.size() - 1)) << ": " << kNoValue << "\n";
    return true;
  }
  return false;
}

/// Says what there is when an argument stands where a command should and is none; true when that is so.
bool names_no_command(const CLI::App& app, std::span<char* const> arguments) {
  const CLI::App* parent = &app;
  std::string path = app.get_name();
  for (const std::string argument : arguments) {
    const auto commands = parent->get_subcommands([](const CLI::App*) { return true; });
    if (commands.empty() || argument.starts_with('-')) return false;
    std::vector<std::string> names;
    for (const auto* command : commands) names.push_back(command->get_name());
    const auto known = std::find(names.begin(), names.end(), argument);
    if (known == names.end()) {
      std::cerr << "toolhost: there is no command '" << path << " " << printable(argument) << "'; ";
      if (const auto near = similar_name(argument, names))
        std::cerr << "did you mean '" << path << " " << *near << "'? ";
      std::cerr << "Commands:";
      for (const auto* other : commands)
        if (!other->get_group().empty()) std::cerr << " " << other->get_name();
      std::cerr << "\n";
      return true;
    }
    parent = commands[static_cast<std::size_t>(known - names.begin())];
    path += " " + argument;
  }
  return false;
}

int run(int argc, char** argv) {
  CLI::App app("Serves helpdesk tools from plugins to AI assistants over MCP.", "toolhost");
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 done, 1 refused or failed, 2 wrong usage or configuration,\n"
      "            3 the database or an address cannot be had right now, 4 not found.");
  CommonOptions common;
  int exit_code = kExitOk;
  const auto command = [&](CLI::App& parent, const char* name, const char* text, bool takes_common = true) {
    CLI::App* added = parent.add_subcommand(name, text);
    if (takes_common) add_common(*added, common);
    return added;
  };

  auto* serve_command = command(app, "serve", "Run the host until it is told to stop");
  std::optional<std::uint16_t> port;
  std::string address;
  serve_command->add_option("--port", port, "Port to listen on; 0 for any free one (default 8080)")->type_name("N");
  serve_command->add_option("--address", address, "Address to listen on (default 127.0.0.1)")->type_name("IP");
  serve_command->footer(
      "SIGINT and SIGTERM end it when running calls are done (calls.drain), a second one at once. SIGHUP, 'toolhost\n"
      "reload' and files that change (reload.watch) let it read its configuration anew; what a file says wrong "
      "changes\n"
      "nothing. It ends when the terminal is closed that it was started in.");
  serve_command->callback([&] { exit_code = start_serving(common, port, address); });

  add_stdio_command(app, common, exit_code);
  add_config_commands(app, exit_code);

  bool as_json = false;
  const auto add_json = [&](CLI::App* added) { added->add_flag("--json", as_json, "Print JSON for programs"); };

  add_tenant_commands(app, common, exit_code);
  add_key_commands(app, common, exit_code);

  auto* plugin =
      app.add_subcommand("plugin", "Make plugins, test, check, sign, list and replace them")->require_subcommand(1);
  auto* plugin_list = command(
      *plugin, "list", "Load the configured plugins and list them with what they offer, or why they are refused");
  add_json(plugin_list);
  plugin_list->callback([&] { exit_code = list_plugins(common, as_json); });
  add_plugin_reload_command(*plugin, common, exit_code);
  add_plugin_test_command(*plugin, exit_code);
  add_plugin_check_commands(*plugin, exit_code);
  add_plugin_new_command(*plugin, exit_code);
  add_plugin_trust_commands(*plugin, common, exit_code);
  add_tool_commands(app, common, exit_code);

  command(app, "migrate", "Bring the database to this version's schema")->callback([&] {
    exit_code = migrate(common);
  });

  ImportOptions imported;
  auto* import_command = command(app, "import", "Read a CSV or JSONL file into a plugin's data; run again, it goes on");
  import_command->add_option("PLUGIN", imported.plugin, "Whose data, e.g. tickets")->required();
  import_command->add_option("FILE", imported.file, "A .csv, .tsv, .jsonl or .ndjson file in UTF-8")->required();
  import_command->add_option("--tenant", imported.tenant, "The tenant the rows are for")->required()->type_name("NAME");
  import_command
      ->add_option("--source", imported.source,
                   "Where the rows come from: a row of one source and id is taken once (default: the file's name)")
      ->type_name("NAME");
  import_command
      ->add_option("--map", imported.maps, "Take a field from this column, e.g. title=Betreff; may be repeated")
      ->type_name("FIELD=COLUMN")
      ->allow_extra_args(false);
  import_command->add_option("--refused", imported.refused_file, "Write refused rows here, with reasons, as JSONL")
      ->type_name("FILE");
  import_command->add_flag("--dry-run", imported.dry_run, "Say what would happen, and write nothing");
  import_command->footer("Exit codes: 0 all rows are in, 1 some were refused; otherwise as for every command.");
  import_command->callback([&] { exit_code = run_import(common, imported); });

  ExportOptions exported;
  auto* export_command = command(app, "export", "Write a plugin's data as JSONL, which import reads");
  export_command->add_option("PLUGIN", exported.plugin, "Whose data, e.g. tickets")->required();
  export_command->add_option("--tenant", exported.tenant, "The tenant the rows are of")->required()->type_name("NAME");
  export_command->add_option("--output", exported.output, "Write to this file; standard output without it")
      ->type_name("FILE");
  export_command->callback([&] { exit_code = run_export(common, exported); });

  auto* reindex_command = command(app, "reindex", "Rebuild the search index; the host may go on serving");
  std::string reindexed_tenant;
  reindex_command->add_option("--tenant", reindexed_tenant, "Only this tenant's")->type_name("NAME");
  reindex_command->callback([&] { exit_code = run_reindex(common, reindexed_tenant); });

  auto* database = app.add_subcommand("db", "Look at the database")->require_subcommand(1);
  command(*database, "url", "Print the database's URL, for psql and pg_dump")->callback([&] {
    exit_code = print_database_url(common);
  });

  add_audit_commands(app, common, exit_code);
  add_explain_command(app, common, exit_code);
  add_reload_command(app, common, exit_code);
  add_observe_commands(app, common, exit_code);

  command(app, "version", "Print the version", false)->callback([] {
    std::cout << "toolhost " << TOOLHOST_VERSION << "\n";
  });

  refuse_empty_values(app);
  const auto arguments = std::span(argv, static_cast<std::size_t>(argc)).subspan(1);
  if (names_no_command(app, arguments) || has_empty_value(arguments)) return kExitUsage;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    exit_code = app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  // A host has done its work whoever reads what it prints.
  if (exit_code == kExitOk && !serve_command->parsed() && !std::cout.flush())
    return fail({Errc::kInternal, "standard output takes no more", ""});
  return exit_code;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    return fail({Errc::kInternal, std::string("the command failed: ") + error.what(), ""});
  }
}

}  // namespace toolhost::app
