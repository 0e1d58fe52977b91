// The client against real TLS, and against servers that are down, slow, false or too generous.
#include "transport/https_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "support/https_server.hpp"

namespace toolhost::transport {
namespace {

using namespace std::chrono_literals;
using test_support::CertificateWish;
using test_support::Certified;
using test_support::HttpsServer;
using test_support::RawReply;
using test_support::reply;
using test_support::SeenRequest;
using test_support::TestAuthority;
using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;

class HttpsClientTest : public ::testing::Test {
 protected:
  HttpsClientTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "toolhost-https-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    std::ofstream(directory_ / "ca.pem") << authority_.certificate();
  }
  ~HttpsClientTest() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] HttpsClientConfig config() const {
    return {.ca_file = directory_ / "ca.pem", .limit = 5s, .max_body = 64 * 1024};
  }
  [[nodiscard]] std::unique_ptr<HttpsClient> client() const { return HttpsClient::create(config()).value(); }
  [[nodiscard]] std::unique_ptr<HttpsClient> hurried_client() const {
    HttpsClientConfig hurried = config();
    hurried.limit = 400ms;
    return HttpsClient::create(hurried).value();
  }
  HttpsServer serving(RawReply said, const CertificateWish& wish = {}) {
    return HttpsServer(authority_.issue(wish), [said](const SeenRequest&) { return said; });
  }
  static void expect_unavailable(const Result<HttpsAnswer>& answer, std::string_view words) {
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Errc::kUnavailable);
    EXPECT_THAT(answer.error().message, HasSubstr(std::string(words)));
  }

  const TestAuthority authority_;
  std::filesystem::path directory_;
};

TEST_F(HttpsClientTest, GetsAnAnswer) {
  HttpsServer server = serving(reply(200, R"({"a":1})", "Cache-Control: public, max-age=60\r\nAge: 10\r\n"));
  for (const char* host : {"localhost", "127.0.0.1"}) {
    const auto answer = client()->get(server.url("/x?y=1", host), {{"Authorization", "Bearer abc"}});
    ASSERT_TRUE(answer) << answer.error().message << " " << answer.error().detail;
    EXPECT_EQ(answer->status, 200U);
    EXPECT_EQ(answer->body, R"({"a":1})");
    EXPECT_EQ(answer->content_type, "application/json");
    EXPECT_EQ(answer->max_age, 50s);
    const SeenRequest seen = server.seen().back();
    EXPECT_EQ(seen.method, "GET");
    EXPECT_EQ(seen.target, "/x?y=1");
    EXPECT_EQ(seen.host, std::string(host) + ":" + std::to_string(server.port()));
    EXPECT_EQ(seen.authorization, "Bearer abc");
  }
}

TEST_F(HttpsClientTest, PostsAForm) {
  HttpsServer server = serving(reply(400, "no"));
  const auto answer = client()->post_form(server.url("/token"), {{"code", "a b&c"}, {"x", ""}});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 400U);
  EXPECT_EQ(server.seen().at(0).method, "POST");
  EXPECT_EQ(server.seen().at(0).body, "code=a%20b%26c&x=");
  EXPECT_EQ(server.seen().at(0).content_type, "application/x-www-form-urlencoded");
}

TEST_F(HttpsClientTest, ReadsChunksAndAnswersThatEndWithTheConnection) {
  HttpsServer chunks =
      serving({.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"});
  EXPECT_EQ(client()->get(chunks.url()).value().body, "abcde");
  HttpsServer open_end = serving({.bytes = "HTTP/1.1 200 OK\r\n\r\nabcde"});
  EXPECT_EQ(client()->get(open_end.url()).value().body, "abcde");
}

TEST_F(HttpsClientTest, DoesNotFollowRedirects) {
  HttpsServer elsewhere = serving(reply(200, "secret"));
  HttpsServer server = serving(reply(302, "", "Location: " + elsewhere.url("/stolen") + "\r\n"));
  EXPECT_EQ(client()->get(server.url()).value().status, 302U);
  EXPECT_EQ(elsewhere.connections(), 0);
}

TEST_F(HttpsClientTest, RefusesACertificateThatIsNotForIt) {
  struct Case {
    CertificateWish wish;
    const char* words;
  };
  for (const Case& c :
       {Case{{.begins_in = -2h, .ends_in = -1h}, "has expired"},
        Case{{.begins_in = 1h, .ends_in = 2h}, "not valid yet"},
        Case{{.names = "DNS:other.example"}, "another host name"}, Case{{.names = "IP:127.0.0.1"}, "another host name"},
        Case{{.names = "DNS:*"}, "another host name"},
        Case{{.names = "DNS:localhost.evil.example"}, "another host name"}}) {
    HttpsServer server = serving(reply(200, "x"), c.wish);
    expect_unavailable(client()->get(server.url()), c.words);
    EXPECT_TRUE(server.seen().empty());
  }
  HttpsServer named = serving(reply(200, "x"), {.names = "DNS:localhost"});
  expect_unavailable(client()->get(named.url("", "127.0.0.1")), "another host name");
}

TEST_F(HttpsClientTest, RefusesACertificateOfAnAuthorityThatNobodyTrusts) {
  const TestAuthority stranger;
  HttpsServer server(stranger.issue(), [](const SeenRequest&) { return reply(200, "x"); });
  expect_unavailable(client()->get(server.url()), "not trusted");
  HttpsServer ours = serving(reply(200, "x"));
  // The system's store does not know the test's authority.
  expect_unavailable(HttpsClient::create({}).value()->get(ours.url()), "not trusted");
  EXPECT_TRUE(server.seen().empty());
  EXPECT_TRUE(ours.seen().empty());
}

TEST_F(HttpsClientTest, SpeaksNothingOlderThanTls12) {
  const auto say = [](const SeenRequest&) { return reply(200, "x"); };
  HttpsServer tls12(authority_.issue(), say, TLS1_2_VERSION);
  EXPECT_TRUE(client()->get(tls12.url()));
  HttpsServer tls11(authority_.issue(), say, TLS1_1_VERSION);
  expect_unavailable(client()->get(tls11.url()), "TLS");
  HttpsServer plain(std::nullopt, say);
  expect_unavailable(client()->get("https://localhost:" + std::to_string(plain.port())), "TLS");
}

TEST_F(HttpsClientTest, TellsWhenNobodyIsThere) {
  std::string url;
  {
    HttpsServer server = serving(reply(200, "x"));
    url = server.url();
  }
  expect_unavailable(client()->get(url), "cannot be reached");
  expect_unavailable(client()->get("https://no-such-name.invalid/"), "no-such-name.invalid");
}

TEST_F(HttpsClientTest, GivesUpWhenItsTimeIsOver) {
  const RawReply whole = reply(200, std::string(1000, 'x'));
  const RawReply silent{.bytes = whole.bytes, .before = 20s};
  const RawReply trickling{.bytes = whole.bytes, .between = 20ms};
  for (const RawReply& slow : {silent, trickling}) {
    HttpsServer server = serving(slow);
    const auto start = Clock::now();
    expect_unavailable(hurried_client()->get(server.url()), "in time");
    EXPECT_LT(Clock::now() - start, 3s);
  }
  // Accepts the connection and never says a word of TLS.
  boost::asio::io_context io;
  boost::asio::ip::tcp::acceptor mute(io, {boost::asio::ip::address_v4::loopback(), 0});
  const auto start = Clock::now();
  expect_unavailable(hurried_client()->get("https://127.0.0.1:" + std::to_string(mute.local_endpoint().port())),
                     "in time");
  EXPECT_LT(Clock::now() - start, 3s);
}

TEST_F(HttpsClientTest, TakesNoMoreThanItsLimits) {
  const std::string big(100'000, 'x');
  HttpsServer with_length = serving(reply(200, big));
  expect_unavailable(client()->get(with_length.url()), "more than is taken");
  HttpsServer without = serving({.bytes = "HTTP/1.1 200 OK\r\n\r\n" + big});
  expect_unavailable(client()->get(without.url()), "more than is taken");
  HttpsServer chunks =
      serving({.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n186A0\r\n" + big + "\r\n0\r\n\r\n"});
  expect_unavailable(client()->get(chunks.url()), "more than is taken");
  HttpsServer head = serving({.bytes = "HTTP/1.1 200 OK\r\nX: " + big + "\r\n\r\n"});
  expect_unavailable(client()->get(head.url()), "more than is taken");
  HttpsServer exactly = serving(reply(200, std::string(64 * 1024, 'x')));
  EXPECT_EQ(client()->get(exactly.url()).value().body.size(), 64U * 1024);
}

TEST_F(HttpsClientTest, TakesNoHalfAnswer) {
  HttpsServer cut = serving({.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"});
  expect_unavailable(client()->get(cut.url()), "before its answer");
  HttpsServer shortened = serving({.bytes = "HTTP/1.1 200 OK\r\n\r\n{}", .cuts = true});
  expect_unavailable(client()->get(shortened.url()), "before its answer");
  HttpsServer silent = serving({});
  expect_unavailable(client()->get(silent.url()), "before its answer");
  HttpsServer noise = serving({.bytes = "SSH-2.0-OpenSSH\r\n\r\n"});
  expect_unavailable(client()->get(noise.url()), "no HTTP");
}

TEST_F(HttpsClientTest, SpeaksPlainHttpToThisMachineOnlyAndWhenAllowed) {
  HttpsServer server(std::nullopt, [](const SeenRequest&) { return reply(200, "x"); });
  const auto refused = client()->get(server.url());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kInvalidArgument);
  HttpsClientConfig plain = config();
  plain.allow_plain_loopback = true;
  const auto allowing = HttpsClient::create(plain).value();
  EXPECT_TRUE(allowing->get(server.url()));
  EXPECT_TRUE(allowing->get(server.url("/", "127.0.0.1")));
  EXPECT_EQ(allowing->get("http://a.example/").error().code, Errc::kInvalidArgument);
}

TEST_F(HttpsClientTest, SendsNoFieldThatEndsEarly) {
  HttpsServer server = serving(reply(200, "x"));
  EXPECT_EQ(client()->get(server.url(), {{"Authorization", "Bearer a\r\nX: y"}}).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(client()->get(server.url() + "/a\r\nX: y").error().code, Errc::kInvalidArgument);
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(HttpsClientTest, ServesManyThreadsAtATime) {
  HttpsServer server = serving({.bytes = reply(200, "x").bytes, .before = 50ms});
  const auto shared = client();
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      if (shared->get(server.url())) ++answered;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(answered, 8);
}

TEST_F(HttpsClientTest, WantsAFileOfCertificates) {
  for (const char* name : {"absent.pem", "empty.pem", "noise.pem"}) {
    if (std::string_view(name) != "absent.pem") std::ofstream(directory_ / name) << (name[0] == 'n' ? "noise" : "");
    const auto client = HttpsClient::create({.ca_file = directory_ / name});
    ASSERT_FALSE(client);
    EXPECT_EQ(client.error().code, Errc::kInvalidArgument);
    EXPECT_THAT(client.error().message, HasSubstr(name));
  }
}

}  // namespace
}  // namespace toolhost::transport
