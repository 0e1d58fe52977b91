#include "transport/http_channel.hpp"

#include <gtest/gtest.h>

#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "integration/transport/test_server.hpp"

namespace toolhost::transport {
namespace {

/// What comes of a question with this field, and whether it was sent.
std::pair<Result<HttpHead>, bool> ask(std::uint16_t port, const std::string& name, const std::string& value) {
  boost::asio::io_context io;
  const auto url = parse_url("http://127.0.0.1:" + std::to_string(port) + "/").value();
  const auto channel = HttpChannel::create(io, url, {{"X-API-Key", "hdsk_test"}}).value();
  const auto exchange = channel->begin();
  std::optional<Result<HttpHead>> head;
  boost::asio::co_spawn(
      io,
      [&]() -> boost::asio::awaitable<void> {
        head = co_await exchange->ask({.target = "/", .fields = {{name, value}}, .body = {}});
      },
      boost::asio::detached);
  io.run();
  return {std::move(*head), exchange->was_sent()};
}

TEST(HttpChannel, SendsNoFieldThatSaysMoreThanItsValue) {
  const testing::TestServer host;
  using std::string_literals::operator""s;
  for (const auto& bad : {"1\r\nX-Evil: 1"s, "1\nX-Evil: 1"s, "1\r"s, "a\0b"s, "a\x01"s, "\x7f"s}) {
    const auto [head, was_sent] = ask(host.port, "Last-Event-ID", bad);
    ASSERT_FALSE(head);
    EXPECT_EQ(head.error().code, Errc::kInvalidArgument);
    EXPECT_FALSE(was_sent);
  }
  for (const auto& bad : {""s, "X-Evil: 1\r\nX"s, "X Y"s}) EXPECT_FALSE(ask(host.port, bad, "1").first) << bad;
  EXPECT_TRUE(ask(host.port, "Last-Event-ID", "a\tb \xc3\xbc").first);
}

TEST(HttpChannel, IsNotMadeWithSuchFields) {
  boost::asio::io_context io;
  const auto url = parse_url("http://127.0.0.1:1/").value();
  EXPECT_FALSE(HttpChannel::create(io, url, {{"X-API-Key", "a\r\nX-Evil: 1"}}));
  EXPECT_FALSE(HttpChannel::create(io, url, {{"X Key", "a"}}));
}

}  // namespace
}  // namespace toolhost::transport
