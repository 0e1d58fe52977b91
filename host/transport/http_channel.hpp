#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "base/result.hpp"
#include "transport/url.hpp"

namespace toolhost::transport {

/// Names and values of a request's fields.
using HttpFields = std::vector<std::pair<std::string, std::string>>;

/// What is asked of an HTTP server; a POST's body is JSON.
struct HttpQuestion {
  enum class Method { kGet, kPost, kDelete } method = Method::kGet;
  std::string target;  ///< path and query
  HttpFields fields;   ///< beside those of the channel
  std::string body;
};

/// How its answer begins.
struct HttpHead {
  unsigned status = 0;
  std::string content_type;    ///< lower case, without parameters
  std::string mcp_session_id;  ///< empty when there is none
};

/// One request and its answer, which may be a stream that lasts for hours. On the channel's thread only. Errors:
/// kUnavailable, with a message that names the host and what was wrong with it; kDenied, the same of its certificate;
/// kCancelled behind abort(); kInvalidArgument, and nothing sent: a field with an impossible name, or control
/// characters in its value.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
  /// Sends the request and waits for the head of the answer, without limit once it has been sent. Once. The caller
  /// keeps the exchange alive meanwhile.
  virtual boost::asio::awaitable<Result<HttpHead>> ask(HttpQuestion question) = 0;
  /// The next piece of the body, valid until the next call; empty at its end.
  virtual boost::asio::awaitable<Result<std::string_view>> read() = 0;
  /// The server may have seen the request.
  [[nodiscard]] virtual bool was_sent() const noexcept = 0;
  /// Closes the connection, and ends what waits.
  virtual void abort() noexcept = 0;
};

/// An HTTP/1.1 client of one server: requests side by side, each on a connection of its own, which is used again.
/// Follows no redirects and keeps no cookies. Belongs to one thread.
class HttpChannel {
 public:
  /// kInvalidArgument: a field that is none, or certificates that cannot be read.
  static Result<std::unique_ptr<HttpChannel>> create(boost::asio::io_context& io, const Url& server,
                                                     const HttpFields& fields);
  virtual ~HttpChannel() = default;
  virtual std::shared_ptr<HttpExchange> begin() = 0;
};

}  // namespace toolhost::transport
