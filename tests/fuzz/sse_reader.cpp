// What a server sends to `toolhost stdio --url` as an event stream.
#include "transport/sse_reader.hpp"

#include "require.hpp"

using namespace toolhost;
using fuzz::require;

namespace {

constexpr std::size_t kMaxEvent = 512;

std::string read(std::string_view bytes, std::size_t step) {
  transport::SseReader reader(kMaxEvent);
  std::string all;
  bool is_read = true;
  for (std::size_t at = 0; at < bytes.size() && is_read; at += step)
    is_read = reader.read(bytes.substr(at, step), [&](const auto& event) {
      require(event.data.size() <= kMaxEvent, "no event is larger than it may be");
      all.append(event.event).append("|").append(event.data).append("|").append(reader.last_id()).append("\n");
    });
  if (const auto retry = reader.retry()) all += std::to_string(retry->count());
  return all + (is_read ? "" : "too large");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = read(bytes, bytes.size() + 1);
  require(whole == read(bytes, 1), "events are the same however their bytes come");
  require(whole == read(bytes, 5), "events are the same however their bytes come");
  return 0;
}
