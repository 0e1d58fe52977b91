#include "app/commands/stdio_command.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "app/commands/console.hpp"
#include "app/database_keeper.hpp"
#include "app/stdio_host.hpp"
#include "base/cut.hpp"
#include "base/lower.hpp"
#include "protocol/jsonrpc.hpp"
#include "protocol/stdio_bridge.hpp"
#include "transport/http.hpp"

namespace toolhost::app {
namespace {

using transport::StdioPipe;

struct StdioOptions {
  std::string url;
  std::vector<std::string> headers;
  std::string key_variable;
  bool allow_http = false;
  bool keeps_database = false;
};

void tell(std::string_view text) {
  std::cerr << "toolhost: " << printable(text) << std::endl;
}

const char* variable(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  return value == nullptr || *value == '\0' ? nullptr : value;
}

/// The API key of the environment.
struct EnvironmentKey {
  std::string value;     ///< empty when there is none
  std::string variable;  ///< where it is, or belongs
};

EnvironmentKey key_of(const StdioOptions& options) {
  using Names = std::vector<std::string>;
  const Names names =
      options.key_variable.empty() ? Names{"HELPDESK_API_KEY", "TOOLHOST_API_KEY"} : Names{options.key_variable};
  for (const auto& name : names)
    if (const char* const key = variable(name)) return {key, name};
  return {{}, names.front()};
}

/// The text with ${NAME} replaced by variables of the environment, so that keys need not stand in arguments.
Result<std::string> expanded(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto begin = text.find("${");
    const auto end = text.find('}', begin);
    if (begin == std::string_view::npos || end == std::string_view::npos) break;
    const std::string name(text.substr(begin + 2, end - begin - 2));
    const char* const value = variable(name);
    if (value == nullptr) return Error{Errc::kInvalidArgument, "--header: the variable " + name + " is not set", ""};
    out.append(text.substr(0, begin)).append(value);
    text.remove_prefix(end + 1);
  }
  return out.append(text);
}

bool names_key(const transport::HttpFields& fields) {
  return std::ranges::any_of(fields, [](const auto& field) {
    return equals_ignoring_case(field.first, "X-API-Key") || equals_ignoring_case(field.first, "Authorization");
  });
}

/// Those of --header.
Result<transport::HttpFields> fields_of(const StdioOptions& options) {
  transport::HttpFields fields;
  for (std::string_view header : options.headers) {
    if (header.find(':') == std::string_view::npos)
      return Error{Errc::kInvalidArgument, "--header takes NAME:VALUE, not '" + std::string(header) + "'", ""};
    const auto name = trimmed(take_until(header, ':'));
    auto value = expanded(trimmed(header));
    if (!value) return value.error();
    fields.emplace_back(name, std::move(*value));
  }
  return fields;
}

/// Adds the environment's key unless --header names one: what to do when the server refuses it.
Result<std::string> add_key(const StdioOptions& options, transport::HttpFields& fields) {
  if (names_key(fields)) return std::string("Check the API key that --header names.");
  const auto key = key_of(options);
  if (key.value.empty()) return "There is no API key: put one into the environment variable " + key.variable + ".";
  if (!transport::is_header_value(key.value))
    return Error{
        Errc::kInvalidArgument,
        "the API key in the environment variable " + key.variable + " holds a line break or another control character",
        ""};
  fields.emplace_back("X-API-Key", key.value);
  return "Check the API key in the environment variable " + key.variable + ".";
}

Result<std::unique_ptr<protocol::StdioBridge>> create_bridge(const StdioOptions& options, StdioPipe& pipe) {
  auto url = transport::parse_url(options.url);
  if (!url) return Error{url.error().code, "--url: " + url.error().message, ""};
  if (!url->is_https && !url->is_loopback() && !options.allow_http)
    return Error{Errc::kInvalidArgument,
                 "--url: " + url->origin() +
                     " is not https, so that everybody on the way could read the API key; "
                     "--allow-http if that is what you want",
                 ""};
  auto fields = fields_of(options);
  if (!fields) return fields.error();
  auto key_hint = add_key(options, *fields);
  if (!key_hint) return key_hint.error();
  return protocol::StdioBridge::create(
      {.url = std::move(*url), .fields = std::move(*fields), .key_hint = std::move(*key_hint), .tell = tell}, pipe);
}

/// Answers the client with the reason until it has given up: that is what its user gets to see.
int refuse(StdioPipe& pipe, const Error& error) {
  const int exit_code = fail(error);
  if (::isatty(STDERR_FILENO) == 1) return exit_code;
  for (;;) {
    const auto line = pipe.read();
    if (std::holds_alternative<StdioPipe::End>(line)) return exit_code;
    const auto* const text = std::get_if<std::string>(&line);
    if (text == nullptr) continue;
    const auto parsed = protocol::parse_message(*text);
    const auto* const message = std::get_if<protocol::Message>(&parsed);
    if (message == nullptr || message->kind != protocol::Message::Kind::kRequest) continue;
    const bool is_written =
        pipe.write(protocol::encode_error({protocol::RpcCode::kServerError, error.message, message->id}));
    if (message->method == "initialize" || !is_written) return exit_code;
  }
}

int run_bridge(const StdioOptions& options) {
  auto pipe = StdioPipe::take_over();
  if (!pipe) return fail(pipe.error());
  auto bridge = create_bridge(options, **pipe);
  if (!bridge) return refuse(**pipe, bridge.error());
  (*bridge)->run();
  return kExitOk;
}

Result<> serve_here(const CommonOptions& common, const StdioOptions& options, const std::shared_ptr<StdioPipe>& pipe) {
  const auto key = key_of(options);
  if (key.value.empty())
    return Error{Errc::kUnauthenticated,
                 "there is no API key; put one into the environment variable " + key.variable +
                     " (toolhost key create makes one)",
                 ""};
  auto config = configuration(common);
  if (!config) return config.error();
  auto served = serve_stdio(*config, pipe, Secret(key.value));
  if (!served && served.error().code == Errc::kUnauthenticated)
    return Error{Errc::kUnauthenticated, served.error().message + "; check the environment variable " + key.variable,
                 ""};
  return served;
}

int run_stdio(const CommonOptions& common, const StdioOptions& options) {
  if (options.keeps_database) return keep_database(common.data_dir.value_or(""), 3);
  if (!options.url.empty()) return run_bridge(options);
  auto taken = StdioPipe::take_over();
  if (!taken) return fail(taken.error());
  const std::shared_ptr<StdioPipe> pipe = std::move(*taken);
  const auto served = serve_here(common, options, pipe);
  return served ? kExitOk : refuse(*pipe, served.error());
}

}  // namespace

void add_stdio_command(CLI::App& app, CommonOptions& options, int& exit_code) {
  auto* command =
      app.add_subcommand("stdio", "Serve MCP on standard input and output, for assistants that start programs");
  static StdioOptions stdio;
  add_common(*command, options);
  command
      ->add_option("--url", stdio.url,
                   "Pass everything on to the host at this address, e.g. https://tools.example.com/mcp; "
                   "without it the tools of this machine are served")
      ->type_name("URL");
  command
      ->add_option("--header", stdio.headers,
                   "Send this field with every request; ${NAME} is a variable of the environment; may be repeated")
      ->type_name("NAME:VALUE")
      ->allow_extra_args(false);
  command
      ->add_option("--key-env", stdio.key_variable,
                   "Variable that holds the API key (default HELPDESK_API_KEY, then TOOLHOST_API_KEY)")
      ->type_name("NAME");
  command->add_flag("--allow-http", stdio.allow_http, "Send the API key over plain HTTP to another machine");
  command->add_flag("--keep-database", stdio.keeps_database, "")->group("");  // of database_keeper
  for (const char* const here : {"--config", "--data-dir"})
    command->get_option("--url")->excludes(command->get_option(here));
  for (const char* const there : {"--header", "--allow-http"})
    command->get_option(there)->needs(command->get_option("--url"));
  command->footer(
      "Ends with its input. The system's certificates are trusted (or those of SSL_CERT_FILE); what goes wrong is "
      "told\n"
      "on standard error.");
  command->callback([&] { exit_code = run_stdio(options, stdio); });
}

}  // namespace toolhost::app
