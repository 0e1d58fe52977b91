#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "integration/protocol/mcp_host.hpp"

namespace toolhost::protocol {

/// One Server-Sent Event; fields that it lacks are empty.
struct SseEvent {
  std::string event, id, retry, data;
};

/// A request whose answer may be an event stream.
class StreamClient {
 public:
  StreamClient(std::uint16_t port, std::string_view request) : client_(port) {
    client_.send(request);
    head = client_.read_until("\r\n\r\n");
  }

  [[nodiscard]] bool is_stream() const {
    return head.find(" 200 ") != std::string::npos && head.find("text/event-stream") != std::string::npos;
  }
  /// Nothing at the end of the stream.
  std::optional<SseEvent> next() {
    for (;;) {
      const auto end = buffer_.find("\n\n");
      if (end == std::string::npos) {
        const auto chunk = client_.read_chunk();
        if (chunk.empty()) return std::nullopt;
        buffer_ += chunk;
        continue;
      }
      const auto text = buffer_.substr(0, end + 1);
      buffer_.erase(0, end + 2);
      if (!text.starts_with(':')) return parse(text);
    }
  }
  std::vector<SseEvent> rest() {
    std::vector<SseEvent> events;
    while (auto event = next()) events.push_back(std::move(*event));
    return events;
  }

  std::string head;

 private:
  static SseEvent parse(std::string_view text) {
    SseEvent event;
    while (!text.empty()) {
      const auto line = text.substr(0, text.find('\n'));
      text.remove_prefix(line.size() + 1);
      const auto name = line.substr(0, line.find(": "));
      const std::string value(line.substr(name.size() + 2));
      (name == "event" ? event.event : name == "id" ? event.id : name == "retry" ? event.retry : event.data) = value;
    }
    return event;
  }

  RawClient client_;
  std::string buffer_;
};

inline const std::string kTakesStreams = "Accept: application/json, text/event-stream\r\n";

/// A call of `book` of the test plugin "ledger", which writes a marker and tells its progress.
inline std::string book(const std::string& marker, int ms, const std::string& id = "1") {
  return R"({"jsonrpc":"2.0","id":)" + id +
         R"(,"method":"tools/call","params":{"name":"book","arguments":{"marker":")" + marker + R"(","ms":)" +
         std::to_string(ms) + R"(},"_meta":{"progressToken":"p"}}})";
}

inline std::string get_again(const std::string& key, const std::string& session, const std::string& last_event_id) {
  return http("GET", "/mcp", key, session + "Accept: text/event-stream\r\nLast-Event-ID: " + last_event_id + "\r\n");
}

/// The number at the end of an event's id; -1 without one.
inline int number_of(const SseEvent& event) {
  const auto dot = event.id.rfind('.');
  return dot == std::string::npos ? -1 : std::stoi(event.id.substr(dot + 1));
}

}  // namespace toolhost::protocol
