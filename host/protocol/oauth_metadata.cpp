#include "protocol/oauth_metadata.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/deadline.hpp"
#include "protocol/http_replies.hpp"

namespace toolhost::protocol {
namespace {

using transport::HttpRequest;
using transport::HttpResponse;
using transport::Method;

constexpr std::chrono::milliseconds kLookAgain{20};

void challenge_with(HttpResponse& response, std::string_view challenge) {
  response.headers.append("WWW-Authenticate: ").append(challenge).append("\r\n");
}

}  // namespace

bool answer_metadata(const access::ProtectedResource& resource, const HttpRequest& request, HttpResponse& response) {
  const auto* const document = resource.metadata_at(request.path);
  if (document == nullptr) return false;
  if (request.method == Method::kGet || request.method == Method::kHead) {
    respond_json(response, 200, *document);
  } else {
    respond_method_not_allowed(response, "GET");
  }
  return true;
}

void respond_sign_in(const access::ProtectedResource& resource, const HttpRequest& request, HttpResponse& response,
                     std::string_view message) {
  challenge_with(response, resource.challenge(request.path));
  respond_refusal(response, 401, "missing_credential", message);
}

void respond_invalid_token(const access::ProtectedResource& resource, const HttpRequest& request,
                           HttpResponse& response, std::string_view message) {
  challenge_with(response, resource.challenge_invalid(request.path, message));
  respond_refusal(response, 401, "invalid_token", message);
}

void respond_insufficient_scope(HttpResponse& response, std::string_view challenge) {
  challenge_with(response, challenge);
  respond_refusal(response, 403, "insufficient_scope",
                  "The access token does not have every scope that this takes; WWW-Authenticate names them.");
}

boost::asio::awaitable<void> keys_fetched(const access::Gatekeeper& gatekeeper, std::chrono::milliseconds limit) {
  const auto deadline = Deadline::after(limit);
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
  while (gatekeeper.is_fetching() && !deadline.has_passed()) {
    timer.expires_after(kLookAgain);
    co_await timer.async_wait(boost::asio::use_awaitable);
  }
}

}  // namespace toolhost::protocol
