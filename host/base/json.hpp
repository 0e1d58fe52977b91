#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <simdjson.h>

#include "base/result.hpp"

namespace toolhost::json {

/// A parsed JSON value: a view into the Document it came from (simdjson's DOM; no other module includes simdjson
/// itself).
using Value = simdjson::dom::element;
using Object = simdjson::dom::object;
using Array = simdjson::dom::array;

/// One parsed JSON text. Owns the parser and its memory; values are valid until the next parse() or its end.
/// Not thread-safe, but may move from thread to thread with the call it belongs to.
class Document {
 public:
  /// Parses a whole text; empty input, trailing bytes, depth over 256, invalid UTF-8, unpaired surrogates and numbers
  /// that fit neither 64 bits nor a double are refused with kInvalidArgument and a message that says what is wrong. A
  /// number written without fraction and exponent is an integer and must fit std::int64_t or std::uint64_t. Of equal
  /// keys in an object all are kept; find() sees the first. The text is copied (padding), the caller keeps it.
  Result<Value> parse(std::string_view text);
  /// The last parsed root; only after a parse() that succeeded.
  [[nodiscard]] Value root() const noexcept { return root_; }
  /// Bytes held for parsing; about seventeen for each byte of the longest text so far.
  [[nodiscard]] std::size_t capacity() const noexcept;

 private:
  void reserve(std::size_t bytes);
  simdjson::dom::parser parser_;
  std::unique_ptr<char[]> text_;
  std::size_t text_capacity_ = 0;  // without the padding
  Value root_;
};

/// Returns the document to a small pool of the releasing thread, so that the path of a call does not allocate parsers.
/// Documents that hold more than 256 KiB are freed instead.
struct ReturnToPool {
  void operator()(Document* document) const noexcept;
};
using DocumentPtr = std::unique_ptr<Document, ReturnToPool>;
/// A document from the calling thread's pool; it may be released on any thread.
DocumentPtr acquire_document();

/// The member, or an error (which converts to nothing: use get() or error()) when `value` is no object or lacks it.
simdjson::simdjson_result<Value> find(const Value& value, std::string_view key) noexcept;

/// The member as text, a view into its document; nothing when it is absent or no text, or `object` is no object.
std::optional<std::string_view> text_in(const Value& object, std::string_view key) noexcept;
/// Likewise a member that is a whole number of 64 bits.
std::optional<std::int64_t> integer_in(const Value& object, std::string_view key) noexcept;

/// The value as compact JSON text.
std::string to_text(const Value& value);
/// Appends it; allocates nothing but what `out` needs to grow.
void append_text(std::string& out, const Value& value);

}  // namespace toolhost::json
