#include "base/json_writer.hpp"
#include "protocol/dispatcher.hpp"
#include "protocol/encode_results.hpp"

/// resources/list, resources/templates/list and resources/read.
namespace toolhost::protocol {
namespace {

using plugin_runtime::FoundResource;
using plugin_runtime::ToolCall;

/// {"uri", "variables"}: what the handler of a resource is called with.
std::string arguments_of(std::string_view uri, const FoundResource& found) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("uri", uri).key("variables").begin_object();
  for (const auto& [name, value] : found.variables) json.member(name, value);
  json.end_object().end_object();
  return out;
}

}  // namespace

void Dispatcher::list_catalog(const Message& request, const RequestContext& context, const ReplySink& sink,
                              bool ServerCapabilities::* capability, CatalogPage page_of) {
  std::optional<std::string_view> cursor;
  if (!read_cursor(request, cursor))
    return sink(invalid_params(request, "Invalid cursor: a string is expected", context));
  const auto registry = plugins_.registry();
  if (!(catalog_.capabilities(*context.caller, *registry).*capability)) return sink(method_not_found(request, context));
  const auto page = (catalog_.*page_of)(*context.caller, *registry, style_of(context), cursor);
  sink(page ? encode_result(request.id, *page) : invalid_params(request, page.error().message, context));
}

void Dispatcher::list_resources(Message&& request, const RequestContext& context, ReplySink&& sink) {
  list_catalog(request, context, sink, &ServerCapabilities::resources, &CatalogViews::resources_page);
}

void Dispatcher::list_templates(Message&& request, const RequestContext& context, ReplySink&& sink) {
  list_catalog(request, context, sink, &ServerCapabilities::resources, &CatalogViews::templates_page);
}

void Dispatcher::read_resource(Message&& request, const RequestContext& context, ReplySink&& sink) {
  auto registry = plugins_.registry();
  if (!catalog_.capabilities(*context.caller, *registry).resources) return sink(method_not_found(request, context));
  const auto uri = text_param(request, "uri");
  if (!uri) {
    report_refused(context, {}, "invalid_arguments");
    return sink(invalid_params(request, "Invalid params: \"uri\" must be a string", context));
  }
  const auto found = registry->find_resource(*uri);
  const auto* const resource = found.resource;
  const auto entry =
      resource == nullptr ? ToolView::Entry{} : catalog_.find(*context.caller, *registry, resource->read);
  if (entry.tool == nullptr) {
    if (resource == nullptr)
      report_refused(context, uri->substr(0, kLongestQuote), "unknown_tool", to_string(access::Reason::kUnknownTool));
    else
      report_hidden(context, resource->read);
    return sink(encode_error(resource_not_found(request.id, *uri, context.revision), context.revision));
  }
  auto document = json::acquire_document();
  const auto arguments = document->parse(arguments_of(*uri, found)).value();
  start(std::move(request),
        {.tool = resource->read,
         .looks_at_arguments = entry.looks_at_arguments,
         .kind = ToolCall::Kind::kRead,
         .method = "resources/read",
         .target = std::string(*uri),
         .arguments = arguments,
         .document = std::move(document)},
        std::move(registry), context, std::move(sink));
}

}  // namespace toolhost::protocol
