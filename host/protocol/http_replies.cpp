#include "protocol/http_replies.hpp"

#include <algorithm>

#include "base/cut.hpp"
#include "base/json_writer.hpp"
#include "base/lower.hpp"

namespace toolhost::protocol {
namespace {

constexpr std::chrono::milliseconds kPauseOfRefusals{100};

constexpr std::string_view kJson = "application/json";
constexpr std::chrono::seconds kAwayWait{2};

}  // namespace

boost::asio::awaitable<void> nothing_to_wait_for() {
  co_return;
}

void respond_json(transport::HttpResponse& response, unsigned status, std::string body) {
  response.status = status;
  response.content_type = kJson;
  response.body = std::move(body);
}

void respond_accepted(transport::HttpResponse& response) {
  response.status = 202;
}

void respond_error(transport::HttpResponse& response, unsigned status, const RpcError& error, Revision revision) {
  respond_json(response, status, encode_error(error, revision));
}

void respond_refusal(transport::HttpResponse& response, unsigned status, std::string_view code,
                     std::string_view message) {
  std::string body;
  JsonWriter(body).begin_object().member("error", code).member("message", message).end_object();
  respond_json(response, status, std::move(body));
}

void respond_method_not_allowed(transport::HttpResponse& response, std::string_view allow) {
  response.headers.append("Allow: ").append(allow).append("\r\n");
  respond_error(response, 405, {RpcCode::kServerError, "Method not allowed.", {}});
}

void respond_session_not_found(transport::HttpResponse& response, std::string id) {
  respond_error(response, 404, {RpcCode::kSessionNotFound, "Session not found", std::move(id)});
}

void respond_unavailable(transport::HttpResponse& response, std::string_view message) {
  retry_after(response, kAwayWait);
  std::string body;
  JsonWriter json(body);
  json.begin_object()
      .member("error", "unavailable")
      .member("message", message)
      .key("repeatable")
      .boolean(true)
      .end_object();
  respond_json(response, 503, std::move(body));
}

void respond_unauthenticated(transport::HttpResponse& response, std::string_view code, std::string_view message) {
  response.headers.append("WWW-Authenticate: ApiKey realm=\"toolhost\"\r\n");
  respond_refusal(response, 401, code, message);
}

void hold_back(transport::HttpResponse& response) {
  response.pause = kPauseOfRefusals;
}

void retry_after(transport::HttpResponse& response, std::chrono::milliseconds wait) {
  hold_back(response);
  const auto seconds = std::max<std::int64_t>(std::chrono::ceil<std::chrono::seconds>(wait).count(), 1);
  response.headers.append("Retry-After: ").append(std::to_string(seconds)).append("\r\n");
}

void respond_too_many_streams(transport::HttpResponse& response) {
  retry_after(response, std::chrono::seconds(30));
  respond_refusal(response, 429, "too_many_streams", "This API key has too many open streams; close some first.");
}

void respond_stopped(transport::HttpResponse& response, StopReason reason) {
  switch (reason) {
    case StopReason::kCancelledByClient:
      return respond_accepted(response);
    case StopReason::kSessionEnded:
      return respond_session_not_found(response);
    case StopReason::kKeyRevoked:
      return respond_unauthenticated(
          response, "invalid_api_key",
          "Invalid API key: it was deleted or disabled, or has expired, while the call was running.");
    case StopReason::kShutdown:  // what ran may have done something: not "repeatable"
      retry_after(response, kAwayWait);
      return respond_refusal(response, 503, "unavailable", kStopping);
  }
}

bool is_json(std::string_view content_type) noexcept {
  return equals_ignoring_case(trimmed(take_until(content_type, ';')), kJson);
}

bool accepts(std::string_view accept, std::string_view type) noexcept {
  if (accept.empty()) return true;
  const auto family = type.substr(0, type.find('/') + 1);
  while (!accept.empty()) {
    auto entry = take_until(accept, ',');
    const auto range = trimmed(take_until(entry, ';'));
    if (range == "*/*" || equals_ignoring_case(range, type)) return true;
    if (range.ends_with("/*") && equals_ignoring_case(range.substr(0, range.size() - 1), family)) return true;
  }
  return false;
}

bool asks_for_streams(std::string_view accept) noexcept {
  while (!accept.empty()) {
    auto entry = take_until(accept, ',');
    if (equals_ignoring_case(trimmed(take_until(entry, ';')), "text/event-stream")) return true;
  }
  return false;
}

std::string_view query_parameter(std::string_view query, std::string_view name) noexcept {
  while (!query.empty()) {
    auto value = trimmed(take_until(query, '&'));
    if (trimmed(take_until(value, '=')) == name) return value;
  }
  return {};
}

}  // namespace toolhost::protocol
