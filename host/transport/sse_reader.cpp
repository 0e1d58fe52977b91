#include "transport/sse_reader.hpp"

#include <charconv>

#include "transport/http.hpp"

namespace toolhost::transport {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kLongestId = 4096;  // it has to fit a header field

}  // namespace

bool SseReader::read(std::string_view bytes, const std::function<void(const Event&)>& on_event) {
  while (!bytes.empty() && !is_too_large_) {
    if (was_cr_ && bytes.front() == '\n') bytes.remove_prefix(1);  // the second half of a line end
    was_cr_ = false;
    const std::size_t end = bytes.find_first_of("\r\n");
    line_ += bytes.substr(0, end);
    if (line_.size() > max_event_ + 64) is_too_large_ = true;
    if (end == std::string_view::npos) break;
    was_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    std::string_view line = line_;
    if (is_first_ && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
    is_first_ = false;
    is_too_large_ = is_too_large_ || !take_line(line, on_event);
    line_.clear();
  }
  return !is_too_large_;
}

bool SseReader::take_line(std::string_view line, const std::function<void(const Event&)>& on_event) {
  if (line.empty()) {
    end_event(on_event);
    return true;
  }
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "event") event_ = value;
  if (name == "data") {
    if (has_data_) data_ += '\n';
    has_data_ = true;
    data_ += value;
  }
  if (name == "id" && value.size() <= kLongestId && is_header_value(value)) {
    has_id_ = true;
    id_ = value;
  }
  if (name == "retry") {
    unsigned wait = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), wait);
    if (error == std::errc() && end == value.data() + value.size()) retry_ = std::chrono::milliseconds(wait);
  }
  return data_.size() <= max_event_;
}

void SseReader::end_event(const std::function<void(const Event&)>& on_event) {
  if (has_id_) last_id_ = id_;
  if (has_data_ || has_id_) {
    ++events_;
    on_event({event_, data_});
  }
  event_.clear();
  data_.clear();
  has_data_ = has_id_ = false;
}

}  // namespace toolhost::transport
