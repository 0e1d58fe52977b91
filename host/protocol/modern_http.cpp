#include "protocol/modern_http.hpp"

#include <utility>

#include "protocol/http_replies.hpp"
#include "protocol/mcp_header.hpp"
#include "protocol/post_answer.hpp"

namespace toolhost::protocol {

namespace asio = boost::asio;
using transport::HttpRequest;
using transport::HttpResponse;

asio::awaitable<void> ModernHttp::post(Message message, const Envelope& envelope, const HttpRequest& request,
                                       HttpResponse& response, CallerPtr caller) {
  constexpr auto kRevision = Revision::k2026_07_28;
  // What clients have to say by themselves, HTTP says already.
  if (message.kind == Message::Kind::kNotification) {
    respond_accepted(response);
    return nothing_to_wait_for();
  }
  if (const auto error = check_headers(message, HeaderView::of(request))) {
    respond_error(response, http_status_of(error->code, kRevision), *error, kRevision);
    return nothing_to_wait_for();
  }
  const bool accepts_stream = accepts(request.accept, "text/event-stream");
  if (message.method == "subscriptions/listen" && !accepts_stream) {
    respond_error(response, 406,
                  {RpcCode::kServerError, "Not Acceptable: the answer is text/event-stream", std::move(message.id)},
                  kRevision);
    return nothing_to_wait_for();
  }
  RequestContext context;
  context.session = sessions_->without_session(*caller);
  context.caller = std::move(caller);
  context.shares_session = true;
  context.revision = kRevision;
  context.capabilities = envelope.capabilities;
  context.log_level = envelope.log_level;
  context.argument_fields = request.params;
  if (!request.traceparent.empty()) context.trace = observability::read_trace_context(request.traceparent);
  return answer_request(dispatcher_, streams_, std::move(message), std::move(context), accepts_stream, response);
}

}  // namespace toolhost::protocol
