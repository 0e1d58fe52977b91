#include "protocol/mcp_header.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/base64url.hpp"
#include "base/cut.hpp"
#include "base/lower.hpp"
#include "base/utf8.hpp"

namespace toolhost::protocol {
namespace {

using plugin_runtime::HeaderMember;
using plugin_runtime::HeaderMembers;
using transport::NamedText;

constexpr std::string_view kEncodedStart = "=?base64?", kEncodedEnd = "?=";
constexpr std::string_view kParamField = "Mcp-Param-";

/// The member of the params that Mcp-Name repeats.
struct NamedMethod {
  std::string_view method, member;
};
constexpr std::array<NamedMethod, 3> kNamedMethods{
    {{"tools/call", "name"}, {"prompts/get", "name"}, {"resources/read", "uri"}}};

RpcError mismatch(const Message& message, std::string_view field, std::string_view problem) {
  return {RpcCode::kHeaderMismatch, "Header mismatch: " + std::string(field) + ' ' + std::string(problem), message.id};
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const auto character = first_character(text);
    if (character.bytes == 0) return false;
    text.remove_prefix(character.bytes);
  }
  return true;
}

/// Padded, with '+' and '/'.
std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0 || text.find_first_of("-_") != std::string_view::npos) return std::nullopt;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  std::string url(text);
  std::replace(url.begin(), url.end(), '+', '-');
  std::replace(url.begin(), url.end(), '/', '_');
  return from_base64url(url);
}

/// The marked argument, when it is there and not null.
std::optional<json::Value> argument_at(const json::Value& arguments, const HeaderMember& member) noexcept {
  json::Value value = arguments;
  for (const auto& name : member.path)
    if (json::find(value, name).get(value) != simdjson::SUCCESS) return std::nullopt;
  if (value.is_null()) return std::nullopt;
  return value;
}

/// "42" and "42.0" are the same integer.
bool is_number(std::string_view text, const json::Value& number) noexcept {
  double given = 0, wanted = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), given, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  if (std::int64_t exact = 0; number.get(exact) == simdjson::SUCCESS) {
    std::int64_t same = 0;
    const auto whole = std::from_chars(text.data(), text.data() + text.size(), same);
    if (whole.ec == std::errc() && whole.ptr == text.data() + text.size()) return same == exact;
  }
  return number.get(wanted) == simdjson::SUCCESS && given == wanted;
}

/// Whether a field says what the argument says. An argument of a type that its schema does not have is left to the
/// schema.
bool agrees(std::string_view field, const json::Value& argument) {
  if (std::string_view text; argument.get(text) == simdjson::SUCCESS) return field == text;
  if (bool flag = false; argument.get(flag) == simdjson::SUCCESS) return field == (flag ? "true" : "false");
  if (argument.is_number()) return is_number(field, argument);
  return true;
}

std::optional<RpcError> check_argument(const Message& message, const json::Value& argument,
                                       std::span<const NamedText> fields, const HeaderMember& member) {
  const std::string name = std::string(kParamField) + member.name;
  const NamedText* found = nullptr;
  for (const auto& field : fields) {
    if (!equals_ignoring_case(field.name, member.name)) continue;
    if (found != nullptr) return mismatch(message, name, "is sent more than once");
    found = &field;
  }
  if (found == nullptr) return mismatch(message, name, "is missing");
  const auto value = decode_header(found->value);
  if (!value) return mismatch(message, name, "is no valid base64 of UTF-8");
  if (!agrees(*value, argument)) return mismatch(message, name, "differs from the argument that it repeats");
  return std::nullopt;
}

}  // namespace

HeaderView HeaderView::of(const transport::HttpRequest& request) noexcept {
  return {trimmed(request.mcp_protocol_version), trimmed(request.mcp_method), trimmed(request.mcp_name),
          request.params};
}

std::optional<std::string> decode_header(std::string_view value) {
  value = trimmed(value);
  if (value.size() < kEncodedStart.size() + kEncodedEnd.size() || !value.starts_with(kEncodedStart) ||
      !value.ends_with(kEncodedEnd))
    return std::string(value);
  value.remove_prefix(kEncodedStart.size());
  value.remove_suffix(kEncodedEnd.size());
  auto bytes = from_base64(value);
  if (!bytes || !is_utf8(*bytes)) return std::nullopt;
  return bytes;
}

std::string encode_header(std::string_view value) {
  const bool fits = std::ranges::all_of(value, [](char c) { return c >= ' ' && c <= '~'; }) &&
                    trimmed(value) == value && !(value.starts_with(kEncodedStart) && value.ends_with(kEncodedEnd));
  if (fits) return std::string(value);
  std::string text = to_base64url(value);
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  text.resize((text.size() + 3) / 4 * 4, '=');
  return std::string(kEncodedStart) + text + std::string(kEncodedEnd);
}

transport::HttpFields header_fields(const Message& message, std::string_view version) {
  transport::HttpFields fields{{"MCP-Protocol-Version", encode_header(version)},
                               {"Mcp-Method", encode_header(message.method)}};
  for (const auto& named : kNamedMethods) {
    if (named.method != message.method || !message.params) continue;
    if (const auto name = json::text_in(*message.params, named.member))
      fields.emplace_back("Mcp-Name", encode_header(*name));
  }
  return fields;
}

transport::HttpFields argument_header_fields(const json::Value& arguments, const HeaderMembers& members) {
  transport::HttpFields fields;
  for (const auto& member : members) {
    const auto argument = argument_at(arguments, member);
    if (!argument) continue;
    std::string_view text;
    const bool is_text = argument->get(text) == simdjson::SUCCESS;
    fields.emplace_back(std::string(kParamField) + member.name,
                        is_text ? encode_header(text) : json::to_text(*argument));
  }
  return fields;
}

std::optional<RpcError> check_headers(const Message& message, const HeaderView& headers) {
  if (message.kind != Message::Kind::kRequest) return std::nullopt;
  if (headers.version.empty()) return mismatch(message, "MCP-Protocol-Version", "is missing");
  if (headers.method.empty()) return mismatch(message, "Mcp-Method", "is missing");
  if (headers.method != message.method) return mismatch(message, "Mcp-Method", "differs from the method in the body");
  const auto* const named = std::find_if(kNamedMethods.begin(), kNamedMethods.end(),
                                         [&](const NamedMethod& one) { return one.method == message.method; });
  if (named == kNamedMethods.end()) return std::nullopt;
  const auto wanted = message.params ? json::text_in(*message.params, named->member) : std::nullopt;
  if (headers.name.empty()) {
    if (!wanted) return std::nullopt;
    return mismatch(message, "Mcp-Name", "is missing");
  }
  const auto name = decode_header(headers.name);
  if (!name) return mismatch(message, "Mcp-Name", "is no valid base64 of UTF-8");
  if (wanted && *name != *wanted)
    return mismatch(message, "Mcp-Name", "differs from params." + std::string(named->member) + " in the body");
  return std::nullopt;
}

std::optional<RpcError> check_argument_headers(const Message& message, const json::Value& arguments,
                                               std::span<const NamedText> fields, const HeaderMembers& members) {
  for (const auto& member : members) {
    const auto argument = argument_at(arguments, member);
    if (!argument) continue;
    if (auto error = check_argument(message, *argument, fields, member)) return error;
  }
  return std::nullopt;
}

}  // namespace toolhost::protocol
