#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace toolhost::transport {

/// Why the connection itself refuses a request, and what the sender should do. All text is static.
struct Refusal {
  unsigned status = 400;
  std::string_view error;    ///< stable word in the JSON body
  std::string_view message;  ///< what to do
  std::string_view reason;   ///< of the event RequestRefused
};

/// {"error":"...","message":"..."}
std::string error_body(const Refusal& refusal);

/// A whole answer behind which the connection ends. `fields`: whole lines, each ended by CRLF.
std::string last_answer(const Refusal& refusal, std::string_view fields);

/// What stands in front of a body.
struct ResponseHead {
  unsigned status = 200;
  std::string_view content_type;                ///< empty: no field
  std::optional<std::uint64_t> content_length;  ///< empty: no field
  bool chunked = false;
  std::string_view date_field;  ///< whole line with CRLF
  std::string_view fields;      ///< further whole lines, each ended by CRLF
  std::string_view more_fields;
  enum class Connection { kDefault, kKeepAlive, kClose } connection = Connection::kDefault;
};

/// Appends status line, fields and the empty line.
void append_head(std::string& out, const ResponseHead& head);

/// "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" (RFC 9110, 6.6.1).
std::string date_field(std::int64_t unix_seconds);

}  // namespace toolhost::transport
