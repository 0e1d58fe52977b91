#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace toolhost {

/// Appends JSON to a string, in one pass and without a tree. Commas are placed by the writer; nesting is the caller's
/// duty. Text is written as UTF-8 with the escapes that RFC 8259 section 7 demands; invalid UTF-8 becomes U+FFFD.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) noexcept : out_(out) {}

  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);
  JsonWriter& string(std::string_view text);
  JsonWriter& integer(std::int64_t number);
  JsonWriter& unsigned_integer(std::uint64_t number);
  /// NaN and infinities, which JSON cannot express, are written as null.
  JsonWriter& number(double number);
  JsonWriter& boolean(bool flag);
  JsonWriter& null();
  /// A value that is JSON already; not checked.
  JsonWriter& raw(std::string_view json);

  /// key() and a value in one call.
  JsonWriter& member(std::string_view name, std::string_view text) { return key(name).string(text); }
  JsonWriter& member(std::string_view name, std::span<const std::string> texts);

 private:
  void separate();
  std::string& out_;
  bool needs_comma_ = false;
};

/// Appends `text` as a quoted JSON string.
void append_json_string(std::string& out, std::string_view text);

}  // namespace toolhost
