#include "portal/csrf.hpp"

#include <array>
#include <cstdint>

#include "base/base64url.hpp"
#include "base/lower.hpp"

namespace toolhost::portal {
namespace {

constexpr std::string_view kForm = "form", kOnce = "once";  // as long as each other: no text runs into the next
constexpr std::size_t kRandomBytes = 16, kTimeBytes = 8, kMacBytes = 32;
constexpr std::chrono::hours kOnceFor{12};

std::string_view view(const auto& bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A URL's origin as browsers write it: without a path, and without the port that the scheme has anyway.
std::string_view origin_of(std::string_view base_url) noexcept {
  const auto scheme = base_url.find("://");
  if (scheme != std::string_view::npos) base_url = base_url.substr(0, base_url.find('/', scheme + 3));
  if (base_url.starts_with("https://") && base_url.ends_with(":443")) base_url.remove_suffix(4);
  if (base_url.starts_with("http://") && base_url.ends_with(":80")) base_url.remove_suffix(3);
  return base_url;
}

std::string text_of(std::uint64_t seconds) {
  std::string out;
  for (std::size_t at = kTimeBytes; at-- > 0;) out += static_cast<char>(seconds >> (8 * at) & 0xff);
  return out;
}

std::uint64_t seconds_in(std::string_view text) noexcept {
  std::uint64_t seconds = 0;
  for (const char c : text.substr(0, kTimeBytes)) seconds = seconds << 8 | static_cast<unsigned char>(c);
  return seconds;
}

/// A key of its own: what others sign with the sealing key is nothing here.
Secret derived(const Secret& sealing_key) {
  const auto key = access::Hmac(sealing_key).digest({"portal form tokens"});
  return Secret(std::string(view(key)));
}

}  // namespace

bool is_same_origin(std::string_view origin, std::string_view sec_fetch_site, std::string_view base_url) noexcept {
  const bool site_is_ours = sec_fetch_site == "same-origin";
  // "none": the person did it, without a page: a form is sent again when its answer is loaded anew.
  if (!sec_fetch_site.empty() && !site_is_ours && sec_fetch_site != "none") return false;
  if (origin.empty() || origin == "null") return site_is_ours;
  return !base_url.empty() && equals_ignoring_case(origin, origin_of(base_url));
}

FormTokens::FormTokens(const Secret& sealing_key) : hmac_(derived(sealing_key)) {}

std::string FormTokens::mac(std::string_view purpose, const storage::SecretHash& session, std::string_view text) const {
  return std::string(view(hmac_.digest({purpose, view(session), text})));
}

std::string FormTokens::of(const storage::SecretHash& session) const {
  return to_base64url(mac(kForm, session, {}));
}

bool FormTokens::accepts(std::string_view token, const storage::SecretHash& session) const {
  return access::equal_in_constant_time(token, of(session));
}

std::string FormTokens::once(const storage::SecretHash& session, storage::Moment now) const {
  const auto good_until = std::chrono::ceil<std::chrono::seconds>(now + kOnceFor).time_since_epoch().count();
  std::array<std::uint8_t, kRandomBytes> random{};
  access::fill_random(random);
  auto token = text_of(static_cast<std::uint64_t>(good_until));
  token += view(random);
  return to_base64url(token + mac(kOnce, session, token));
}

std::optional<storage::OnceToken> FormTokens::read_once(std::string_view token, const storage::SecretHash& session,
                                                        storage::Moment now) const {
  constexpr std::size_t kSigned = kTimeBytes + kRandomBytes;
  if (token.size() > 2 * (kSigned + kMacBytes)) return std::nullopt;
  const auto bytes = from_base64url(token);
  if (!bytes || bytes->size() != kSigned + kMacBytes) return std::nullopt;
  const auto text = std::string_view(*bytes).substr(0, kSigned);
  if (!access::equal_in_constant_time(std::string_view(*bytes).substr(kSigned), mac(kOnce, session, text)))
    return std::nullopt;
  const storage::Moment good_until{std::chrono::seconds(static_cast<std::int64_t>(seconds_in(text)))};
  if (good_until <= now) return std::nullopt;
  return storage::OnceToken{access::sha256(text), good_until};
}

}  // namespace toolhost::portal
