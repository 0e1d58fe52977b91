#include "protocol/bridge_line.hpp"

#include <algorithm>
#include <array>

#include "base/json_writer.hpp"
#include "protocol/envelope.hpp"
#include "protocol/mcp_version.hpp"

namespace toolhost::protocol {
namespace {

constexpr std::size_t kLongestReason = 300;

BridgeLine line_of(Message&& message) {
  BridgeLine line;
  line.method = message.method;
  switch (message.kind) {
    case Message::Kind::kRequest:
      line.kind = BridgeLine::Kind::kRequest;
      line.ids.push_back(message.id);
      break;
    case Message::Kind::kResponse:
      line.kind = BridgeLine::Kind::kResponse;
      break;
    case Message::Kind::kNotification:
      break;
  }
  std::string_view version;
  if (const auto claim = meta_member(message, kVersionClaim);
      claim && claim->get(version) == simdjson::SUCCESS && is_modern_version(version))
    line.modern_version = version;
  json::Value id;
  if (line.method == "notifications/cancelled" && message.params &&
      json::find(*message.params, "requestId").get(id) == simdjson::SUCCESS)
    line.cancelled_id = id_text(id).value_or("");
  line.message = std::move(message);
  return line;
}

BridgeLine line_of(const Batch& batch) {
  BridgeLine line{.kind = BridgeLine::Kind::kBatch};
  for (const auto& entry : batch) {
    const auto* const message = std::get_if<Message>(&entry);
    if (message != nullptr && message->kind == Message::Kind::kRequest) line.ids.push_back(message->id);
  }
  return line;
}

std::string_view text_at(const json::Value& object, std::string_view name) noexcept {
  json::Value member;
  std::string_view text;
  if (json::find(object, name).get(member) != simdjson::SUCCESS || member.get(text) != simdjson::SUCCESS) return {};
  return text;
}

}  // namespace

bool BridgeLine::can_repeat() const noexcept {
  return kind == Kind::kRequest && method != "tools/call";
}

std::variant<BridgeLine, RpcError> read_bridge_line(std::string text) {
  auto parsed = parse_message(text);
  if (auto* const error = std::get_if<RpcError>(&parsed)) return std::move(*error);
  BridgeLine line = std::holds_alternative<Batch>(parsed) ? line_of(std::get<Batch>(parsed))
                                                          : line_of(std::get<Message>(std::move(parsed)));
  line.text = std::move(text);
  return line;
}

std::string with_id(const Message& request, std::string_view id) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("jsonrpc", "2.0").member("id", id).member("method", request.method);
  if (request.params) json.key("params").raw(json::to_text(*request.params));
  json.end_object();
  return out;
}

std::string reason_in(std::string_view body) {
  std::string reason;
  const auto document = json::acquire_document();
  if (const auto root = document->parse(body)) {
    json::Value error;
    if (json::find(*root, "error").get(error) == simdjson::SUCCESS) reason = text_at(error, "message");
    for (const std::string_view name : {"error_description", "message", "error"})
      if (reason.empty()) reason = text_at(*root, name);
  } else {
    reason = body;
  }
  if (reason.size() > kLongestReason) reason.resize(kLongestReason);
  std::replace_if(reason.begin(), reason.end(), [](char c) { return c >= 0 && c < ' '; }, ' ');
  const auto end = reason.find_last_not_of(' ');
  reason.resize(end == std::string::npos ? 0 : end + 1);
  return reason;
}

bool is_repeatable(std::string_view body) {
  const auto document = json::acquire_document();
  const auto root = document->parse(body);
  json::Value member;
  bool is_so = false;
  if (!root) return false;
  if (json::find(*root, "repeatable").get(member) == simdjson::SUCCESS && member.get(is_so) == simdjson::SUCCESS)
    return is_so;
  return text_at(*root, "error") == "too_many_connections";
}

}  // namespace toolhost::protocol
