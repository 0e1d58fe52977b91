#include "app/command_line.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <span>

#include "access/api_key.hpp"
#include "app/command_context.hpp"
#include "app/config_loader.hpp"
#include "app/console.hpp"
#include "app/data_commands.hpp"
#include "base/json_writer.hpp"
#include "base/similar_name.hpp"

namespace toolhost::app {
namespace {

constexpr std::size_t kLongestKeyName = 60;
constexpr std::size_t kPrefixLength = 11;  // "hdsk_" and six characters

void add_common(CLI::App& command, CommonOptions& options) {
  command.add_option("--config", options.config_file, "Configuration file (YAML); built-in defaults without it")
      ->type_name("FILE");
  command.add_option("--data-dir", options.data_dir, "Data directory; goes before the file's data_dir")
      ->type_name("DIR");
}

int list_tenants(const CommonOptions& options, bool as_json) {
  return with_context(options, [&](CommandContext& context) -> int {
    const auto tenants = context.directory->tenants();
    if (!tenants) return fail(tenants.error());
    if (as_json) {
      std::string out;
      JsonWriter json(out);
      json.begin_array();
      for (const auto& tenant : *tenants) {
        json.begin_object().member("name", tenant.name).member("title", tenant.title);
        json.member("time_zone", tenant.time_zone).member("created_at", tenant.created_at).end_object();
      }
      json.end_array();
      std::cout << out << "\n";
      return kExitOk;
    }
    std::vector<std::vector<std::string>> rows{{"NAME", "TITLE", "TIME ZONE", "CREATED"}};
    for (const auto& tenant : *tenants)
      rows.push_back({tenant.name, tenant.title, tenant.time_zone, tenant.created_at});
    std::cout << columns(rows);
    return kExitOk;
  });
}

int create_tenant(const CommonOptions& options, const std::string& name, const std::string& title,
                  const std::string& time_zone) {
  return with_context(options, [&](CommandContext& context) -> int {
    const auto tenant = context.directory->create_tenant(name, title.empty() ? name : title, time_zone);
    if (!tenant) return fail(tenant.error());
    std::cerr << "created tenant " << tenant->name << " (time zone " << tenant->time_zone << ")\n";
    return kExitOk;
  });
}

int create_key(const CommonOptions& options, const std::string& tenant_name, const std::string& name,
               const std::string& owner) {
  if (name.empty() || name.size() > kLongestKeyName) {
    return fail({Errc::kInvalidArgument, "--name must have 1 to " + std::to_string(kLongestKeyName) + " bytes", ""});
  }
  return with_context(options, [&](CommandContext& context) -> int {
    const auto pepper = load_pepper(context.config);
    if (!pepper) return fail(pepper.error());
    const auto tenant = context.directory->tenant(tenant_name);
    if (!tenant) return fail(tenant.error());
    const auto key = access::generate_key(*pepper);
    const auto stored = context.directory->insert_key(tenant->id, name, owner, key.prefix, key.hash, 1);
    if (!stored) return fail(stored.error());
    std::cout << key.text.reveal() << std::endl;
    std::cerr << "created key " << key.prefix << "... for tenant " << tenant->name << "; it is shown only this once\n";
    return kExitOk;
  });
}

int list_keys(const CommonOptions& options, const std::string& tenant_name, bool as_json) {
  return with_context(options, [&](CommandContext& context) -> int {
    std::optional<TenantId> tenant_id;
    if (!tenant_name.empty()) {
      const auto tenant = context.directory->tenant(tenant_name);
      if (!tenant) return fail(tenant.error());
      tenant_id = tenant->id;
    }
    const auto keys = context.directory->keys(tenant_id);
    if (!keys) return fail(keys.error());
    if (as_json) {
      std::string out;
      JsonWriter json(out);
      json.begin_array();
      for (const auto& key : *keys) {
        json.begin_object().member("prefix", key.prefix).member("tenant", key.tenant).member("name", key.name);
        json.member("owner", key.owner)
            .member("status", "active")
            .member("created_at", key.created_at)
            .key("last_used_at");
        if (key.last_used_at) {
          json.string(*key.last_used_at);
        } else {
          json.null();
        }
        json.key("usage_count").integer(key.usage_count).end_object();
      }
      json.end_array();
      std::cout << out << "\n";
      return kExitOk;
    }
    std::vector<std::vector<std::string>> rows{{"KEY", "TENANT", "NAME", "OWNER", "CREATED", "LAST USED", "CALLS"}};
    for (const auto& key : *keys) {
      rows.push_back({key.prefix + "...", key.tenant, key.name, key.owner.empty() ? "-" : key.owner, key.created_at,
                      key.last_used_at.value_or("never"), std::to_string(key.usage_count)});
    }
    std::cout << columns(rows);
    return kExitOk;
  });
}

int delete_key(const CommonOptions& options, std::string key_or_prefix) {
  while (key_or_prefix.ends_with('.')) key_or_prefix.pop_back();  // as `key list` shows it
  const auto flaw = access::describe_malformed_key(key_or_prefix);
  const bool is_whole_key = flaw.empty();
  // Longer than a prefix and not a key: a key with a slip in it, which must not be repeated on the screen.
  if (!is_whole_key && key_or_prefix.size() > kPrefixLength) {
    return fail({Errc::kInvalidArgument,
                 "this is neither a key (" + std::string(flaw) + ") nor its first " + std::to_string(kPrefixLength) +
                     " characters; 'toolhost key list' shows them",
                 ""});
  }
  return with_context(options, [&](CommandContext& context) -> int {
    Result<storage::KeyRow> deleted = Error{};
    if (is_whole_key) {
      const auto pepper = load_pepper(context.config);
      if (!pepper) return fail(pepper.error());
      deleted = context.directory->delete_key_by_hash(access::hash_key(*pepper, key_or_prefix));
    } else {
      deleted = context.directory->delete_key_by_prefix(key_or_prefix);
    }
    if (!deleted) return fail(deleted.error());
    std::cerr << "deleted key " << deleted->prefix << "... (\"" << printable(deleted->name) << "\", tenant "
              << deleted->tenant << "); it stops working on every host within a second\n";
    return kExitOk;
  });
}

void write_texts(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
  json.key(name).begin_array();
  for (const auto& text : texts) json.string(text);
  json.end_array();
}

int list_plugins(const CommonOptions& options, bool as_json) {
  return with_context(options, [&](CommandContext& context) -> int {
    auto config = plugin_host_config(context.config);
    if (!config) return fail(config.error());
    // A refusal is part of the answer here, so the loader's own report of it would only say it twice.
    const auto quiet = observability::create_fan_out({});
    const auto host = plugin_runtime::PluginHost::start(*config, context.database.address, *quiet);
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
        json.member("built_with", plugin.built_with).key("abi_minor").unsigned_integer(plugin.abi_minor);
        json.member("state", plugin.state).member("reason", plugin.reason);
        write_texts(json, "tools", plugin.tools);
        write_texts(json, "services", plugin.services);
        json.end_object();
      }
      json.end_array();
      std::cout << out << "\n";
      return all_serve ? kExitOk : kExitFailed;
    }
    std::vector<std::vector<std::string>> rows{{"PLUGIN", "VERSION", "STATE", "TOOLS", "FILE"}};
    for (const auto& plugin : plugins) {
      std::string tools;
      for (const auto& tool : plugin.tools) tools += (tools.empty() ? "" : ", ") + tool;
      rows.push_back({plugin.id, plugin.version, plugin.state, tools, plugin.file});
    }
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
  const auto host = plugin_runtime::PluginHost::start(*plugin_config, database->address, events);
  if (!host) return fail(host.error());
  const auto plugins = (*host)->plugins();
  (*host)->stop(std::chrono::milliseconds(0));
  const bool all_serve =
      std::all_of(plugins.begin(), plugins.end(), [](const auto& plugin) { return plugin.state == "serving"; });
  std::cerr << (all_serve ? "the database is up to date\n" : "some plugins were refused; see above\n");
  return all_serve ? kExitOk : kExitFailed;
}

int print_database_url(const CommonOptions& options) {
  return with_context(options, [&](CommandContext& context) -> int {
    std::cout << context.database.address.url() << std::endl;
    const bool ends_with_us = context.database.embedded && context.database.embedded->pid() > 0;
    if (ends_with_us) std::cerr << "the embedded database is stopped; it answers there while 'toolhost serve' runs\n";
    return kExitOk;
  });
}

int check_config(const std::string& file) {
  const LoadedConfig loaded = load_config(file);
  for (const auto& problem : loaded.problems) std::cerr << to_string(problem) << "\n";
  if (!loaded.problems.empty()) return kExitUsage;
  std::cout << file << ": ok\n";
  return kExitOk;
}

int start_serving(const CommonOptions& options, std::optional<std::uint16_t> port, const std::string& address) {
  auto config = configuration(options);
  if (!config) return fail(config.error());
  if (port) config->http.port = *port;
  if (!address.empty()) config->http.address = address;
  return serve(std::move(*config));
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
      for (const auto& name : names) std::cerr << " " << name;
      std::cerr << "\n";
      return true;
    }
    parent = commands[static_cast<std::size_t>(known - names.begin())];
    path += " " + argument;
  }
  return false;
}

}  // namespace

int run_command_line(int argc, char** argv) {
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
  serve_command->callback([&] { exit_code = start_serving(common, port, address); });

  auto* check_command = command(app, "check-config", "Say everything that is wrong with a configuration file", false);
  std::string checked_file;
  check_command->add_option("FILE", checked_file, "The file")->required();
  check_command->callback([&] { exit_code = check_config(checked_file); });

  bool as_json = false;
  const auto add_json = [&](CLI::App* added) { added->add_flag("--json", as_json, "Print JSON for programs"); };

  auto* tenant = app.add_subcommand("tenant", "List and create tenants")->require_subcommand(1);
  auto* tenant_list = command(*tenant, "list", "List the tenants");
  add_json(tenant_list);
  tenant_list->callback([&] { exit_code = list_tenants(common, as_json); });
  auto* tenant_create = command(*tenant, "create", "Create a tenant");
  std::string tenant_name, title, time_zone = "UTC";
  tenant_create->add_option("NAME", tenant_name, "Lower-case letters, digits and hyphens")->required();
  tenant_create->add_option("--title", title, "Name for people")->type_name("TEXT");
  tenant_create->add_option("--time-zone", time_zone, "IANA time zone (default UTC)")->type_name("ZONE");
  tenant_create->callback([&] { exit_code = create_tenant(common, tenant_name, title, time_zone); });

  auto* key = app.add_subcommand("key", "Create, list and delete API keys")->require_subcommand(1);
  auto* key_create = command(*key, "create", "Create an API key and print it, alone, on standard output");
  std::string key_name, owner;
  key_create->add_option("--tenant", tenant_name, "The tenant whose data the key opens")->required()->type_name("NAME");
  key_create->add_option("--name", key_name, "What the key is for, e.g. \"Claude Desktop\"")
      ->required()
      ->type_name("TEXT");
  key_create->add_option("--owner", owner, "E-mail address of the person who uses it")->type_name("EMAIL");
  key_create->callback([&] { exit_code = create_key(common, tenant_name, key_name, owner); });
  auto* key_list = command(*key, "list", "List the keys; never their text");
  key_list->add_option("--tenant", tenant_name, "Only this tenant's")->type_name("NAME");
  add_json(key_list);
  key_list->callback([&] { exit_code = list_keys(common, tenant_name, as_json); });
  auto* key_delete = command(*key, "delete", "Delete a key for good; its streams and calls end within a second");
  std::string key_or_prefix;
  key_delete->add_option("KEY_OR_PREFIX", key_or_prefix, "The whole key, or its first 11 characters")->required();
  key_delete->callback([&] { exit_code = delete_key(common, key_or_prefix); });

  auto* plugin = app.add_subcommand("plugin", "Look at plugins")->require_subcommand(1);
  auto* plugin_list =
      command(*plugin, "list", "Load the configured plugins and list them with their tools, or why they are refused");
  add_json(plugin_list);
  plugin_list->callback([&] { exit_code = list_plugins(common, as_json); });

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
  reindex_command->add_option("--tenant", tenant_name, "Only this tenant's")->type_name("NAME");
  reindex_command->callback([&] { exit_code = run_reindex(common, tenant_name); });

  auto* database = app.add_subcommand("db", "Look at the database")->require_subcommand(1);
  command(*database, "url", "Print the database's URL, for psql and pg_dump")->callback([&] {
    exit_code = print_database_url(common);
  });

  command(app, "version", "Print the version", false)->callback([] {
    std::cout << "toolhost " << TOOLHOST_VERSION << "\n";
  });

  if (names_no_command(app, std::span(argv, static_cast<std::size_t>(argc)).subspan(1))) return kExitUsage;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  return exit_code;
}

}  // namespace toolhost::app
