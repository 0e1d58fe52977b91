#include "base/json.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/json_writer.hpp"

namespace toolhost::json {
namespace {

constexpr std::size_t kMaxDepth = 256;
constexpr std::size_t kFirstTextCapacity = 2048;     // an ordinary tool call fits
constexpr std::size_t kMaxPooledBytes = 256 * 1024;  // one huge request must not pin its memory
constexpr std::size_t kMaxPooledDocuments = 8;       // for each thread

Error invalid(std::string_view why) {
  return Error{.code = Errc::kInvalidArgument, .message = "invalid JSON: " + std::string(why), .detail = {}};
}

std::string_view explain(simdjson::error_code code) noexcept {
  switch (code) {
    case simdjson::EMPTY:
      return "the text is empty";
    case simdjson::CAPACITY:
      return "the text is too long";
    case simdjson::DEPTH_ERROR:
      return "nested deeper than 256 levels";
    case simdjson::UTF8_ERROR:
      return "the text is not valid UTF-8";
    case simdjson::STRING_ERROR:
      return "a string holds an invalid escape sequence";
    case simdjson::UNESCAPED_CHARS:
      return "a string holds a control character that is not escaped";
    case simdjson::UNCLOSED_STRING:
      return "a string is not closed";
    case simdjson::NUMBER_ERROR:
      return "a number is malformed or out of range";
    case simdjson::T_ATOM_ERROR:
    case simdjson::F_ATOM_ERROR:
    case simdjson::N_ATOM_ERROR:
      return "a literal is not true, false or null";
    default:
      return "the structure is wrong (a missing or extra bracket, comma or colon, or bytes after the value)";
  }
}

/// For text that parsed: simdjson accepts a lone low surrogate, and a high one before any other escape, and would
/// decode them to bytes that are not UTF-8.
bool has_unpaired_surrogate(std::string_view text) noexcept {
  const auto surrogate_at = [&](std::size_t at) {  // 'h', 'l' or 0 for the escape whose backslash is at `at`
    if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u' || (text[at + 2] | 0x20) != 'd') return '\0';
    const char third = static_cast<char>(text[at + 3] | 0x20);
    if (third == '8' || third == '9' || third == 'a' || third == 'b') return 'h';
    return third >= 'c' && third <= 'f' ? 'l' : '\0';
  };
  const char* const begin = text.data();
  std::size_t at = 0;
  while (at < text.size()) {
    const void* backslash = std::memchr(begin + at, '\\', text.size() - at);
    if (backslash == nullptr) return false;
    at = static_cast<std::size_t>(static_cast<const char*>(backslash) - begin);
    switch (surrogate_at(at)) {
      case '\0':
        at += 2;
        break;
      case 'h':
        if (surrogate_at(at + 6) != 'l') return true;
        at += 12;
        break;
      default:
        return true;
    }
  }
  return false;
}

/// Set when this thread's pool is gone, for documents that are released by destructors which run after it.
thread_local bool pool_is_gone = false;

struct Pool {
  std::array<std::unique_ptr<Document>, kMaxPooledDocuments> documents;
  std::size_t count = 0;

  ~Pool() { pool_is_gone = true; }
};
thread_local Pool pool;

void write(JsonWriter& writer, const Value& value) {  // as deep as the parser allows
  using simdjson::dom::element_type;
  switch (value.type()) {
    case element_type::OBJECT:
      writer.begin_object();
      for (const auto member : Object(value)) {
        writer.key(member.key);
        write(writer, member.value);
      }
      writer.end_object();
      break;
    case element_type::ARRAY:
      writer.begin_array();
      for (const auto item : Array(value)) write(writer, item);
      writer.end_array();
      break;
    case element_type::STRING:
      writer.string(value.get_string().value_unsafe());
      break;
    case element_type::INT64:
      writer.integer(value.get_int64().value_unsafe());
      break;
    case element_type::UINT64:
      writer.unsigned_integer(value.get_uint64().value_unsafe());
      break;
    case element_type::DOUBLE:
      writer.number(value.get_double().value_unsafe());
      break;
    case element_type::BOOL:
      writer.boolean(value.get_bool().value_unsafe());
      break;
    case element_type::NULL_VALUE:
      writer.null();
      break;
  }
}

}  // namespace

void Document::reserve(std::size_t bytes) {
  if (bytes <= text_capacity_) return;
  const std::size_t capacity = std::max({bytes, text_capacity_ * 2, kFirstTextCapacity});
  text_ = std::make_unique<char[]>(capacity + simdjson::SIMDJSON_PADDING);
  text_capacity_ = capacity;
  // A failure here (out of memory, or over 4 GiB) is met again, and reported, by parse().
  static_cast<void>(parser_.allocate(capacity, kMaxDepth));
}

Result<Value> Document::parse(std::string_view text) {
  if (text.empty()) return invalid(explain(simdjson::EMPTY));
  reserve(text.size());
  std::memcpy(text_.get(), text.data(), text.size());
  if (const auto error = parser_.parse(text_.get(), text.size(), false).get(root_)) return invalid(explain(error));
  if (has_unpaired_surrogate(text)) return invalid("a string holds an unpaired surrogate escape (\\ud800 to \\udfff)");
  return root_;
}

std::size_t Document::capacity() const noexcept {
  // Of the parser: 8 bytes of tape, 4 of structural indexes and 5/3 of string buffer for each byte of text.
  return text_capacity_ + parser_.capacity() * 44 / 3;
}

void ReturnToPool::operator()(Document* document) const noexcept {
  std::unique_ptr<Document> owned(document);
  if (pool_is_gone || owned->capacity() > kMaxPooledBytes || pool.count == kMaxPooledDocuments) return;
  pool.documents[pool.count++] = std::move(owned);
}

DocumentPtr acquire_document() {
  if (pool_is_gone || pool.count == 0) return DocumentPtr(std::make_unique<Document>().release());
  return DocumentPtr(pool.documents[--pool.count].release());
}

simdjson::simdjson_result<Value> find(const Value& value, std::string_view key) noexcept {
  return value.at_key(key);
}

std::optional<std::string_view> text_in(const Value& object, std::string_view key) noexcept {
  std::string_view text;
  if (find(object, key).get(text) != simdjson::SUCCESS) return std::nullopt;
  return text;
}

std::optional<std::int64_t> integer_in(const Value& object, std::string_view key) noexcept {
  std::int64_t number = 0;
  if (find(object, key).get(number) != simdjson::SUCCESS) return std::nullopt;
  return number;
}

void append_text(std::string& out, const Value& value) {
  JsonWriter writer(out);
  write(writer, value);
}

std::string to_text(const Value& value) {
  std::string text;
  append_text(text, value);
  return text;
}

}  // namespace toolhost::json
