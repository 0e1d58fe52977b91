// The portal behind a real server: what every page carries, whose word counts for where a person is, and that nobody
// waits for a provider that does not answer.
#include <signal.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "integration/portal/visit_fixture.hpp"
#include "integration/transport/raw_client.hpp"
#include "portal/portal.hpp"

namespace toolhost::portal {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using transport::testing::RawClient;
using transport::testing::RawResponse;

/// Does not answer until it is told to.
struct SlowProvider final : OidcProvider {
  explicit SlowProvider(std::shared_ptr<std::atomic<int>> waiting, std::shared_ptr<std::atomic<bool>> goes_on)
      : waiting_(std::move(waiting)), goes_on_(std::move(goes_on)) {}
  Result<std::string> authorization_url(std::string_view, std::string_view, std::string_view,
                                        std::string_view) override {
    for (++*waiting_; !*goes_on_;) std::this_thread::sleep_for(1ms);
    return std::string("https://id.example/");
  }
  Result<Identity> exchange(std::string_view, std::string_view, std::string_view, std::string_view) override {
    return Error{Errc::kUnavailable, "no", ""};
  }
  const std::shared_ptr<std::atomic<int>> waiting_;
  const std::shared_ptr<std::atomic<bool>> goes_on_;
};

class PortalOverHttpTest : public VisitFixture {
 protected:
  void start(PortalConfig config, const transport::HttpServerConfig& wanted = {},
             std::unique_ptr<OidcProvider> provider = nullptr) {
    auto http = wanted;
    http.port = 0;
    http.io_threads = 1;
    http.public_url = config.public_url;
    portal_ = Portal::create(std::move(config), parts(std::move(provider)));
    server_ = transport::HttpServer::start(http, *portal_, events_).value();
  }
  ~PortalOverHttpTest() override {
    if (server_) server_->stop(1s);
    if (portal_) portal_->stop();
    server_.reset();
  }
  RawResponse ask(const std::string& method, const std::string& target, const std::string& fields = {},
                  const std::string& body = {}) {
    RawClient client(server_->port());
    std::string text = method + " " + target + " HTTP/1.1\r\n" + fields;
    if (fields.find("Host: ") == std::string::npos) text += "Host: localhost\r\n";
    if (!body.empty())
      text +=
          "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    client.send(text + "\r\n" + body);
    return client.read_response(method == "HEAD");
  }

  std::unique_ptr<Portal> portal_;
  std::unique_ptr<transport::HttpServer> server_;
};

TEST_F(PortalOverHttpTest, EveryPageCarriesWhatProtectsIt) {
  start({.local_sign_in = true});
  for (const auto* target : {"/mcp", "/mcp/sign-in", "/mcp/keys", "/mcp/nothing", "/mcp/keys/1/delete"}) {
    const auto page = ask("GET", target);
    EXPECT_THAT(page.head,
                AllOf(HasSubstr("Content-Security-Policy: default-src 'none'; "), HasSubstr("frame-ancestors 'none'"),
                      HasSubstr("Cache-Control: no-store"), HasSubstr("X-Content-Type-Options: nosniff"),
                      HasSubstr("Referrer-Policy: "), Not(HasSubstr("Strict-Transport-Security"))))
        << target;
  }
  EXPECT_EQ(ask("HEAD", "/mcp").body, "");
  EXPECT_EQ(ask("DELETE", "/mcp/keys").status, 405U);
  EXPECT_EQ(ask("POST", "/mcp/sign-in/local", "Sec-Fetch-Site: cross-site\r\n", "email=ana%40acme.example").status,
            403U);
  const auto entered = ask("POST", "/mcp/sign-in/local", "Sec-Fetch-Site: same-origin\r\n", "email=ana%40acme.example");
  EXPECT_EQ(entered.status, 303U);
  EXPECT_THAT(entered.head, AllOf(HasSubstr("Set-Cookie: toolhost="), HasSubstr("HttpOnly; SameSite=Lax")));
  EXPECT_EQ(ask("POST", "/mcp/sign-in/local", "Sec-Fetch-Site: same-origin\r\n", std::string(20'000, 'a')).status,
            400U);
}

TEST_F(PortalOverHttpTest, AddressesAreThoseOfTheConfigurationNotOfTheRequest) {
  transport::HttpServerConfig http;
  http.trusted_proxies = {"127.0.0.1"};
  http.allowed_hosts = {"other.example"};
  const auto waiting = std::make_shared<std::atomic<int>>(0);
  start({.public_url = "https://mcp.acme.example"}, http,
        std::make_unique<SlowProvider>(waiting, std::make_shared<std::atomic<bool>>(true)));
  const std::string behind = "Host: other.example\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n";
  const auto page = ask("GET", "/mcp/sign-in/start", behind);
  EXPECT_THAT(page.head, AllOf(HasSubstr("Set-Cookie: __Host-toolhost-signin="), HasSubstr("; Secure"),
                               HasSubstr("Strict-Transport-Security: max-age=31536000")));
  // A form must come from the public address, whatever Host says.
  EXPECT_EQ(ask("POST", "/mcp/sign-out", behind + "Origin: https://other.example\r\n", "a=b").status, 403U);
}

TEST_F(PortalOverHttpTest, ASlowProviderHoldsUpNobodyElse) {
  const auto waiting = std::make_shared<std::atomic<int>>(0);
  const auto goes_on = std::make_shared<std::atomic<bool>>(false);
  start({.public_url = "http://localhost", .threads = 1, .max_waiting = 1}, {},
        std::make_unique<SlowProvider>(waiting, goes_on));
  std::atomic<int> away{0}, turned_away{0};
  const auto leave = [&] { ++(ask("GET", "/mcp/sign-in/start").status == 503 ? turned_away : away); };
  std::vector<std::thread> people;
  people.emplace_back(leave);
  while (*waiting == 0) std::this_thread::sleep_for(1ms);
  for (int i = 0; i < 4; ++i) people.emplace_back(leave);
  while (turned_away < 3) std::this_thread::sleep_for(1ms);  // one waits behind the first
  EXPECT_EQ(ask("GET", "/mcp").status, 200U);
  EXPECT_EQ(ask("GET", "/mcp/keys").status, 303U);
  *goes_on = true;
  for (auto& person : people) person.join();
  EXPECT_EQ(away, 2);
}

TEST_F(PortalOverHttpTest, SomebodyWhoFloodsHoldsUpHimselfAlone) {
  transport::HttpServerConfig http;
  http.trusted_proxies = {"127.0.0.1"};
  const auto waiting = std::make_shared<std::atomic<int>>(0);
  const auto goes_on = std::make_shared<std::atomic<bool>>(false);
  start({.public_url = "http://localhost", .threads = 1, .max_waiting_of_address = 2}, http,
        std::make_unique<SlowProvider>(waiting, goes_on));
  const auto leave = [&](const char* address) {
    return ask("GET", "/mcp/sign-in/start", "X-Forwarded-For: " + std::string(address) + "\r\n");
  };
  std::atomic<int> away{0}, turned_away{0};
  std::vector<std::thread> flood;
  for (int i = 0; i < 6; ++i) {
    flood.emplace_back([&] { ++(leave("2001:db8::1").status == 503 ? turned_away : away); });
    while (*waiting == 0) std::this_thread::sleep_for(1ms);
  }
  while (turned_away < 3) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(ask("GET", "/mcp/sign-in/start",
                "X-Forwarded-For: 2001:db8::1\r\nCookie: toolhost=" + std::string(43, 'A') + "\r\n")
                .status,
            503U)
      << "a cookie that nobody was given counts for nothing";
  const auto refused = leave("2001:db8::2");
  EXPECT_EQ(refused.status, 503U) << "of the same network";
  EXPECT_THAT(refused.head, HasSubstr("Retry-After: "));
  std::thread ana([&] { EXPECT_EQ(leave("192.0.2.1").status, 303U); });
  std::this_thread::sleep_for(50ms);
  *goes_on = true;
  for (auto& one : flood) one.join();
  ana.join();
  EXPECT_EQ(away, 3);
}

TEST_F(PortalOverHttpTest, AStepOfTheSignInIsTakenByGetAlone) {
  const auto waiting = std::make_shared<std::atomic<int>>(0);
  start({.public_url = "http://localhost"}, {},
        std::make_unique<SlowProvider>(waiting, std::make_shared<std::atomic<bool>>(true)));
  const auto callback = ask("HEAD", "/mcp/sign-in/callback?code=a&state=b");
  EXPECT_EQ(callback.status, 405U);
  EXPECT_TRUE(callback.has_field("Allow: GET\r\n")) << callback.head;
  EXPECT_EQ(ask("HEAD", "/mcp/sign-in/start").status, 405U);
  EXPECT_EQ(*waiting, 0);
  EXPECT_TRUE(ask("DELETE", "/mcp/keys/new").has_field("Allow: GET, HEAD, POST\r\n"));
  EXPECT_TRUE(ask("GET", "/mcp/sign-out").has_field("Allow: POST\r\n"));
}

/// Stops every process of a database's server; they go on at the end.
class Frozen {
 public:
  explicit Frozen(pid_t server) : pids_{server} {
    std::ifstream children("/proc/" + std::to_string(server) + "/task/" + std::to_string(server) + "/children");
    for (pid_t child = 0; children >> child;) pids_.push_back(child);
    for (const auto pid : pids_) ::kill(pid, SIGSTOP);
  }
  ~Frozen() {
    for (const auto pid : pids_) ::kill(pid, SIGCONT);
  }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;

 private:
  std::vector<pid_t> pids_;
};

TEST_F(PortalOverHttpTest, AFrozenDatabaseHoldsUpNobodyForLong) {
  start({.local_sign_in = true, .threads = 1, .database_limit = 500ms});
  const auto entered = ask("POST", "/mcp/sign-in/local", "Sec-Fetch-Site: same-origin\r\n", "email=ana%40acme.example");
  const auto at = entered.head.find("toolhost=");
  ASSERT_NE(at, std::string::npos);
  const auto mine = "Cookie: " + entered.head.substr(at, entered.head.find(';', at) - at) + "\r\n";
  ASSERT_EQ(ask("GET", "/mcp/keys", mine).status, 200U);
  {
    const Frozen frozen(postgres_.server().pid());
    const auto begun = std::chrono::steady_clock::now();
    std::thread ana([&] {
      const auto page = ask("GET", "/mcp/keys", mine);
      EXPECT_EQ(page.status, 503U);
      EXPECT_THAT(page.body, HasSubstr("cannot reach its database"));
    });
    // What needs no database is there all the time.
    for (const auto* target : {"/mcp", "/mcp/help", "/mcp/sign-in"}) EXPECT_EQ(ask("GET", target).status, 200U);
    EXPECT_EQ(ask("GET", "/mcp/sign-in", mine).status, 200U);
    EXPECT_EQ(ask("GET", "/mcp/keys", "Cookie: toolhost=junk\r\n").status, 303U);
    EXPECT_EQ(ask("GET", "/mcp/nothing").status, 404U);
    EXPECT_EQ(ask("DELETE", "/mcp/keys", mine).status, 405U);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 400ms);
    ana.join();
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 2s);
    // A new connection is not answered either.
    std::this_thread::sleep_for(2s);
    EXPECT_EQ(ask("GET", "/mcp/keys", mine).status, 503U);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 8s);
  }
  for (int i = 0; i < 100 && ask("GET", "/mcp/keys", mine).status != 200; ++i) std::this_thread::sleep_for(50ms);
  EXPECT_EQ(ask("GET", "/mcp/keys", mine).status, 200U) << "it recovers by itself";
}

TEST_F(PortalOverHttpTest, EndsWhileTheDatabaseIsFrozen) {
  start({.local_sign_in = true, .threads = 1, .database_limit = 60s});
  const auto entered = ask("POST", "/mcp/sign-in/local", "Sec-Fetch-Site: same-origin\r\n", "email=ana%40acme.example");
  const auto at = entered.head.find("toolhost=");
  ASSERT_NE(at, std::string::npos);
  const auto mine = "Cookie: " + entered.head.substr(at, entered.head.find(';', at) - at) + "\r\n";
  const Frozen frozen(postgres_.server().pid());
  RawClient ana(server_->port());
  ana.send("GET /mcp/keys HTTP/1.1\r\nHost: localhost\r\n" + mine + "\r\n");
  std::this_thread::sleep_for(100ms);
  const auto begun = std::chrono::steady_clock::now();
  server_->stop(200ms);
  portal_->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 1500ms);
}

TEST_F(PortalOverHttpTest, EndsWhileSomebodyWaits) {
  const auto waiting = std::make_shared<std::atomic<int>>(0);
  const auto goes_on = std::make_shared<std::atomic<bool>>(false);
  start({.public_url = "http://localhost", .threads = 1}, {}, std::make_unique<SlowProvider>(waiting, goes_on));
  RawClient first(server_->port()), second(server_->port());
  first.send("GET /mcp/sign-in/start HTTP/1.1\r\nHost: localhost\r\n\r\n");
  second.send("GET /mcp/sign-in/start HTTP/1.1\r\nHost: localhost\r\n\r\n");
  while (*waiting == 0) std::this_thread::sleep_for(1ms);
  server_->stop(0s);
  *goes_on = true;
  portal_->stop();
  server_.reset();
  EXPECT_EQ(*waiting, 1) << "who waited is not served any more";
}

}  // namespace
}  // namespace toolhost::portal
