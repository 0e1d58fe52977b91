#include "access/signed_token.hpp"

#include <cjose/cjose.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/base64url.hpp"
#include "base/json_writer.hpp"

namespace toolhost::access {
namespace {

constexpr std::size_t kMostTokenBytes = std::size_t{16} * 1024;
constexpr std::size_t kMostKeys = 64;
constexpr std::size_t kMostSubjectBytes = 255;
constexpr double kLeewaySeconds = 60;
// RFC 7518 section 3.3 wants 2,048 bits; the upper limit bounds what a signature costs.
constexpr std::size_t kLeastModulusBytes = 256, kMostModulusBytes = 1024, kMostExponentBytes = 8;
constexpr std::size_t kCoordinateBytes = 32;

/// Whoever adds one here sees to it that SigningKeys keeps keys for it.
constexpr std::array<std::string_view, 3> kAlgorithms{"RS256", "PS256", "ES256"};

struct ReleaseJwk {
  void operator()(cjose_jwk_t* jwk) const noexcept { cjose_jwk_release(jwk); }
};
struct ReleaseJws {
  void operator()(cjose_jws_t* jws) const noexcept { cjose_jws_release(jws); }
};

Error bad_token(std::string why, std::string detail = {}) {
  return {Errc::kUnauthenticated, std::move(why), std::move(detail)};
}

Error unknown_key() {
  return {Errc::kNotFound, "its signing key is not known."};
}

bool is_known(std::string_view algorithm) {
  return std::ranges::find(kAlgorithms, algorithm) != kAlgorithms.end();
}
bool is_for_rsa(std::string_view algorithm) {
  return algorithm != "ES256";
}

// --- Keys ---

/// A number of a JWK (RFC 7518 section 2, Base64urlUInt) that takes so many bytes, as it is written.
std::optional<std::string> number_in(const json::Value& jwk, std::string_view key, std::size_t least,
                                     std::size_t most) {
  const auto text = text_claim(jwk, key);
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
  if (text_claim(jwk, "crv") != "P-256" || !x || !y) return std::nullopt;
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
  const auto type = text_claim(jwk, "kty");
  if (has_claim(jwk, "use") && text_claim(jwk, "use") != "sig") return std::nullopt;
  if (type != "RSA" && type != "EC") return std::nullopt;
  const bool is_rsa = type == "RSA";
  const auto algorithm = text_claim(jwk, "alg");
  if (algorithm && (!is_known(*algorithm) || is_for_rsa(*algorithm) != is_rsa)) return std::nullopt;
  auto text = is_rsa ? rsa_jwk(jwk) : ec_jwk(jwk);
  if (!text) return std::nullopt;
  return SigningKeys::Key{.id = std::string(text_claim(jwk, "kid").value_or("")),
                          .algorithm = std::string(algorithm.value_or("")),
                          .is_rsa = is_rsa,
                          .jwk = std::move(*text)};
}

// --- The token's parts ---

/// An object, each member once.
Result<json::Value> parse_object(json::Document& document, std::string_view text) {
  auto root = document.parse(text);
  if (!root) return bad_token("it cannot be read.", root.error().message);
  if (!root->is_object() || has_duplicate_members(*root)) return bad_token("it cannot be read.");
  return root;
}

bool is_signed_with(std::string_view token, const SigningKeys::Key& key) {
  cjose_err ignored{};
  const std::unique_ptr<cjose_jwk_t, ReleaseJwk> jwk(cjose_jwk_import(key.jwk.data(), key.jwk.size(), &ignored));
  const std::unique_ptr<cjose_jws_t, ReleaseJws> jws(cjose_jws_import(token.data(), token.size(), &ignored));
  return jwk != nullptr && jws != nullptr && cjose_jws_verify(jws.get(), jwk.get(), &ignored);
}

/// A NumericDate (RFC 7519 section 2): seconds, maybe with a fraction.
std::optional<double> seconds_in(const json::Value& claims, std::string_view key) {
  double seconds = 0;
  if (json::find(claims, key).get(seconds) != simdjson::SUCCESS || !(seconds >= 0 && seconds < 1e11))
    return std::nullopt;
  return seconds;
}

}  // namespace

std::span<const std::string_view> signature_algorithms() noexcept {
  return kAlgorithms;
}

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
  if (!is_known(algorithm)) return nullptr;
  const Key* only = nullptr;
  for (const Key& key : keys_) {
    if (key.is_rsa != is_for_rsa(algorithm) || (!key.algorithm.empty() && key.algorithm != algorithm)) continue;
    if (id && key.id == *id) return &key;
    if (id) continue;
    if (only != nullptr) return nullptr;
    only = &key;
  }
  return only;
}

bool SigningKeys::has(std::string_view jwk) const {
  return std::ranges::find(keys_, jwk, &Key::jwk) != keys_.end();
}

Result<SignedToken> SignedToken::parse(std::string_view text) {
  if (text.size() > kMostTokenBytes) return bad_token("it is too long.");
  // RFC 7515 section 7.1, checked here so that the library sees nothing else.
  const auto first = text.find('.');
  const auto second = first == std::string_view::npos ? first : text.find('.', first + 1);
  if (second == std::string_view::npos || second + 1 == text.size()) return bad_token("it cannot be read.");
  const auto header = from_base64url(text.substr(0, first));
  auto claims = from_base64url(text.substr(first + 1, second - first - 1));
  if (!header || !claims || !from_base64url(text.substr(second + 1))) return bad_token("it cannot be read.");
  SignedToken token;
  token.text_ = text;
  token.claims_text_ = std::move(*claims);
  token.header_document_ = json::acquire_document();
  const auto root = parse_object(*token.header_document_, *header);
  if (!root) return root.error();
  token.header_ = *root;
  return token;
}

Result<json::Value> SignedToken::claims() {
  if (claims_document_ != nullptr) return claims_document_->root();
  auto document = json::acquire_document();
  auto root = parse_object(*document, claims_text_);
  if (root) claims_document_ = std::move(document);
  return root;
}

Result<const SigningKeys::Key*> SignedToken::verify(const SigningKeys& keys,
                                                    std::span<const std::string_view> algorithms) const {
  const auto algorithm = text_claim(header_, "alg");
  if (!algorithm || !is_known(*algorithm) || std::ranges::find(algorithms, *algorithm) == algorithms.end())
    return bad_token("it is not signed in a way that this server accepts.");
  // RFC 7515 section 4.1.11: extensions that must be understood. None is; "b64" would change what is signed.
  if (has_claim(header_, "crit") || has_claim(header_, "b64"))
    return bad_token("it uses an extension that this server does not know.");
  const auto id = text_claim(header_, "kid");
  if (has_claim(header_, "kid") && !id) return bad_token("it cannot be read.");
  const auto* const key = keys.find(id, *algorithm);
  if (key == nullptr) return unknown_key();
  if (is_signed_with(text_, *key)) return key;
  // An issuer that does not name its only key may have changed it.
  return id ? bad_token("its signature is wrong.") : unknown_key();
}

Result<std::chrono::system_clock::time_point> check_times(const json::Value& claims, bool needs_issued,
                                                          std::chrono::system_clock::time_point moment) {
  const double now = std::chrono::duration<double>(moment.time_since_epoch()).count();
  const auto expires = seconds_in(claims, "exp"), issued = seconds_in(claims, "iat");
  const bool is_issued_wrong = !issued && (needs_issued || has_claim(claims, "iat"));
  if (!expires || is_issued_wrong) return bad_token("it does not say when it was issued and how long it is valid.");
  if (now >= *expires + kLeewaySeconds) return bad_token("it has expired. Sign in again.");
  const auto valid_from = has_claim(claims, "nbf") ? seconds_in(claims, "nbf") : issued.value_or(0);
  if (!valid_from || std::max(*valid_from, issued.value_or(0)) > now + kLeewaySeconds)
    return bad_token("it is from the future. The clock of this server or of the provider is wrong.");
  using SystemClock = std::chrono::system_clock;
  // Within what the clock can say: the year 2262 is its last.
  const auto end = std::chrono::duration<double>(std::min(*expires + kLeewaySeconds, 9e9));
  return SystemClock::time_point(std::chrono::duration_cast<SystemClock::duration>(end));
}

std::optional<std::string_view> text_claim(const json::Value& object, std::string_view key) {
  std::string_view text;
  if (json::find(object, key).get(text) != simdjson::SUCCESS || text.empty()) return std::nullopt;
  return text;
}

bool has_claim(const json::Value& object, std::string_view key) {
  return json::find(object, key).error() == simdjson::SUCCESS;
}

std::optional<std::string_view> subject_of(const json::Value& claims) {
  const auto subject = text_claim(claims, "sub");
  const auto is_printable = [](char c) { return c >= ' ' && c < '\x7f'; };
  if (!subject || subject->size() > kMostSubjectBytes || !std::ranges::all_of(*subject, is_printable))
    return std::nullopt;
  return subject;
}

bool has_duplicate_members(const json::Value& value) {
  json::Object object;
  if (value.get(object) != simdjson::SUCCESS) return false;
  std::vector<std::string_view> names;
  for (const auto member : object) names.push_back(member.key);
  std::ranges::sort(names);
  return std::ranges::adjacent_find(names) != names.end();
}

}  // namespace toolhost::access
