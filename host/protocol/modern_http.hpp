#pragma once
#include <memory>

#include <boost/asio/awaitable.hpp>

#include "base/caller.hpp"
#include "protocol/dispatcher.hpp"
#include "protocol/envelope.hpp"
#include "protocol/session.hpp"
#include "protocol/stream_table.hpp"
#include "transport/http.hpp"

namespace toolhost::protocol {

/// Streamable HTTP of 2026-07-28: every POST stands by itself, its fields repeat its body, an answer that something
/// precedes is a stream, and a client that leaves has cancelled. References given to the constructor outlive it.
class ModernHttp {
 public:
  ModernHttp(Dispatcher& dispatcher, std::shared_ptr<SessionTable> sessions, std::shared_ptr<StreamTable> streams)
      : dispatcher_(dispatcher), sessions_(std::move(sessions)), streams_(std::move(streams)) {}

  /// `message` is a request or a notification with this envelope, as route() found it. The caller has been
  /// authenticated.
  boost::asio::awaitable<void> post(Message message, const Envelope& envelope, const transport::HttpRequest& request,
                                    transport::HttpResponse& response, CallerPtr caller);

 private:
  Dispatcher& dispatcher_;
  const std::shared_ptr<SessionTable> sessions_;
  const std::shared_ptr<StreamTable> streams_;
};

}  // namespace toolhost::protocol
