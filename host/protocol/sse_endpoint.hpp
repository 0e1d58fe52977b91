#pragma once
#include <memory>
#include <string>
#include <variant>

#include "base/caller.hpp"
#include "protocol/dispatcher.hpp"
#include "protocol/fellow_hosts.hpp"
#include "protocol/session.hpp"
#include "protocol/stream_resume.hpp"
#include "protocol/stream_table.hpp"
#include "transport/http.hpp"

namespace toolhost::protocol {

/// HTTP+SSE as 2024-11-05 defines it: GET /sse opens a stream, POST /messages takes messages, whatever is answered goes
/// to the stream. The caller has been authenticated. References given to the constructor outlive it.
class SseEndpoint {
 public:
  SseEndpoint(Dispatcher& dispatcher, std::shared_ptr<SessionTable> sessions, std::shared_ptr<StreamTable> streams,
              StreamResume& resume, FellowHosts& fellows)
      : dispatcher_(dispatcher),
        sessions_(std::move(sessions)),
        streams_(std::move(streams)),
        resume_(resume),
        fellows_(fellows) {}

  void open(const transport::HttpRequest& request, transport::HttpResponse& response, const CallerPtr& caller);
  void post(const transport::HttpRequest& request, transport::HttpResponse& response, const CallerPtr& caller);
  /// A message that another host has taken for a session of this one, and that it could read. `version`: of its
  /// MCP-Protocol-Version field.
  void take_passed(const SessionPtr& session, const CallerPtr& caller, std::string_view body, std::string_view version);

 private:
  using Parsed = std::variant<Message, Batch, RpcError>;
  /// Takes what is no error. False when the batch is refused, which `response` tells then.
  bool take_all(Parsed&& parsed, const SessionPtr& session, const CallerPtr& caller, std::string_view text,
                std::string_view version, transport::HttpResponse& response);
  void take(Message&& message, RequestContext& context, std::string_view text,
            const std::shared_ptr<transport::SseStream>& stream, transport::HttpResponse& response);
  void initialize(const Message& message, const RequestContext& context, transport::SseStream& stream);
  void restore(const SessionPtr& session, std::string_view last_event_id) const;

  Dispatcher& dispatcher_;
  const std::shared_ptr<SessionTable> sessions_;
  const std::shared_ptr<StreamTable> streams_;
  StreamResume& resume_;
  FellowHosts& fellows_;
};

}  // namespace toolhost::protocol
