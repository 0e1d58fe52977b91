#pragma once
#include <memory>
#include <string>

#include "base/caller.hpp"
#include "protocol/dispatcher.hpp"
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
              StreamResume& resume)
      : dispatcher_(dispatcher), sessions_(std::move(sessions)), streams_(std::move(streams)), resume_(resume) {}

  void open(const transport::HttpRequest& request, transport::HttpResponse& response, const CallerPtr& caller);
  void post(const transport::HttpRequest& request, transport::HttpResponse& response, const CallerPtr& caller);

 private:
  void take(Message&& message, RequestContext& context, std::string_view text,
            const std::shared_ptr<transport::SseStream>& stream, transport::HttpResponse& response);
  void initialize(const Message& message, const RequestContext& context, transport::SseStream& stream);
  void restore(Session& session, std::string_view last_event_id) const;

  Dispatcher& dispatcher_;
  const std::shared_ptr<SessionTable> sessions_;
  const std::shared_ptr<StreamTable> streams_;
  StreamResume& resume_;
};

}  // namespace toolhost::protocol
