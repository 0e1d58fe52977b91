#include "transport/response_head.hpp"

#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>

#include "base/json_writer.hpp"
#include "transport/http.hpp"

namespace toolhost::transport {
namespace {

/// RFC 9110, section 15: the phrase is for people; any status may go without.
std::string_view reason_phrase(unsigned status) noexcept {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    default:
      return "";
  }
}

template <class Number>
void append_number(std::string& out, Number number) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

}  // namespace

std::string error_body(const Refusal& refusal) {
  std::string body;
  JsonWriter(body).begin_object().member("error", refusal.error).member("message", refusal.message).end_object();
  return body;
}

std::string last_answer(const Refusal& refusal, std::string_view fields) {
  const std::string body = error_body(refusal);
  ResponseHead head;
  head.status = refusal.status;
  head.content_type = "application/json";
  head.content_length = body.size();
  head.fields = fields;
  head.connection = ResponseHead::Connection::kClose;
  std::string answer;
  append_head(answer, head);
  return answer + body;
}

void append_head(std::string& out, const ResponseHead& head) {
  out += "HTTP/1.1 ";
  append_number(out, head.status);
  out += ' ';
  out += reason_phrase(head.status);
  out += "\r\n";
  if (!head.content_type.empty()) {
    out += "Content-Type: ";
    out += head.content_type;
    out += "\r\n";
  }
  if (head.content_length) {
    out += "Content-Length: ";
    append_number(out, *head.content_length);
    out += "\r\n";
  }
  if (head.chunked) out += "Transfer-Encoding: chunked\r\n";
  out += head.date_field;
  out += head.fields;
  out += head.more_fields;
  switch (head.connection) {
    case ResponseHead::Connection::kDefault:
      break;
    case ResponseHead::Connection::kKeepAlive:
      out += "Connection: keep-alive\r\n";
      break;
    case ResponseHead::Connection::kClose:
      out += "Connection: close\r\n";
      break;
  }
  out += "\r\n";
}

std::string date_field(std::int64_t unix_seconds) {
  // The names are fixed by RFC 9110 whatever the process locale is, so strftime cannot write them.
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t time = unix_seconds;
  std::tm utc{};
  gmtime_r(&time, &utc);
  std::array<char, 64> text;
  const int length =
      std::snprintf(text.data(), text.size(), "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", kDays[utc.tm_wday],
                    utc.tm_mday, kMonths[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
  return {text.data(), static_cast<std::size_t>(length)};
}

bool is_header_value(std::string_view text) noexcept {
  // RFC 9110, 5.5: visible ASCII, obs-text, SP and HTAB; everything else could end the field or the head.
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t') || byte == 0x7F) return false;
  }
  return true;
}

}  // namespace toolhost::transport
