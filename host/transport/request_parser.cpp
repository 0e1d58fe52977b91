#include "transport/request_parser.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstring>
#include <functional>

#include <boost/beast/http/error.hpp>

namespace toolhost::transport {
namespace {

namespace http = boost::beast::http;

constexpr Refusal kMalformed{400, "bad_request",
                             "The request is not valid HTTP/1.1 (RFC 9112). Check the request line, the header fields "
                             "and that every line ends with CRLF.",
                             "malformed"};
constexpr Refusal kFolded{400, "bad_request", "A header field is folded over several lines. Send it on one line.",
                          "malformed"};
constexpr Refusal kRepeated{400, "bad_request",
                            "A header field that may appear only once was sent twice. Send it once.", "malformed"};
constexpr Refusal kBothLengths{
    400, "bad_request", "The request has both Content-Length and Transfer-Encoding. Send one of them.", "malformed"};
constexpr Refusal kBadLength{400, "bad_request", "Content-Length is not a number of bytes.", "malformed"};
constexpr Refusal kBadChunk{400, "bad_request", "The chunked body is malformed.", "malformed"};
constexpr Refusal kNoHost{400, "bad_request", "HTTP/1.1 requests need a Host header field.", "malformed"};
constexpr Refusal kBadTarget{400, "bad_request", "The request target must be a path such as /mcp.", "malformed"};
constexpr Refusal kCoding{501, "unsupported_transfer_encoding", "The only supported Transfer-Encoding is chunked.",
                          "malformed"};
constexpr Refusal kExpectation{417, "expectation_failed", "The only supported Expect value is 100-continue.",
                               "malformed"};
constexpr Refusal kHeadTooLarge{431, "header_too_large",
                                "The request head is larger than this server accepts. Send fewer or shorter "
                                "header fields.",
                                "too_large"};
constexpr Refusal kTooManyParams{431, "header_too_large", "The request has more than 32 Mcp-Param fields. Send fewer.",
                                 "too_large"};
constexpr Refusal kBodyTooLarge{
    413, "body_too_large", "The request body is larger than this server accepts. Send a smaller message.", "too_large"};

constexpr std::string_view kParamPrefix = "mcp-param-";
constexpr std::size_t kMostParams = 32;

std::string_view std_view(boost::beast::string_view text) noexcept {
  return {text.data(), text.size()};
}

bool equals(std::string_view text, std::string_view lower_case) noexcept {
  return std::ranges::equal(text, lower_case, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + ('a' - 'A')) : a) == b;
  });
}

/// RFC 9110, 5.6.2: what a token, and so a method, may start with.
bool is_method_char(char c) noexcept {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_inside(std::string_view text, std::string_view whole) noexcept {
  const std::less_equal<> le;
  return le(whole.data(), text.data()) && le(text.data() + text.size(), whole.data() + whole.size());
}

/// RFC 9110, 5.3: several lines of a list are one list.
void join(std::string& joined, std::string_view first, std::string_view more) {
  if (joined.empty()) joined = first;
  joined.append(", ").append(more);
}

Method method_of(http::verb verb) noexcept {
  switch (verb) {
    case http::verb::get:
      return Method::kGet;
    case http::verb::head:
      return Method::kHead;
    case http::verb::post:
      return Method::kPost;
    case http::verb::delete_:
      return Method::kDelete;
    case http::verb::options:
      return Method::kOptions;
    default:
      return Method::kOther;
  }
}

}  // namespace

RequestParser::RequestParser(std::size_t max_head_bytes, std::size_t max_body_bytes)
    : max_head_bytes_(max_head_bytes), max_body_bytes_(max_body_bytes) {
  header_limit(static_cast<std::uint32_t>(max_head_bytes));
  body_limit(boost::none);  // checked here, where the answer is chosen
}

RequestParser::Progress RequestParser::refuse(const Refusal& refusal) noexcept {
  refusal_ = &refusal;
  return Progress::kRefused;
}

void RequestParser::refuse(const Refusal& refusal, error_code& ec) noexcept {
  refusal_ = &refusal;
  ec = http::error::bad_field;
}

RequestParser::Progress RequestParser::feed(ReadBuffer& buffer) {
  if (refusal_) return Progress::kRefused;
  if (head_bytes_ == 0) {
    const Progress progress = parse_head(buffer);
    if (progress != Progress::kBody) return progress;
  }
  if (is_chunked_) return parse_chunks(buffer);
  return buffer.size() >= size() ? Progress::kComplete : Progress::kBody;
}

RequestParser::Progress RequestParser::parse_head(ReadBuffer& buffer) {
  if (scanned_ == 0) {
    // RFC 9112, 2.2: an empty line in front of the request line is to be ignored.
    while (buffer.size() >= 2 && std::memcmp(buffer.data(), "\r\n", 2) == 0) buffer.consume(2, max_head_bytes_);
    if (buffer.empty() || (buffer.size() == 1 && *buffer.data() == '\r')) return Progress::kHead;
    // What is no HTTP at all (TLS, JSON) is told so at once; it might never send an empty line.
    if (!is_method_char(*buffer.data())) return refuse(kMalformed);
  }
  base_ = buffer.data();
  available_ = buffer.size();
  // Beast sees the head in one piece: its views are then good for the whole of it, and a bare LF, which it would wait
  // behind for ever when the bytes come one by one, is refused as soon as it is seen.
  std::size_t end = 0;
  while (end == 0) {
    const void* found = std::memchr(base_ + scanned_, '\n', available_ - scanned_);
    if (!found) break;
    const auto at = static_cast<std::size_t>(static_cast<const char*>(found) - base_);
    if (at == 0 || base_[at - 1] != '\r') return refuse(kMalformed);
    if (at >= 3 && base_[at - 2] == '\n') end = at + 1;
    scanned_ = at + 1;
  }
  if (end == 0) {
    scanned_ = available_;
    return available_ >= max_head_bytes_ ? refuse(kHeadTooLarge) : Progress::kHead;
  }
  if (end > max_head_bytes_) return refuse(kHeadTooLarge);
  error_code ec;
  parsed_ = put({base_, end}, ec);
  if (refusal_) return Progress::kRefused;
  if (ec == http::error::bad_content_length || ec == http::error::multiple_content_length) return refuse(kBadLength);
  if (ec || parsed_ != end) return refuse(kMalformed);
  head_bytes_ = parsed_;
  return Progress::kBody;
}

RequestParser::Progress RequestParser::parse_chunks(ReadBuffer& buffer) {
  // The rest of a chunked body is at least "0\r\n\r\n"; with less in hand Beast's parser has nothing to decide.
  constexpr std::size_t kShortestRest = 5;
  base_ = buffer.data();
  error_code ec;
  while (!ec && !is_done() && buffer.size() - parsed_ >= kShortestRest) {
    framing_begin_ = base_ + parsed_;
    parsed_ += put({framing_begin_, buffer.size() - parsed_}, ec);
    framing_ += static_cast<std::size_t>(base_ + parsed_ - framing_begin_);
  }
  // on_chunk_body_impl has moved the data to the front; the framing between it and the unread rest goes.
  buffer.erase(size(), parsed_);
  parsed_ = size();
  if (refusal_) return Progress::kRefused;
  if (ec && ec != http::error::need_more) return refuse(kBadChunk);
  // A chunk header or a trailer has to end somewhere, in however many pieces it comes.
  const std::size_t rest = ec == http::error::need_more ? buffer.size() - parsed_ : 0;
  if (framing_ + rest > max_head_bytes_) return refuse(kHeadTooLarge);
  return is_done() ? Progress::kComplete : Progress::kBody;
}

std::size_t RequestParser::missing_bytes(const ReadBuffer& buffer) const noexcept {
  if (head_bytes_ == 0 || is_chunked_ || buffer.size() >= size()) return 0;
  return size() - buffer.size();
}

HttpRequest RequestParser::request(const ReadBuffer& buffer, std::string_view remote_address) const {
  const auto view = [&](Slice slice) { return std::string_view(buffer.data() + slice.offset, slice.length); };
  HttpRequest request;
  request.method = method_;
  request.path = path_.length == 0 ? std::string_view("/") : view(path_);
  request.query = view(query_);
  request.body = {buffer.data() + head_bytes_, std::min(body_bytes_, buffer.size() - head_bytes_)};
  request.remote_address = remote_address;
  request.accept = joined_accept_.empty() ? view(fields_[kAccept]) : std::string_view(joined_accept_);
  request.content_type = view(fields_[kContentType]);
  request.authorization = view(fields_[kAuthorization]);
  request.x_api_key = view(fields_[kApiKey]);
  request.origin = view(fields_[kOrigin]);
  // RFC 9112, 3.2.2: the authority of an absolute target stands above Host.
  request.host = view(target_authority_.is_present ? target_authority_ : fields_[kHost]);
  request.cookie = view(fields_[kCookie]);
  request.user_agent = view(fields_[kUserAgent]);
  request.sec_fetch_site = view(fields_[kFetchSite]);
  request.mcp_session_id = view(fields_[kSessionId]);
  request.mcp_protocol_version = view(fields_[kProtocolVersion]);
  request.mcp_method = joined_method_.empty() ? view(fields_[kMcpMethod]) : std::string_view(joined_method_);
  request.mcp_name = joined_name_.empty() ? view(fields_[kMcpName]) : std::string_view(joined_name_);
  request.last_event_id = view(fields_[kLastEventId]);
  request.traceparent = view(fields_[kTraceparent]);
  request.has_mcp_session_id = fields_[kSessionId].is_present;
  if (!params_.empty()) {
    param_views_.clear();
    for (const Param& param : params_) param_views_.push_back({view(param.name), view(param.value)});
    request.params = param_views_;
  }
  return request;
}

std::string_view RequestParser::requested_headers(const ReadBuffer& buffer) const noexcept {
  const Slice slice = fields_[kRequestedHeaders];
  return {buffer.data() + slice.offset, slice.length};
}

ForwardedFields RequestParser::forwarded(const ReadBuffer& buffer) const noexcept {
  const auto view = [&](Slice slice) { return std::string_view(buffer.data() + slice.offset, slice.length); };
  return {
      .for_addresses = joined_forwarded_.empty() ? view(fields_[kForwardedFor]) : std::string_view(joined_forwarded_),
      .proto = view(fields_[kForwardedProto]),
      .host = view(fields_[kForwardedHost])};
}

RequestParser::Slice RequestParser::slice_of(std::string_view text) const noexcept {
  return {static_cast<std::uint32_t>(text.data() - base_), static_cast<std::uint32_t>(text.size()), true};
}

void RequestParser::on_request_impl(http::verb verb, string_view, string_view target, int version, error_code& ec) {
  method_ = method_of(verb);
  version_ = version;
  std::string_view rest = std_view(target);
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!rest.starts_with(scheme)) continue;
    rest.remove_prefix(scheme.size());
    const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
    if (authority.empty()) return refuse(kBadTarget, ec);
    target_authority_ = slice_of(authority);
    rest.remove_prefix(authority.size());
    break;
  }
  const bool is_asterisk = rest == "*" && method_ == Method::kOptions;
  if (!target_authority_.is_present && !is_asterisk && !rest.starts_with('/')) return refuse(kBadTarget, ec);
  const std::size_t question = rest.find('?');
  path_ = slice_of(rest.substr(0, question));
  if (question != std::string_view::npos) query_ = slice_of(rest.substr(question + 1));
}

RequestParser::Field RequestParser::identify(http::field id, std::string_view name) noexcept {
  switch (id) {
    case http::field::accept:
      return kAccept;
    case http::field::content_type:
      return kContentType;
    case http::field::authorization:
      return kAuthorization;
    case http::field::origin:
      return kOrigin;
    case http::field::host:
      return kHost;
    case http::field::cookie:
      return kCookie;
    case http::field::user_agent:
      return kUserAgent;
    case http::field::sec_fetch_site:
      return kFetchSite;
    case http::field::access_control_request_headers:
      return kRequestedHeaders;
    case http::field::expect:
      return kExpect;
    case http::field::content_length:
      return kContentLength;
    case http::field::transfer_encoding:
      return kTransferEncoding;
    case http::field::unknown:
      break;
    default:
      return kOtherField;
  }
  switch (name.size()) {
    case 8:
      return equals(name, "mcp-name") ? kMcpName : kOtherField;
    case 9:
      return equals(name, "x-api-key") ? kApiKey : kOtherField;
    case 10:
      return equals(name, "mcp-method") ? kMcpMethod : kOtherField;
    case 11:
      return equals(name, "traceparent") ? kTraceparent : kOtherField;
    case 13:
      return equals(name, "last-event-id") ? kLastEventId : kOtherField;
    case 14:
      return equals(name, "mcp-session-id") ? kSessionId : kOtherField;
    case 15:
      return equals(name, "x-forwarded-for") ? kForwardedFor : kOtherField;
    case 16:
      return equals(name, "x-forwarded-host") ? kForwardedHost : kOtherField;
    case 17:
      return equals(name, "x-forwarded-proto") ? kForwardedProto : kOtherField;
    case 20:
      return equals(name, "mcp-protocol-version") ? kProtocolVersion : kOtherField;
    default:
      return kOtherField;
  }
}

void RequestParser::on_field_impl(http::field id, string_view name, string_view value, error_code& ec) {
  if (head_bytes_ != 0) return;  // a trailer says nothing that was not decided by the head

  // RFC 9112, 5.2: a server that does not take a folded line answers 400. Beast unfolds into memory of its own, or
  // skips the fold.
  const std::string_view whole(base_, available_);
  const std::string_view text = std_view(value);
  if (!is_inside(text, whole)) return refuse(kFolded, ec);
  const char* const colon = name.data() + name.size();
  if (std::find(colon, text.data(), '\n') != text.data()) return refuse(kFolded, ec);

  const Field field = identify(id, std_view(name));
  if (field == kOtherField) return add_param(std_view(name), text, ec);
  Slice& slot = fields_[field];
  if (slot.is_present) {
    if (std::string* const joined = list_of(field)) return join(*joined, text_of(slot), text);
    // Each proxy on the way may have added its own; the last is the nearest one's.
    const bool may_repeat = field == kForwardedProto || field == kForwardedHost || field == kUserAgent;
    if (!may_repeat) return refuse(kRepeated, ec);
  }
  slot = slice_of(text);
}

void RequestParser::add_param(std::string_view name, std::string_view value, error_code& ec) {
  if (name.size() <= kParamPrefix.size() || !equals(name.substr(0, kParamPrefix.size()), kParamPrefix)) return;
  if (params_.size() == kMostParams) return refuse(kTooManyParams, ec);
  params_.push_back({slice_of(name.substr(kParamPrefix.size())), slice_of(value)});
}

/// Where the lines of a field are joined that may come in several; null: it may not.
std::string* RequestParser::list_of(Field field) noexcept {
  switch (field) {
    case kAccept:
      return &joined_accept_;
    case kForwardedFor:
      return &joined_forwarded_;
    case kMcpMethod:
      return &joined_method_;
    case kMcpName:
      return &joined_name_;
    default:
      return nullptr;
  }
}

void RequestParser::on_header_impl(error_code& ec) {
  keeps_alive_ = keep_alive();
  const Slice& length = fields_[kContentLength];
  const Slice& coding = fields_[kTransferEncoding];
  if (length.is_present && coding.is_present) return refuse(kBothLengths, ec);
  if (version_ == 11 && !fields_[kHost].is_present) return refuse(kNoHost, ec);
  if (coding.is_present) {
    // HTTP/1.0 knows no codings: what the sender means by one is anybody's guess (RFC 9112, 6.1).
    if (version_ != 11) return refuse(kMalformed, ec);
    if (!equals(text_of(coding), "chunked")) return refuse(kCoding, ec);
    is_chunked_ = true;
  }
  if (length.is_present) {
    const std::string_view digits = text_of(length);
    std::uint64_t bytes = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bytes);
    if (error != std::errc() || end != digits.data() + digits.size()) return refuse(kBadLength, ec);
    if (bytes > max_body_bytes_) return refuse(kBodyTooLarge, ec);
    body_bytes_ = static_cast<std::size_t>(bytes);
  }
  if (fields_[kExpect].is_present) {
    if (!equals(text_of(fields_[kExpect]), "100-continue")) return refuse(kExpectation, ec);
    // RFC 9110, 10.1.1: ignored in HTTP/1.0.
    expects_continue_ = version_ == 11;
  }
}

void RequestParser::on_chunk_header_impl(std::uint64_t size, string_view, error_code& ec) {
  if (size > max_body_bytes_ - body_bytes_) refuse(kBodyTooLarge, ec);
}

std::size_t RequestParser::on_chunk_body_impl(std::uint64_t, string_view data, error_code& ec) {
  if (framing_ + static_cast<std::size_t>(data.data() - framing_begin_) > max_head_bytes_) refuse(kHeadTooLarge, ec);
  framing_ = 0;
  framing_begin_ = data.data() + data.size();
  std::memmove(base_ + head_bytes_ + body_bytes_, data.data(), data.size());
  body_bytes_ += data.size();
  return data.size();
}

}  // namespace toolhost::transport
