#include "protocol/era.hpp"

#include "base/json_writer.hpp"

namespace toolhost::protocol {
namespace {

constexpr std::size_t kLongestVersion = 32;

/// The id for an error: only requests are answered.
std::string id_of(const Message& message) {
  return is_request(message) ? message.id : std::string();
}

bool has_claim(const Message& message) noexcept {
  return meta_member(message, kVersionClaim).has_value();
}

/// Empty when there is none, or no string.
std::string_view claimed_version(const Message& message) noexcept {
  const auto claim = meta_member(message, kVersionClaim);
  std::string_view version;
  if (!claim || claim->get(version) != simdjson::SUCCESS) return {};
  return version;
}

std::string quoted(std::string_view version) {
  return std::string(version.substr(0, kLongestVersion));
}

RpcError mismatch(const Message& message, std::string why) {
  return {RpcCode::kHeaderMismatch, "Header mismatch: " + std::move(why), id_of(message)};
}

std::optional<RpcError> check_method(const Message& message, const HeaderView& headers) {
  if (headers.method.empty() || headers.method == message.method) return std::nullopt;
  return mismatch(message, "Mcp-Method differs from the method in the body");
}

RpcError unsupported(const Message& message, std::string_view requested) {
  std::string data;
  JsonWriter json(data);
  json.begin_object().key("supported").begin_array().string(to_string(Revision::k2026_07_28)).end_array();
  json.member("requested", quoted(requested)).end_object();
  return {RpcCode::kUnsupportedVersion, "Unsupported protocol version: " + quoted(requested), id_of(message),
          std::move(data)};
}

RpcError unsupported_legacy(const Message& message, std::string_view version) {
  return {RpcCode::kServerError,
          "Bad Request: Unsupported protocol version: " + quoted(version) +
              " (supported versions: " + supported_revisions() + ")",
          id_of(message)};
}

/// A message with a claim.
std::variant<LegacyMessage, Envelope, RpcError> route_claim(const Message& message, const HeaderView& headers) {
  Envelope envelope{.version = claimed_version(message), .capabilities = {}};
  if (is_request(message)) {
    auto read = read_envelope(message);
    if (auto* const error = std::get_if<RpcError>(&read)) return std::move(*error);
    envelope = std::get<Envelope>(read);
  } else if (envelope.version.empty()) {
    return RpcError{
        RpcCode::kInvalidParams, "Invalid params: the protocol version in params._meta must be a string", {}};
  }
  if (!headers.version.empty() && headers.version != envelope.version)
    return mismatch(message, "MCP-Protocol-Version is " + quoted(headers.version) + ", params._meta says " +
                                 quoted(envelope.version));
  if (auto error = check_method(message, headers)) return std::move(*error);
  if (!parse_modern_revision(envelope.version)) return unsupported(message, envelope.version);
  return envelope;
}

/// Whether `initialize` is the legacy handshake: all are but those that carry a whole modern envelope.
bool is_handshake(const Message& message) {
  if (!is_request(message) || message.method != "initialize") return false;
  if (!is_modern_version(claimed_version(message))) return true;
  return std::holds_alternative<RpcError>(read_envelope(message));
}

}  // namespace

std::variant<LegacyMessage, Envelope, RpcError> route(const Message& message, const HeaderView& headers) {
  if (message.kind == Message::Kind::kResponse) return LegacyMessage{};
  const bool names_modern = is_modern_version(headers.version);
  if (is_handshake(message)) {
    if (!names_modern) return LegacyMessage{};
    return mismatch(message, "initialize belongs to revisions before " + quoted(headers.version));
  }
  if (has_claim(message)) return route_claim(message, headers);
  if (names_modern) {
    // What is missing is the claim, so a request is refused for its envelope.
    if (is_request(message)) return std::get<RpcError>(read_envelope(message));
    if (auto error = check_method(message, headers)) return std::move(*error);
    return Envelope{.version = headers.version, .capabilities = {}};
  }
  const bool is_unknown = !headers.version.empty() && !parse_revision(headers.version);
  if (is_unknown && message.method != "server/discover") return unsupported_legacy(message, headers.version);
  return LegacyMessage{};
}

std::optional<RpcError> refuse_modern(const Message& message) {
  if (message.kind == Message::Kind::kResponse || message.method == "server/discover") return std::nullopt;
  const auto version = claimed_version(message);
  if (!is_modern_version(version)) return std::nullopt;
  return unsupported_legacy(message, version);
}

std::optional<RpcError> refuse_batch(const Batch& batch, std::optional<Revision> revision) {
  const auto refuse = [](std::string_view why) {
    return RpcError{RpcCode::kInvalidRequest, "Invalid Request: " + std::string(why), {}};
  };
  if (revision != Revision::k2025_03_26) return refuse("batches belong to revision 2025-03-26 only");
  for (const auto& entry : batch) {
    const auto* const message = std::get_if<Message>(&entry);
    if (message == nullptr) continue;
    if (message->method == "initialize") return refuse("initialize must not be part of a batch");
    if (is_modern_version(claimed_version(*message)))
      return refuse("a message of revision 2026-07-28 must not be part of a batch");
  }
  return std::nullopt;
}

}  // namespace toolhost::protocol
