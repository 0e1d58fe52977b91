#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "portal/identity.hpp"

namespace toolhost::portal {

struct OidcConfig {
  std::string issuer{kGoogleIssuer};  ///< https; http only on loopback, for tests and local providers
  std::string client_id;
  Secret client_secret;                   ///< empty: a public client, which PKCE alone protects
  std::string ca_file;                    ///< PEM; instead of the system's certificate authorities
  std::chrono::milliseconds limit{5000};  ///< for one request to the provider; exchange() makes at most five
};

/// What time it is; tests have their own.
struct OidcClock {
  std::function<std::chrono::system_clock::time_point()> wall = std::chrono::system_clock::now;
  std::function<std::chrono::steady_clock::time_point()> steady = std::chrono::steady_clock::now;
};

/// A provider of OpenID Connect, seen as its relying party: authorisation code with PKCE (OpenID Connect Core 1.0,
/// section 3.1; RFC 7636). Blocks the calling thread; any number of threads at a time.
///
/// Its addresses (OpenID Connect Discovery 1.0, section 4; RFC 8414) and keys (RFC 7517) are fetched when they are
/// first needed and kept as long as Cache-Control says, but at least a minute and at most a day; an hour when it says
/// nothing. A key that is not known is looked for once more, at most once a minute. After a failure the provider is
/// left alone for five seconds, an endpoint that gives no answer likewise. Everything that it sends is bounded and
/// checked.
class OidcProvider {
 public:
  /// Asks nobody yet. kInvalidArgument: the issuer is no https URL without a query, there is no client_id, or the
  /// `ca_file` cannot be read.
  static Result<std::unique_ptr<OidcProvider>> create(OidcConfig config, OidcClock clock = {});
  virtual ~OidcProvider() = default;

  /// Whether authorization_url() answers without asking anybody. Any thread; does not wait.
  [[nodiscard]] virtual bool is_ready() { return false; }
  /// What is asked now and later fails at once. Any thread.
  virtual void stop() {}

  /// Where to send the browser (OpenID Connect Core 1.0, section 3.1.2.1; RFC 7636 section 4.3). `challenge`: of the
  /// verifier, by S256. kUnavailable: the provider cannot be reached or describes itself wrongly; the message names it
  /// and may be shown.
  [[nodiscard]] virtual Result<std::string> authorization_url(std::string_view state, std::string_view nonce,
                                                              std::string_view challenge,
                                                              std::string_view redirect_uri) = 0;

  /// Who came back with this code (OpenID Connect Core 1.0, sections 3.1.3 and 5.3: the UserInfo endpoint is asked when
  /// the ID token holds no address). kUnauthenticated: the code was used or has run out, or the ID token is not
  /// acceptable; sign in anew. kUnavailable: the provider cannot be reached, refuses this host as a client, or sends
  /// something that cannot be read. Messages may be shown.
  [[nodiscard]] virtual Result<Identity> exchange(std::string_view code, std::string_view verifier,
                                                  std::string_view redirect_uri, std::string_view nonce) = 0;
};

}  // namespace toolhost::portal
