#include "portal/portal_request.hpp"

#include <algorithm>
#include <charconv>

#include "base/cut.hpp"
#include "base/lower.hpp"

namespace toolhost::portal {
namespace {

constexpr std::size_t kMostFields = 100;
constexpr std::size_t kLongestQuery = 300;  // that signing in leads back to
constexpr std::size_t kLongestUserAgent = 300;

int digit_of(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char small = lower(c);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      out += text[at] == '+' ? ' ' : text[at];
      continue;
    }
    if (at + 2 >= text.size()) return std::nullopt;
    const int high = digit_of(text[at + 1]), low = digit_of(text[at + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high << 4 | low);
    at += 2;
  }
  return out;
}

bool is_form(std::string_view content_type) noexcept {
  return equals_ignoring_case(trimmed(take_until(content_type, ';')), "application/x-www-form-urlencoded");
}

void read_form(const transport::HttpRequest& from, PortalRequest& request) {
  if (!request.is_post() || from.body.empty()) return;
  if (from.body.size() > kMaxFormBytes) {
    request.problem = "The form is too large. Shorten what you entered.";
  } else if (auto form = is_form(from.content_type) ? parse_form(from.body) : std::nullopt) {
    request.form = std::move(*form);
  } else {
    request.problem = "The form could not be read. Go back, reload the page and try again.";
  }
}

}  // namespace

std::string_view Fields::get(std::string_view name) const noexcept {
  const auto found = std::ranges::find(fields_, name, [](const auto& field) { return std::string_view(field.first); });
  return found == fields_.end() ? std::string_view() : std::string_view(found->second);
}

std::vector<std::string> Fields::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : fields_)
    if (key == name) values.push_back(value);
  return values;
}

bool Fields::has(std::string_view name) const noexcept {
  return std::ranges::any_of(fields_, [&](const auto& field) { return field.first == name; });
}

std::optional<Fields> parse_form(std::string_view text) {
  Fields fields;
  for (std::size_t count = 0; !text.empty(); ++count) {
    auto value = take_until(text, '&');
    if (value.empty()) continue;
    if (count >= kMostFields) return std::nullopt;
    auto name = decoded(take_until(value, '='));
    auto decoded_value = decoded(value);
    if (!name || !decoded_value) return std::nullopt;
    fields.add(std::move(*name), std::move(*decoded_value));
  }
  return fields;
}

Fields parse_cookies(std::string_view text) {
  Fields fields;
  for (std::size_t count = 0; !text.empty() && count < kMostFields; ++count) {
    auto value = trimmed(take_until(text, ';'));
    const auto name = take_until(value, '=');
    if (!name.empty()) fields.add(std::string(trimmed(name)), std::string(trimmed(value)));
  }
  return fields;
}

PortalRequest make_portal_request(const transport::HttpRequest& from, std::string_view public_url) {
  PortalRequest request;
  request.method = from.method;
  request.path = from.path;
  request.target = from.path;
  if (!from.query.empty() && from.query.size() <= kLongestQuery) request.target.append("?").append(from.query);
  if (auto query = parse_form(from.query)) request.query = std::move(*query);
  request.cookies = parse_cookies(from.cookie);
  request.origin = from.origin;
  request.sec_fetch_site = from.sec_fetch_site;
  request.user_agent = from.user_agent.substr(0, kLongestUserAgent);
  request.address = from.remote_address;
  request.base_url =
      public_url.empty() ? (from.is_https ? "https://" : "http://") + std::string(from.host) : std::string(public_url);
  request.is_secure = request.base_url.starts_with("https://");
  read_form(from, request);
  return request;
}

std::string safe_next(std::string_view path) {
  const bool is_ours = path == "/mcp" || path.starts_with("/mcp/") || path.starts_with("/mcp?");
  const bool is_plain = std::ranges::all_of(path, [](char c) { return c > ' ' && c < 0x7F && c != '\\'; });
  // What signing in leads back to must not be signing in or out.
  const bool is_page = !path.starts_with("/mcp/sign-") && path.find("..") == std::string_view::npos;
  return is_ours && is_plain && is_page && path.find("//") == std::string_view::npos ? std::string(path) : "/mcp";
}

std::optional<std::int64_t> parse_id(std::string_view text) {
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || id <= 0) return std::nullopt;
  return id;
}

}  // namespace toolhost::portal
