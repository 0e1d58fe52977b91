#include "protocol/era.hpp"

namespace toolhost::protocol {
namespace {

constexpr std::string_view kVersionClaim = "io.modelcontextprotocol/protocolVersion";
constexpr std::size_t kLongestQuote = 32;

std::string_view claimed_version(const Message& message) noexcept {
  if (!message.params) return {};
  json::Value meta, claim;
  std::string_view version;
  if (json::find(*message.params, "_meta").get(meta) != simdjson::SUCCESS) return {};
  if (json::find(meta, kVersionClaim).get(claim) != simdjson::SUCCESS) return {};
  if (claim.get(version) != simdjson::SUCCESS) return {};
  return version;
}

}  // namespace

Era era_of(const Message& message, std::string_view version_header) noexcept {
  if (message.kind == Message::Kind::kResponse) return Era::kLegacy;
  const auto claim = claimed_version(message);
  return is_modern_version(claim.empty() ? version_header : claim) ? Era::kModern : Era::kLegacy;
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
    if (era_of(*message, {}) == Era::kModern)
      return refuse("a message of revision 2026-07-28 must not be part of a batch");
  }
  return std::nullopt;
}

std::optional<RpcError> refuse_version(const Message& message, std::string_view version_header) {
  if (message.method == "server/discover") return std::nullopt;
  const bool is_modern = era_of(message, version_header) == Era::kModern;
  const bool is_unknown =
      !version_header.empty() && message.method != "initialize" && !parse_revision(version_header).has_value();
  if (!is_modern && !is_unknown) return std::nullopt;

  const auto claim = claimed_version(message);
  const auto version = (is_modern && !claim.empty() ? claim : version_header).substr(0, kLongestQuote);
  return RpcError{RpcCode::kServerError,
                  "Bad Request: Unsupported protocol version: " + std::string(version) +
                      " (supported versions: " + supported_revisions() + ")",
                  message.kind == Message::Kind::kRequest ? message.id : std::string()};
}

}  // namespace toolhost::protocol
