#pragma once
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "transport/url.hpp"

namespace toolhost::transport {

struct HttpsClientConfig {
  std::string ca_file;  ///< PEM; whom to trust instead of the system's store
  /// For one request: name, connection, TLS and answer together.
  std::chrono::milliseconds limit{5000};
  std::size_t max_body = std::size_t{256} * 1024;
  bool allow_plain_loopback = false;  ///< http:// to localhost, 127.0.0.1 and ::1, and to nothing else
};

struct HttpsAnswer {
  unsigned status = 0;
  std::string body;
  std::string content_type;  ///< as sent
  /// How long the answer stays fresh: Cache-Control's max-age less Age (RFC 9111 section 4.2); 0 for no-store and
  /// no-cache.
  std::optional<std::chrono::seconds> max_age;
};

/// Asks HTTPS servers; whatever they send is bounded in size and time. TLS 1.2 or later; the certificate must lead to a
/// trusted authority and be for the host of the URL (RFC 9525). A connection for each request, no compression;
/// redirects are answers like others. Blocks the calling thread. Any number of threads at a time.
class HttpsClient {
 public:
  /// Names and values; a value that is no is_header_value() is kInvalidArgument.
  using Headers = std::vector<std::pair<std::string_view, std::string_view>>;

  /// kInvalidArgument when the `ca_file` cannot be used.
  static Result<std::unique_ptr<HttpsClient>> create(HttpsClientConfig config);
  /// Waits for name lookups that nobody waits for any more; the resolver's own limits end them.
  virtual ~HttpsClient() = default;

  /// Requests under way and later ones fail at once. Any thread.
  virtual void stop() = 0;

  /// An answer, whatever its status. kInvalidArgument: the URL. kUnavailable: no answer; the message names the host
  /// and what was wrong with it (name, connection, time, TLS and which of its checks, size, no HTTP).
  [[nodiscard]] virtual Result<HttpsAnswer> get(std::string_view url, const Headers& headers = {}) = 0;
  [[nodiscard]] virtual Result<HttpsAnswer> post_form(std::string_view url, const FormFields& fields,
                                                      const Headers& headers = {}) = 0;
  /// `content_type` is static text.
  [[nodiscard]] virtual Result<HttpsAnswer> post(std::string_view url, std::string_view content_type, std::string body,
                                                 const Headers& headers = {}) = 0;
};

/// The freshness that the values of Cache-Control and Age state, as in HttpsAnswer.
std::optional<std::chrono::seconds> freshness_of(std::string_view cache_control, std::string_view age);

}  // namespace toolhost::transport
