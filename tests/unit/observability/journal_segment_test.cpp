#include "observability/journal_segment.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace toolhost::observability {
namespace {

constexpr std::uint64_t kNumber = 65'537;

class JournalSegment : public testing::Test {
 protected:
  JournalSegment() { begin_segment(bytes()); }

  [[nodiscard]] std::span<std::byte> bytes() { return {reinterpret_cast<std::byte*>(memory_.data()), sizeof(memory_)}; }

  /// Writes at the end; where it stands.
  std::size_t add(std::string_view text, std::int32_t tenant = 3) {
    const std::size_t at = end_;
    write_record(bytes(), kNumber, at, tenant, text);
    end_ += bytes_of_record(text.size());
    return at;
  }
  /// Space that was reserved and never written.
  void skip(std::size_t text_size) { end_ += bytes_of_record(text_size); }

  std::vector<std::string> found_in_old() {
    std::vector<std::string> texts;
    for (std::size_t at = kFirstRecordOffset;;) {
      const auto entry = entry_of_old_segment(bytes(), kNumber, at);
      if (entry.kind != SegmentEntry::Kind::kRecord) return texts;
      texts.emplace_back(entry.text);
      at = entry.next;
    }
  }

  struct alignas(16) Line {
    char bytes[16] = {};
  };
  std::array<Line, 256> memory_{};
  std::size_t end_ = kFirstRecordOffset;
};

TEST_F(JournalSegment, GivesBackWhatWasWritten) {
  add("first", 1);
  add("", 2);
  add(std::string(100, 'x'), -7);
  auto entry = entry_of_live_segment(bytes(), kFirstRecordOffset);
  EXPECT_EQ(entry.kind, SegmentEntry::Kind::kRecord);
  EXPECT_EQ(entry.text, "first");
  EXPECT_EQ(entry.tenant, 1);
  entry = entry_of_live_segment(bytes(), entry.next);
  EXPECT_EQ(entry.text, "");
  entry = entry_of_live_segment(bytes(), entry.next);
  EXPECT_EQ(entry.text, std::string(100, 'x'));
  EXPECT_EQ(entry.tenant, -7);
  EXPECT_EQ(entry.next, end_);
  EXPECT_EQ(entry_of_live_segment(bytes(), entry.next).kind, SegmentEntry::Kind::kNothing);
}

TEST_F(JournalSegment, AHoleIsNotYetWrittenAsLongAsItsWriterMayLive) {
  add("before");
  const std::size_t hole = end_;
  skip(40);
  add("behind");
  EXPECT_EQ(entry_of_live_segment(bytes(), hole).kind, SegmentEntry::Kind::kNothing);
}

TEST_F(JournalSegment, OnceTheWriterIsGoneAHoleIsSkipped) {
  add("before");
  const std::size_t hole = end_;
  skip(40);
  add("behind");
  EXPECT_EQ(found_in_old(), (std::vector<std::string>{"before", "behind"}));
  const auto entry = entry_of_old_segment(bytes(), kNumber, hole);
  EXPECT_EQ(entry.skipped, bytes_of_record(40));
  EXPECT_EQ(end_of_old_segment(bytes(), kNumber), end_);
}

TEST_F(JournalSegment, ARecordWhoseBytesDidNotReachTheDiskIsSkipped) {
  const std::size_t first = add("first record");
  const std::size_t second = add("second record");
  add("third record");
  for (std::size_t at = first + 4; at < second; ++at) {
    std::byte& byte = bytes()[at];
    const std::byte kept = std::exchange(byte, byte ^ std::byte{0x40});
    const auto texts = found_in_old();
    // Padding behind the text is nobody's.
    if (at < first + 16 + 12) {
      EXPECT_EQ(texts, (std::vector<std::string>{"second record", "third record"})) << at;
    }
    byte = kept;
  }
}

TEST_F(JournalSegment, ARecordOfAnotherPlaceOrSegmentIsNone) {
  const std::size_t at = add("genuine");
  const std::size_t copy = end_;
  std::memcpy(bytes().data() + copy, bytes().data() + at, bytes_of_record(7));
  EXPECT_EQ(found_in_old(), (std::vector<std::string>{"genuine"}));
  EXPECT_EQ(entry_of_old_segment(bytes(), kNumber + 1, kFirstRecordOffset).kind, SegmentEntry::Kind::kNothing);
}

TEST_F(JournalSegment, WhatIsDamagedIsToldFromWhatWasNeverFinished) {
  const auto skipped_behind = [&](std::size_t place) { return entry_of_old_segment(bytes(), kNumber, place); };
  const std::string text(100, 'x');
  add("before");
  const std::size_t first = add(text);
  const std::size_t second = add(text);
  add("behind");
  const auto kept = memory_;

  for (std::size_t at = first; at + 40 <= second + bytes_of_record(100); ++at) {
    for (const bool is_zeroed : {false, true}) {
      for (std::byte& byte : bytes().subspan(at, 40)) byte = is_zeroed ? std::byte{0} : byte ^ std::byte{0xFF};
      const auto entry = skipped_behind(first);
      if (entry.skipped == 0) {
        EXPECT_TRUE(at > first) << at;
        EXPECT_GE(skipped_behind(entry.next).damaged, 1U) << at << is_zeroed;
      } else {
        EXPECT_GE(entry.damaged, 1U) << at << is_zeroed;
      }
      memory_ = kept;
    }
  }

  // Killed before it had written anything, or its head, or some of its text.
  std::memset(bytes().data() + first, 0, 2 * bytes_of_record(100));
  EXPECT_EQ(skipped_behind(first).skipped, 2 * bytes_of_record(100));
  EXPECT_EQ(skipped_behind(first).damaged, 0U);
  for (const std::size_t written : {0, 1, 50, 99}) {
    memory_ = kept;
    std::memset(bytes().data() + first, 0, bytes_of_record(100));
    std::memset(bytes().data() + second, 0, 4);
    std::memset(bytes().data() + second + 16 + written, 0, 100 - written);
    EXPECT_EQ(skipped_behind(first).skipped, 2 * bytes_of_record(100));
    EXPECT_EQ(skipped_behind(first).damaged, 0U) << written;
  }
}

TEST_F(JournalSegment, ADamagedEndIsNotGivenBack) {
  const std::size_t at = add("the last one");
  bytes()[at + 20] ^= std::byte{1};
  EXPECT_EQ(end_of_old_segment(bytes(), kNumber), bytes().size());
  const auto entry = entry_of_old_segment(bytes(), kNumber, at);
  EXPECT_EQ(entry.kind, SegmentEntry::Kind::kNothing);
  EXPECT_EQ(entry.damaged, 1U);
}

TEST_F(JournalSegment, ASizeBeyondTheEndIsNotFollowed) {
  const std::size_t at = add("x");
  const std::uint32_t huge = 0xFFFFFFF0;
  std::memcpy(bytes().data() + at + 4, &huge, sizeof huge);
  EXPECT_TRUE(found_in_old().empty());
}

TEST_F(JournalSegment, PaddingEndsIt) {
  add("last");
  write_padding(bytes(), end_);
  const auto entry = entry_of_live_segment(bytes(), end_);
  EXPECT_EQ(entry.kind, SegmentEntry::Kind::kPadding);
  EXPECT_EQ(entry.next, bytes().size());
  EXPECT_EQ(end_of_old_segment(bytes(), kNumber), end_);
}

}  // namespace
}  // namespace toolhost::observability
