#include "app/control_handlers.hpp"

#include <optional>

#include "app/explain.hpp"
#include "app/plugin_reload.hpp"

namespace toolhost::app {
namespace {

/// Puts the member into `value`, which stays as it is without one; false when it is of another type.
template <class Type>
bool read(const json::Value& request, std::string_view name, Type& value) {
  json::Value member;
  if (json::find(request, name).get(member) != simdjson::SUCCESS) return true;
  return member.get(value) == simdjson::SUCCESS;
}

std::string wrong(const char* message) {
  return admin_error({Errc::kInvalidArgument, message, ""});
}

std::string answer_reload(ConfigurationControl& control, const json::Value& request) {
  bool dry_run = false;
  if (!read(request, "dry_run", dry_run)) return wrong(R"("dry_run" is true or false)");
  return to_json(control.reload(ReloadTrigger::kCommand, dry_run));
}

/// What names the plugin; nothing when the request does not.
std::optional<std::string> plugin_of(const json::Value& request) {
  std::string_view id;
  if (!read(request, "id", id) || id.empty()) return std::nullopt;
  return std::string(id);
}

std::string answer_plugin(ConfigurationControl& control, const json::Value& request) {
  const auto id = plugin_of(request);
  if (!id) return wrong(R"("id" is the id of a plugin)");
  const auto found = control.plugin(*id);
  return found ? to_json(*found) : admin_error(found.error());
}

std::string answer_reload_plugin(ConfigurationControl& control, const json::Value& request) {
  const auto id = plugin_of(request);
  if (!id) return wrong(R"("id" is the id of a plugin)");
  const auto report = control.reload_plugin(*id);
  return report ? to_json(*report) : admin_error(report.error());
}

std::string answer_explain(const access::Gatekeeper& gatekeeper, const plugin_runtime::PluginHost& plugins,
                           const json::Value& request) {
  std::string_view key, tool;
  if (!read(request, "key", key) || !read(request, "tool", tool)) return wrong(R"("key" and "tool" are texts)");
  ExplainQuery query{.key = std::string(key), .tool = std::string(tool)};
  json::Value arguments;
  if (json::find(request, "args").get(arguments) == simdjson::SUCCESS) query.arguments = json::to_text(arguments);
  const auto policy = gatekeeper.policy();
  const auto registry = plugins.registry();
  const auto explained = explain(gatekeeper.keys(), *policy, *registry, query, std::chrono::system_clock::now());
  return explained ? to_json(*explained) : admin_error(explained.error());
}

}  // namespace

AdminHandlers control_handlers(ConfigurationControl& control, const access::Gatekeeper& gatekeeper,
                               const plugin_runtime::PluginHost& plugins) {
  return {
      {"reload", [&control](const json::Value& request) { return answer_reload(control, request); }},
      {"plugin", [&control](const json::Value& request) { return answer_plugin(control, request); }},
      {"reload_plugin", [&control](const json::Value& request) { return answer_reload_plugin(control, request); }},
      {"explain",
       [&gatekeeper, &plugins](const json::Value& request) { return answer_explain(gatekeeper, plugins, request); }},
  };
}

}  // namespace toolhost::app
