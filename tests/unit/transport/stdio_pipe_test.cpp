#include "transport/stdio_pipe.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <memory>
#include <thread>
#include <utility>

namespace toolhost::transport {
namespace {

/// A StdioPipe, and the other ends of what it reads and writes.
struct Ends {
  Ends() {
    EXPECT_EQ(::pipe(in.data()), 0);
    EXPECT_EQ(::pipe(out.data()), 0);
    pipe = std::make_unique<StdioPipe>(in[0], out[1]);
  }
  ~Ends() {
    close_input();
    ::close(out[0]);
  }
  void send(std::string_view text) const {
    while (!text.empty()) {
      const auto written = ::write(in[1], text.data(), text.size());
      ASSERT_GT(written, 0);
      text.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  void close_input() {
    if (in[1] >= 0) ::close(std::exchange(in[1], -1));
  }
  std::string line() const { return std::get<std::string>(pipe->read()); }

  std::array<int, 2> in{-1, -1}, out{-1, -1};
  std::unique_ptr<StdioPipe> pipe;
};

TEST(StdioPipe, ReadsLinesInWhateverPiecesTheyArrive) {
  Ends ends;
  ends.send("one\ntwo\r\n\n\r\nthr");
  EXPECT_EQ(ends.line(), "one");
  EXPECT_EQ(ends.line(), "two");
  std::thread late([&] { ends.send("ee\nfour"); });
  EXPECT_EQ(ends.line(), "three");
  late.join();
  ends.close_input();
  EXPECT_EQ(ends.line(), "four");
  EXPECT_TRUE(std::holds_alternative<StdioPipe::End>(ends.pipe->read()));
  EXPECT_TRUE(std::holds_alternative<StdioPipe::End>(ends.pipe->read()));
}

TEST(StdioPipe, TakesALineOfTenMebibytesAndTellsALongerOne) {
  Ends ends;
  std::thread writer([&] {
    ends.send(std::string(StdioPipe::kMaxLine, 'x') + "\n");
    ends.send(std::string(StdioPipe::kMaxLine + 1, 'y') + "\n");
    ends.send(std::string(3 * StdioPipe::kMaxLine, 'z') + "\nnext\n");
  });
  EXPECT_EQ(ends.line().size(), StdioPipe::kMaxLine);
  EXPECT_TRUE(std::holds_alternative<StdioPipe::TooLong>(ends.pipe->read()));
  EXPECT_TRUE(std::holds_alternative<StdioPipe::TooLong>(ends.pipe->read()));
  EXPECT_EQ(ends.line(), "next");
  writer.join();
}

TEST(StdioPipe, IsInterrupted) {
  Ends ends;
  std::thread other([&] { ends.pipe->interrupt(); });
  EXPECT_TRUE(std::holds_alternative<StdioPipe::End>(ends.pipe->read()));
  other.join();
}

TEST(StdioPipe, WritesOneLineWhateverStandsInTheText) {
  Ends ends;
  EXPECT_TRUE(ends.pipe->write("{\n \"a\": 1\r\n}"));
  std::array<char, 64> text{};
  const auto got = ::read(ends.out[0], text.data(), text.size());
  EXPECT_EQ(std::string_view(text.data(), static_cast<std::size_t>(got)), "{  \"a\": 1  }\n");
}

TEST(StdioPipe, KnowsThatNobodyReads) {
  ::signal(SIGPIPE, SIG_IGN);
  Ends ends;
  ::close(std::exchange(ends.out[0], -1));
  EXPECT_FALSE(ends.pipe->write("{}"));
  EXPECT_FALSE(ends.pipe->write("{}"));
}

}  // namespace
}  // namespace toolhost::transport
