// Access tokens at the endpoint: what it answers while it cannot know, and when one ends in the middle.
#include <gmock/gmock.h>

#include "endpoint_fixture.hpp"

namespace toolhost::protocol {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

class OAuthEndpoint : public Endpoint {
 protected:
  OAuthEndpoint() {
    gatekeeper_.oauth = std::make_shared<access::ProtectedResource>(access::TokenConfig{
        .resource = "https://mcp.example/mcp", .scopes = {"read"}, .issuers = {{.issuer = "https://id.example"}}});
    start({});
  }

  static Request with_token(std::string body = kPing) {
    return {.body = std::move(body), .key = "", .authorization = "Bearer one"};
  }
  /// Lets the exchange go on until it is answered, or for this long.
  void wait(const Exchange& exchange, std::chrono::milliseconds limit = 10s) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!exchange.is_answered && std::chrono::steady_clock::now() < end) {
      context_.restart();
      context_.run_for(5ms);
    }
  }
};

TEST_F(OAuthEndpoint, ATokenWaitsForTheKeysOfItsIssuer) {
  gatekeeper_.refusal = Error{Errc::kRetry, "not yet", ""};
  gatekeeper_.fetching = true;
  const auto exchange = send(with_token());
  wait(*exchange, 100ms);
  EXPECT_FALSE(exchange->is_answered);
  gatekeeper_.refusal.reset();
  gatekeeper_.fetching = false;
  wait(*exchange);
  EXPECT_EQ(exchange->response.status, 200U);
  EXPECT_EQ(exchange->response.body, kPong);
}

TEST_F(OAuthEndpoint, AnIssuerThatIsAwayIsNoReasonToSignIn) {
  for (const auto code : {Errc::kRetry, Errc::kUnavailable}) {
    gatekeeper_.refusal = Error{code, "Access tokens cannot be checked", ""};
    const auto exchange = send(with_token());
    wait(*exchange);
    EXPECT_EQ(exchange->response.status, 503U);
    EXPECT_THAT(exchange->response.headers, HasSubstr("Retry-After"));
    EXPECT_THAT(exchange->response.headers, Not(HasSubstr("WWW-Authenticate")));
  }
}

TEST_F(OAuthEndpoint, ACallWhoseTokenEndsIsToldSo) {
  const auto exchange = send(with_token(slow(7)));
  EXPECT_FALSE(exchange->is_answered);
  gatekeeper_.revoke("one");
  wait(*exchange);
  EXPECT_EQ(exchange->response.status, 401U);
  EXPECT_THAT(exchange->response.headers, HasSubstr("Bearer error=\"invalid_token\""));
  EXPECT_THAT(exchange->response.headers, Not(HasSubstr("ApiKey")));
  EXPECT_THAT(exchange->response.body, HasSubstr("ended while the call was running"));
  plugins_.finish_next();

  const auto key = send({.body = slow(8), .key = "two"});
  gatekeeper_.revoke("two");
  wait(*key);
  EXPECT_THAT(key->response.headers, HasSubstr("ApiKey"));  // a key is told of keys
  plugins_.finish_next();
}

TEST_F(OAuthEndpoint, ToldOfWhoeverWasRefused) {
  gatekeeper_.refusal = Error{Errc::kUnauthenticated, "The access token was not accepted: it has expired.", ""};
  EXPECT_EQ(ask(with_token()).status, 401U);
  gatekeeper_.refusal = Error{Errc::kDenied, "Access denied: no tenant.", ""};
  EXPECT_EQ(ask(with_token()).status, 403U);
  EXPECT_THAT(events_.refusals(), testing::ElementsAre("invalid_token", "token_denied"));
}

}  // namespace
}  // namespace toolhost::protocol
