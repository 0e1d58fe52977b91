#include "protocol/method_params.hpp"

#include <utility>

namespace toolhost::protocol {

std::optional<std::string_view> text_param(const Message& request, std::string_view name) noexcept {
  const auto member = param(request, name);
  std::string_view text;
  if (!member || member->get(text) != simdjson::SUCCESS) return std::nullopt;
  return text;
}

std::optional<json::Value> param(const Message& request, std::string_view name) noexcept {
  json::Value member;
  if (!request.params || json::find(*request.params, name).get(member) != simdjson::SUCCESS || member.is_null())
    return std::nullopt;
  return member;
}

bool read_cursor(const Message& request, std::optional<std::string_view>& cursor) noexcept {
  const auto member = param(request, "cursor");
  if (!member) return true;
  std::string_view text;
  if (member->get(text) != simdjson::SUCCESS) return false;
  cursor = text;
  return true;
}

std::string invalid_params(const Message& request, std::string why, const RequestContext& context) {
  return encode_error({RpcCode::kInvalidParams, std::move(why), request.id}, context.revision);
}

Reply method_not_found(const Message& request, const RequestContext& context) {
  return error_reply({RpcCode::kMethodNotFound,
                      "Method not found: " + std::string(request.method.substr(0, kLongestQuote)), request.id},
                     context.revision);
}

Reply error_reply(RpcError error, Revision revision) {
  const auto status = http_status_of(error.code, revision);
  auto message = encode_error(error, revision);
  if (status == 200) return message;
  return Rejected{std::move(message), status};
}

const json::Value& no_arguments() {
  static auto& document = *new json::Document;
  static const json::Value value = document.parse("{}").value();
  return value;
}

}  // namespace toolhost::protocol
