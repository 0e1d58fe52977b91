#include "transport/response_head.hpp"

#include <gtest/gtest.h>

#include <string>

#include "transport/http.hpp"

namespace toolhost::transport {
namespace {

TEST(ResponseHead, IsWrittenInFullAndEndsWithAnEmptyLine) {
  ResponseHead head;
  head.status = 200;
  head.content_type = "application/json";
  head.content_length = 12;
  head.date_field = "Date: x\r\n";
  head.fields = "Mcp-Session-Id: s\r\n";
  head.connection = ResponseHead::Connection::kClose;
  std::string out;
  append_head(out, head);
  EXPECT_EQ(
      out,
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\nDate: x\r\nMcp-Session-Id: s\r\n"
      "Connection: close\r\n\r\n");
}

TEST(ResponseHead, AStatusWithoutAPhraseKeepsTheSpaceOfTheGrammar) {
  ResponseHead head;
  head.status = 299;
  std::string out;
  append_head(out, head);
  EXPECT_EQ(out, "HTTP/1.1 299 \r\n\r\n");
}

TEST(ResponseHead, DateIsTheFormOfRfc9110) {
  EXPECT_EQ(date_field(784111777), "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
  EXPECT_EQ(date_field(951782400), "Date: Tue, 29 Feb 2000 00:00:00 GMT\r\n");
}

TEST(ErrorBody, IsJsonThatSaysWhatToDo) {
  EXPECT_EQ(error_body({400, "bad_request", "Send \"one\" line.", "malformed"}),
            R"({"error":"bad_request","message":"Send \"one\" line."})");
}

TEST(HeaderValue, RefusesWhatCouldEndAFieldOrTheHead) {
  EXPECT_TRUE(is_header_value("visible text, and\ta tab"));
  EXPECT_TRUE(is_header_value(""));
  EXPECT_TRUE(is_header_value("caf\xC3\xA9"));
  for (const char c : {'\r', '\n', '\0', '\x1B', '\x7F'})
    EXPECT_FALSE(is_header_value(std::string("a") + c + "b")) << int{c};
}

}  // namespace
}  // namespace toolhost::transport
