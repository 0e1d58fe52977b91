#pragma once
#include <memory>
#include <string>
#include <variant>

#include <boost/asio/awaitable.hpp>

#include "base/caller.hpp"
#include "protocol/dispatcher.hpp"
#include "protocol/event_token.hpp"
#include "protocol/modern_http.hpp"
#include "protocol/session.hpp"
#include "protocol/stream_resume.hpp"
#include "protocol/stream_table.hpp"
#include "transport/http.hpp"

namespace toolhost::protocol {

/// Streamable HTTP as the revisions 2025-03-26 to 2025-11-25 define it (Transports), with and without sessions. Answers
/// are plain JSON, until something precedes them. The caller has been authenticated. References given to the
/// constructor outlive it.
class StreamableHttp {
 public:
  StreamableHttp(Dispatcher& dispatcher, std::shared_ptr<SessionTable> sessions, std::shared_ptr<StreamTable> streams,
                 StreamResume& resume)
      : dispatcher_(dispatcher),
        sessions_(std::move(sessions)),
        streams_(std::move(streams)),
        resume_(resume),
        modern_(dispatcher_, sessions_, streams_) {}

  boost::asio::awaitable<void> post(const transport::HttpRequest& request, transport::HttpResponse& response,
                                    CallerPtr caller);
  /// The stream for what the server has to say by itself, or one that its client has lost.
  void open_stream(const transport::HttpRequest& request, transport::HttpResponse& response, const CallerPtr& caller);
  void end_session(const transport::HttpRequest& request, transport::HttpResponse& response, const CallerPtr& caller);

 private:
  using Parsed = std::variant<Message, Batch, RpcError>;
  /// Anything but `initialize` and errors.
  boost::asio::awaitable<void> answer(Parsed parsed, RequestContext context, const transport::HttpRequest& request,
                                      transport::HttpResponse& response);
  /// The same once it is known what the session's client had said before the session was recovered, or after a second.
  boost::asio::awaitable<void> answer_recalled(Parsed parsed, RequestContext context,
                                               const transport::HttpRequest& request,
                                               transport::HttpResponse& response);
  void initialize(const Message& message, const transport::HttpRequest& request, transport::HttpResponse& response,
                  const Caller& caller);
  void open_session_stream(const SessionPtr& session, const std::optional<EventTokens::Place>& place,
                           transport::HttpResponse& response, const Caller& caller);

  Dispatcher& dispatcher_;
  const std::shared_ptr<SessionTable> sessions_;
  const std::shared_ptr<StreamTable> streams_;
  StreamResume& resume_;
  ModernHttp modern_;  ///< for POSTs of the other era
};

}  // namespace toolhost::protocol
