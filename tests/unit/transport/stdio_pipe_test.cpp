#include "transport/stdio_pipe.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <future>
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

/// What waits for a reader that comes late.
std::string read_all(int fd) {
  std::string text;
  std::array<char, 65536> piece{};
  for (ssize_t got = 0; (got = ::read(fd, piece.data(), piece.size())) > 0;)
    text.append(piece.data(), static_cast<std::size_t>(got));
  return text;
}

TEST(StdioPipe, PostsWithoutWaitingForTheReader) {
  Ends ends;
  const std::string large(std::size_t{3} << 20, 'x');
  ends.pipe->post(large);
  for (int times = 0; times < 3; ++times) ends.pipe->post("changed", StdioPipe::Post::kOnce);
  ends.pipe->post("progress", StdioPipe::Post::kIfRoom);
  ends.pipe->post("answer");
  auto text = std::async(std::launch::async, [&] { return read_all(ends.out[0]); });
  EXPECT_TRUE(ends.pipe->write("last"));
  ends.pipe.reset();
  EXPECT_EQ(text.get(), large + "\nchanged\nanswer\nlast\n");
}

TEST(StdioPipe, TakesNothingFromAClientThatDoesNotRead) {
  Ends ends;
  ends.pipe->post(std::string(std::size_t{3} << 20, 'x'));
  ends.send("next\n");
  auto line = std::async(std::launch::async, [&] { return ends.line(); });
  EXPECT_EQ(line.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  auto text = std::async(std::launch::async, [&] { return read_all(ends.out[0]); });
  EXPECT_EQ(line.get(), "next");
  ends.pipe.reset();
  text.get();
}

TEST(StdioPipe, EndsWhereNobodyReads) {
  Ends ends;
  ends.pipe->post(std::string(std::size_t{3} << 20, 'x'));
  ends.pipe.reset();
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
