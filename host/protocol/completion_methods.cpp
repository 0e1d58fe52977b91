#include "base/json_writer.hpp"
#include "protocol/dispatcher.hpp"
#include "protocol/encode_results.hpp"

/// completion/complete: values for an argument of a prompt, or for a variable of a resource template.
namespace toolhost::protocol {
namespace {

using plugin_runtime::Tool;
using plugin_runtime::ToolCall;
using plugin_runtime::ToolRegistry;

constexpr std::string_view kNoValues = R"({"values":[],"hasMore":false})";

/// Whose argument is to be completed.
struct Reference {
  const Tool* owner = nullptr;  ///< what has to be visible for the caller; null: there is no such thing
  const std::optional<Tool>* completer = nullptr;
  std::string target;
};

Reference find(const json::Value& ref, const ToolRegistry& registry) {
  const auto type = json::text_in(ref, "type").value_or("");
  if (type == "ref/prompt") {
    const auto* const prompt = registry.find_prompt(json::text_in(ref, "name").value_or(""));
    if (prompt != nullptr) return {&prompt->get, &prompt->complete, prompt->name};
  } else if (type == "ref/resource") {
    const auto uri = json::text_in(ref, "uri").value_or("");
    const auto* resource = registry.find_template(uri);
    if (resource == nullptr) resource = registry.find_resource(uri).resource;
    if (resource != nullptr) return {&resource->read, &resource->complete, resource->uri};
  }
  return {};
}

/// {"argument": {"name", "value"}, "context": {"arguments": {...}}}; nothing when the argument is none.
std::optional<std::string> arguments_of(const Message& request) {
  const auto argument = param(request, "argument");
  std::string_view name, value;
  json::Value member;
  if (!argument || json::find(*argument, "name").get(member) != simdjson::SUCCESS ||
      member.get(name) != simdjson::SUCCESS || json::find(*argument, "value").get(member) != simdjson::SUCCESS ||
      member.get(value) != simdjson::SUCCESS)
    return std::nullopt;
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("argument").begin_object().member("name", name).member("value", value).end_object();
  json.key("context").begin_object().key("arguments");
  const auto context = param(request, "context");
  if (context && json::find(*context, "arguments").get(member) == simdjson::SUCCESS && member.is_object())
    json.raw(json::to_text(member));
  else
    json.raw("{}");
  json.end_object().end_object();
  return out;
}

}  // namespace

void Dispatcher::complete(Message&& request, const RequestContext& context, ReplySink&& sink) {
  auto registry = plugins_.registry();
  if (!catalog_.capabilities(*context.caller, *registry).completions) return sink(method_not_found(request, context));
  const auto ref = param(request, "ref");
  const auto arguments_json = arguments_of(request);
  if (!ref || !arguments_json) {
    report_refused(context, {}, "invalid_arguments");
    return sink(invalid_params(
        request, "Invalid params: \"ref\" and \"argument\" with \"name\" and \"value\" are required", context));
  }
  auto found = find(*ref, *registry);
  const auto entry =
      found.owner == nullptr ? ToolView::Entry{} : catalog_.find(*context.caller, *registry, *found.owner);
  if (entry.tool == nullptr) {
    report_refused(context, {}, "unknown_tool", to_string(access::Reason::kUnknownTool));
    return sink(invalid_params(request, "Unknown ref: there is no such prompt or resource template", context));
  }
  if (!*found.completer) {
    return sink(encode_result(request.id, encode_completion_result(kNoValues, style_of(context))));
  }
  auto document = json::acquire_document();
  const auto arguments = document->parse(*arguments_json).value();
  start(std::move(request),
        {.tool = **found.completer,
         .looks_at_arguments = entry.looks_at_arguments,
         .kind = ToolCall::Kind::kComplete,
         .method = "completion/complete",
         .target = std::move(found.target),
         .arguments = arguments,
         .document = std::move(document)},
        std::move(registry), context, std::move(sink));
}

}  // namespace toolhost::protocol
