#include "transport/sse_reader.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace toolhost::transport {
namespace {

using Seen = std::vector<std::pair<std::string, std::string>>;

/// The events of a text that arrives in pieces of this size.
Seen events_of(SseReader& reader, std::string_view text, std::size_t piece) {
  Seen seen;
  while (!text.empty()) {
    const auto part = text.substr(0, piece);
    text.remove_prefix(part.size());
    EXPECT_TRUE(reader.read(part, [&](const SseReader::Event& event) { seen.emplace_back(event.event, event.data); }));
  }
  return seen;
}

TEST(SseReader, ReadsEventsWhateverTheirLineEndsAndPieces) {
  constexpr std::string_view kText =
      "\xEF\xBB\xBF: a comment\r\n\r\nevent: endpoint\r\ndata: /messages\r\n\r\n"
      "data:{\"a\":1}\n\nid: 7\nretry: 250\ndata: \n\nevent: message\rdata: one\rdata:  two\r\r"
      "retry: soon\nunknown: x\nid\n\nevent: lost\n\ndata: never ended";
  for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{7}, kText.size()}) {
    SseReader reader(100);
    EXPECT_EQ(events_of(reader, kText, piece),
              (Seen{{"endpoint", "/messages"}, {"", "{\"a\":1}"}, {"", ""}, {"message", "one\n two"}, {"", ""}}))
        << piece;
    EXPECT_EQ(reader.last_id(), "");
    EXPECT_EQ(reader.retry(), std::chrono::milliseconds(250));
  }
}

TEST(SseReader, RemembersTheIdOfWhatEnded) {
  SseReader reader(100);
  events_of(reader, "id: a\ndata: 1\n\ndata: 2\n\nid: b\ndata: 3\n", 3);
  EXPECT_EQ(reader.last_id(), "a");
  EXPECT_EQ(reader.events(), 2U);
}

TEST(SseReader, LeavesIdsOutThatNoFieldCanHold) {
  SseReader reader(100);
  events_of(reader, "id: a\ndata: 1\n\n", 3);
  for (const char bad : {'\0', '\x01', '\x1f', '\x7f'}) {
    events_of(reader, std::string("id: b") + bad + "c\ndata: 2\n\n", 3);
    EXPECT_EQ(reader.last_id(), "a") << int{bad};
  }
}

TEST(SseReader, RefusesWhatIsTooLarge) {
  const auto ignore = [](const SseReader::Event&) {};
  SseReader line(10), event(10);
  EXPECT_FALSE(line.read("data: " + std::string(100, 'x'), ignore));
  EXPECT_FALSE(line.read("\n\n", ignore));
  EXPECT_TRUE(event.read("data: 12345\n", ignore));
  EXPECT_FALSE(event.read("data: 12345\n", ignore));
}

}  // namespace
}  // namespace toolhost::transport
