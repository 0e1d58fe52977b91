#include <algorithm>

#include "access/crypto.hpp"
#include "base/lower.hpp"
#include "portal/visit.hpp"

namespace toolhost::portal {
namespace {

constexpr int kMostAttempts = 8;  // of one browser at a time, in as many tabs

/// Each attempt has one of its own, so that two tabs do not end each other's.
std::string attempt_cookie_name(bool is_secure, int place) {
  return std::string(is_secure ? "__Host-toolhost-signin" : "toolhost-signin") +
         (place == 0 ? "" : "-" + std::to_string(place));
}

std::string host_of(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  return std::string(url.substr(0, url.find_first_of("/:")));
}

storage::OnceToken token_of(const SignInAttempt& attempt) {
  return {access::sha256(attempt.state), attempt.started_at + SealedCookie::kLifetime};
}

}  // namespace

SignInView Visit::sign_in_view() const {
  const auto& config = premises_.config;
  SignInView view{.next = safe_next(request_.query.get("next")), .notice = notice_of(request_.query.get("done"))};
  if (premises_.provider != nullptr) {
    view.kind = config.issuer == kGoogleIssuer ? SignInKind::kGoogle : SignInKind::kProvider;
    view.provider = config.provider_name.empty() ? host_of(config.issuer) : config.provider_name;
  } else if (config.local_sign_in) {
    view.kind = SignInKind::kLocal;
  }
  return view;
}

Page Visit::sign_in() {
  return sign_in_page(premises_.site, sign_in_view());
}

Page Visit::sign_in_failed(std::string why) const {
  return sign_in_failed(Error{Errc::kUnauthenticated, std::move(why), {}});
}

Page Visit::sign_in_failed(const Error& why) const {
  const auto told = why.detail.empty() ? why.message : why.message + " (" + why.detail + ")";
  premises_.events.emit(observability::RequestRefused{"sign_in", request_.address, told});
  if (why.code == Errc::kUnavailable)
    premises_.events.emit(observability::HostNotice{observability::Severity::kWarning, "portal", told});
  auto view = sign_in_view();
  view.problem = why.message;
  auto page = sign_in_page(premises_.site, view);
  page.status = why.code == Errc::kUnavailable ? 503 : 403;
  return page;
}

Page Visit::start_sign_in() {
  if (premises_.provider == nullptr) return see_other("/mcp/sign-in");
  const auto attempt = SignInAttempt::begin(safe_next(request_.query.get("next")), viewer_.now);
  auto url = premises_.provider->authorization_url(attempt.state, attempt.nonce, attempt.challenge(), redirect_uri());
  if (!url) return sign_in_failed(url.error());
  // Else a provider that remembers the person sends the same one back. OpenID Connect Core 1.0, section 3.1.2.1.
  if (request_.query.has("another"))
    *url += premises_.config.issuer == kGoogleIssuer ? "&prompt=select_account" : "&prompt=login";
  if (!transport::is_header_value(*url)) return sign_in_failed("The sign-in provider’s address cannot be used.");
  auto page = see_other(*url);
  page.headers += set_cookie(free_attempt_cookie(), premises_.sign_in_cookie.seal(attempt), SealedCookie::kLifetime,
                             request_.is_secure);
  return page;
}

struct Visit::OpenAttempt {
  SignInAttempt attempt;
  std::string cookie_name;
};

std::optional<Visit::OpenAttempt> Visit::open_attempt() const {
  for (int place = 0; place < kMostAttempts; ++place) {
    auto name = attempt_cookie_name(request_.is_secure, place);
    if (!request_.cookies.has(name)) continue;
    auto attempt = premises_.sign_in_cookie.open(request_.cookies.get(name), viewer_.now);
    if (attempt && attempt->has_state(request_.query.get("state")))
      return OpenAttempt{std::move(*attempt), std::move(name)};
  }
  return std::nullopt;
}

/// One that holds no attempt that goes on, else that of the oldest.
std::string Visit::free_attempt_cookie() const {
  int oldest = 0;
  auto begun = Moment::max();
  for (int place = 0; place < kMostAttempts; ++place) {
    const auto cookie = request_.cookies.get(attempt_cookie_name(request_.is_secure, place));
    const auto attempt = premises_.sign_in_cookie.open(cookie, viewer_.now);
    const auto at = attempt ? attempt->started_at : Moment::min();
    if (at < begun) {
      begun = at;
      oldest = place;
    }
  }
  return attempt_cookie_name(request_.is_secure, oldest);
}

Page Visit::end_sign_in() {
  if (premises_.provider == nullptr) return see_other("/mcp/sign-in");
  const auto open = open_attempt();
  if (!open) {
    return sign_in_failed(
        "It took more than ten minutes, or was begun in another window or browser. Please sign in again.");
  }
  auto page = end_attempt(open->attempt);
  page.headers += set_cookie(open->cookie_name, {}, std::chrono::seconds(0), request_.is_secure);
  return page;
}

Page Visit::end_attempt(const SignInAttempt& attempt) {
  const auto& query = request_.query;
  const auto is_first = desk_.store->use_state(token_of(attempt));
  if (!is_first) return failed(is_first.error());
  if (!*is_first) return sign_in_failed("This sign-in was completed already. Please sign in again.");
  // RFC 9207: the answer must be of the provider that was asked.
  if (query.has("iss") && query.get("iss") != premises_.config.issuer)
    return sign_in_failed("The answer came from another sign-in provider. Please sign in again.");
  if (query.get("error") == "access_denied") return sign_in_failed("You did not allow it. Nothing was changed.");
  if (query.has("error") || query.get("code").empty())
    return sign_in_failed("The sign-in provider said no. Please sign in again.");
  const auto identity =
      premises_.provider->exchange(query.get("code"), attempt.verifier, redirect_uri(), attempt.nonce);
  if (!identity) return sign_in_failed(identity.error());
  const storage::NewPerson person{.issuer = identity->issuer,
                                  .subject = identity->subject,
                                  .email = identity->email,
                                  .name = identity->name,
                                  .hosted_domain = identity->hosted_domain,
                                  .email_verified = identity->email_verified && !identity->email.empty()};
  if (person.email_verified) return welcome(person, attempt.next);
  if (const auto noted = take_note_of(person); !noted) return failed(noted.error());
  if (identity->email.empty()) return sign_in_failed("The sign-in provider names no e-mail address that can be used.");
  return sign_in_failed("The sign-in provider has not verified your e-mail address. Verify it there, then sign in.");
}

Result<> Visit::take_note_of(const storage::NewPerson& person) {
  const auto known = desk_.store->update_person(person);
  if (!known) return known.error();
  return boost::system::in_place_value;
}

Page Visit::sign_in_locally() {
  if (!premises_.config.local_sign_in || premises_.provider != nullptr) return not_found();
  auto email = lower(request_.form.get("email"));
  const bool is_plain = std::ranges::all_of(email, [](char c) { return c > ' ' && c < 0x7F; });
  if (is_plain && is_address(email)) {
    return welcome({.issuer = std::string(kLocalIssuer), .subject = email, .email = email, .email_verified = true},
                   request_.form.get("next"));
  }
  auto view = sign_in_view();
  view.next = safe_next(request_.form.get("next"));
  view.email = email;
  view.message = "Enter an e-mail address, for example ana@acme.example.";
  return sign_in_page(premises_.site, view);
}

Page Visit::welcome(const storage::NewPerson& person, std::string_view next) {
  const auto tenants = tenants_of(person.email, person.hosted_domain);
  if (!tenants) return failed(tenants.error());
  if (tenants->empty()) {
    if (const auto noted = take_note_of(person); !noted) return failed(noted.error());
    premises_.events.emit(
        observability::RequestRefused{"no_tenant", request_.address, "somebody signed in whom no tenant names"});
    return no_access_page(premises_.site, person.email, premises_.config.support);
  }
  const auto cookie = desk_.sessions.start(person, request_.cookies.get(session_cookie_name(request_.is_secure)),
                                           request_.user_agent, request_.address);
  if (!cookie) return failed(cookie.error());
  std::vector<storage::EnteredTenant> entered;
  for (const auto& tenant : *tenants) entered.push_back({tenant.id, tenant.name});
  const auto recorded =
      desk_.store->record_sign_in({"portal:" + person.email}, entered, request_.user_agent, request_.address);
  if (!recorded) return failed(recorded.error());
  premises_.events.emit(observability::PersonSignedIn{person.email, request_.address});
  auto page = see_other(safe_next(next));
  page.headers += set_session_cookie(*cookie, request_.is_secure);
  return page;
}

}  // namespace toolhost::portal
