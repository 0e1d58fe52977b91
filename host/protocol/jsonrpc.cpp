#include "protocol/jsonrpc.hpp"

#include "base/json_writer.hpp"

namespace toolhost::protocol {
namespace {

RpcError invalid_request(std::string_view why, std::string id = {}) {
  return {RpcCode::kInvalidRequest, "Invalid Request: " + std::string(why), std::move(id)};
}

/// `root` belongs to `document`.
std::variant<Message, RpcError> read_message(json::DocumentPtr document, const json::Value& root) {
  json::Object object;
  if (root.get(object) != simdjson::SUCCESS) return invalid_request("a message is an object");

  // One pass: DOM look-ups by name are linear, and a message has few members.
  Message message;
  bool is_version_2 = false, has_id = false, has_method = false, has_outcome = false, has_text_method = false;
  for (const auto& [name, member] : object) {
    if (name == "jsonrpc") {
      std::string_view version;
      is_version_2 = member.get(version) == simdjson::SUCCESS && version == "2.0";
    } else if (name == "id") {
      has_id = true;
      if (is_too_long(member))
        return invalid_request("an \"id\" is at most " + std::to_string(kLongestId) + " bytes long");
      if (auto id = id_text(member)) message.id = std::move(*id);
    } else if (name == "method") {
      has_method = true;
      has_text_method = member.get(message.method) == simdjson::SUCCESS;
    } else if (name == "params") {
      if (!member.is_null()) message.params = member;
    } else if (name == "result" || name == "error") {
      has_outcome = true;
    }
  }

  if (!is_version_2) return invalid_request("\"jsonrpc\" must be \"2.0\"", message.id);
  if (has_method && !has_text_method) return invalid_request("\"method\" must be a string", message.id);
  if (!has_method && !has_outcome) return invalid_request("\"method\" is missing", message.id);
  // A peer that could not read our request's id reports its error with id null.
  const bool is_response = !has_method;
  if (!is_response && has_id && message.id.empty()) return invalid_request("\"id\" must be a string or an integer");
  if (is_response && !has_id) return invalid_request("a response needs an \"id\"");

  message.kind = is_response ? Message::Kind::kResponse
                 : has_id    ? Message::Kind::kRequest
                             : Message::Kind::kNotification;
  message.document = std::move(document);
  return message;
}

std::variant<Message, Batch, RpcError> read_batch(const json::Array& elements) {
  if (elements.size() == 0) return invalid_request("an empty batch");
  if (elements.size() > kMaxBatch)
    return invalid_request("a batch holds at most " + std::to_string(kMaxBatch) + " messages");
  Batch batch;
  batch.reserve(elements.size());
  for (const auto& element : elements) {
    // Each message may outlive the others, on another thread; hence a document of its own.
    auto document = json::acquire_document();
    const auto root = document->parse(json::to_text(element));
    if (!root) {
      batch.emplace_back(invalid_request(root.error().message));
      continue;
    }
    std::visit([&batch](auto&& entry) { batch.emplace_back(std::move(entry)); },
               read_message(std::move(document), *root));
  }
  return batch;
}

}  // namespace

std::variant<Message, Batch, RpcError> parse_message(std::string_view text) {
  auto document = json::acquire_document();
  const auto root = document->parse(text);
  if (!root) return RpcError{RpcCode::kParseError, "Parse error: " + root.error().message, {}};
  json::Array elements;
  if (root->get(elements) == simdjson::SUCCESS) return read_batch(elements);
  return std::visit([](auto&& parsed) -> std::variant<Message, Batch, RpcError> { return std::move(parsed); },
                    read_message(std::move(document), *root));
}

bool is_too_long(const json::Value& id) noexcept {
  std::string_view text;
  return id.get(text) == simdjson::SUCCESS && text.size() > kLongestId;
}

std::optional<std::string> id_text(const json::Value& id) {
  if (std::string_view text; id.get(text) == simdjson::SUCCESS) {
    std::string quoted;
    append_json_string(quoted, text);
    return quoted;
  }
  if (std::int64_t number; id.get(number) == simdjson::SUCCESS) return std::to_string(number);
  if (std::uint64_t number; id.get(number) == simdjson::SUCCESS) return std::to_string(number);
  return std::nullopt;
}

std::string encode_result(std::string_view id, std::string_view result_json) {
  std::string out;
  out.reserve(result_json.size() + id.size() + 48);
  out.append(R"({"jsonrpc":"2.0","id":)").append(id).append(R"(,"result":)").append(result_json).append("}");
  return out;
}

std::string encode_error(const RpcError& error, Revision revision) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("jsonrpc", "2.0");
  if (!error.id.empty())
    json.key("id").raw(error.id);
  else if (!is_modern(revision))
    json.key("id").null();
  json.key("error").begin_object();
  json.key("code").integer(static_cast<int>(error.code)).member("message", error.message);
  if (!error.data_json.empty()) json.key("data").raw(error.data_json);
  json.end_object().end_object();
  return out;
}

unsigned http_status_of(RpcCode code, Revision revision) noexcept {
  switch (code) {
    case RpcCode::kParseError:
    case RpcCode::kInvalidRequest:
    case RpcCode::kServerError:
    case RpcCode::kHeaderMismatch:
    case RpcCode::kMissingCapability:
    case RpcCode::kUnsupportedVersion:
      return 400;
    case RpcCode::kSessionNotFound:
      return 404;
    case RpcCode::kMethodNotFound:
      return is_modern(revision) ? 404 : 200;
    case RpcCode::kInvalidParams:
    case RpcCode::kInternalError:
    case RpcCode::kResourceNotFound:
      break;
  }
  return 200;
}

}  // namespace toolhost::protocol
