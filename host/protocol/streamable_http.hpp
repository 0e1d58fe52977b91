#pragma once
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "base/caller.hpp"
#include "protocol/dispatcher.hpp"
#include "protocol/session.hpp"
#include "transport/http.hpp"

namespace toolhost::protocol {

/// Streamable HTTP as the revisions 2025-03-26 to 2025-11-25 define it (Transports), with and without sessions. Answers
/// are plain JSON. The caller has been authenticated. References given to the constructor outlive it.
class StreamableHttp {
 public:
  StreamableHttp(Dispatcher& dispatcher, std::shared_ptr<SessionTable> sessions)
      : dispatcher_(dispatcher), sessions_(std::move(sessions)) {}

  boost::asio::awaitable<void> post(const transport::HttpRequest& request, transport::HttpResponse& response,
                                    CallerPtr caller);
  /// The stream for what the server has to say by itself.
  void open_stream(const transport::HttpRequest& request, transport::HttpResponse& response, const CallerPtr& caller);
  void end_session(const transport::HttpRequest& request, transport::HttpResponse& response, const CallerPtr& caller);

 private:
  void initialize(const Message& message, const transport::HttpRequest& request, transport::HttpResponse& response,
                  const Caller& caller);
  boost::asio::awaitable<void> answer_one(Message message, RequestContext context, transport::HttpResponse& response);
  boost::asio::awaitable<void> answer_batch(Batch batch, RequestContext context, transport::HttpResponse& response);

  Dispatcher& dispatcher_;
  const std::shared_ptr<SessionTable> sessions_;
};

}  // namespace toolhost::protocol
