#include "app/commands/explain_command.hpp"

#include <CLI/CLI.hpp>
#include <iostream>

#include "access/key_table.hpp"
#include "app/admin_socket.hpp"
#include "app/config/config_loader.hpp"
#include "app/explain.hpp"
#include "base/json.hpp"
#include "base/json_writer.hpp"

namespace toolhost::app {
namespace {

/// As one line.
Result<std::string> request_of(const ExplainQuery& query) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("command", "explain").member("tool", query.tool);
  json.member("key", query.key);
  if (query.arguments) {
    json::Document document;
    const auto arguments = parse_arguments(*query.arguments, document);
    if (!arguments) return arguments.error();
    json.key("args").raw(json::to_text(*arguments));
  }
  json.end_object();
  return out;
}

/// Without a host: as one that was started now would decide.
Result<Explanation> explain_here(const CommonOptions& options, const ExplainQuery& query) {
  auto context = open_context(options);
  if (!context) return context.error();
  auto plugin_config = plugin_host_config(context->config);
  if (!plugin_config) return plugin_config.error();
  const auto quiet = observability::create_fan_out({});
  const auto plugins = plugin_runtime::PluginHost::start(std::move(*plugin_config), context->database.address, *quiet);
  if (!plugins) return plugins.error();
  auto rows = context->directory->keys(std::nullopt);
  if (!rows) return rows.error();
  const auto policy = access::Policy::compile(context->config.policy);
  access::KeyTable table(policy);
  const auto now = std::chrono::system_clock::now();
  table.replace(std::move(*rows), access::KeyTable::Clock::now(), now);
  auto explained = explain(table.keys(), *policy, *(*plugins)->registry(), query, now);
  (*plugins)->stop(std::chrono::milliseconds(0));
  return explained;
}

int run_explain(const CommonOptions& options, const ExplainQuery& query, bool as_json) {
  const auto beginning = beginning_of_key(query.key);
  if (!beginning) return fail(beginning.error());
  const auto request = request_of({*beginning, query.tool, query.arguments});
  if (!request) return fail(request.error());
  const auto data_dir = data_dir_of(options);
  if (!data_dir) return fail(data_dir.error());
  const auto answer = AdminClient::ask(*data_dir, *request);
  const bool is_live = answer.has_value() || answer.error().code != Errc::kUnavailable;
  auto explained = is_live ? (answer ? explanation_from_json(*answer) : Result<Explanation>(answer.error()))
                           : explain_here(options, query);
  if (!explained) return fail(explained.error());
  if (!is_live && options.config_file.empty()) {
    std::cerr << "toolhost: warning: no host is running with this data directory and no configuration was read, so the "
                 "built-in defaults decide here; name the host's configuration with --config FILE\n";
  }
  std::cout << (as_json ? to_json(*explained) + "\n" : to_text(*explained, is_live));
  return kExitOk;
}

}  // namespace

void add_explain_command(CLI::App& app, CommonOptions& options, int& exit_code) {
  auto* command = app.add_subcommand("explain", "Say why a key may, or may not, call a tool, and what its tools are");
  add_common(*command, options);
  static ExplainQuery query;
  static bool as_json;
  command->add_option("--key", query.key, "The key, or the beginning of its first 11 characters")
      ->required()
      ->type_name("KEY_OR_PREFIX");
  command->add_option("--tool", query.tool, "The tool's name")->required()->type_name("NAME");
  command->add_option("--args", query.arguments, "Arguments of a call, for rules that look at them")->type_name("JSON");
  command->add_flag("--json", as_json, "Print JSON for programs");
  command->footer("Asks the running host, so that limits are as they are now; takes nothing from them.");
  command->callback([&] { exit_code = run_explain(options, query, as_json); });
}

}  // namespace toolhost::app
