#include "protocol/dispatcher.hpp"
#include "protocol/encode_results.hpp"

/// What a legacy session remembers: logging/setLevel, resources/subscribe and resources/unsubscribe.
namespace toolhost::protocol {

void Dispatcher::set_level(Message&& request, const RequestContext& context, ReplySink&& sink) {
  if (!capabilities_for(*context.caller).logging) return sink(method_not_found(request, context));
  const auto level = parse_log_level(text_param(request, "level").value_or(std::string_view()));
  if (!level)
    return sink(invalid_params(
        request, "Invalid params: \"level\" must be debug, info, notice, warning, error, critical, alert or emergency",
        context));
  // Clients without a session share one: none sets the level of the others.
  if (!context.shares_session) {
    const bool is_new = context.session->log_level() != level;
    context.session->set_log_level(*level);
    if (is_new) tell_observer(context, {.uri = {}, .level = level});
  }
  sink(encode_result(request.id, "{}"));
}

void Dispatcher::subscribe(Message&& request, const RequestContext& context, ReplySink&& sink) {
  if (!capabilities_for(*context.caller).resources) return sink(method_not_found(request, context));
  const auto uri = text_param(request, "uri");
  if (!uri) return sink(invalid_params(request, "Invalid params: \"uri\" must be a string", context));
  if (uri->size() > kLongestUri) {
    return sink(invalid_params(
        request, "Invalid params: \"uri\" may be at most " + std::to_string(kLongestUri) + " bytes long", context));
  }
  if (!may_read(*context.caller, *uri))
    return sink(encode_error(resource_not_found(request.id, *uri, context.revision), context.revision));
  if (!context.shares_session) {
    const bool is_new = !context.session->is_subscribed(*uri);
    if (!context.session->subscribe(std::string(*uri)))
      return sink(encode_error(
          {RpcCode::kInternalError,
           "This session follows as many resources as it may (1,000, or 256 KiB of URIs); unsubscribe from some",
           request.id},
          context.revision));
    if (is_new) tell_observer(context, {.uri = *uri, .level = {}});
  }
  sink(encode_result(request.id, "{}"));
}

void Dispatcher::unsubscribe(Message&& request, const RequestContext& context, ReplySink&& sink) {
  if (!capabilities_for(*context.caller).resources) return sink(method_not_found(request, context));
  const auto uri = text_param(request, "uri");
  if (!uri) return sink(invalid_params(request, "Invalid params: \"uri\" must be a string", context));
  const bool may_be_followed = !uri->empty() && uri->size() <= kLongestUri && !context.shares_session;
  if (may_be_followed && context.session->unsubscribe(*uri))
    tell_observer(context, {.uri = *uri, .level = {}, .is_withdrawn = true});
  sink(encode_result(request.id, "{}"));
}

void Dispatcher::tell_observer(const RequestContext& context, const Wish& wish) const {
  if (observer_ != nullptr) observer_->wished(*context.session, wish);
}

}  // namespace toolhost::protocol
