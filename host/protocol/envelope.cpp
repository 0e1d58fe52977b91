#include "protocol/envelope.hpp"

#include <algorithm>
#include <array>

namespace toolhost::protocol {
namespace {

using plugin_runtime::AskKind;
using plugin_runtime::LogLevel;

constexpr std::string_view kVersion = "io.modelcontextprotocol/protocolVersion";
constexpr std::string_view kCapabilities = "io.modelcontextprotocol/clientCapabilities";
constexpr std::string_view kClientInfo = "io.modelcontextprotocol/clientInfo";
constexpr std::string_view kLogLevel = "io.modelcontextprotocol/logLevel";

constexpr std::array<std::string_view, 8> kLevels{"debug", "info",     "notice", "warning",
                                                  "error", "critical", "alert",  "emergency"};

/// The flags in the order of their bits.
constexpr std::array kFlags{&ClientCapabilities::roots,
                            &ClientCapabilities::roots_changes,
                            &ClientCapabilities::sampling,
                            &ClientCapabilities::sampling_tools,
                            &ClientCapabilities::sampling_context,
                            &ClientCapabilities::form,
                            &ClientCapabilities::url};

std::optional<json::Value> member(const json::Value& object, std::string_view name) noexcept {
  json::Value found;
  if (json::find(object, name).get(found) != simdjson::SUCCESS) return std::nullopt;
  return found;
}

/// The member when it is an object.
std::optional<json::Value> object_member(const json::Value& object, std::string_view name) noexcept {
  const auto found = member(object, name);
  return found && found->is_object() ? found : std::nullopt;
}

bool is_true(const json::Value& object, std::string_view name) noexcept {
  const auto found = member(object, name);
  bool flag = false;
  return found && found->get(flag) == simdjson::SUCCESS && flag;
}

/// What is wrong with the envelope, one of whose keys is `key`.
RpcError malformed(const Message& message, std::string_view key, std::string_view problem) {
  return {RpcCode::kInvalidParams,
          "Invalid params: params._meta of protocol revision 2026-07-28: " + std::string(key) +
              (key.empty() ? "" : ": ") + std::string(problem),
          message.id};
}

/// Reads clientInfo; false when it is no Implementation.
bool read_client_info(const json::Value& info, Envelope& envelope) noexcept {
  const auto name = json::text_in(info, "name"), version = json::text_in(info, "version");
  if (!name || !version) return false;
  envelope.client_name = *name;
  envelope.client_version = *version;
  return true;
}

}  // namespace

bool ClientCapabilities::can(AskKind kind) const noexcept {
  switch (kind) {
    case AskKind::kForm:
      return form;
    case AskKind::kUrl:
      return url;
    case AskKind::kSampling:
      return sampling;
    case AskKind::kRoots:
      return roots;
  }
  return false;
}

std::uint16_t ClientCapabilities::bits() const noexcept {
  unsigned bits = 0;
  for (std::size_t i = 0; i < kFlags.size(); ++i) bits |= this->*kFlags[i] ? 1U << i : 0U;
  return static_cast<std::uint16_t>(bits);
}

ClientCapabilities ClientCapabilities::from_bits(std::uint16_t bits) noexcept {
  ClientCapabilities capabilities;
  for (std::size_t i = 0; i < kFlags.size(); ++i) capabilities.*kFlags[i] = (bits >> i & 1U) != 0;
  return capabilities;
}

ClientCapabilities read_capabilities(const json::Value& object, Revision revision) noexcept {
  const bool has_details = revision >= Revision::k2025_11_25;
  ClientCapabilities capabilities;
  if (const auto roots = object_member(object, "roots")) {
    capabilities.roots = true;
    capabilities.roots_changes = !is_modern(revision) && is_true(*roots, "listChanged");
  }
  if (const auto sampling = object_member(object, "sampling")) {
    capabilities.sampling = true;
    capabilities.sampling_tools = has_details && object_member(*sampling, "tools");
    capabilities.sampling_context = has_details && object_member(*sampling, "context");
  }
  const auto elicitation = object_member(object, "elicitation");
  if (elicitation && revision >= Revision::k2025_06_18) {
    const bool has_url = object_member(*elicitation, "url").has_value();
    capabilities.url = has_url && has_details;
    capabilities.form = !has_url || object_member(*elicitation, "form");
  }
  return capabilities;
}

std::string required_capabilities(AskKind kind) {
  switch (kind) {
    case AskKind::kForm:
      return R"({"requiredCapabilities":{"elicitation":{"form":{}}}})";
    case AskKind::kUrl:
      return R"({"requiredCapabilities":{"elicitation":{"url":{}}}})";
    case AskKind::kSampling:
      return R"({"requiredCapabilities":{"sampling":{}}})";
    case AskKind::kRoots:
      return R"({"requiredCapabilities":{"roots":{}}})";
  }
  return R"({"requiredCapabilities":{}})";
}

std::optional<json::Value> meta_member(const Message& message, std::string_view name) noexcept {
  if (!message.params) return std::nullopt;
  const auto meta = member(*message.params, "_meta");
  return meta ? member(*meta, name) : std::nullopt;
}

std::variant<Envelope, RpcError> read_envelope(const Message& message) {
  if (!message.params || !member(*message.params, "_meta")) return malformed(message, {}, "it is missing");
  const auto meta = object_member(*message.params, "_meta");
  if (!meta) return malformed(message, {}, "it must be an object");
  for (const auto key : {kVersion, kCapabilities})
    if (!member(*meta, key)) return malformed(message, key, "it is missing");

  Envelope envelope;
  const auto version = json::text_in(*meta, kVersion);
  if (!version) return malformed(message, kVersion, "a string is expected");
  envelope.version = *version;
  const auto capabilities = object_member(*meta, kCapabilities);
  if (!capabilities) return malformed(message, kCapabilities, "an object is expected");
  envelope.capabilities = read_capabilities(*capabilities, Revision::k2026_07_28);
  if (const auto info = member(*meta, kClientInfo); info && !read_client_info(*info, envelope))
    return malformed(message, kClientInfo, "an object with the strings \"name\" and \"version\" is expected");
  if (member(*meta, kLogLevel)) {
    envelope.log_level = parse_log_level(json::text_in(*meta, kLogLevel).value_or(""));
    if (!envelope.log_level) return malformed(message, kLogLevel, "it is no log level");
  }
  return envelope;
}

std::string_view to_string(LogLevel level) noexcept {
  return kLevels[static_cast<std::size_t>(level)];
}

std::optional<LogLevel> parse_log_level(std::string_view text) noexcept {
  const auto* const found = std::find(kLevels.begin(), kLevels.end(), text);
  if (found == kLevels.end()) return std::nullopt;
  return static_cast<LogLevel>(found - kLevels.begin());
}

}  // namespace toolhost::protocol
