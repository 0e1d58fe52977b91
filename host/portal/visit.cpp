#include "portal/visit.hpp"

#include <algorithm>
#include <tuple>

#include "base/lower.hpp"
#include "portal/router.hpp"
#include "transport/url.hpp"

namespace toolhost::portal {
namespace {

using observability::HostNotice;
using observability::Severity;

/// Whether the issuer answers for everybody of the address's domain. Google does for its own and for that of the
/// account's workspace, and for further domains of a workspace that the tenant names as well; of any other address it
/// knows only that somebody once received a mail there, who may have left the organisation since.
bool speaks_for_domain(std::string_view issuer, std::string_view email, std::string_view hosted_domain,
                       const access::Membership& membership, std::string_view tenant) {
  if (issuer != kGoogleIssuer) return true;
  const auto domain = email.substr(email.rfind('@') + 1);
  if (equals_ignoring_case(domain, "gmail.com")) return true;
  if (hosted_domain.empty()) return false;
  return equals_ignoring_case(domain, hosted_domain) ||
         membership.origin_of_role(tenant, "@" + std::string(hosted_domain)).kind == access::RoleOrigin::Kind::kDomain;
}

}  // namespace

Premises::Premises(PortalConfig wanted, PortalParts parts)
    : config(std::move(wanted)),
      database(parts.database),
      site{.product = config.product, .is_trial = config.local_sign_in},
      pepper(std::string(parts.pepper.reveal())),
      tokens(parts.sealing_key),
      sign_in_cookie(parts.sealing_key),
      policy(std::move(parts.policy)),
      plugins(std::move(parts.plugins)),
      knows_key(std::move(parts.knows_key)),
      attempts(parts.attempts),
      provider(std::move(parts.provider)),
      events(parts.events) {}

Desk::Desk(const storage::DatabaseAddress& address, int keys_per_person, storage::JobLimit* limit)
    : store(storage::PortalStore::create(address, keys_per_person, limit)),
      directory(storage::DirectoryStore::create(address, limit)),
      sessions(*store) {}

enum class Who {
  kNobody,    ///< it is the same for everybody
  kAnybody,   ///< in the frame of the person when somebody is signed in
  kArriving,  ///< who is signing in: each request counts, HEAD would take a step that nobody sees
  kSignedIn
};

struct Visit::Route {
  transport::Method method;
  std::string_view pattern;
  Who who;
  Action action;
};

const std::vector<Visit::Route>& Visit::routes() {
  using transport::Method;
  static const std::vector<Route> kRoutes{
      {Method::kGet, "/mcp", Who::kAnybody, &Visit::home},
      {Method::kGet, "/mcp/sign-in", Who::kNobody, &Visit::sign_in},
      {Method::kGet, "/mcp/sign-in/start", Who::kArriving, &Visit::start_sign_in},
      {Method::kGet, "/mcp/sign-in/callback", Who::kArriving, &Visit::end_sign_in},
      {Method::kPost, "/mcp/sign-in/local", Who::kArriving, &Visit::sign_in_locally},
      {Method::kPost, "/mcp/sign-out", Who::kSignedIn, &Visit::sign_out},
      {Method::kGet, "/mcp/keys", Who::kSignedIn, &Visit::keys},
      {Method::kGet, "/mcp/keys/new", Who::kSignedIn, &Visit::create_form},
      {Method::kPost, "/mcp/keys/new", Who::kSignedIn, &Visit::create},
      {Method::kGet, "/mcp/keys/*", Who::kSignedIn, &Visit::key},
      {Method::kGet, "/mcp/keys/*/rename", Who::kSignedIn, &Visit::rename_form},
      {Method::kPost, "/mcp/keys/*/rename", Who::kSignedIn, &Visit::rename},
      {Method::kGet, "/mcp/keys/*/delete", Who::kSignedIn, &Visit::delete_form},
      {Method::kPost, "/mcp/keys/*/delete", Who::kSignedIn, &Visit::remove},
      {Method::kGet, "/mcp/keys/*/replace", Who::kSignedIn, &Visit::replace_form},
      {Method::kPost, "/mcp/keys/*/replace", Who::kSignedIn, &Visit::replace},
      {Method::kGet, "/mcp/activity", Who::kSignedIn, &Visit::activity},
      {Method::kGet, "/mcp/connect", Who::kSignedIn, &Visit::connect},
      {Method::kGet, "/mcp/check", Who::kSignedIn, &Visit::check},
      {Method::kGet, "/mcp/help", Who::kAnybody, &Visit::help},
      {Method::kGet, "/mcp/check/live", Who::kSignedIn, &Visit::check_live},
      {Method::kGet, "/mcp/team", Who::kSignedIn, &Visit::team},
      {Method::kGet, "/mcp/team/*/keys/*", Who::kSignedIn, &Visit::key},
      {Method::kGet, "/mcp/team/*/keys/*/rename", Who::kSignedIn, &Visit::rename_form},
      {Method::kPost, "/mcp/team/*/keys/*/rename", Who::kSignedIn, &Visit::rename},
      {Method::kGet, "/mcp/team/*/keys/*/delete", Who::kSignedIn, &Visit::delete_form},
      {Method::kPost, "/mcp/team/*/keys/*/delete", Who::kSignedIn, &Visit::remove},
      {Method::kGet, "/mcp/account", Who::kSignedIn, &Visit::account},
      {Method::kPost, "/mcp/account/sessions/*/end", Who::kSignedIn, &Visit::end_session},
      {Method::kPost, "/mcp/account/sign-out-everywhere", Who::kSignedIn, &Visit::sign_out_everywhere},
  };
  return kRoutes;
}

Visit::Visit(const Premises& premises, Desk& desk, const PortalRequest& request)
    : premises_(premises), desk_(desk), request_(request) {
  find_route();
}

bool Visit::knows(std::string_view path) {
  return std::ranges::any_of(routes(), [&](const Route& route) { return match_path(route.pattern, path).has_value(); });
}

void Visit::find_route() {
  using transport::Method;
  for (const auto& route : routes()) {
    auto parts = match_path(route.pattern, request_.path);
    if (!parts) continue;
    const bool is_get = route.method == Method::kGet, takes_head = is_get && route.who != Who::kArriving;
    for (const auto* word : {is_get ? "GET" : "POST", takes_head ? "HEAD" : ""})
      if (*word != 0 && allowed_.find(word) == std::string::npos)
        allowed_.append(allowed_.empty() ? "" : ", ").append(word);
    if (route_ != nullptr || (route.method != request_.method && !(takes_head && request_.method == Method::kHead)))
      continue;
    route_ = &route;
    parts_ = std::move(*parts);
  }
}

bool Visit::needs_desk() const {
  if (route_ == nullptr && !allowed_.empty()) return false;
  if (route_ != nullptr && route_->who == Who::kArriving) return true;
  if (route_ != nullptr && route_->who == Who::kNobody) return false;
  return may_be_session(request_.cookies.get(session_cookie_name(request_.is_secure)));
}

Page Visit::answer() {
  if (route_ != nullptr) return run(*route_);
  if (!allowed_.empty()) return not_that_way();
  recognize();
  return not_found();
}

/// RFC 9110, 15.5.6.
Page Visit::not_that_way() const {
  auto page =
      error_page(premises_.site, nullptr, 405, "This does not work that way",
                 "The address exists, but not for this kind of request. Go back and use the page’s own buttons.");
  page.headers += "Allow: " + allowed_ + "\r\n";
  return page;
}

Page Visit::run(const Route& route) {
  if (auto refused = refuse_foreign_form()) return std::move(*refused);
  if (route.who == Who::kSignedIn) {
    if (auto stopped = identify()) return std::move(*stopped);
  }
  if (!request_.problem.empty())
    return error_page(premises_.site, viewer(), 400, "The form could not be read", request_.problem);
  const bool needs_token = route.who == Who::kSignedIn && request_.is_post();
  if (needs_token && !premises_.tokens.accepts(request_.form.get("token"), person_->id)) {
    return error_page(premises_.site, viewer(), 403, "The form is out of date",
                      "It was made for another session, perhaps before you signed in anew. Nothing was changed. "
                      "Open the page again and repeat what you did.");
  }
  return (this->*route.action)();
}

std::optional<Page> Visit::refuse_foreign_form() const {
  if (!request_.is_post() || is_same_origin(request_.origin, request_.sec_fetch_site, request_.base_url))
    return std::nullopt;
  premises_.events.emit(
      observability::RequestRefused{"foreign_form", request_.address, "a form of the portal came from another site"});
  return error_page(premises_.site, nullptr, 403, "This form came from another site",
                    "Nothing was changed. Open the portal and do it there.");
}

std::optional<Page> Visit::identify() {
  auto found = desk_.sessions.find(request_.cookies.get(session_cookie_name(request_.is_secure)));
  if (!found) return failed(found.error());
  if (!*found || (*found)->person.issuer != issuer() || !(*found)->person.email_verified) return to_sign_in();
  auto tenants = tenants_of((*found)->person.email, (*found)->person.hosted_domain);
  if (!tenants) return failed(tenants.error());
  if (tenants->empty()) {
    if (const auto ended = desk_.store->end_session((*found)->id); !ended) return failed(ended.error());
    auto page = no_access_page(premises_.site, (*found)->person.email, premises_.config.support);
    page.headers += set_session_cookie({}, request_.is_secure);
    return page;
  }
  person_ = std::move(**found);
  tenants_ = std::move(*tenants);
  viewer_ = {.name = person_->person.name,
             .email = person_->person.email,
             .form_token = premises_.tokens.of(person_->id),
             .is_admin =
                 std::ranges::any_of(tenants_, [](const TenantChoice& tenant) { return tenant.role == Role::kAdmin; })};
  return std::nullopt;
}

void Visit::recognize() {
  if (request_.cookies.has(session_cookie_name(request_.is_secure))) std::ignore = identify();
}

Page Visit::to_sign_in() const {
  if (request_.path.ends_with("/live")) {
    Page page;
    page.status = 401;
    page.content_type = "text/plain; charset=utf-8";
    page.body = "Sign in first.\n";
    return page;
  }
  const bool was_here = request_.cookies.has(session_cookie_name(request_.is_secure));
  std::string to = "/mcp/sign-in?";
  if (was_here) to += "done=ended&";
  if (!request_.is_post()) to += "next=" + transport::form_encoded(safe_next(request_.target));
  return see_other(to);
}

std::string_view Visit::issuer() const noexcept {
  if (premises_.provider != nullptr) return premises_.config.issuer;
  return premises_.config.local_sign_in ? kLocalIssuer : std::string_view();
}

Result<std::vector<TenantChoice>> Visit::tenants_of(std::string_view email, std::string_view hosted_domain) {
  using Kind = access::RoleOrigin::Kind;
  const auto rows = desk_.directory->tenants();
  if (!rows) return rows.error();
  const auto policy = premises_.policy();
  const auto& membership = policy->membership();
  std::vector<TenantChoice> tenants;
  for (const auto& row : *rows) {
    const auto origin = membership.origin_of_role(row.name, email);
    const bool is_named =
        origin.kind == Kind::kPerson ||
        (origin.kind == Kind::kDomain && speaks_for_domain(issuer(), email, hosted_domain, membership, row.name));
    // A trial has nobody who could be named yet.
    const bool is_open = premises_.config.local_sign_in && !membership.names_anybody(row.name);
    if (is_named || is_open) tenants.push_back({row.id, row.name, row.title, origin.role});
  }
  return tenants;
}

Scene Visit::scene() const {
  return {premises_.site, viewer_, notice_of(request_.query.get("done")), tenants_};
}

const TenantChoice* Visit::tenant_named(std::string_view name) const {
  const auto found = std::ranges::find(tenants_, name, &TenantChoice::name);
  return found == tenants_.end() ? nullptr : &*found;
}

std::string Visit::once() const {
  return premises_.tokens.once(person_->id, viewer_.now);
}

std::optional<storage::OnceToken> Visit::read_once() const {
  return premises_.tokens.read_once(request_.form.get("once"), person_->id, viewer_.now);
}

Page Visit::not_found() const {
  return error_page(premises_.site, viewer(), 404, "There is nothing here",
                    "The page does not exist, or what it showed has been deleted.");
}

Page Visit::failed(const Error& error) const {
  switch (error.code) {
    case Errc::kNotFound:
      return not_found();
    case Errc::kUnavailable:
    case Errc::kTimeout:
    case Errc::kCancelled:
    case Errc::kRetry:
      return error_page(premises_.site, viewer(), 503, "This does not work at the moment",
                        "The server cannot reach its database. Your keys go on working for a while. Try again in a "
                        "minute.");
    case Errc::kInvalidArgument:
    case Errc::kConflict:
    case Errc::kUnauthenticated:
    case Errc::kDenied:
    case Errc::kLimit:
    case Errc::kUnsupported:
      return error_page(premises_.site, viewer(), 409, "This could not be done", error.message);
    case Errc::kMisuse:
    case Errc::kInternal:
      break;
  }
  premises_.events.emit(HostNotice{Severity::kError, "portal", error.message + ": " + error.detail});
  return error_page(premises_.site, viewer(), 500, "Something went wrong here",
                    "It is the server’s fault, and its operators find the reason in the log. Try again.");
}

// ---- pages that only look

Page Visit::home() {
  if (!request_.cookies.has(session_cookie_name(request_.is_secure))) return sign_in();
  if (auto stopped = identify()) return stopped->status == 303 ? sign_in() : std::move(*stopped);
  return keys();
}

void Visit::mark_ended(storage::PortalKey& key) const {
  const auto& row = key.row;
  if (!row.person) return;
  key.row.disabled |= row.is_owner_doubted || (row.is_of_trial && !premises_.config.local_sign_in) ||
                      premises_.policy()->membership().has_left(row.tenant, row.owner);
}

Page Visit::keys() {
  auto keys = desk_.store->keys_of(person());
  if (keys) std::ranges::for_each(*keys, [this](auto& key) { mark_ended(key); });
  return keys ? keys_page(scene(), *keys, tenants_.size() > 1) : failed(keys.error());
}

}  // namespace toolhost::portal
