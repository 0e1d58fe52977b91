#include "plugin_runtime/structured_writer.hpp"

#include <charconv>
#include <cmath>

#include "base/json_writer.hpp"

namespace toolhost::plugin_runtime {

void StructuredWriter::reset() {
  text_.clear();
  open_.clear();
}

bool StructuredWriter::may_place_value(bool is_object) const noexcept {
  // structuredContent is an object, and there is only one.
  if (open_.empty()) return is_object && text_.empty();
  return !open_.back().is_object || open_.back().has_key;
}

void StructuredWriter::place_value() {
  if (open_.empty()) return;
  auto& level = open_.back();
  if (!level.is_object && level.has_members) text_ += ',';
  level.has_members = true;
  level.has_key = false;
}

StructuredWriter::Status StructuredWriter::fit(std::size_t size_before) {
  // What is open must still be closed within the limit.
  if (text_.size() + open_.size() <= max_bytes_) return Status::kOk;
  text_.resize(size_before);
  return Status::kTooLarge;
}

StructuredWriter::Status StructuredWriter::open(bool is_object) {
  if (!may_place_value(is_object)) return Status::kMisplaced;
  if (open_.size() == kMaxDepth) return Status::kTooDeep;
  if (text_.size() + open_.size() + 3 > max_bytes_) return Status::kTooLarge;
  place_value();
  text_ += is_object ? '{' : '[';
  open_.push_back({is_object, false, false});
  return Status::kOk;
}

template <class Append>
StructuredWriter::Status StructuredWriter::value(Append append) {
  if (!may_place_value(false)) return Status::kMisplaced;
  const auto level = open_.back();
  const auto size = text_.size();
  place_value();
  append();
  const auto status = fit(size);
  if (status != Status::kOk) open_.back() = level;
  return status;
}

StructuredWriter::Status StructuredWriter::begin_object() {
  return open(true);
}
StructuredWriter::Status StructuredWriter::begin_array() {
  return open(false);
}

StructuredWriter::Status StructuredWriter::end() {
  if (open_.empty() || open_.back().has_key) return Status::kMisplaced;
  text_ += open_.back().is_object ? '}' : ']';
  open_.pop_back();
  return Status::kOk;
}

StructuredWriter::Status StructuredWriter::key(std::string_view name) {
  if (open_.empty() || !open_.back().is_object || open_.back().has_key) return Status::kMisplaced;
  const auto size = text_.size();
  if (open_.back().has_members) text_ += ',';
  append_json_string(text_, name);
  text_ += ':';
  if (const auto status = fit(size); status != Status::kOk) return status;
  open_.back().has_key = true;
  return Status::kOk;
}

StructuredWriter::Status StructuredWriter::string(std::string_view text) {
  // Escaping never shrinks: what cannot fit is refused before it is copied.
  if (text.size() > max_bytes_) return may_place_value(false) ? Status::kTooLarge : Status::kMisplaced;
  return value([&] { append_json_string(text_, text); });
}

StructuredWriter::Status StructuredWriter::integer(std::int64_t number) {
  return value([&] {
    char digits[24];
    text_.append(digits, std::to_chars(digits, digits + sizeof(digits), number).ptr);
  });
}

StructuredWriter::Status StructuredWriter::number(double number) {
  if (!std::isfinite(number)) return may_place_value(false) ? Status::kNotFinite : Status::kMisplaced;
  return value([&] {
    char digits[40];
    text_.append(digits, std::to_chars(digits, digits + sizeof(digits), number).ptr);
  });
}

StructuredWriter::Status StructuredWriter::boolean(bool flag) {
  return value([&] { text_ += flag ? "true" : "false"; });
}

StructuredWriter::Status StructuredWriter::null() {
  return value([&] { text_ += "null"; });
}

}  // namespace toolhost::plugin_runtime
