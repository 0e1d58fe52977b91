#include "portal/oidc_provider.hpp"

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>

#include "base/base64url.hpp"
#include "portal/id_token.hpp"
#include "transport/http.hpp"
#include "transport/https_client.hpp"

namespace toolhost::portal {
namespace {

using namespace std::chrono_literals;
using transport::HttpsAnswer;
using transport::HttpsClient;
using Headers = HttpsClient::Headers;

constexpr std::chrono::seconds kFreshByDefault = 1h, kLeastFresh = 1min, kMostFresh = 24h;
constexpr std::chrono::seconds kRenewPause = 1min, kRetryPause = 5s;
constexpr std::size_t kMostCodeBytes = 2048;
constexpr std::size_t kMostAccessTokenBytes = std::size_t{16} * 1024;
constexpr std::string_view kDiscoveryPath = "/.well-known/openid-configuration";

Error unavailable(std::string why, std::string detail = {}) {
  return {Errc::kUnavailable, "The sign-in provider cannot be used now: " + std::move(why), std::move(detail)};
}

Error unusable(std::string_view what) {
  return unavailable("what it says about " + std::string(what) + " cannot be used.");
}

/// Whether the list holds the word; nothing when there is no such list.
std::optional<bool> lists(const json::Value& object, std::string_view key, std::string_view word) {
  json::Array list;
  if (json::find(object, key).get(list) != simdjson::SUCCESS) return std::nullopt;
  for (const auto entry : list) {
    std::string_view text;
    if (entry.get(text) == simdjson::SUCCESS && text == word) return true;
  }
  return false;
}

/// RFC 6749 section 2.3.1: both parts form-encoded, then as RFC 7617 wants them.
std::string basic_credentials(std::string_view client_id, const Secret& secret) {
  std::string text = to_base64url(transport::form_encoded(client_id) + ":" + transport::form_encoded(secret.reveal()));
  std::ranges::replace(text, '-', '+');
  std::ranges::replace(text, '_', '/');
  text.append((4 - text.size() % 4) % 4, '=');
  return "Basic " + text;
}

template <class T>
struct Fetched {
  T value;
  std::optional<std::chrono::seconds> max_age;
};

/// A document of the provider. One thread fetches it while the others wait.
template <class T>
class Kept {
 public:
  using Pointer = std::shared_ptr<const T>;
  using Fetch = std::function<Result<Fetched<T>>()>;
  using Clock = std::function<std::chrono::steady_clock::time_point()>;

  Kept(Clock clock, Fetch fetch) : clock_(std::move(clock)), fetch_(std::move(fetch)) {}

  Result<Pointer> get() {
    const std::scoped_lock lock(mutex_);
    if (value_ != nullptr && clock_() < fresh_until_) return value_;
    if (clock_() < retry_at_) return problem_;
    return refresh();
  }

  /// Whether get() does not fetch.
  bool is_ready() {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    return lock && ((value_ != nullptr && clock_() < fresh_until_) || clock_() < retry_at_);
  }

  /// A newer one than `known`, which somebody found lacking; `known` again when it is too early to ask.
  Result<Pointer> renew(const Pointer& known) {
    const std::scoped_lock lock(mutex_);
    if (value_ != known) return value_;
    if (clock_() < renew_at_) return known;
    renew_at_ = clock_() + kRenewPause;
    return refresh();
  }

 private:
  Result<Pointer> refresh() {
    auto fetched = fetch_();
    if (!fetched) {
      problem_ = fetched.error();
      retry_at_ = clock_() + kRetryPause;
      return problem_;
    }
    fresh_until_ = clock_() + std::clamp(fetched->max_age.value_or(kFreshByDefault), kLeastFresh, kMostFresh);
    value_ = std::make_shared<const T>(std::move(fetched->value));
    return value_;
  }

  const Clock clock_;
  const Fetch fetch_;
  std::mutex mutex_;
  Pointer value_;
  Error problem_;
  std::chrono::steady_clock::time_point fresh_until_{}, retry_at_{}, renew_at_{};
};

/// An endpoint that gave no answer: nobody else waits for it for a while.
class Silence {
 public:
  explicit Silence(std::function<std::chrono::steady_clock::time_point()> clock) : clock_(std::move(clock)) {}

  /// Asks, unless it gave no answer a moment ago: then that again.
  template <class Ask>
  Result<HttpsAnswer> ask(Ask&& ask) {
    {
      const std::scoped_lock lock(mutex_);
      if (clock_() < until_) return problem_;
    }
    auto answer = std::forward<Ask>(ask)();
    if (answer) return answer;
    const std::scoped_lock lock(mutex_);
    problem_ = answer.error();
    until_ = clock_() + kRetryPause;
    return answer;
  }

 private:
  const std::function<std::chrono::steady_clock::time_point()> clock_;
  std::mutex mutex_;
  Error problem_;
  std::chrono::steady_clock::time_point until_{};
};

struct Metadata {
  std::string authorization_endpoint, token_endpoint, jwks_uri;
  std::string userinfo_endpoint;  ///< empty: none
  bool takes_basic = true;        ///< client_secret_basic, else client_secret_post
};

struct Tokens {
  std::string id_token;
  std::string access_token;  ///< may be empty
};

class OidcProviderImpl final : public OidcProvider {
 public:
  OidcProviderImpl(OidcConfig config, bool is_plain, std::unique_ptr<HttpsClient> client, const OidcClock& clock)
      : config_(std::move(config)),
        is_plain_(is_plain),
        client_(std::move(client)),
        wall_(clock.wall),
        tokens_(clock.steady),
        profiles_(clock.steady),
        metadata_(clock.steady, [this] { return fetch_metadata(); }),
        keys_(clock.steady, [this] { return fetch_keys(); }) {}

  bool is_ready() override { return metadata_.is_ready(); }
  void stop() override { client_->stop(); }

  Result<std::string> authorization_url(std::string_view state, std::string_view nonce, std::string_view challenge,
                                        std::string_view redirect_uri) override {
    const auto metadata = metadata_.get();
    if (!metadata) return metadata.error();
    std::string url = (*metadata)->authorization_endpoint;
    url += url.find('?') == std::string::npos ? '?' : '&';  // RFC 6749 section 3.1
    return url + transport::form_encoded({{"response_type", "code"},
                                          {"client_id", config_.client_id},
                                          {"redirect_uri", redirect_uri},
                                          {"scope", "openid email profile"},
                                          {"state", state},
                                          {"nonce", nonce},
                                          {"code_challenge", challenge},
                                          {"code_challenge_method", "S256"}});
  }

  Result<Identity> exchange(std::string_view code, std::string_view verifier, std::string_view redirect_uri,
                            std::string_view nonce) override {
    if (code.empty() || code.size() > kMostCodeBytes) return used_up();
    const auto metadata = metadata_.get();
    if (!metadata) return metadata.error();
    const auto tokens = redeem(**metadata, code, verifier, redirect_uri);
    if (!tokens) return tokens.error();
    auto identity = verify(tokens->id_token, nonce);
    if (!identity) return identity;
    if (identity->email.empty() && !(*metadata)->userinfo_endpoint.empty() && !tokens->access_token.empty())
      return ask_for_profile(**metadata, tokens->access_token, std::move(*identity));
    return identity;
  }

 private:
  static Error used_up() {
    return {Errc::kUnauthenticated, "This sign-in was used already, or took too long. Sign in again."};
  }

  /// A 200 whose body is a JSON object, parsed into `document`.
  static Result<json::Value> object_in(const Result<HttpsAnswer>& answer, json::Document& document,
                                       std::string_view what) {
    if (!answer) return unavailable(answer.error().message + ".", answer.error().detail);
    if (answer->status != 200)
      return unavailable("it answered " + std::to_string(answer->status) + " when asked about " + std::string(what) +
                         ".");
    const auto root = document.parse(answer->body);
    if (!root || !root->is_object() || access::has_duplicate_members(*root)) return unusable(what);
    return *root;
  }

  // --- What it says about itself ---

  [[nodiscard]] bool is_endpoint(std::string_view url) const {
    const auto parsed = transport::parse_url(url);
    return parsed && (parsed->is_https || (is_plain_ && parsed->is_loopback()));
  }

  Result<Fetched<Metadata>> fetch_metadata() {
    std::string url = config_.issuer;
    if (url.ends_with('/')) url.pop_back();
    const auto answer = client_->get(url + std::string(kDiscoveryPath));
    const auto document = json::acquire_document();
    const auto root = object_in(answer, *document, "itself");
    if (!root) return root.error();
    // OpenID Connect Discovery 1.0, section 4.3; RFC 8414 section 3.3.
    if (json::text_in(*root, "issuer").value_or("") != config_.issuer)
      return unavailable("it calls itself by another name than this server's configuration.");
    Metadata metadata{
        .authorization_endpoint = std::string(json::text_in(*root, "authorization_endpoint").value_or("")),
        .token_endpoint = std::string(json::text_in(*root, "token_endpoint").value_or("")),
        .jwks_uri = std::string(json::text_in(*root, "jwks_uri").value_or("")),
        .userinfo_endpoint = std::string(json::text_in(*root, "userinfo_endpoint").value_or(""))};
    for (const auto& endpoint : {metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri}) {
      if (!is_endpoint(endpoint)) return unusable("itself");
    }
    if (!is_endpoint(metadata.userinfo_endpoint)) metadata.userinfo_endpoint.clear();
    constexpr std::string_view kMethods = "token_endpoint_auth_methods_supported";
    metadata.takes_basic = lists(*root, kMethods, "client_secret_basic").value_or(true) ||
                           !lists(*root, kMethods, "client_secret_post").value_or(false);
    return Fetched<Metadata>{std::move(metadata), answer->max_age};
  }

  Result<Fetched<SigningKeys>> fetch_keys() {
    const auto metadata = metadata_.get();
    if (!metadata) return metadata.error();
    const auto answer = client_->get((*metadata)->jwks_uri);
    const auto document = json::acquire_document();
    if (const auto root = object_in(answer, *document, "its keys"); !root) return root.error();
    auto keys = SigningKeys::parse(answer->body);
    if (!keys) return keys.error();
    return Fetched<SigningKeys>{std::move(*keys), answer->max_age};
  }

  // --- From code to person ---

  /// OpenID Connect Core 1.0, section 3.1.3; RFC 7636 section 4.5.
  Result<Tokens> redeem(const Metadata& metadata, std::string_view code, std::string_view verifier,
                        std::string_view redirect_uri) {
    transport::FormFields fields{{"grant_type", "authorization_code"},
                                 {"code", code},
                                 {"redirect_uri", redirect_uri},
                                 {"code_verifier", verifier}};
    Headers headers;
    std::string credentials;
    if (metadata.takes_basic && !config_.client_secret.empty()) {
      credentials = basic_credentials(config_.client_id, config_.client_secret);
      headers.emplace_back("Authorization", credentials);
    } else {
      fields.emplace_back("client_id", config_.client_id);
      if (!config_.client_secret.empty()) fields.emplace_back("client_secret", config_.client_secret.reveal());
    }
    const auto answer = tokens_.ask([&] { return client_->post_form(metadata.token_endpoint, fields, headers); });
    const auto document = json::acquire_document();
    if (answer && (answer->status == 400 || answer->status == 401)) return refusal_in(answer->body, *document);
    const auto root = object_in(answer, *document, "tokens");
    if (!root) return root.error();
    Tokens tokens{.id_token = std::string(json::text_in(*root, "id_token").value_or("")),
                  .access_token = std::string(json::text_in(*root, "access_token").value_or(""))};
    if (tokens.id_token.empty()) return unavailable("it sent no ID token.");
    if (tokens.access_token.size() > kMostAccessTokenBytes || !transport::is_header_value(tokens.access_token))
      tokens.access_token.clear();
    return tokens;
  }

  /// RFC 6749 section 5.2. Of the provider's own words only one of the known ones is kept.
  static Error refusal_in(std::string_view body, json::Document& document) {
    const auto root = document.parse(body);
    const std::string word = std::string(root ? json::text_in(*root, "error").value_or("") : "");
    if (word == "invalid_grant") return used_up();
    if (word == "invalid_client" || word == "unauthorized_client")
      return unavailable("it does not accept this server's client_id or client_secret.", word);
    constexpr std::array<std::string_view, 3> kKnown{"invalid_request", "unsupported_grant_type", "invalid_scope"};
    return unavailable("it refused the exchange of the code.",
                       std::ranges::find(kKnown, word) == kKnown.end() ? std::string() : word);
  }

  Result<Identity> verify(std::string_view token, std::string_view nonce) {
    auto keys = keys_.get();
    if (!keys) return keys.error();
    const ExpectedToken expected{
        .issuer = config_.issuer, .client_id = config_.client_id, .nonce = nonce, .now = wall_()};
    auto identity = verify_id_token(token, **keys, expected);
    if (identity || identity.error().code != Errc::kNotFound) return identity;
    keys = keys_.renew(*keys);
    if (!keys) return keys.error();
    identity = verify_id_token(token, **keys, expected);
    if (!identity) return Error{Errc::kUnauthenticated, identity.error().message, identity.error().detail};
    return identity;
  }

  /// OpenID Connect Core 1.0, section 5.3: what it says counts only when it speaks of the same subject.
  Result<Identity> ask_for_profile(const Metadata& metadata, std::string_view access_token, Identity identity) {
    const std::string credentials = "Bearer " + std::string(access_token);
    const auto answer =
        profiles_.ask([&] { return client_->get(metadata.userinfo_endpoint, {{"Authorization", credentials}}); });
    const auto document = json::acquire_document();
    const auto root = object_in(answer, *document, "the person");
    if (!root) return root.error();
    if (json::text_in(*root, "sub").value_or("") != identity.subject)
      return Error{Errc::kUnauthenticated,
                   "The sign-in provider's answer was not accepted: it speaks of somebody else. Sign in again."};
    read_profile(*root, identity);
    return identity;
  }

  const OidcConfig config_;
  const bool is_plain_;  ///< a provider on this machine, without TLS
  const std::unique_ptr<HttpsClient> client_;
  const std::function<std::chrono::system_clock::time_point()> wall_;
  Silence tokens_, profiles_;
  Kept<Metadata> metadata_;
  Kept<SigningKeys> keys_;
};

}  // namespace

Result<std::unique_ptr<OidcProvider>> OidcProvider::create(OidcConfig config, OidcClock clock) {
  const auto issuer = transport::parse_url(config.issuer);
  if (!issuer) return Error{Errc::kInvalidArgument, "'" + config.issuer + "' is no issuer: " + issuer.error().message};
  const bool is_plain = !issuer->is_https;
  if ((is_plain && !issuer->is_loopback()) || issuer->target.find('?') != std::string::npos) {
    return Error{
        Errc::kInvalidArgument,
        "'" + config.issuer + "' is no issuer. Write an https URL without a query, as the provider spells it."};
  }
  if (config.client_id.empty())
    return Error{Errc::kInvalidArgument, "the client_id is missing. The sign-in provider gives it."};
  auto client =
      HttpsClient::create({.ca_file = config.ca_file, .limit = config.limit, .allow_plain_loopback = is_plain});
  if (!client) return client.error();
  return std::unique_ptr<OidcProvider>(
      std::make_unique<OidcProviderImpl>(std::move(config), is_plain, std::move(*client), clock));
}

}  // namespace toolhost::portal
