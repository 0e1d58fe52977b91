#include "app/control_handlers.hpp"

#include "app/explain.hpp"

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
      {"explain",
       [&gatekeeper, &plugins](const json::Value& request) { return answer_explain(gatekeeper, plugins, request); }},
  };
}

}  // namespace toolhost::app
