// What a connection receives: targets and header fields, chunks, and requests one behind the other.
#include <cstring>
#include <regex>
#include <string>

#include "require.hpp"
#include "transport/origin_policy.hpp"
#include "transport/request_parser.hpp"
#include "transport/trusted_proxies.hpp"
#include "transport/url.hpp"

using namespace toolhost;
using fuzz::require;
using transport::RequestParser;

namespace {

constexpr std::size_t kMaxHead = 2048, kMaxBody = 4096;

/// All that is known of the first request, as one text.
std::string read(std::string_view bytes, std::size_t step) {
  transport::ReadBuffer buffer;
  RequestParser parser(kMaxHead, kMaxBody);
  auto progress = RequestParser::Progress::kHead;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    const auto piece = bytes.substr(at, step);
    std::memcpy(buffer.room(piece.size()).data(), piece.data(), piece.size());
    buffer.commit(piece.size());
    if (progress <= RequestParser::Progress::kBody) progress = parser.feed(buffer);
  }
  std::string all = std::to_string(static_cast<int>(progress));
  if (progress == RequestParser::Progress::kRefused) {
    // Too long and wrong besides: which of the two is seen first depends on where it is cut.
    return bytes.size() > kMaxHead ? all : all + std::to_string(parser.refusal().status);
  }
  if (progress != RequestParser::Progress::kComplete) return all;

  require(parser.size() <= buffer.size(), "a request ends within the bytes that came");
  const auto request = parser.request(buffer, "192.0.2.1");
  require(request.body.size() <= kMaxBody, "a body is no longer than allowed");
  require(request.params.size() <= 32, "there are at most 32 parameters");
  for (const auto part : {request.path, request.query, request.accept, request.content_type, request.authorization,
                          request.x_api_key, request.origin, request.host, request.cookie, request.user_agent,
                          request.mcp_session_id, request.mcp_protocol_version, request.mcp_method, request.mcp_name,
                          request.last_event_id, request.traceparent}) {
    require(transport::is_header_value(part), "no field holds control characters");
    all.append("|").append(part);
  }
  for (const auto& [name, value] : request.params) all.append("|").append(name).append("=").append(value);
  const auto forwarded = parser.forwarded(buffer);
  all.append("|").append(forwarded.for_addresses).append("|").append(forwarded.proto).append("|");
  return all.append(forwarded.host)
      .append("|")
      .append(request.body)
      .append("|")
      .append(bytes.substr(parser.size() <= bytes.size() && request.body.empty() ? parser.size() : bytes.size()));
}

void judge(std::string_view bytes) {
  transport::ReadBuffer buffer;
  RequestParser parser(kMaxHead, kMaxBody);
  std::memcpy(buffer.room(bytes.size() + 1).data(), bytes.data(), bytes.size());
  buffer.commit(bytes.size());
  if (parser.feed(buffer) != RequestParser::Progress::kComplete) return;
  const auto request = parser.request(buffer, "127.0.0.1");
  static const transport::OriginPolicy policy({.allowed_origins = {"https://inspector.example"}});
  const auto* refusal = policy.check(request.origin, request.host);
  static const std::regex ours(R"(https://inspector\.example|https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]*)?)",
                               std::regex::icase);
  const std::string origin(request.origin);
  require(refusal != nullptr || origin.empty() || std::regex_match(origin, ours), "no foreign origin is let in");
  for (const auto& fields : {transport::OriginPolicy::cors_fields(request.origin),
                             transport::OriginPolicy::preflight_fields(parser.requested_headers(buffer))})
    require(fields.find("\r\n\r\n") == std::string::npos, "no field ends the head of an answer");
  static const transport::TrustedProxies proxies({"127.0.0.0/8", "::1"});
  (void)proxies.client("127.0.0.1", parser.forwarded(buffer));
  (void)transport::parse_url(request.host);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = read(bytes, bytes.size() + 1);
  require(whole == read(bytes, 1), "a request is the same however its bytes come");
  require(whole == read(bytes, 7), "a request is the same however its bytes come");
  judge(bytes);
  return 0;
}
