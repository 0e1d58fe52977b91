#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "storage/portal_store.hpp"

namespace toolhost::portal {

/// Who is signed in, and with which session.
struct SignedIn {
  storage::PersonRow person;
  storage::SessionRow session;
  storage::SecretHash id{};  ///< of the session: what its forms are bound to
};

/// The sessions of browsers: 32 random bytes in a cookie, of which the database knows the SHA-256. They end 12 hours
/// after the person was here last, and after 7 days. As many threads as the store: one.
class Sessions {
 public:
  explicit Sessions(storage::PortalStore& store) : store_(store) {}

  /// Signs somebody in, always with a session of its own: the one that `old_cookie` names ends (a visitor may have been
  /// given it by somebody else). The new cookie's value.
  Result<std::string> start(const storage::NewPerson& person, std::string_view old_cookie, std::string_view user_agent,
                            std::string_view address);
  /// Nothing when the cookie names no session that goes on. That the person was here is written at most once a minute.
  Result<std::optional<SignedIn>> find(std::string_view cookie);
  /// Signs out. A cookie that names no session is no error.
  Result<> end(std::string_view cookie);

 private:
  storage::PortalStore& store_;
};

/// "__Host-toolhost", which a browser takes from this host over HTTPS only (RFC 6265bis, 4.1.3.2); without HTTPS
/// "toolhost".
std::string_view session_cookie_name(bool is_secure) noexcept;
/// Whether a cookie could be a session's, by its form alone. Any thread.
bool may_be_session(std::string_view cookie);
/// The response's field that sets a cookie for the whole host, CRLF included. SameSite=Lax: the browser brings it along
/// when the sign-in provider sends it back. An empty value takes the cookie away.
std::string set_cookie(std::string_view name, std::string_view value, std::chrono::seconds lifetime, bool is_secure);
/// That of the session's cookie.
std::string set_session_cookie(std::string_view value, bool is_secure);

}  // namespace toolhost::portal
