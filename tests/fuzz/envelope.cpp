// A request of 2026-07-28: its fields in the first lines ("version", "method", "name", then one Mcp-Param a line up to
// an empty one), its body behind them.
#include "protocol/envelope.hpp"

#include "protocol/era.hpp"
#include "protocol/mcp_header.hpp"
#include "require.hpp"

using namespace toolhost;
using fuzz::require;

namespace {

void look_at(const protocol::Message& message, const protocol::HeaderView& headers) {
  const auto era = protocol::route(message, headers);
  if (const auto* error = std::get_if<protocol::RpcError>(&era)) {
    json::Document document;
    require(document.parse(protocol::encode_error(*error)).has_value(), "an error is JSON");
  }
  if (const auto* envelope = std::get_if<protocol::Envelope>(&era)) {
    const bool is_request = message.kind == protocol::Message::Kind::kRequest;
    require(!is_request || protocol::is_modern_version(envelope->version), "only known versions get through");
    require(envelope->capabilities == protocol::ClientCapabilities::from_bits(envelope->capabilities.bits()),
            "capabilities survive in an id");
    const auto agrees = !protocol::check_headers(message, headers);
    require(!agrees || !is_request || protocol::decode_header(headers.method) == std::string(message.method) ||
                headers.method == message.method,
            "what agrees with the fields has their method");
  }
  (void)protocol::refuse_modern(message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  protocol::HeaderView headers{fuzz::take_line(bytes), fuzz::take_line(bytes), fuzz::take_line(bytes)};
  std::vector<transport::NamedText> params;
  for (auto line = fuzz::take_line(bytes); !line.empty(); line = fuzz::take_line(bytes)) {
    const auto name = fuzz::take_line(line, ':');
    params.push_back({name, line});
    (void)protocol::decode_header(line);
  }
  headers.params = params;
  const auto parsed = protocol::parse_message(bytes);
  if (const auto* message = std::get_if<protocol::Message>(&parsed)) look_at(*message, headers);
  return 0;
}
