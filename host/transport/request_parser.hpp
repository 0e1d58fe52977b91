#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <boost/beast/http/basic_parser.hpp>

#include "transport/http.hpp"
#include "transport/read_buffer.hpp"
#include "transport/response_head.hpp"
#include "transport/trusted_proxies.hpp"

namespace toolhost::transport {

/// One HTTP/1.x request, found in the bytes of a connection (RFC 9112). Grammar and chunked coding are Beast's; what
/// makes a request ambiguous between two readers (both lengths, folded lines, a field sent twice) is refused here. No
/// I/O; one object for one request.
class RequestParser final : private boost::beast::http::basic_parser<true> {
 public:
  enum class Progress {
    kHead,  ///< the head is not complete yet
    kBody,  ///< the head is complete, the body is not
    kComplete,
    kRefused,  ///< refusal() says why; the connection cannot be used again
  };

  RequestParser(std::size_t max_head_bytes, std::size_t max_body_bytes);

  /// Goes as far as the bytes allow. `buffer` starts with this request and may hold more behind it; the bytes of a
  /// chunked body are moved together in place.
  Progress feed(ReadBuffer& buffer);

  [[nodiscard]] const Refusal& refusal() const noexcept { return *refusal_; }
  /// Bytes still missing of a body with a known length, else 0.
  [[nodiscard]] std::size_t missing_bytes(const ReadBuffer& buffer) const noexcept;
  /// Bytes of `buffer` that a complete request takes.
  [[nodiscard]] std::size_t size() const noexcept { return head_bytes_ + body_bytes_; }

  /// The request as views into `buffer` and this object: fields from the end of the head on, the body from kComplete
  /// on. Of a refused request, what came before its fault.
  [[nodiscard]] HttpRequest request(const ReadBuffer& buffer, std::string_view remote_address) const;

  // From the end of the head on:
  /// What proxies say of the client; whether they are believed is not decided here.
  [[nodiscard]] ForwardedFields forwarded(const ReadBuffer& buffer) const noexcept;
  /// What a preflight asks for.
  [[nodiscard]] std::string_view requested_headers(const ReadBuffer& buffer) const noexcept;
  [[nodiscard]] bool is_http_1_1() const noexcept { return version_ == 11; }
  [[nodiscard]] bool expects_continue() const noexcept { return expects_continue_; }
  [[nodiscard]] bool keeps_alive() const noexcept { return keeps_alive_; }

 private:
  enum Field : std::uint8_t {
    kAccept,
    kContentType,
    kAuthorization,
    kApiKey,
    kOrigin,
    kHost,
    kSessionId,
    kProtocolVersion,
    kMcpMethod,
    kMcpName,
    kLastEventId,
    kTraceparent,
    kCookie,
    kUserAgent,
    kFetchSite,
    kRequestedHeaders,
    kForwardedFor,
    kForwardedProto,
    kForwardedHost,
    kExpect,
    kContentLength,
    kTransferEncoding,
    kFieldCount,
    kOtherField = kFieldCount
  };
  struct Slice {
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
    bool is_present = false;
  };

  using string_view = boost::beast::string_view;
  using error_code = boost::beast::error_code;

  void on_request_impl(boost::beast::http::verb verb, string_view method, string_view target, int version,
                       error_code& ec) override;
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(boost::beast::http::field id, string_view name, string_view value, error_code& ec) override;
  void on_header_impl(error_code& ec) override;
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(string_view, error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t size, string_view extensions, error_code& ec) override;
  std::size_t on_chunk_body_impl(std::uint64_t remain, string_view data, error_code& ec) override;
  void on_finish_impl(error_code&) override {}

  static Field identify(boost::beast::http::field id, std::string_view name) noexcept;
  Progress parse_head(ReadBuffer& buffer);
  Progress parse_chunks(ReadBuffer& buffer);
  Progress refuse(const Refusal& refusal) noexcept;
  void refuse(const Refusal& refusal, error_code& ec) noexcept;
  void add_param(std::string_view name, std::string_view value, error_code& ec);
  std::string* list_of(Field field) noexcept;
  [[nodiscard]] Slice slice_of(std::string_view text) const noexcept;
  [[nodiscard]] std::string_view text_of(Slice slice) const noexcept { return {base_ + slice.offset, slice.length}; }

  const std::size_t max_head_bytes_;
  const std::size_t max_body_bytes_;
  char* base_ = nullptr;       ///< start of the request during feed()
  std::size_t available_ = 0;  ///< bytes at base_ while the head is parsed
  std::size_t scanned_ = 0;    ///< bytes of the head without its end, seen so far
  std::size_t parsed_ = 0;     ///< bytes that Beast's parser has taken
  std::size_t framing_ = 0;    ///< of a chunked body: those of them behind the latest data, up to framing_begin_
  const char* framing_begin_ = nullptr;
  std::size_t head_bytes_ = 0;  ///< 0 until the head is complete
  std::size_t body_bytes_ = 0;  ///< length when known, else what the chunks brought so far
  const Refusal* refusal_ = nullptr;
  Method method_ = Method::kOther;
  int version_ = 11;
  bool is_chunked_ = false, expects_continue_ = false, keeps_alive_ = false;
  Slice path_, query_, target_authority_;
  std::array<Slice, kFieldCount> fields_{};
  std::string joined_accept_;     ///< when Accept came in several lines
  std::string joined_forwarded_;  ///< likewise X-Forwarded-For
  std::string joined_method_;     ///< likewise Mcp-Method, so that it names no method
  std::string joined_name_;       ///< likewise Mcp-Name
  struct Param {
    Slice name, value;
  };
  std::vector<Param> params_;
  mutable std::vector<NamedText> param_views_;  ///< of the last request()
};

}  // namespace toolhost::transport
