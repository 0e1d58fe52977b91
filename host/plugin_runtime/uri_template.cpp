#include "plugin_runtime/uri_template.hpp"

#include "plugin_runtime/definition_fields.hpp"

#include <algorithm>

#include "base/json.hpp"

namespace toolhost::plugin_runtime {
namespace {

bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

bool is_variable_name(std::string_view name) noexcept {
  return !name.empty() &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
}

int hex_digit(char c) noexcept {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  if (!simdjson::validate_utf8(decoded)) return std::nullopt;
  return decoded;
}

}  // namespace

bool is_absolute_uri(std::string_view text) noexcept {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size() || !is_letter(text.front()))
    return false;
  const auto in_scheme = [](char c) { return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.'; };
  const auto forbidden = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7f || std::string_view("\"<>\\^`{|}").find(c) != std::string_view::npos;
  };
  return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon), in_scheme) &&
         std::none_of(text.begin(), text.end(), forbidden) && simdjson::validate_utf8(text.data(), text.size());
}

Result<UriTemplate> UriTemplate::parse(std::string_view text) {
  UriTemplate made;
  made.segments_.push_back({""});
  std::string plain;  // the template with every expression replaced, to be checked as a URI
  bool after_expression = false;
  while (!text.empty()) {
    if (text.front() != '{') {
      after_expression = false;
      plain += text.front();
      if (text.front() == '/')
        made.segments_.push_back({""});
      else
        made.segments_.back().back() += text.front();
      text.remove_prefix(1);
      continue;
    }
    const auto end = text.find('}');
    if (end == std::string_view::npos) return refusal("an expression is not closed by '}'");
    const auto name = text.substr(1, end - 1);
    if (!is_variable_name(name))
      return refusal("the expression {" + std::string(name) +
                     "} is not {name} with a name of A-Z a-z 0-9 _; other kinds of RFC 6570 are not understood");
    if (std::find(made.names_.begin(), made.names_.end(), name) != made.names_.end())
      return refusal("the variable " + std::string(name) + " occurs twice; name each differently");
    if (after_expression)
      return refusal("two expressions stand side by side before {" + std::string(name) + "}; put text between them");
    made.names_.emplace_back(name);
    made.segments_.back().emplace_back();
    plain += 'x';
    after_expression = true;
    text.remove_prefix(end + 1);
  }
  if (made.names_.empty()) return refusal("it has no {variable}; declare it as a plain resource");
  if (!is_absolute_uri(plain)) return refusal("it does not make absolute URIs; begin it with a scheme, as in notes:/");
  return made;
}

/// Texts are found from left to right, each as early as it can be, the last one at the end: as with a glob, this finds
/// a fit if there is one.
bool UriTemplate::match_segment(const Segment& segment, std::string_view text, std::vector<std::string_view>& values) {
  if (!text.starts_with(segment.front())) return false;
  text.remove_prefix(segment.front().size());
  if (segment.size() == 1) return text.empty();
  for (std::size_t i = 1; i < segment.size(); ++i) {
    const auto& next = segment[i];
    const bool is_last = i + 1 == segment.size();
    if (text.size() <= next.size()) return false;
    const auto at = is_last ? text.size() - next.size() : text.find(next, 1);
    if (at == std::string_view::npos || (is_last && !text.ends_with(next))) return false;
    values.push_back(text.substr(0, at));
    text.remove_prefix(at + next.size());
  }
  return true;
}

std::optional<UriTemplate::Variables> UriTemplate::match(std::string_view uri) const {
  std::vector<std::string_view> values;
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    const auto slash = uri.find('/');
    const bool is_last = i + 1 == segments_.size();
    if (is_last != (slash == std::string_view::npos)) return std::nullopt;
    if (!match_segment(segments_[i], uri.substr(0, slash), values)) return std::nullopt;
    if (!is_last) uri.remove_prefix(slash + 1);
  }
  Variables variables;
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto decoded = percent_decoded(values[i]);
    if (!decoded) return std::nullopt;
    variables.emplace_back(names_[i], std::move(*decoded));
  }
  return variables;
}

}  // namespace toolhost::plugin_runtime
