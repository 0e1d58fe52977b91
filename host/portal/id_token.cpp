#include "portal/id_token.hpp"

#include "access/crypto.hpp"

namespace toolhost::portal {
namespace {

using access::has_claim;
using access::text_claim;

constexpr std::size_t kMostAudiences = 16;

/// `error` is half a sentence, as access::SignedToken says it.
Error not_accepted(Error error) {
  error.message.insert(0, "The sign-in provider's answer was not accepted: ");
  return error;
}

Error refused(std::string why) {
  return not_accepted({Errc::kUnauthenticated, std::move(why)});
}

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
    if (!is_ours || (several.size() > 1 && !has_claim(claims, "azp"))) return foreign;
  } else {
    return foreign;
  }
  if (has_claim(claims, "azp") && text_claim(claims, "azp") != client_id) return foreign;
  return {};
}

Result<Identity> identity_of(const json::Value& claims, std::string_view issuer) {
  const auto subject = access::subject_of(claims);
  if (!subject) return refused("it does not say who signed in.");
  Identity identity{.issuer = std::string(issuer), .subject = std::string(*subject)};
  read_profile(claims, identity);
  return identity;
}

Result<Identity> check_claims(const json::Value& claims, const ExpectedToken& expected) {
  const auto issuer = text_claim(claims, "iss");
  if (!issuer || !is_issuer(*issuer, expected.issuer)) return refused("it comes from another provider.");
  if (auto ours = check_audience(claims, expected.client_id); !ours) return ours.error();
  if (auto timely = access::check_times(claims, true, expected.now); !timely) return not_accepted(timely.error());
  const auto nonce = text_claim(claims, "nonce");
  if (!nonce || expected.nonce.empty() || !access::equal_in_constant_time(*nonce, expected.nonce))
    return refused("it belongs to another sign-in. Sign in again.");
  return identity_of(claims, expected.issuer);
}

}  // namespace

Result<Identity> verify_id_token(std::string_view text, const SigningKeys& keys, const ExpectedToken& expected) {
  auto token = access::SignedToken::parse(text);
  if (!token) return not_accepted(token.error());
  if (const auto key = token->verify(keys, access::signature_algorithms()); !key) return not_accepted(key.error());
  const auto claims = token->claims();
  if (!claims) return not_accepted(claims.error());
  return check_claims(*claims, expected);
}

}  // namespace toolhost::portal
