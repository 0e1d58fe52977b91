// Bodies of POST and lines of stdio: one JSON-RPC text.
#include "protocol/jsonrpc.hpp"

#include "require.hpp"

using namespace toolhost;
using fuzz::require;

namespace {

void look_at(const protocol::Message& message) {
  using Kind = protocol::Message::Kind;
  // A response may have the id null.
  require(message.kind == Kind::kResponse || (message.kind == Kind::kNotification) == message.id.empty(),
          "of requests and notifications only these have no id");
  require(message.kind != Kind::kResponse || message.method.empty(), "a response has no method");
  if (message.params) json::to_text(*message.params);
  if (message.kind != Kind::kRequest) return;
  const auto answer = protocol::parse_message(protocol::encode_result(message.id, "{}"));
  const auto* parsed = std::get_if<protocol::Message>(&answer);
  require(parsed != nullptr && parsed->kind == Kind::kResponse && parsed->id == message.id,
          "an answer is a response with the id of its request");
}

void look_at(const protocol::RpcError& error) {
  json::Document document;
  require(document.parse(protocol::encode_error(error)).has_value(), "an error is JSON");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed = protocol::parse_message({reinterpret_cast<const char*>(data), size});
  if (const auto* message = std::get_if<protocol::Message>(&parsed)) look_at(*message);
  if (const auto* error = std::get_if<protocol::RpcError>(&parsed)) look_at(*error);
  if (const auto* batch = std::get_if<protocol::Batch>(&parsed)) {
    require(!batch->empty() && batch->size() <= protocol::kMaxBatch, "a batch has 1 to 100 elements");
    for (const auto& element : *batch) std::visit([](const auto& one) { look_at(one); }, element);
  }
  return 0;
}
