#include "transport/https_client.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <future>
#include <mutex>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "base/cut.hpp"
#include "base/deadline.hpp"
#include "base/lower.hpp"
#include "transport/http.hpp"
#include "transport/tls_client.hpp"

namespace toolhost::transport {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using Addresses = std::vector<asio::ip::address>;

constexpr std::uint32_t kMostHeaderBytes = 16 * 1024;
constexpr std::size_t kMostLookups = 8;  // that nobody waits for any more
constexpr std::size_t kMostAddresses = 8;

Error unavailable(const Url& url, std::string why, std::string detail = {}) {
  return {Errc::kUnavailable, url.authority() + " " + std::move(why), std::move(detail)};
}

Error too_slow(const Url& url) {
  return unavailable(url, "did not answer in time");
}

// --- Names ---

struct Lookup {
  Addresses addresses;
  error_code error;
};

Lookup look_up(const std::string& host) {
  asio::io_context io;
  Lookup found;
  const auto results = tcp::resolver(io).resolve(host, "", found.error);
  for (const auto& result : results) {
    if (found.addresses.size() < kMostAddresses) found.addresses.push_back(result.endpoint().address());
  }
  return found;
}

/// A wait looks up that often whether it has been stopped.
Deadline::Clock::time_point end_of_slice(Deadline limit) {
  return std::min(limit.at(), Deadline::Clock::now() + std::chrono::milliseconds(100));
}

/// Looks names up with a limit. getaddrinfo() has none, and nothing ends it: a lookup that takes longer goes on beside
/// us and is joined later. Any thread.
class Names {
 public:
  Result<Addresses> resolve(const Url& url, Deadline deadline, const std::atomic<bool>& is_stopped) {
    error_code is_name;
    if (const auto address = asio::ip::make_address(url.host, is_name); !is_name) return Addresses{address};
    if (has_too_many()) return unavailable(url, "is a name that nobody answers for in time");

    auto lookup = std::async(std::launch::async, [host = url.host] { return look_up(host); });
    auto status = std::future_status::timeout;
    while (status != std::future_status::ready && !deadline.has_passed() && !is_stopped)
      status = lookup.wait_until(end_of_slice(deadline));
    if (status != std::future_status::ready) {
      const std::scoped_lock lock(mutex_);
      abandoned_.push_back(std::move(lookup));
      return unavailable(url, "is a name that nobody answers for in time");
    }
    Lookup found = lookup.get();
    if (found.error || found.addresses.empty())
      return unavailable(url, "is a name that has no address", found.error.message());
    return std::move(found.addresses);
  }

 private:
  bool has_too_many() {
    const std::scoped_lock lock(mutex_);
    std::erase_if(abandoned_, [](std::future<Lookup>& lookup) {
      return lookup.wait_for(std::chrono::seconds::zero()) == std::future_status::ready;
    });
    return abandoned_.size() >= kMostLookups;
  }

  std::mutex mutex_;
  std::vector<std::future<Lookup>> abandoned_;
};

// --- One request ---

/// One connection, with the io_context that its steps run on, one at a time.
class OneRequest {
 public:
  OneRequest(const Url& url, asio::ssl::context& tls, Deadline deadline, const std::atomic<bool>& is_stopped)
      : url_(url), deadline_(deadline), is_stopped_(is_stopped), stream_(io_, tls) {}

  Result<> open(const Addresses& addresses) {
    Error last = unavailable(url_, "cannot be reached");
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      // A machine without IPv6 must not spend everything on the address that it cannot reach.
      const auto share = deadline_.left() / static_cast<long>(addresses.size() - i);
      const error_code ec = connect(addresses[i], Deadline::after(share));
      if (!ec) return url_.is_https ? shake_hands() : Result<>{};
      last = ec == asio::error::timed_out ? too_slow(url_) : unavailable(url_, "cannot be reached", ec.message());
    }
    return last;
  }

  Result<HttpsAnswer> ask(const http::request<http::string_body>& request, std::size_t max_body) {
    return url_.is_https ? ask_on(stream_, request, max_body) : ask_on(stream_.next_layer(), request, max_body);
  }

 private:
  /// Starts a step and waits for its end; timed_out when the limit comes first, and the connection is closed then.
  template <class Start>
  error_code run(Deadline limit, Start&& start) {
    error_code result = asio::error::would_block;
    std::forward<Start>(start)([&result](const error_code& ec, auto&&...) { result = ec; });
    io_.restart();
    while (!io_.stopped() && !limit.has_passed() && !is_stopped_) io_.run_until(end_of_slice(limit));
    if (io_.stopped()) return result;
    error_code ignored;
    stream_.next_layer().close(ignored);
    io_.run();  // the step ends with operation_aborted
    return asio::error::timed_out;
  }

  error_code connect(const asio::ip::address& address, Deadline limit) {
    if (!url_.is_https && !address.is_loopback()) return asio::error::access_denied;
    auto& socket = stream_.next_layer();
    error_code ec;
    socket.close(ec);
    return run(limit, [&](auto done) { socket.async_connect({address, url_.port}, std::move(done)); });
  }

  Result<> shake_hands() {
    SSL* const tls = stream_.native_handle();
    if (!expect_host(tls, url_)) return unavailable(url_, "is no name that TLS can check");
    const error_code ec = run(deadline_, [&](auto done) { stream_.async_handshake(stream_.client, std::move(done)); });
    if (!ec) return {};
    if (ec == asio::error::timed_out) return too_slow(url_);
    if (auto problem = certificate_problem(tls); !problem.empty())
      return unavailable(url_, std::move(problem), ec.message());
    return unavailable(url_, "does not speak TLS with us", ec.message());
  }

  template <class Stream>
  Result<HttpsAnswer> ask_on(Stream& stream, const http::request<http::string_body>& request, std::size_t max_body) {
    error_code ec = run(deadline_, [&](auto done) { http::async_write(stream, request, std::move(done)); });
    if (ec) return broken(ec);
    http::response_parser<http::string_body> parser;
    parser.body_limit(max_body);
    parser.header_limit(kMostHeaderBytes);
    boost::beast::flat_buffer buffer(kMostHeaderBytes + max_body);
    ec = run(deadline_, [&](auto done) { http::async_read(stream, buffer, parser, std::move(done)); });
    if (ec) return broken(ec);
    return answer_of(parser.release());
  }

  static HttpsAnswer answer_of(http::response<http::string_body>&& response) {
    return {.status = response.result_int(),
            .body = std::move(response.body()),
            .content_type = response[http::field::content_type],
            .max_age = freshness_of(response[http::field::cache_control], response[http::field::age])};
  }

  [[nodiscard]] Error broken(const error_code& ec) const {
    if (ec == asio::error::timed_out) return too_slow(url_);
    if (ec == http::error::body_limit || ec == http::error::header_limit || ec == http::error::buffer_overflow)
      return unavailable(url_, "sent more than is taken", ec.message());
    if (ec == http::error::end_of_stream || ec == http::error::partial_message ||
        ec == asio::ssl::error::stream_truncated)
      return unavailable(url_, "ended the connection before its answer", ec.message());
    if (ec.category() == http::make_error_code(http::error::bad_version).category())
      return unavailable(url_, "sent something that is no HTTP answer", ec.message());
    return unavailable(url_, "broke the connection", ec.message());
  }

  const Url& url_;
  const Deadline deadline_;
  const std::atomic<bool>& is_stopped_;
  asio::io_context io_{1};
  asio::ssl::stream<tcp::socket> stream_;
};

http::request<http::string_body> request_for(const Url& url, http::verb verb, const HttpsClient::Headers& headers) {
  http::request<http::string_body> request(verb, url.target, 11);
  request.set(http::field::host, url.authority());
  request.set(http::field::user_agent, "toolhost");
  request.set(http::field::accept, "application/json");
  request.set(http::field::connection, "close");
  for (const auto& [name, value] : headers) request.set(name, value);
  return request;
}

class HttpsClientImpl final : public HttpsClient {
 public:
  explicit HttpsClientImpl(HttpsClientConfig config) : config_(std::move(config)) {}

  Result<> trust() { return transport::trust(tls_.native_handle(), config_.ca_file); }

  Result<HttpsAnswer> get(std::string_view url, const Headers& headers) override {
    const auto parsed = checked(url, headers);
    if (!parsed) return parsed.error();
    return send(*parsed, request_for(*parsed, http::verb::get, headers));
  }

  Result<HttpsAnswer> post_form(std::string_view url, const FormFields& fields, const Headers& headers) override {
    return post(url, "application/x-www-form-urlencoded", form_encoded(fields), headers);
  }

  Result<HttpsAnswer> post(std::string_view url, std::string_view content_type, std::string body,
                           const Headers& headers) override {
    const auto parsed = checked(url, headers);
    if (!parsed) return parsed.error();
    auto request = request_for(*parsed, http::verb::post, headers);
    request.set(http::field::content_type, content_type);
    request.body() = std::move(body);
    request.prepare_payload();
    return send(*parsed, request);
  }

  void stop() override { is_stopped_ = true; }

 private:
  [[nodiscard]] Result<Url> checked(std::string_view text, const Headers& headers) const {
    if (!std::ranges::all_of(headers, [](const auto& field) { return is_header_value(field.second); }))
      return Error{Errc::kInvalidArgument, "a header field holds control characters"};
    auto url = parse_url(text);
    if (!url || url->is_https || (config_.allow_plain_loopback && url->is_loopback())) return url;
    return Error{Errc::kInvalidArgument, url->origin() + " is not https"};
  }

  Result<HttpsAnswer> send(const Url& url, const http::request<http::string_body>& request) {
    const Deadline deadline = Deadline::after(config_.limit);
    const auto addresses = names_.resolve(url, deadline, is_stopped_);
    if (!addresses) return addresses.error();
    OneRequest connection(url, tls_, deadline, is_stopped_);
    if (auto opened = connection.open(*addresses); !opened) return opened.error();
    return connection.ask(request, config_.max_body);
  }

  const HttpsClientConfig config_;
  asio::ssl::context tls_{asio::ssl::context::tls_client};
  Names names_;
  std::atomic<bool> is_stopped_ = false;
};

std::optional<std::int64_t> seconds_in(std::string_view digits) {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
  constexpr std::int64_t kMost = std::int64_t{1} << 31;  // RFC 9111 section 1.2.2
  if (end != digits.data() + digits.size() || digits.empty() || digits.front() == '-') return std::nullopt;
  return error == std::errc::result_out_of_range ? kMost : std::min(seconds, kMost);
}

}  // namespace

Result<std::unique_ptr<HttpsClient>> HttpsClient::create(HttpsClientConfig config) {
  auto client = std::make_unique<HttpsClientImpl>(std::move(config));
  if (auto trusted = client->trust(); !trusted) return trusted.error();
  return std::unique_ptr<HttpsClient>(std::move(client));
}

std::optional<std::chrono::seconds> freshness_of(std::string_view cache_control, std::string_view age) {
  std::optional<std::int64_t> seconds;
  while (!cache_control.empty()) {
    const std::string directive = lower(trimmed(take_until(cache_control, ',')));
    if (directive == "no-store" || directive == "no-cache") return std::chrono::seconds::zero();
    if (directive.starts_with("max-age=") && !seconds) seconds = seconds_in(std::string_view(directive).substr(8));
  }
  if (!seconds) return std::nullopt;
  return std::chrono::seconds(std::max<std::int64_t>(0, *seconds - seconds_in(trimmed(age)).value_or(0)));
}

}  // namespace toolhost::transport
