#pragma once
#include <memory>
#include <string>

#include "base/caller.hpp"
#include "protocol/dispatcher.hpp"
#include "protocol/session.hpp"
#include "transport/http.hpp"

namespace toolhost::protocol {

/// HTTP+SSE as 2024-11-05 defines it: GET /sse opens a stream, POST /messages takes messages, whatever is answered goes
/// to the stream. The caller has been authenticated. References given to the constructor outlive it.
class SseEndpoint {
 public:
  SseEndpoint(Dispatcher& dispatcher, std::shared_ptr<SessionTable> sessions)
      : dispatcher_(dispatcher), sessions_(std::move(sessions)) {}

  void open(const transport::HttpRequest& request, transport::HttpResponse& response, const CallerPtr& caller);
  void post(const transport::HttpRequest& request, transport::HttpResponse& response, const CallerPtr& caller);

 private:
  void take(Message&& message, const RequestContext& context, const std::shared_ptr<transport::SseStream>& stream,
            transport::HttpResponse& response);

  Dispatcher& dispatcher_;
  const std::shared_ptr<SessionTable> sessions_;
};

}  // namespace toolhost::protocol
