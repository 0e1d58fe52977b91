#include "app/http_front.hpp"

#include "base/json_writer.hpp"

namespace toolhost::app {

boost::asio::awaitable<void> HttpFront::handle(const transport::HttpRequest& request,
                                               transport::HttpResponse& response) {
  // No coroutine of its own on the way to a tool call: the next handler's is returned as it is.
  const bool is_read = request.method == transport::Method::kGet || request.method == transport::Method::kHead;
  if (is_read && request.path == "/healthz") return answer_probe(false, response);
  if (is_read && request.path == "/readyz") return answer_probe(true, response);
  return next_.handle(request, response);
}

boost::asio::awaitable<void> HttpFront::answer_probe(bool ready_probe, transport::HttpResponse& response) const {
  std::vector<std::string> reasons;
  if (ready_probe) reasons = readiness_();
  response.status = reasons.empty() ? 200 : 503;
  response.content_type = "application/json";
  JsonWriter json(response.body);
  json.begin_object().member("status", reasons.empty() ? (ready_probe ? "ready" : "ok") : "not ready");
  if (!reasons.empty()) {
    json.key("reasons").begin_array();
    for (const auto& reason : reasons) json.string(reason);
    json.end_array();
  }
  json.end_object();
  co_return;
}

}  // namespace toolhost::app
