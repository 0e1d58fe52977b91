#include "app/admin_socket.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <list>
#include <thread>
#include <vector>

#include "base/deadline.hpp"
#include "base/json_writer.hpp"

namespace toolhost::app {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr const char* kSocketName = "admin.sock";
constexpr milliseconds kIdlePatience{300'000};  // for the next request of a client that has been answered
constexpr int kAcceptPauseMs = 100;
constexpr std::size_t kMostAnswerBytes = std::size_t{64} << 20;

/// A file descriptor that is closed at its end.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) noexcept : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int get() const noexcept { return number_; }
  explicit operator bool() const noexcept { return number_ >= 0; }

 private:
  int number_;
};

/// The socket's address by way of the opened directory: sun_path is too short for many a data directory.
sockaddr_un address_in(const Descriptor& directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = "/proc/self/fd/" + std::to_string(directory.get()) + "/" + kSocketName;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}
const sockaddr* plain(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

Error system_error(const std::string& what) {
  return {Errc::kUnavailable, what + ": " + std::strerror(errno), ""};
}

/// One connection: a request comes in, its answer goes out, and again.
struct Client {
  Descriptor socket;
  Clock::time_point deadline;
  std::string in{};
  std::string out{};
  std::size_t sent = 0;
  bool was_answered = false;
  bool sends_no_more = false;

  [[nodiscard]] bool has_line() const { return out.empty() && in.find('\n') != std::string::npos; }
  [[nodiscard]] bool is_idle() const { return was_answered && in.empty() && out.empty(); }
};

class AdminServerImpl final : public AdminServer {
 public:
  AdminServerImpl(AdminHandlers handlers, const Limits& limits) : handlers_(std::move(handlers)), limits_(limits) {}
  ~AdminServerImpl() override {
    if (!thread_.joinable()) return;
    const char byte = 0;
    while (::write(wake_writer_.get(), &byte, 1) < 0 && errno == EINTR) {
    }
    thread_.join();
    ::unlinkat(directory_.get(), kSocketName, 0);
  }
  AdminServerImpl(const AdminServerImpl&) = delete;
  AdminServerImpl& operator=(const AdminServerImpl&) = delete;

  Result<> listen(const std::filesystem::path& data_dir);
  void start() {
    thread_ = std::thread([this] { run(); });
  }

 private:
  void run();
  Clock::time_point prepare(std::vector<pollfd>& polled) const;
  void accept_all();
  Clock::time_point yields_at(const Client& client) const;
  bool drop_one();
  /// False when the client is to be dropped; so are read() and write().
  bool serve(Client& client, short events);
  bool read(Client& client);
  bool write(Client& client);
  std::string answer(std::string_view request);

  const AdminHandlers handlers_;
  const Limits limits_;
  Descriptor directory_;  // holds the lock that says who the socket belongs to
  Descriptor listener_;
  Descriptor wake_reader_, wake_writer_;
  std::list<Client> clients_;
  json::Document document_;
  std::thread thread_;
};

Result<> AdminServerImpl::listen(const std::filesystem::path& data_dir) {
  const std::string place = (data_dir / kSocketName).string();
  directory_ = Descriptor(::open(data_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory_) return system_error("cannot open " + data_dir.string());
  if (::flock(directory_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return Error{Errc::kConflict, "another host runs on " + data_dir.string() + " and has " + place, ""};
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return system_error("cannot make a pipe");
  wake_reader_ = Descriptor(ends[0]);
  wake_writer_ = Descriptor(ends[1]);
  listener_ = Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener_) return system_error("cannot make a socket");
  // The lock is ours, so what stands there is left of a host that was killed.
  ::unlinkat(directory_.get(), kSocketName, 0);
  const sockaddr_un address = address_in(directory_);
  ::fchmod(listener_.get(), 0600);  // before bind(): the file never has another mode
  if (::bind(listener_.get(), plain(address), sizeof address) != 0) return system_error("cannot make " + place);
  if (::listen(listener_.get(), SOMAXCONN) != 0) return system_error("cannot listen on " + place);
  return {};
}

void AdminServerImpl::run() {
  pthread_setname_np(pthread_self(), "toolhost-admin");
  std::vector<pollfd> polled;
  for (;;) {
    const auto next = prepare(polled);
    const auto left = std::chrono::ceil<milliseconds>(next - Clock::now());
    const int timeout = clients_.empty() ? -1 : static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
    if (::poll(polled.data(), polled.size(), timeout) < 0) {
      if (errno != EINTR) return;
      continue;
    }
    if (polled[0].revents != 0) return;

    // The moment that counts for all: who waited for another's command has not been silent meanwhile.
    const auto now = Clock::now();
    std::size_t at = 2;
    for (auto client = clients_.begin(); client != clients_.end(); ++at) {
      const bool stays = serve(*client, polled[at].revents) && now < client->deadline;
      client = stays ? std::next(client) : clients_.erase(client);
    }
    if (polled[1].revents != 0) accept_all();
  }
}

/// What to poll for, and until when.
Clock::time_point AdminServerImpl::prepare(std::vector<pollfd>& polled) const {
  auto next = Clock::time_point::max(), room_at = next;
  polled.assign({{.fd = wake_reader_.get(), .events = POLLIN, .revents = 0},
                 {.fd = listener_.get(), .events = POLLIN, .revents = 0}});
  for (const Client& client : clients_) {
    const short reading = client.sends_no_more ? 0 : POLLIN;
    polled.push_back(
        {.fd = client.socket.get(), .events = client.out.empty() ? reading : short{POLLOUT}, .revents = 0});
    next = std::min(next, client.has_line() ? Clock::now() : client.deadline);
    room_at = std::min(room_at, yields_at(client));
  }
  if (clients_.size() < limits_.max_clients || room_at <= Clock::now()) return next;
  polled[1].fd = -1;
  return std::min(next, room_at);
}

void AdminServerImpl::accept_all() {
  if (clients_.size() >= limits_.max_clients && !drop_one()) return;
  while (clients_.size() < limits_.max_clients) {
    Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
      if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) return;
      // Out of descriptors: the client stays in the backlog, and trying again at once would burn the processor.
      pollfd wake{.fd = wake_reader_.get(), .events = POLLIN, .revents = 0};
      ::poll(&wake, 1, kAcceptPauseMs);
      return;
    }
    clients_.push_back({.socket = std::move(socket), .deadline = Clock::now() + limits_.patience});
  }
}

/// From when on the client makes room for one that waits: it has its answer, or has not asked yet.
Clock::time_point AdminServerImpl::yields_at(const Client& client) const {
  if (!client.out.empty() || client.has_line()) return Clock::time_point::max();
  if (client.is_idle()) return client.deadline - kIdlePatience;
  return client.deadline - limits_.patience + limits_.courtesy;
}

/// Makes room: the one goes that could have gone for longest, but not with a request that was not read yet.
bool AdminServerImpl::drop_one() {
  const auto now = Clock::now();
  auto oldest = clients_.end();
  for (auto client = clients_.begin(); client != clients_.end(); ++client) {
    pollfd polled{.fd = client->socket.get(), .events = POLLIN, .revents = 0};
    if (yields_at(*client) > now || ::poll(&polled, 1, 0) != 0) continue;
    if (oldest == clients_.end() || yields_at(*client) < yields_at(*oldest)) oldest = client;
  }
  if (oldest == clients_.end()) return false;
  clients_.erase(oldest);
  return true;
}

/// At most one request, then it is the next one's turn.
bool AdminServerImpl::serve(Client& client, short events) {
  if (!client.out.empty()) return events == 0 || write(client);
  if (events != 0 && !client.sends_no_more && !read(client)) return false;
  const auto end = client.in.find('\n');
  if (std::min(end, client.in.size()) > limits_.max_request_bytes) {
    client.out = admin_error(
        {Errc::kLimit, "a request has at most " + std::to_string(limits_.max_request_bytes) + " bytes", ""});
    client.in.clear();
    client.sends_no_more = true;
  } else if (end != std::string::npos) {
    client.out = answer(std::string_view(client.in).substr(0, end));
    client.in.erase(0, end + 1);
  } else {
    return !client.sends_no_more;
  }
  client.out += '\n';
  client.deadline = Clock::now() + limits_.patience;
  return write(client);
}

/// Takes what is there; false when the connection is broken.
bool AdminServerImpl::read(Client& client) {
  const bool was_idle = client.is_idle();
  char buffer[16384];
  while (client.in.size() <= limits_.max_request_bytes) {
    const ssize_t size = ::recv(client.socket.get(), buffer, sizeof buffer, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno != EAGAIN) return false;
    if (size == 0) client.sends_no_more = true;
    if (size <= 0) break;
    client.in.append(buffer, static_cast<std::size_t>(size));
  }
  if (was_idle && !client.in.empty()) client.deadline = Clock::now() + limits_.patience;
  return true;
}

/// Gives what the client takes; false when it is gone, or has what it came for.
bool AdminServerImpl::write(Client& client) {
  while (client.sent < client.out.size()) {
    const ssize_t size =
        ::send(client.socket.get(), client.out.data() + client.sent, client.out.size() - client.sent, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno == EAGAIN;
    client.sent += static_cast<std::size_t>(size);
    client.deadline = Clock::now() + limits_.patience;
  }
  client.out.clear();
  client.sent = 0;
  client.was_answered = true;
  if (client.in.empty()) client.deadline = Clock::now() + kIdlePatience;
  return !client.sends_no_more || client.has_line();
}

std::string AdminServerImpl::answer(std::string_view request) {
  const auto root = document_.parse(request);
  if (!root) return admin_error({Errc::kInvalidArgument, "the request is no JSON: " + root.error().message, ""});
  std::string_view command;
  json::Value member;
  if (json::find(*root, "command").get(member) != simdjson::SUCCESS || member.get(command) != simdjson::SUCCESS)
    return admin_error({Errc::kInvalidArgument, R"(the request names no "command")", ""});
  const auto handler = handlers_.find(command);
  if (handler == handlers_.end()) {
    return admin_error(
        {Errc::kUnsupported, "the host knows no command '" + std::string(command.substr(0, 64)) + "'", ""});
  }
  try {
    return handler->second(*root);
  } catch (const std::exception& error) {
    return admin_error({Errc::kInternal, std::string("the command failed: ") + error.what(), ""});
  }
}

/// The error that admin_error() wrote, if the answer is one.
std::optional<Error> error_in(const std::string& answer) {
  json::Document document;
  const auto root = document.parse(answer);
  if (!root) return Error{Errc::kInternal, "the host's answer is no JSON", root.error().message};
  json::Value error;
  if (json::find(*root, "error").get(error) != simdjson::SUCCESS || !error.is_object()) return std::nullopt;
  std::string_view code, message;
  if (error["code"].get(code) != simdjson::SUCCESS || error["message"].get(message) != simdjson::SUCCESS)
    return std::nullopt;
  for (int number = 0; number <= static_cast<int>(Errc::kInternal); ++number) {
    if (code == to_string(static_cast<Errc>(number))) return Error{static_cast<Errc>(number), std::string(message), ""};
  }
  return Error{Errc::kInternal, std::string(message), ""};
}

Result<Descriptor> connect_to(const std::filesystem::path& data_dir, milliseconds limit) {
  const auto nobody = [&] { return Error{Errc::kUnavailable, "no host is running on " + data_dir.string(), ""}; };
  const auto denied = [&] {
    return Error{Errc::kDenied, "the host on " + data_dir.string() + " is another user's", ""};
  };
  const Descriptor directory(::open(data_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return errno == EACCES ? denied() : nobody();
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return system_error("cannot make a socket");
  // Also the limit of connect(), which waits where too many others do.
  const timeval patience{.tv_sec = limit.count() / 1000, .tv_usec = limit.count() % 1000 * 1000};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const sockaddr_un address = address_in(directory);
  if (::connect(socket.get(), plain(address), sizeof address) == 0) return socket;
  if (errno == EAGAIN) return Error{Errc::kTimeout, "the host has no time for another command", ""};
  return errno == EACCES || errno == EPERM ? denied() : nobody();
}

/// Waits until the socket can be read or written; false when there is no more time.
bool wait_for(const Descriptor& socket, short events, const Deadline& deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline.left());
    if (left.count() <= 0) return false;
    pollfd polled{.fd = socket.get(), .events = events, .revents = 0};
    const int ready = ::poll(&polled, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

}  // namespace

std::string admin_error(const Error& error) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("error").begin_object().member("code", to_string(error.code));
  json.member("message", error.message).end_object().end_object();
  return out;
}

Result<std::unique_ptr<AdminServer>> AdminServer::start(const std::filesystem::path& data_dir, AdminHandlers handlers,
                                                        const Limits& limits) {
  auto server = std::make_unique<AdminServerImpl>(std::move(handlers), limits);
  if (const auto listening = server->listen(data_dir); !listening) return listening.error();
  server->start();
  return std::unique_ptr<AdminServer>(std::move(server));
}

Result<std::string> AdminClient::ask(const std::filesystem::path& data_dir, std::string_view request,
                                     milliseconds limit) {
  const auto socket = connect_to(data_dir, limit);
  if (!socket) return socket.error();
  const auto deadline = Deadline::after(limit);
  const auto gone = [] { return Error{Errc::kUnavailable, "the host ended the connection without an answer", ""}; };
  const auto late = [] { return Error{Errc::kTimeout, "the host did not answer in time", ""}; };

  const std::string line = std::string(request) + "\n";
  for (std::size_t sent = 0; sent < line.size();) {
    if (!wait_for(*socket, POLLOUT, deadline)) return late();
    const ssize_t size = ::send(socket->get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (size < 0) break;  // it may have said why
    sent += static_cast<std::size_t>(size);
  }

  std::string answer;
  char buffer[65536];
  while (!answer.ends_with('\n')) {
    if (!wait_for(*socket, POLLIN, deadline)) return late();
    const ssize_t size = ::recv(socket->get(), buffer, sizeof buffer, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0 || answer.size() > kMostAnswerBytes) return gone();
    answer.append(buffer, static_cast<std::size_t>(size));
  }
  answer.pop_back();
  if (auto error = error_in(answer)) return *error;
  return answer;
}

}  // namespace toolhost::app
