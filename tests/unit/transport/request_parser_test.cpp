#include "transport/request_parser.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>

namespace toolhost::transport {
namespace {

using Progress = RequestParser::Progress;

constexpr std::size_t kMaxHead = 1024;
constexpr std::size_t kMaxBody = 2000;

void append(ReadBuffer& buffer, std::string_view bytes) {
  std::memcpy(buffer.room(bytes.size()).data(), bytes.data(), bytes.size());
  buffer.commit(bytes.size());
}

/// What became of the bytes, fed in pieces of `step` bytes.
struct Parsed {
  Progress progress = Progress::kHead;
  unsigned status = 0;  ///< of the refusal
  std::string summary;  ///< of the request
  std::size_t left_over = 0;
  bool keeps_alive = false, expects_continue = false;
};

Parsed parse(std::string_view bytes, std::size_t step) {
  ReadBuffer buffer;
  RequestParser parser(kMaxHead, kMaxBody);
  Parsed result;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    append(buffer, bytes.substr(at, step));
    if (result.progress == Progress::kHead || result.progress == Progress::kBody) result.progress = parser.feed(buffer);
  }
  if (result.progress == Progress::kRefused) result.status = parser.refusal().status;
  if (result.progress != Progress::kComplete) return result;
  const HttpRequest request = parser.request(buffer, "peer");
  result.summary = std::to_string(static_cast<int>(request.method)) + "|" + std::string(request.path) + "|" +
                   std::string(request.query) + "|" + std::string(request.host) + "|" + std::string(request.body);
  result.left_over = buffer.size() - parser.size();
  result.keeps_alive = parser.keeps_alive();
  result.expects_continue = parser.expects_continue();
  return result;
}

/// Whole, and split at every byte: both must come to the same.
Parsed parse_both_ways(std::string_view bytes) {
  const Parsed whole = parse(bytes, bytes.size());
  const Parsed split = parse(bytes, 1);
  EXPECT_EQ(whole.progress, split.progress) << bytes;
  EXPECT_EQ(whole.status, split.status) << bytes;
  EXPECT_EQ(whole.summary, split.summary) << bytes;
  EXPECT_EQ(whole.left_over, split.left_over) << bytes;
  return whole;
}

void expect_refused(unsigned status, std::string_view bytes) {
  const Parsed parsed = parse_both_ways(bytes);
  EXPECT_EQ(parsed.progress, Progress::kRefused) << bytes;
  EXPECT_EQ(parsed.status, status) << bytes;
}

TEST(RequestParser, ReadsARequestWithABody) {
  const Parsed parsed =
      parse_both_ways("POST /messages?sessionId=1&x=? HTTP/1.1\r\nHost: h:1\r\nContent-Length: 4\r\n\r\nbody");
  EXPECT_EQ(parsed.progress, Progress::kComplete);
  EXPECT_EQ(parsed.summary, "2|/messages|sessionId=1&x=?|h:1|body");
  EXPECT_TRUE(parsed.keeps_alive);
}

TEST(RequestParser, LeavesThePipelinedRequestInTheBuffer) {
  const std::string_view second = "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n";
  const Parsed parsed = parse_both_ways("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n" + std::string(second));
  EXPECT_EQ(parsed.summary, "0|/1||h|");
  EXPECT_EQ(parsed.left_over, second.size());
}

TEST(RequestParser, FindsTheKnownFieldsWhateverTheirCase) {
  ReadBuffer buffer;
  append(
      buffer,
      "GET / HTTP/1.1\r\nHOST: h\r\nACCEPT: text/html\r\ncontent-TYPE: a/b\r\nAuthorization: Bearer t\r\nx-api-KEY: "
      "k\r\n"
      "Origin: o\r\nMCP-Session-ID: \r\nmcp-protocol-version: v\r\nMcp-Method: m\r\nMcp-Name: n\r\nLast-Event-ID: 7\r\n"
      "Traceparent: 00\r\nX-Other: ignored\r\n\r\n");
  RequestParser parser(kMaxHead, kMaxBody);
  ASSERT_EQ(parser.feed(buffer), Progress::kComplete);
  const HttpRequest request = parser.request(buffer, "peer");
  EXPECT_EQ(request.host, "h");
  EXPECT_EQ(request.accept, "text/html");
  EXPECT_EQ(request.content_type, "a/b");
  EXPECT_EQ(request.authorization, "Bearer t");
  EXPECT_EQ(request.x_api_key, "k");
  EXPECT_EQ(request.origin, "o");
  EXPECT_TRUE(request.has_mcp_session_id);
  EXPECT_EQ(request.mcp_session_id, "");
  EXPECT_EQ(request.mcp_protocol_version, "v");
  EXPECT_EQ(request.mcp_method, "m");
  EXPECT_EQ(request.mcp_name, "n");
  EXPECT_EQ(request.last_event_id, "7");
  EXPECT_EQ(request.traceparent, "00");
  EXPECT_EQ(request.remote_address, "peer");
}

TEST(RequestParser, HandsOverTheFieldsOfArguments) {
  ReadBuffer buffer;
  append(buffer,
         "POST / HTTP/1.1\r\nHost: h\r\nMcp-Param-Region:  eu \r\nMCP-PARAM-region: us\r\nMcp-Param-: x\r\n\r\n");
  RequestParser parser(kMaxHead, kMaxBody);
  ASSERT_EQ(parser.feed(buffer), Progress::kComplete);
  const HttpRequest request = parser.request(buffer, "peer");
  ASSERT_EQ(request.params.size(), 2U) << "both, so that whoever compares them sees that they differ";
  EXPECT_EQ(request.params[0].name, "Region");
  EXPECT_EQ(request.params[0].value, "eu");
  EXPECT_EQ(request.params[1].value, "us");
}

TEST(RequestParser, RefusesMoreArgumentsThanAnybodySends) {
  ReadBuffer buffer;
  std::string head = "POST / HTTP/1.1\r\nHost: h\r\n";
  for (int i = 0; i < 33; ++i) head += "Mcp-Param-a" + std::to_string(i) + ": 1\r\n";
  append(buffer, head + "\r\n");
  RequestParser parser(kMaxHead, kMaxBody);
  ASSERT_EQ(parser.feed(buffer), Progress::kRefused);
  EXPECT_EQ(parser.refusal().status, 431U);
}

TEST(RequestParser, JoinsRoutingFieldsThatCameTwice) {
  ReadBuffer buffer;
  append(buffer, "POST / HTTP/1.1\r\nHost: h\r\nMcp-Method: a\r\nMcp-Method: b\r\nMcp-Name: n\r\nmcp-name: m\r\n\r\n");
  RequestParser parser(kMaxHead, kMaxBody);
  ASSERT_EQ(parser.feed(buffer), Progress::kComplete);
  EXPECT_EQ(parser.request(buffer, "peer").mcp_method, "a, b");
  EXPECT_EQ(parser.request(buffer, "peer").mcp_name, "n, m");
}

TEST(RequestParser, JoinsAcceptLines) {
  ReadBuffer buffer;
  append(buffer, "GET / HTTP/1.1\r\nHost: h\r\nAccept: a/b\r\nX: y\r\nAccept: c/d\r\nAccept: e/f\r\n\r\n");
  RequestParser parser(kMaxHead, kMaxBody);
  ASSERT_EQ(parser.feed(buffer), Progress::kComplete);
  EXPECT_EQ(parser.request(buffer, "").accept, "a/b, c/d, e/f");
}

TEST(RequestParser, FindsWhatProxiesAddOverSeveralLines) {
  ReadBuffer buffer;
  append(
      buffer,
      "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.1.1.1\r\nX-FORWARDED-PROTO: http\r\nX-Forwarded-For: 2.2.2.2\r\n"
      "X-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\nX-Forwarded-Host: b\r\nX-Forwarded-For: 3.3.3.3\r\n\r\n");
  RequestParser parser(kMaxHead, kMaxBody);
  ASSERT_EQ(parser.feed(buffer), Progress::kComplete);
  const ForwardedFields said = parser.forwarded(buffer);
  EXPECT_EQ(said.for_addresses, "1.1.1.1, 2.2.2.2, 3.3.3.3");
  EXPECT_EQ(said.proto, "https");
  EXPECT_EQ(said.host, "b");
  EXPECT_EQ(parser.request(buffer, "peer").host, "h");
}

TEST(RequestParser, FindsWhatBrowsersSend) {
  ReadBuffer buffer;
  append(buffer,
         "GET / HTTP/1.1\r\nHost: h\r\nCookie: a=b; c=d\r\nUser-Agent: x/1\r\nuser-agent: y/2\r\n"
         "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\n\r\n");
  RequestParser parser(kMaxHead, kMaxBody);
  ASSERT_EQ(parser.feed(buffer), Progress::kComplete);
  const HttpRequest request = parser.request(buffer, "peer");
  EXPECT_EQ(request.cookie, "a=b; c=d");
  EXPECT_EQ(request.user_agent, "y/2");
  EXPECT_EQ(request.sec_fetch_site, "same-origin");
  EXPECT_EQ(parser.forwarded(buffer).for_addresses, "");
}

TEST(RequestParser, DecodesChunksInPlace) {
  const Parsed parsed = parse_both_ways(
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "3;name=\"v\"\r\nabc\r\n1\r\nd\r\nA\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\nGET ");
  EXPECT_EQ(parsed.summary, "2|/||h|abcd0123456789");
  EXPECT_EQ(parsed.left_over, 4U);
  EXPECT_EQ(parse_both_ways("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").summary,
            "2|/||h|");
}

TEST(RequestParser, TakesThousandsOfOneByteChunks) {
  std::string bytes = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t i = 0; i < kMaxBody; ++i) bytes += "1\r\nx\r\n";
  const Parsed parsed = parse_both_ways(bytes + "0\r\n\r\n");
  EXPECT_EQ(parsed.summary, "2|/||h|" + std::string(kMaxBody, 'x'));
  expect_refused(413, bytes + "1\r\nx\r\n0\r\n\r\n");
}

TEST(RequestParser, ATrailerDecidesNothing) {
  ReadBuffer buffer;
  append(buffer,
         "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-API-Key: smuggled\r\nHost: "
         "other\r\n\r\n");
  RequestParser parser(kMaxHead, kMaxBody);
  ASSERT_EQ(parser.feed(buffer), Progress::kComplete);
  EXPECT_EQ(parser.request(buffer, "").x_api_key, "");
  EXPECT_EQ(parser.request(buffer, "").host, "h");
}

TEST(RequestParser, RefusesChunkHeadersAndTrailersLongerThanAHead) {
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string fits(kMaxHead - 100, 'x'), too_long(kMaxHead, 'x');
  EXPECT_EQ(parse_both_ways(head + "3\r\nabc\r\n0\r\nTrailer: " + fits + "\r\n\r\n").summary, "2|/||h|abc");
  expect_refused(431, head + "3\r\nabc\r\n0\r\nTrailer: " + too_long + "\r\n\r\n");
  EXPECT_EQ(parse_both_ways(head + "3;e=" + fits + "\r\nabc\r\n3;e=" + fits + "\r\nabc\r\n0\r\n\r\n").summary,
            "2|/||h|abcabc");
  expect_refused(431, head + "3;e=" + too_long + "\r\nabc\r\n0\r\n\r\n");
  expect_refused(431, head + "3\r\nabc\r\n3;e=" + too_long + "\r\nabc\r\n0\r\n\r\n");
}

TEST(RequestParser, RefusesWhatTwoReadersCouldReadDifferently) {
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\n";
  expect_refused(400, head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  expect_refused(400, head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n");
  expect_refused(400, head + "Content-Length: 4\r\nContent-Length: 4\r\n\r\nbody");
  expect_refused(400, head + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody1");
  expect_refused(400, head + "Content-Length: 4, 4\r\n\r\nbody");
  expect_refused(400, head + "Content-Length: +4\r\n\r\nbody");
  expect_refused(400, head + "Content-Length: -4\r\n\r\nbody");
  expect_refused(400, head + "Content-Length: 0x4\r\n\r\nbody");
  expect_refused(400, head + "Content-Length: \r\n\r\n");
  expect_refused(400, head + "Content-Length : 4\r\n\r\nbody");
  expect_refused(501, head + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n");
  expect_refused(501, head + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n");
  expect_refused(501, head + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n");
  expect_refused(400, head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  expect_refused(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
}

TEST(RequestParser, RefusesFoldedLines) {
  expect_refused(400, "GET / HTTP/1.1\r\nHost: h\r\nX-API-Key: a\r\n b\r\n\r\n");
  expect_refused(400, "GET / HTTP/1.1\r\nHost: h\r\nX-API-Key:\r\n b\r\n\r\n");
  expect_refused(400, "GET / HTTP/1.1\r\nHost: h\r\nX-Other: a\r\n\tb\r\n\r\n");
  expect_refused(400, "GET / HTTP/1.1\r\n Host: h\r\n\r\n");
}

TEST(RequestParser, RefusesFieldsThatMayAppearOnlyOnce) {
  for (const std::string field :
       {"Host", "Authorization", "X-API-Key", "Mcp-Session-Id", "Origin", "Content-Type", "MCP-Protocol-Version"}) {
    std::string bytes = "GET / HTTP/1.1\r\nHost: h\r\n" + field + ": a\r\n";
    if (field != "Host") bytes += field + ": a\r\n";
    expect_refused(400, bytes + "\r\n");
  }
}

TEST(RequestParser, RefusesBareLineFeedsAndControlCharacters) {
  expect_refused(400, "GET / HTTP/1.1\nHost: h\n\n");
  expect_refused(400, "GET / HTTP/1.1\r\nHost: h\n\r\n");
  expect_refused(400, "GET / HTTP/1.1\r\nHost: h\r\nX: a\nY: b\r\n\r\n");
  expect_refused(400, "GET / HTTP/1.1\r\nHost: h\rX: a\r\n\r\n");
  expect_refused(400, std::string("GET / HTTP/1.1\r\nHost: h\0\r\n\r\n", 28));
  expect_refused(400, std::string("\x16\x03\x01\x02\x00\x01\x00\x01", 8));
}

TEST(RequestParser, RefusesMalformedStarts) {
  for (const char* bytes :
       {"GET  / HTTP/1.1\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "GET /\r\n\r\n", "GET mcp HTTP/1.1\r\nHost: h\r\n\r\n",
        "CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", "GET http:///x HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: h\r\n\r\n", "{\"jsonrpc\":\"2.0\"}\r\n\r\n", "GET / HTTP/1.1\r\n: x\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n"}) {
    expect_refused(400, bytes);
  }
}

TEST(RequestParser, RefusesBadChunks) {
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* body : {"g\r\nabc\r\n0\r\n\r\n", "3\r\nabcX\r\n0\r\n\r\n", "3\nabc\r\n0\r\n\r\n",
                           "-3\r\nabc\r\n0\r\n\r\n", "11111111111111111\r\nabc\r\n0\r\n\r\n", "3 x\r\nabc\r\n0\r\n\r\n",
                           "0\r\nContent-Length: 5\r\n\r\n", "\r\n3\r\nabc\r\n0\r\n\r\n"}) {
    expect_refused(400, head + body);
  }
}

TEST(RequestParser, BoundsHeadBodyAndChunkFraming) {
  expect_refused(431, "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(kMaxHead, 'x') + "\r\n\r\n");
  expect_refused(431, "GET /" + std::string(2 * kMaxHead, 'x'));
  std::string many = "GET / HTTP/1.1\r\nHost: h\r\n";
  while (many.size() <= kMaxHead) many += "X: y\r\n";
  expect_refused(431, many + "\r\n");
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\n";
  expect_refused(413, head + "Content-Length: " + std::to_string(kMaxBody + 1) + "\r\n\r\n");
  expect_refused(400, head + "Content-Length: 99999999999999999999999\r\n\r\n");
  expect_refused(413, head + "Transfer-Encoding: chunked\r\n\r\nFFFFFF\r\n");
  expect_refused(431, head + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(2 * kMaxHead, 'e'));
  expect_refused(431, head + "Transfer-Encoding: chunked\r\n\r\n0\r\nT: " + std::string(2 * kMaxHead, 't'));
}

TEST(RequestParser, KnowsWhenTheConnectionStaysOpen) {
  EXPECT_TRUE(parse_both_ways("GET / HTTP/1.1\r\nHost: h\r\n\r\n").keeps_alive);
  EXPECT_FALSE(parse_both_ways("GET / HTTP/1.1\r\nHost: h\r\nConnection: foo, Close\r\n\r\n").keeps_alive);
  EXPECT_FALSE(parse_both_ways("GET / HTTP/1.0\r\n\r\n").keeps_alive);
  EXPECT_TRUE(parse_both_ways("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keeps_alive);
}

TEST(RequestParser, UnderstandsExpect) {
  const std::string body = "Content-Length: 1\r\n\r\nx";
  EXPECT_TRUE(parse_both_ways("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\n" + body).expects_continue);
  EXPECT_FALSE(parse_both_ways("POST / HTTP/1.0\r\nExpect: 100-continue\r\n" + body).expects_continue);
  expect_refused(417, "POST / HTTP/1.1\r\nHost: h\r\nExpect: magic\r\n" + body);
}

TEST(RequestParser, TakesAbsoluteTargetsAndEmptyLinesInFront) {
  EXPECT_EQ(parse_both_ways("GET http://a:1/p?q HTTP/1.1\r\nHost: h\r\n\r\n").summary, "0|/p|q|a:1|");
  EXPECT_EQ(parse_both_ways("GET http://a HTTP/1.1\r\nHost: h\r\n\r\n").summary, "0|/||a|");
  EXPECT_EQ(parse_both_ways("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").summary, "4|*||h|");
  EXPECT_EQ(parse_both_ways("\r\n\r\nGET /p HTTP/1.1\r\nHost: h\r\n\r\n").summary, "0|/p||h|");
}

TEST(ReadBuffer, KeepsItsBytesWhenItGrowsAndWhenMiddleBytesGo) {
  ReadBuffer buffer;
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece = std::to_string(i) + ",";
    append(buffer, piece);
    expected += piece;
    if (i % 7 == 6) {
      buffer.consume(3, 0);
      expected.erase(0, 3);
    }
    if (i % 11 == 0 && expected.size() > 9) {
      buffer.erase(4, 9);
      expected.erase(4, 5);
    }
    ASSERT_EQ(std::string_view(buffer.data(), buffer.size()), expected);
  }
  buffer.consume(buffer.size(), 0);
  EXPECT_TRUE(buffer.empty());
}

}  // namespace
}  // namespace toolhost::transport
