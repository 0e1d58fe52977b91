#include "portal/id_token.hpp"

#include <cjose/cjose.h>

#include <algorithm>
#include <array>
#include <memory>

#include "access/crypto.hpp"
#include "base/base64url.hpp"
#include "base/json_writer.hpp"

namespace toolhost::portal {
namespace {

constexpr std::size_t kMostTokenBytes = std::size_t{16} * 1024;
constexpr std::size_t kMostKeys = 64;
constexpr std::size_t kMostAudiences = 16;
constexpr std::size_t kMostSubjectBytes = 255;  // OpenID Connect Core 1.0, section 2
constexpr double kLeewaySeconds = 60;
// RFC 7518 section 3.3 wants 2,048 bits; the upper limit bounds what a signature costs.
constexpr std::size_t kLeastModulusBytes = 256, kMostModulusBytes = 1024, kMostExponentBytes = 8;
constexpr std::size_t kCoordinateBytes = 32;

/// Whoever adds one here sees to it that SigningKeys keeps keys for it. Never "none", never HS*: a public key is no
/// secret (RFC 8725 sections 2.1 and 3.1).
struct Algorithm {
  std::string_view name;
  bool is_rsa;
};
constexpr std::array kAlgorithms{Algorithm{"RS256", true}, Algorithm{"PS256", true}, Algorithm{"ES256", false}};

struct ReleaseJwk {
  void operator()(cjose_jwk_t* jwk) const noexcept { cjose_jwk_release(jwk); }
};
struct ReleaseJws {
  void operator()(cjose_jws_t* jws) const noexcept { cjose_jws_release(jws); }
};

Error refused(std::string why, std::string detail = {}) {
  return {Errc::kUnauthenticated, "The sign-in provider's answer was not accepted: " + std::move(why),
          std::move(detail)};
}

Error unknown_key() {
  return {Errc::kNotFound, "The sign-in provider's answer was not accepted: its signing key is not known."};
}

const Algorithm* algorithm_named(std::string_view name) {
  const auto* const found = std::ranges::find(kAlgorithms, name, &Algorithm::name);
  return found == kAlgorithms.end() ? nullptr : found;
}

/// The member as text; nothing when it is absent, no text, or empty.
std::optional<std::string_view> text_in(const json::Value& object, std::string_view key) {
  std::string_view text;
  if (json::find(object, key).get(text) != simdjson::SUCCESS || text.empty()) return std::nullopt;
  return text;
}

bool has(const json::Value& object, std::string_view key) {
  return json::find(object, key).error() == simdjson::SUCCESS;
}

// --- Keys ---

/// A number of a JWK (RFC 7518 section 2, Base64urlUInt) that takes so many bytes, as it is written.
std::optional<std::string> number_in(const json::Value& jwk, std::string_view key, std::size_t least,
                                     std::size_t most) {
  const auto text = text_in(jwk, key);
  const auto bytes = text ? from_base64url(*text) : std::nullopt;
  if (!bytes || bytes->size() < least || bytes->size() > most) return std::nullopt;
  return std::string(*text);
}

std::optional<std::string> rsa_jwk(const json::Value& jwk) {
  const auto modulus = number_in(jwk, "n", kLeastModulusBytes, kMostModulusBytes);
  const auto exponent = number_in(jwk, "e", 1, kMostExponentBytes);
  if (!modulus || !exponent) return std::nullopt;
  std::string text;
  JsonWriter(text).begin_object().member("kty", "RSA").member("n", *modulus).member("e", *exponent).end_object();
  return text;
}

std::optional<std::string> ec_jwk(const json::Value& jwk) {
  const auto x = number_in(jwk, "x", kCoordinateBytes, kCoordinateBytes);
  const auto y = number_in(jwk, "y", kCoordinateBytes, kCoordinateBytes);
  if (text_in(jwk, "crv") != "P-256" || !x || !y) return std::nullopt;
  std::string text;
  JsonWriter(text)
      .begin_object()
      .member("kty", "EC")
      .member("crv", "P-256")
      .member("x", *x)
      .member("y", *y)
      .end_object();
  return text;
}

std::optional<SigningKeys::Key> usable_key(const json::Value& jwk) {
  const auto type = text_in(jwk, "kty");
  if (has(jwk, "use") && text_in(jwk, "use") != "sig") return std::nullopt;
  if (type != "RSA" && type != "EC") return std::nullopt;
  const bool is_rsa = type == "RSA";
  const auto algorithm = text_in(jwk, "alg");
  if (algorithm) {
    const Algorithm* const known = algorithm_named(*algorithm);
    if (known == nullptr || known->is_rsa != is_rsa) return std::nullopt;
  }
  auto text = is_rsa ? rsa_jwk(jwk) : ec_jwk(jwk);
  if (!text) return std::nullopt;
  return SigningKeys::Key{.id = std::string(text_in(jwk, "kid").value_or("")),
                          .algorithm = std::string(algorithm.value_or("")),
                          .is_rsa = is_rsa,
                          .jwk = std::move(*text)};
}

// --- The token's parts ---

struct Parts {
  std::string header, claims;  ///< JSON, decoded
};

/// RFC 7515 section 7.1, checked here so that the library sees nothing else.
std::optional<Parts> split(std::string_view token) {
  const auto first = token.find('.');
  const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || second + 1 == token.size()) return std::nullopt;
  auto header = from_base64url(token.substr(0, first));
  auto claims = from_base64url(token.substr(first + 1, second - first - 1));
  if (!header || !claims || !from_base64url(token.substr(second + 1))) return std::nullopt;
  return Parts{std::move(*header), std::move(*claims)};
}

/// An object, each member once.
Result<json::Value> parse_object(json::Document& document, std::string_view text) {
  auto root = document.parse(text);
  if (!root) return refused("it cannot be read.", root.error().message);
  if (!root->is_object() || has_duplicate_members(*root)) return refused("it cannot be read.");
  return root;
}

Result<const SigningKeys::Key*> key_for(const json::Value& header, const SigningKeys& keys) {
  const auto algorithm = text_in(header, "alg");
  if (!algorithm || algorithm_named(*algorithm) == nullptr)
    return refused("it is not signed in a way that this server accepts.");
  // RFC 7515 section 4.1.11: extensions that must be understood. None is; "b64" would change what is signed.
  if (has(header, "crit") || has(header, "b64")) return refused("it uses an extension that this server does not know.");
  const auto id = text_in(header, "kid");
  if (has(header, "kid") && !id) return refused("it cannot be read.");
  const auto* const key = keys.find(id, *algorithm);
  if (key == nullptr) return unknown_key();
  return key;
}

bool is_signed_with(std::string_view token, const SigningKeys::Key& key) {
  cjose_err ignored{};
  const std::unique_ptr<cjose_jwk_t, ReleaseJwk> jwk(cjose_jwk_import(key.jwk.data(), key.jwk.size(), &ignored));
  const std::unique_ptr<cjose_jws_t, ReleaseJws> jws(cjose_jws_import(token.data(), token.size(), &ignored));
  return jwk != nullptr && jws != nullptr && cjose_jws_verify(jws.get(), jwk.get(), &ignored);
}

// --- Claims ---

bool is_issuer(std::string_view said, std::string_view expected) {
  return said == expected || (expected == kGoogleIssuer && said == "accounts.google.com");
}

/// Items 3 to 5 of section 3.1.3.7: for us; with others only when it was made for us.
Result<> check_audience(const json::Value& claims, std::string_view client_id) {
  const Error foreign = refused("it was issued for another application.");
  std::string_view single;
  json::Array several;
  const auto audience = json::find(claims, "aud");
  if (audience.get(single) == simdjson::SUCCESS) {
    if (single != client_id) return foreign;
  } else if (audience.get(several) == simdjson::SUCCESS && several.size() <= kMostAudiences) {
    bool is_ours = false;
    for (const auto entry : several)
      is_ours = is_ours || (entry.get(single) == simdjson::SUCCESS && single == client_id);
    if (!is_ours || (several.size() > 1 && !has(claims, "azp"))) return foreign;
  } else {
    return foreign;
  }
  if (has(claims, "azp") && text_in(claims, "azp") != client_id) return foreign;
  return {};
}

/// A NumericDate (RFC 7519 section 2): seconds, maybe with a fraction.
std::optional<double> seconds_in(const json::Value& claims, std::string_view key) {
  double seconds = 0;
  if (json::find(claims, key).get(seconds) != simdjson::SUCCESS || !(seconds >= 0 && seconds < 1e11))
    return std::nullopt;
  return seconds;
}

Result<> check_times(const json::Value& claims, std::chrono::system_clock::time_point moment) {
  const double now = std::chrono::duration<double>(moment.time_since_epoch()).count();
  const auto expires = seconds_in(claims, "exp"), issued = seconds_in(claims, "iat");
  if (!expires || !issued) return refused("it does not say when it was issued and how long it is valid.");
  if (now >= *expires + kLeewaySeconds) return refused("it has expired. Sign in again.");
  const auto valid_from = has(claims, "nbf") ? seconds_in(claims, "nbf") : issued;
  if (!valid_from || std::max(*valid_from, *issued) > now + kLeewaySeconds)
    return refused("it is from the future. The clock of this server or of the provider is wrong.");
  return {};
}

Result<Identity> identity_of(const json::Value& claims, std::string_view issuer) {
  const auto subject = text_in(claims, "sub");
  const auto is_printable = [](char c) { return c >= ' ' && c < '\x7f'; };
  if (!subject || subject->size() > kMostSubjectBytes || !std::ranges::all_of(*subject, is_printable))
    return refused("it does not say who signed in.");
  Identity identity{.issuer = std::string(issuer), .subject = std::string(*subject)};
  read_profile(claims, identity);
  return identity;
}

Result<Identity> check_claims(const json::Value& claims, const ExpectedToken& expected) {
  const auto issuer = text_in(claims, "iss");
  if (!issuer || !is_issuer(*issuer, expected.issuer)) return refused("it comes from another provider.");
  if (auto ours = check_audience(claims, expected.client_id); !ours) return ours.error();
  if (auto timely = check_times(claims, expected.now); !timely) return timely.error();
  const auto nonce = text_in(claims, "nonce");
  if (!nonce || expected.nonce.empty() || !access::equal_in_constant_time(*nonce, expected.nonce))
    return refused("it belongs to another sign-in. Sign in again.");
  return identity_of(claims, expected.issuer);
}

}  // namespace

Result<SigningKeys> SigningKeys::parse(std::string_view json) {
  const Error unusable{Errc::kUnavailable, "The sign-in provider publishes no keys that this server can use."};
  const auto document = json::acquire_document();
  const auto root = document->parse(json);
  json::Array entries;
  if (!root || json::find(*root, "keys").get(entries) != simdjson::SUCCESS) return unusable;
  SigningKeys keys;
  for (const auto entry : entries) {
    if (keys.keys_.size() == kMostKeys) break;
    if (auto key = usable_key(entry)) keys.keys_.push_back(std::move(*key));
  }
  if (keys.keys_.empty()) return unusable;
  return keys;
}

const SigningKeys::Key* SigningKeys::find(std::optional<std::string_view> id, std::string_view algorithm) const {
  const Algorithm* const known = algorithm_named(algorithm);
  if (known == nullptr) return nullptr;
  const Key* only = nullptr;
  for (const Key& key : keys_) {
    if (key.is_rsa != known->is_rsa || (!key.algorithm.empty() && key.algorithm != algorithm)) continue;
    if (id && key.id == *id) return &key;
    if (id) continue;
    if (only != nullptr) return nullptr;
    only = &key;
  }
  return only;
}

Result<Identity> verify_id_token(std::string_view token, const SigningKeys& keys, const ExpectedToken& expected) {
  if (token.size() > kMostTokenBytes) return refused("it is too long.");
  const auto parts = split(token);
  if (!parts) return refused("it cannot be read.");
  const auto document = json::acquire_document();
  const auto header = parse_object(*document, parts->header);
  if (!header) return header.error();
  const auto key = key_for(*header, keys);
  if (!key) return key.error();
  if (!is_signed_with(token, **key)) {
    // A provider that does not name its only key may have changed it.
    return has(*header, "kid") ? refused("its signature is wrong.") : unknown_key();
  }
  const auto claims = parse_object(*document, parts->claims);
  if (!claims) return claims.error();
  return check_claims(*claims, expected);
}

}  // namespace toolhost::portal
