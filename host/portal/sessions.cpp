#include "portal/sessions.hpp"

#include <array>

#include "access/crypto.hpp"
#include "base/base64url.hpp"

namespace toolhost::portal {
namespace {

constexpr std::size_t kIdBytes = 32;
constexpr std::chrono::seconds kTouchEvery = std::chrono::minutes(1);
constexpr std::chrono::seconds kLifetime = std::chrono::days(7);  // as the database keeps it

/// What the database calls the session of a cookie; nothing for what cannot be one.
std::optional<storage::SecretHash> hash_of(std::string_view cookie) {
  if (cookie.size() > 2 * kIdBytes) return std::nullopt;
  const auto id = from_base64url(cookie);
  if (!id || id->size() != kIdBytes) return std::nullopt;
  return access::sha256(*id);
}

std::string random_cookie() {
  std::array<std::uint8_t, kIdBytes> id{};
  access::fill_random(id);
  return to_base64url({reinterpret_cast<const char*>(id.data()), id.size()});
}

}  // namespace

Result<std::string> Sessions::start(const storage::NewPerson& person, std::string_view old_cookie,
                                    std::string_view user_agent, std::string_view address) {
  const auto known = store_.upsert_person(person);
  if (!known) return known.error();
  if (const auto ended = end(old_cookie); !ended) return ended.error();
  auto cookie = random_cookie();
  const auto made = store_.create_session(*hash_of(cookie), known->id, user_agent, address);
  if (!made) return made.error();
  return cookie;
}

Result<std::optional<SignedIn>> Sessions::find(std::string_view cookie) {
  const auto id = hash_of(cookie);
  if (!id) return std::optional<SignedIn>();
  auto found = store_.find_session(*id);
  if (!found) {
    if (found.error().code == Errc::kNotFound) return std::optional<SignedIn>();
    return found.error();
  }
  // The page is right without it.
  if (found->session.idle >= kTouchEvery) static_cast<void>(store_.touch_session(*id));
  return std::optional(SignedIn{std::move(found->person), std::move(found->session), *id});
}

Result<> Sessions::end(std::string_view cookie) {
  const auto id = hash_of(cookie);
  if (!id) return boost::system::in_place_value;
  if (const auto ended = store_.end_session(*id); !ended) return ended.error();
  return boost::system::in_place_value;
}

bool may_be_session(std::string_view cookie) {
  return hash_of(cookie).has_value();
}

std::string_view session_cookie_name(bool is_secure) noexcept {
  return is_secure ? "__Host-toolhost" : "toolhost";
}

std::string set_cookie(std::string_view name, std::string_view value, std::chrono::seconds lifetime, bool is_secure) {
  std::string field = "Set-Cookie: ";
  field.append(name).append("=").append(value).append("; Path=/; HttpOnly; SameSite=Lax; Max-Age=");
  field += std::to_string(value.empty() ? 0 : lifetime.count());
  if (is_secure) field += "; Secure";
  return field + "\r\n";
}

std::string set_session_cookie(std::string_view value, bool is_secure) {
  return set_cookie(session_cookie_name(is_secure), value, kLifetime, is_secure);
}

}  // namespace toolhost::portal
