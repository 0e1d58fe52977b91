#pragma once
#include <chrono>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "access/gatekeeper.hpp"
#include "transport/http.hpp"

namespace toolhost::protocol {

/// OAuth 2.1 as HTTP: what the endpoint answers as a resource server. `resource` is that of the gatekeeper.

/// Answers whoever asks for the metadata at this path (RFC 9728); false when it stands elsewhere.
bool answer_metadata(const access::ProtectedResource& resource, const transport::HttpRequest& request,
                     transport::HttpResponse& response);

/// 401 for a request without any credential: where to get a token.
void respond_sign_in(const access::ProtectedResource& resource, const transport::HttpRequest& request,
                     transport::HttpResponse& response, std::string_view message);
/// 401 for a token that is not accepted, with a sentence without quotes.
void respond_invalid_token(const access::ProtectedResource& resource, const transport::HttpRequest& request,
                           transport::HttpResponse& response, std::string_view message);
/// 403 for a token without the scope that a call needs. `challenge`: of access::Grant::Refusal.
void respond_insufficient_scope(transport::HttpResponse& response, std::string_view challenge);

/// Waits until no keys of issuers are on their way, for at most `limit`.
boost::asio::awaitable<void> keys_fetched(const access::Gatekeeper& gatekeeper, std::chrono::milliseconds limit);

}  // namespace toolhost::protocol
