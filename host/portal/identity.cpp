#include "portal/identity.hpp"

#include "base/utf8.hpp"

namespace toolhost::portal {
namespace {

constexpr std::size_t kMostNameBytes = 200;
constexpr std::size_t kMostEmailBytes = 254;  // RFC 5321 section 4.5.3.1
constexpr std::size_t kMostDomainBytes = 253;

std::string clean_name(std::string_view text) {
  std::string name;
  while (!text.empty()) {
    const Utf8Character next = first_character(text);
    if (next.bytes == 0 || name.size() + next.bytes > kMostNameBytes) break;
    if (!is_hidden(next.character)) name += text.substr(0, next.bytes);
    text.remove_prefix(next.bytes);
  }
  return name;
}

/// What an address may not hold here: what RFC 5322 lets it, quoted, and what is not seen. Each could be taken for
/// another address.
bool is_address_character(char32_t c) noexcept {
  return !is_hidden(c) && !is_blank(c) && !is_invisible(c) &&
         (c >= 0x80 || std::string_view("\"(),:;<>[\\]").find(static_cast<char>(c)) == std::string_view::npos);
}

bool is_seen_as_it_is(std::string_view text) noexcept {
  while (!text.empty()) {
    const auto next = first_character(text);
    if (next.bytes == 0 || !is_address_character(next.character)) return false;
    text.remove_prefix(next.bytes);
  }
  return true;
}

}  // namespace

bool is_address(std::string_view text) {
  const auto at = text.find('@');
  return text.size() <= kMostEmailBytes && at != std::string_view::npos && at > 0 && at + 1 < text.size() &&
         text.find('@', at + 1) == std::string_view::npos && is_seen_as_it_is(text);
}

void read_profile(const json::Value& claims, Identity& identity) {
  identity.name = clean_name(json::text_in(claims, "name").value_or(""));
  if (const auto domain = json::text_in(claims, "hd").value_or(""); domain.size() <= kMostDomainBytes)
    identity.hosted_domain = domain;
  const auto email = json::text_in(claims, "email").value_or("");
  identity.email = is_address(email) ? email : std::string_view();
  bool is_verified = false;
  const bool is_said = json::find(claims, "email_verified").get(is_verified) == simdjson::SUCCESS;
  identity.email_verified = is_said && is_verified && !identity.email.empty();
}

}  // namespace toolhost::portal
