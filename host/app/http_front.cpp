#include "app/http_front.hpp"

#include "base/json_writer.hpp"
#include "observability/metrics.hpp"
#include "portal/portal.hpp"
#include "portal/router.hpp"
#include "transport/origin_policy.hpp"

namespace toolhost::app {
namespace {

bool is_read(const transport::HttpRequest& request) {
  return request.method == transport::Method::kGet || request.method == transport::Method::kHead;
}

/// What a proxy passes on may say anything: it never counts. Behind one on this machine that is not named as trusted
/// every peer is local, but few proxies send a loopback name as Host.
bool is_from_this_machine(const transport::HttpRequest& request) {
  if (request.is_forwarded) return false;
  std::string_view peer = request.remote_address;
  if (peer.starts_with("::ffff:")) peer.remove_prefix(7);
  return (peer.starts_with("127.") || peer == "::1") && transport::is_loopback_authority(request.host);
}

void answer_ready(const ReadinessReport& report, transport::HttpResponse& response) {
  const bool is_ready = report.reasons.empty();
  response.status = is_ready ? 200 : 503;
  response.content_type = "application/json";
  JsonWriter json(response.body);
  json.begin_object().member("status", is_ready ? "ready" : "not ready");
  if (!report.reasons.empty()) json.member("reasons", report.reasons);
  if (!report.warnings.empty()) json.member("warnings", report.warnings);
  json.end_object();
}

/// Somebody typed the address without the path.
bool is_a_browser_at_the_door(const transport::HttpRequest& request) {
  return request.path == "/" && is_read(request) && portal::accepts_html(request.accept);
}

void answer_with_the_way(transport::HttpResponse& response) {
  response.status = 302;
  response.headers.append("Location: /mcp\r\nVary: Accept\r\n");
}

boost::asio::awaitable<void> done() {
  co_return;
}

}  // namespace

bool answer_probe(const transport::HttpRequest& request, const Readiness& readiness,
                  transport::HttpResponse& response) {
  if (!is_read(request)) return false;
  if (request.path == "/readyz") {
    answer_ready(readiness(), response);
    return true;
  }
  if (request.path != "/healthz") return false;
  response.status = 200;
  response.content_type = "application/json";
  response.body = R"({"status":"ok"})";
  return true;
}

void answer_metrics(const MetricsText& metrics, transport::HttpResponse& response) {
  response.status = 200;
  response.content_type = observability::kMetricsContentType;
  response.body = metrics();
}

void answer_nothing_here(transport::HttpResponse& response) {
  response.status = 404;
  response.content_type = "application/json";
  response.body = R"({"error":"not_found","message":"There is nothing at this address."})";
}

boost::asio::awaitable<void> HttpFront::handle(const transport::HttpRequest& request,
                                               transport::HttpResponse& response) {
  // No coroutine of its own on the way to a tool call: the next handler's is returned as it is.
  if (answer_probe(request, readiness_, response)) return done();
  if (portal_ != nullptr && portal::is_for_portal(request)) return portal_->handle(request, response);
  if (portal_ != nullptr && is_a_browser_at_the_door(request)) {
    answer_with_the_way(response);
    return done();
  }
  if (request.path != "/metrics" || !is_read(request)) return next_.handle(request, response);
  if (metrics_ && is_from_this_machine(request)) {
    answer_metrics(metrics_, response);
  } else {
    answer_nothing_here(response);
  }
  return done();
}

}  // namespace toolhost::app
