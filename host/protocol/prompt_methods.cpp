#include "protocol/dispatcher.hpp"

/// prompts/list and prompts/get.
namespace toolhost::protocol {

using plugin_runtime::ToolCall;

void Dispatcher::list_prompts(Message&& request, const RequestContext& context, ReplySink&& sink) {
  list_catalog(request, context, sink, &ServerCapabilities::prompts, &CatalogViews::prompts_page);
}

void Dispatcher::get_prompt(Message&& request, const RequestContext& context, ReplySink&& sink) {
  auto registry = plugins_.registry();
  if (!catalog_.capabilities(*context.caller, *registry).prompts) return sink(method_not_found(request, context));
  const auto name = text_param(request, "name");
  const auto given = param(request, "arguments");
  if (!name || (given && !given->is_object())) {
    report_refused(context, {}, "invalid_arguments");
    return sink(invalid_params(request,
                               name ? "Invalid params: \"arguments\" must be an object"
                                    : "Invalid params: \"name\" must be the name of a prompt",
                               context));
  }
  const auto* const prompt = registry->find_prompt(*name);
  const auto entry = prompt == nullptr ? ToolView::Entry{} : catalog_.find(*context.caller, *registry, prompt->get);
  if (entry.tool == nullptr) {
    const auto quoted = name->substr(0, kLongestQuote);
    if (prompt == nullptr)
      report_refused(context, quoted, "unknown_tool", to_string(access::Reason::kUnknownTool));
    else
      report_hidden(context, prompt->get);
    return sink(invalid_params(request, "Unknown prompt: " + std::string(quoted), context));
  }
  start(std::move(request),
        {.tool = prompt->get,
         .looks_at_arguments = entry.looks_at_arguments,
         .kind = ToolCall::Kind::kPrompt,
         .method = "prompts/get",
         .target = prompt->name,
         .arguments = given ? *given : no_arguments()},
        std::move(registry), context, std::move(sink));
}

}  // namespace toolhost::protocol
