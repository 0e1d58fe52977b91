#include "app/admin_socket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <thread>

namespace toolhost::app {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

/// A directory that goes with the test; its path is longer than the address of a socket may be.
class DataDirectory {
 public:
  DataDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "admin-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    path_ = root_ / std::string(120, 'd');
    std::filesystem::create_directory(path_);
  }
  ~DataDirectory() { std::filesystem::remove_all(root_); }
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path root_, path_;
};

/// A client that does as the test says.
class RawClient {
 public:
  explicit RawClient(const std::filesystem::path& directory) {
    const int opened = ::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = "/proc/self/fd/" + std::to_string(opened) + "/admin.sock";
    std::strcpy(address.sun_path, path.c_str());
    EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::close(opened);
  }
  ~RawClient() { ::close(socket_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t size = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
      if (size <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(size));
    }
  }
  void end_sending() const { ::shutdown(socket_, SHUT_WR); }
  /// What arrives until there are so many lines, or the end; empty lines at the end when it takes over five seconds.
  [[nodiscard]] std::string read_lines(int lines) const {
    std::string text;
    while (std::count(text.begin(), text.end(), '\n') < lines) {
      pollfd polled{.fd = socket_, .events = POLLIN, .revents = 0};
      char buffer[4096];
      if (::poll(&polled, 1, 5000) <= 0) break;
      const ssize_t size = ::recv(socket_, buffer, sizeof buffer, 0);
      if (size <= 0) return text;
      text.append(buffer, static_cast<std::size_t>(size));
    }
    return text;
  }
  /// Whether the host ends the connection within five seconds.
  [[nodiscard]] bool is_dropped() const {
    pollfd polled{.fd = socket_, .events = POLLIN, .revents = 0};
    char byte = 0;
    return ::poll(&polled, 1, 5000) > 0 && ::recv(socket_, &byte, 1, 0) <= 0;
  }

 private:
  int socket_ = -1;
};

AdminHandlers handlers() {
  AdminHandlers handlers;
  handlers["echo"] = [](const json::Value& request) { return json::to_text(request); };
  handlers["slow"] = [](const json::Value&) {
    std::this_thread::sleep_for(milliseconds(200));
    return std::string("{}");
  };
  handlers["big"] = [](const json::Value&) { return "\"" + std::string(8 << 20, 'x') + "\""; };
  handlers["fail"] = [](const json::Value&) { return admin_error({Errc::kNotFound, "no such key", "detail"}); };
  handlers["throw"] = [](const json::Value&) -> std::string { throw std::runtime_error("a bug"); };
  return handlers;
}

TEST(AdminSocket, AnswersCommands) {
  const DataDirectory directory;
  const auto server = AdminServer::start(directory.path(), handlers()).value();
  EXPECT_EQ(AdminClient::ask(directory.path(), R"({"command":"echo","a":[1]})").value(),
            R"({"command":"echo","a":[1]})");
  EXPECT_EQ(AdminClient::ask(directory.path(), R"({"command":"big"})").value().size(), (8U << 20) + 2);
}

TEST(AdminSocket, IsForItsUserOnlyAndGoesWithTheHost) {
  const DataDirectory directory;
  const auto socket = directory.path() / "admin.sock";
  {
    const auto server = AdminServer::start(directory.path(), handlers()).value();
    struct stat status{};
    ASSERT_EQ(::stat(socket.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
  }
  EXPECT_FALSE(std::filesystem::exists(socket));
  const auto answer = AdminClient::ask(directory.path(), R"({"command":"echo"})");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::kUnavailable);
  EXPECT_EQ(answer.error().message, "no host is running on " + directory.path().string());
}

TEST(AdminSocket, HandsErrorsToTheClient) {
  const DataDirectory directory;
  const auto server = AdminServer::start(directory.path(), handlers()).value();
  const auto error_of = [&](std::string_view request) { return AdminClient::ask(directory.path(), request).error(); };
  EXPECT_EQ(error_of(R"({"command":"fail"})").code, Errc::kNotFound);
  EXPECT_EQ(error_of(R"({"command":"fail"})").message, "no such key");
  EXPECT_EQ(error_of(R"({"command":"throw"})").code, Errc::kInternal);
  EXPECT_EQ(error_of(R"({"command":"format"})").code, Errc::kUnsupported);
  EXPECT_EQ(error_of(R"({"no":"command"})").code, Errc::kInvalidArgument);
  EXPECT_EQ(error_of("\xff{[").code, Errc::kInvalidArgument);
}

TEST(AdminSocket, ReplacesTheSocketOfAHostThatWasKilled) {
  const DataDirectory directory;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto server = AdminServer::start(directory.path(), handlers());
    const char byte = server ? 'y' : 'n';
    if (::write(ready[1], &byte, 1) == 1) ::pause();
    ::_exit(1);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ASSERT_TRUE(std::filesystem::exists(directory.path() / "admin.sock"));
  EXPECT_EQ(AdminClient::ask(directory.path(), R"({"command":"echo"})").error().code, Errc::kUnavailable);
  const auto server = AdminServer::start(directory.path(), handlers());
  ASSERT_TRUE(server) << server.error().message;
  EXPECT_TRUE(AdminClient::ask(directory.path(), R"({"command":"echo"})").has_value());
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(AdminSocket, LeavesTheSocketOfALivingHostAlone) {
  const DataDirectory directory;
  const auto server = AdminServer::start(directory.path(), handlers()).value();
  const auto second = AdminServer::start(directory.path(), handlers());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kConflict);
  EXPECT_TRUE(AdminClient::ask(directory.path(), R"({"command":"echo"})").has_value());
}

TEST(AdminSocket, DropsWhoSaysNothingAndServesOthersMeanwhile) {
  const DataDirectory directory;
  const auto server =
      AdminServer::start(directory.path(), handlers(), {.patience = milliseconds(300), .max_clients = 3}).value();
  const RawClient silent(directory.path()), slow(directory.path());
  slow.send(R"({"command":)");
  const auto start = Clock::now();
  EXPECT_TRUE(AdminClient::ask(directory.path(), R"({"command":"echo"})").has_value());
  EXPECT_LT(Clock::now() - start, milliseconds(250));
  EXPECT_TRUE(silent.is_dropped());
  EXPECT_TRUE(slow.is_dropped());
}

TEST(AdminSocket, MakesRoomForNewcomers) {
  const DataDirectory directory;
  const auto server =
      AdminServer::start(directory.path(), handlers(), {.patience = milliseconds(300), .max_clients = 2}).value();
  const RawClient first(directory.path()), second(directory.path());
  for (const auto* client : {&first, &second}) {
    client->send("{\"command\":\"echo\"}\n");
    EXPECT_EQ(client->read_lines(1), "{\"command\":\"echo\"}\n");
  }
  EXPECT_TRUE(AdminClient::ask(directory.path(), R"({"command":"echo"})").has_value());
  EXPECT_TRUE(first.is_dropped());  // it had been idle for longest
  second.send("{\"command\":\"echo\"}\n");
  EXPECT_EQ(second.read_lines(1), "{\"command\":\"echo\"}\n");
}

TEST(AdminSocket, ACrowdThatAsksNothingDoesNotKeepOthersWaiting) {
  const DataDirectory directory;
  const auto server =
      AdminServer::start(directory.path(), handlers(),
                         {.patience = std::chrono::hours(1), .courtesy = milliseconds(50), .max_clients = 2})
          .value();
  std::vector<std::unique_ptr<RawClient>> crowd;
  for (int i = 0; i < 20; ++i) {
    crowd.push_back(std::make_unique<RawClient>(directory.path()));
    if (i % 2 == 0) crowd.back()->send(R"({"command":)");
  }
  EXPECT_TRUE(AdminClient::ask(directory.path(), R"({"command":"echo"})").has_value());
}

TEST(AdminSocket, DropsWhoDoesNotRead) {
  const DataDirectory directory;
  const auto server =
      AdminServer::start(directory.path(), handlers(), {.patience = milliseconds(300), .max_clients = 1}).value();
  const RawClient deaf(directory.path());
  deaf.send("{\"command\":\"big\"}\n");
  EXPECT_TRUE(AdminClient::ask(directory.path(), R"({"command":"echo"})").has_value());
}

TEST(AdminSocket, RefusesRequestsThatAreTooLong) {
  const DataDirectory directory;
  const auto server = AdminServer::start(directory.path(), handlers(), {.max_request_bytes = 1000}).value();
  const auto ask = [&](std::size_t size) {
    const std::string request = R"({"command":"echo","pad":"")";
    return AdminClient::ask(
        directory.path(), request.substr(0, request.size() - 1) + std::string(size - request.size() - 1, 'x') + "\"}");
  };
  EXPECT_TRUE(ask(1000).has_value());
  EXPECT_EQ(ask(1001).error().code, Errc::kLimit);
  const RawClient endless(directory.path());
  endless.send(std::string(2000, ' '));
  EXPECT_NE(endless.read_lines(1).find("\"limit\""), std::string::npos);
  EXPECT_TRUE(endless.is_dropped());
}

TEST(AdminSocket, TakesRequestsOneAfterAnotherOnOneConnection) {
  const DataDirectory directory;
  const auto server = AdminServer::start(directory.path(), handlers()).value();
  const RawClient client(directory.path());
  std::string many;
  for (int i = 0; i < 20'000; ++i) many += "1\n";
  std::thread writer([&] {
    client.send(many);
    client.send("{\"command\":\"echo\"}\n");
    client.end_sending();
  });
  const std::string text = client.read_lines(20'002);
  writer.join();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 20'001);
  EXPECT_TRUE(text.ends_with("\n{\"command\":\"echo\"}\n"));
}

TEST(AdminSocket, ServesManyClientsAtATime) {
  const DataDirectory directory;
  const auto server = AdminServer::start(directory.path(), handlers(), {.max_clients = 4}).value();
  std::atomic<int> answered{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 12; ++i) {
    clients.emplace_back([&, i] {
      const auto answer = AdminClient::ask(
          directory.path(), i % 4 == 0 ? R"({"command":"slow"})" : R"({"command":"echo"})", milliseconds(10'000));
      if (answer) ++answered;
    });
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(answered, 12);
}

}  // namespace
}  // namespace toolhost::app
