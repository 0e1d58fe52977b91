#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "access/crypto.hpp"
#include "storage/portal_store.hpp"

namespace toolhost::portal {

/// Whether a browser says that a request comes from a page of ours: by Origin (RFC 6454, section 7), which must be that
/// of `base_url`, and by Sec-Fetch-Site (W3C Fetch Metadata), which must be "same-origin". One of them has to be there,
/// and neither may speak against it. Origin "null" and Sec-Fetch-Site "none" say nothing.
bool is_same_origin(std::string_view origin, std::string_view sec_fetch_site, std::string_view base_url) noexcept;

/// The tokens that prove a form to be of our making, for one session. Any thread.
class FormTokens {
 public:
  explicit FormTokens(const Secret& sealing_key);

  /// The same for all forms of a session.
  [[nodiscard]] std::string of(const storage::SecretHash& session) const;
  [[nodiscard]] bool accepts(std::string_view token, const storage::SecretHash& session) const;

  /// For a form that may be sent once, within 12 hours: PortalStore remembers those that were.
  [[nodiscard]] std::string once(const storage::SecretHash& session, storage::Moment now) const;
  /// What PortalStore knows the token by; nothing when it is not one of this session or no longer good.
  [[nodiscard]] std::optional<storage::OnceToken> read_once(std::string_view token, const storage::SecretHash& session,
                                                            storage::Moment now) const;

 private:
  [[nodiscard]] std::string mac(std::string_view purpose, const storage::SecretHash& session,
                                std::string_view text) const;
  const access::Hmac hmac_;
};

}  // namespace toolhost::portal
