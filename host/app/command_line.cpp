#include "app/command_line.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "access/api_key.hpp"
#include "app/config_loader.hpp"
#include "app/exit_code.hpp"
#include "app/host_app.hpp"
#include "base/json_writer.hpp"
#include "storage/directory_store.hpp"

namespace toolhost::app {
namespace {

constexpr std::size_t kLongestKeyName = 60;
constexpr std::size_t kPrefixLength = 11;  // "hdsk_" and six characters

/// What every subcommand that touches data understands.
struct CommonOptions {
  std::string config_file;
  std::optional<std::string> data_dir;

  void add_to(CLI::App& command) {
    command.add_option("--config", config_file, "Configuration file (YAML); built-in defaults without it")
        ->type_name("FILE");
    command.add_option("--data-dir", data_dir, "Data directory; goes before the file's data_dir")->type_name("DIR");
  }
};

int fail(const Error& error) {
  std::cerr << "toolhost: " << error.message << "\n";
  if (!error.detail.empty()) std::cerr << "  " << error.detail << "\n";
  return exit_code_of(error.code);
}

/// The configuration these options name; problems are printed, all of them.
Result<HostConfig> configuration(const CommonOptions& options) {
  HostConfig config;
  if (options.config_file.empty()) {
    config = default_config();
  } else {
    LoadedConfig loaded = load_config(options.config_file);
    for (const auto& problem : loaded.problems) std::cerr << to_string(problem) << "\n";
    if (!loaded.problems.empty()) {
      const auto count = loaded.problems.size();
      return Error{
          Errc::kInvalidArgument,
          "the configuration has " + std::to_string(count) + (count == 1 ? " problem" : " problems") + "; see above",
          ""};
    }
    config = std::move(loaded.config);
  }
  if (options.data_dir) {
    if (options.data_dir->empty()) return Error{Errc::kInvalidArgument, "--data-dir is empty; name a directory", ""};
    config.data_dir = *options.data_dir;
  }
  config.data_dir = std::filesystem::absolute(config.data_dir).lexically_normal();
  return config;
}

/// The database and the directory of tenants and keys, for the time of one command.
struct CommandContext {
  HostConfig config;
  std::unique_ptr<observability::EventSink> events;
  OpenDatabase database;
  std::unique_ptr<storage::DirectoryStore> directory;
};

Result<CommandContext> open_context(const CommonOptions& options) {
  auto config = configuration(options);
  if (!config) return config.error();
  CommandContext context;
  context.config = std::move(*config);
  context.events = observability::create_log_sink(
      {.level = observability::Severity::kWarning, .format = observability::LogFormat::kText});
  auto database = open_database(context.config, DatabaseUse::kCommand, *context.events);
  if (!database) return database.error();
  context.database = std::move(*database);
  context.directory = storage::DirectoryStore::create(context.database.address);
  return context;
}

/// Runs `action(context)`; it returns an exit code.
template <class Action>
int with_context(const CommonOptions& options, Action action) {
  auto context = open_context(options);
  if (!context) return fail(context.error());
  return action(*context);
}

void print_columns(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    std::cout << line << "\n";
  }
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
    print_columns(rows);
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
    print_columns(rows);
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
    std::cerr << "deleted key " << deleted->prefix << "... (\"" << deleted->name << "\", tenant " << deleted->tenant
              << "); it stops working on every host within a second\n";
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
    print_columns(rows);
    for (const auto& plugin : plugins) {
      if (!plugin.reason.empty()) std::cout << plugin.id << ": " << plugin.reason << "\n";
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
    if (takes_common) common.add_to(*added);
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

  auto* database = app.add_subcommand("db", "Look at the database")->require_subcommand(1);
  command(*database, "url", "Print the database's URL, for psql and pg_dump")->callback([&] {
    exit_code = print_database_url(common);
  });

  command(app, "version", "Print the version", false)->callback([] {
    std::cout << "toolhost " << TOOLHOST_VERSION << "\n";
  });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  return exit_code;
}

}  // namespace toolhost::app
