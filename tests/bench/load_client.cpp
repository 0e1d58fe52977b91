// A load generator that costs as little as the machine allows: one thread, epoll, raw sockets, requests built once. The
// same program drives the host and the bare server. Each connection keeps one request in flight.
//
//   load_client --port N --connections N --seconds S [--warm-up S] [--sse] [--path /mcp] [--header 'Name: value']...
//               --body FILE --expect TEXT [--server-pid PID] [--cpu N]
//   load_client --port N --idle-streams N [--path /sse] [--header ...]
//
// "########" in the body becomes a number of eight digits, another one for each request. An answer without TEXT is an
// error. With --sse each connection is two: a stream (GET /sse) and one for the POSTs to the stream's endpoint; a call
// has ended when its answer has come over the stream and its POST has been answered. One line of JSON goes to standard
// output. With --idle-streams: "ready" when all are open, and they stay open until standard input ends.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::string_view kNumberMark = "########";

struct Options {
  std::uint16_t port = 0;
  unsigned connections = 1;
  unsigned idle_streams = 0;
  double seconds = 1;
  double warm_up = 0.2;
  bool sse = false;
  std::string path;
  std::string fields;
  std::string body;
  std::string expect;
  int server_pid = 0;
  int cpu = -1;
};

[[noreturn]] void fail(const std::string& message) {
  std::fprintf(stderr, "load_client: %s\n", message.c_str());
  std::exit(1);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--sse") {
      options.sse = true;
      continue;
    }
    if (++i >= argc) fail(std::string(name) + " needs a value");
    const char* value = argv[i];
    if (name == "--port")
      options.port = static_cast<std::uint16_t>(std::atoi(value));
    else if (name == "--connections")
      options.connections = static_cast<unsigned>(std::atoi(value));
    else if (name == "--idle-streams")
      options.idle_streams = static_cast<unsigned>(std::atoi(value));
    else if (name == "--seconds")
      options.seconds = std::atof(value);
    else if (name == "--warm-up")
      options.warm_up = std::atof(value);
    else if (name == "--path")
      options.path = value;
    else if (name == "--header")
      options.fields += std::string(value) + "\r\n";
    else if (name == "--body")
      options.body = read_file(value);
    else if (name == "--expect")
      options.expect = value;
    else if (name == "--server-pid")
      options.server_pid = std::atoi(value);
    else if (name == "--cpu")
      options.cpu = std::atoi(value);
    else
      fail("unknown option " + std::string(name));
  }
  if (options.path.empty()) options.path = options.sse || options.idle_streams != 0 ? "/sse" : "/mcp";
  return options;
}

/// User and system time of a process and its threads so far.
double cpu_seconds(int pid) {
  if (pid == 0) return 0;
  const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  // Fields 14 and 15; the second field may hold spaces and ends with the last ')'.
  unsigned long user = 0, system = 0;
  if (std::sscanf(stat.c_str() + stat.rfind(')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                  &system) != 2) {
    fail("cannot read the CPU time of the server");
  }
  return static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

int connect_to(std::uint16_t port) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (descriptor < 0 || ::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("cannot connect: " + std::string(std::strerror(errno)));
  }
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return descriptor;
}

/// One request as bytes, and where its number stands.
struct Request {
  std::string bytes;
  std::vector<std::size_t> marks;

  Request(const Options& options, const std::string& target) {
    bytes = "POST " + target + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(options.port) +
            "\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nUser-Agent: "
            "toolhost-bench\r\n" +
            options.fields + "Content-Length: " + std::to_string(options.body.size()) + "\r\n\r\n" + options.body;
    for (std::size_t at = bytes.find(kNumberMark); at != std::string::npos;
         at = bytes.find(kNumberMark, at + kNumberMark.size())) {
      marks.push_back(at);
    }
  }
  void number(std::uint32_t value) {
    std::array<char, 9> digits;
    std::snprintf(digits.data(), digits.size(), "%08u", value % 100'000'000U);
    for (const std::size_t at : marks) std::memcpy(bytes.data() + at, digits.data(), kNumberMark.size());
  }
};

std::string stream_request(const Options& options, const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(options.port) +
         "\r\nAccept: text/event-stream\r\n" + options.fields + "\r\n";
}

struct Totals {
  std::vector<std::uint32_t> latencies_us;
  std::uint64_t errors = 0;
  std::string first_error;
  std::uint32_t next_number = 0;
};

/// One caller: sends, waits for the answer, sends again.
class Caller {
 public:
  Caller(const Options& options, Totals& totals) : options_(options), totals_(totals) {
    if (options.sse) open_stream();
    post_ = connect_to(options.port);
    request_.emplace(options, options.sse ? endpoint_ : options.path);
  }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;
  ~Caller() {
    ::close(post_);
    if (stream_ >= 0) ::close(stream_);
  }

  /// Asks for readiness of both sockets; `data.u64` is the caller's index, its lowest bit 1 for the stream.
  void watch(int epoll, std::uint64_t index) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index << 1;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, post_, &event);
    if (stream_ < 0) return;
    event.data.u64 |= 1;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, stream_, &event);
  }

  void send_request() {
    request_->number(totals_.next_number++);
    is_posted_ = false;
    is_answered_ = !options_.sse;
    sent_at_ = Clock::now();
    std::string_view rest = request_->bytes;
    while (!rest.empty()) {
      const ssize_t count = ::send(post_, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (count <= 0) fail("the server closed a connection");
      rest.remove_prefix(static_cast<std::size_t>(count));
    }
  }

  /// True when a call has ended.
  bool on_readable(bool from_stream) {
    if (from_stream) {
      read_into(stream_, stream_bytes_);
      // The end of an event; chunk framing in between does not matter to what is looked for.
      if (stream_bytes_.find("\n\n") == std::string::npos) return false;
      if (stream_bytes_.find("data: ") != std::string::npos) {
        check(stream_bytes_);
        is_answered_ = true;
      }
      stream_bytes_.clear();
    } else {
      read_into(post_, post_bytes_);
      if (!take_response()) return false;
      is_posted_ = true;
    }
    if (!is_posted_ || !is_answered_) return false;
    totals_.latencies_us.push_back(static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - sent_at_).count()));
    return true;
  }

 private:
  static void read_into(int descriptor, std::string& bytes) {
    std::array<char, 65536> block;
    const ssize_t count = ::recv(descriptor, block.data(), block.size(), 0);
    if (count <= 0) fail("the server closed a connection; so far it had sent: " + bytes.substr(0, 500));
    bytes.append(block.data(), static_cast<std::size_t>(count));
  }

  bool take_response() {
    const std::size_t head_end = post_bytes_.find("\r\n\r\n");
    if (head_end == std::string::npos) return false;
    const std::size_t length_at = post_bytes_.find("Content-Length: ");
    const std::size_t length =
        length_at < head_end ? std::strtoul(post_bytes_.c_str() + length_at + 16, nullptr, 10) : 0;
    if (post_bytes_.size() < head_end + 4 + length) return false;
    const std::string_view status = std::string_view(post_bytes_).substr(9, 3);
    if (options_.sse) {
      if (status != "202") note_error(post_bytes_);
    } else {
      check(post_bytes_);
    }
    post_bytes_.clear();
    return true;
  }

  void check(const std::string& answer) {
    if (answer.find(options_.expect) == std::string::npos) note_error(answer);
  }
  void note_error(const std::string& answer) {
    if (totals_.errors++ == 0) totals_.first_error = answer;
  }

  void open_stream() {
    stream_ = connect_to(options_.port);
    const std::string request = stream_request(options_, options_.path);
    if (::send(stream_, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
      fail("cannot send");
    constexpr std::string_view kData = "data: ";
    for (;;) {
      read_into(stream_, stream_bytes_);
      const std::size_t at = stream_bytes_.find(kData);
      const std::size_t end = stream_bytes_.find("\n\n", at == std::string::npos ? 0 : at);
      if (at == std::string::npos || end == std::string::npos) {
        if (stream_bytes_.find("\r\n\r\n") != std::string::npos && !stream_bytes_.starts_with("HTTP/1.1 200")) {
          fail("no stream: " + stream_bytes_);
        }
        continue;
      }
      endpoint_ = stream_bytes_.substr(at + kData.size(), end - at - kData.size());
      stream_bytes_.clear();
      return;
    }
  }

  const Options& options_;
  Totals& totals_;
  int post_ = -1;
  int stream_ = -1;
  std::string endpoint_;
  std::optional<Request> request_;
  std::string post_bytes_, stream_bytes_;
  Clock::time_point sent_at_;
  bool is_posted_ = false, is_answered_ = false;
};

void run_until(int epoll, std::vector<std::unique_ptr<Caller>>& callers, Clock::time_point end) {
  std::array<epoll_event, 128> events;
  while (Clock::now() < end) {
    const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 100);
    for (int i = 0; i < count; ++i) {
      const std::uint64_t tag = events[static_cast<std::size_t>(i)].data.u64;
      Caller& caller = *callers[tag >> 1];
      if (caller.on_readable((tag & 1) != 0)) caller.send_request();
    }
  }
}

std::uint32_t percentile(std::vector<std::uint32_t>& values, double share) {
  if (values.empty()) return 0;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

void measure(const Options& options) {
  Totals totals;
  totals.latencies_us.reserve(1 << 20);
  // Numbers of one run follow those of the last, as far as eight digits allow.
  totals.next_number = static_cast<std::uint32_t>(Clock::now().time_since_epoch().count() / 1'000'000 % 100'000) * 1000;
  std::vector<std::unique_ptr<Caller>> callers;
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  for (unsigned i = 0; i < options.connections; ++i) {
    callers.push_back(std::make_unique<Caller>(options, totals));
    callers.back()->watch(epoll, i);
  }
  for (auto& caller : callers) caller->send_request();
  const auto seconds = [](double count) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(count));
  };
  run_until(epoll, callers, Clock::now() + seconds(options.warm_up));
  totals.latencies_us.clear();
  const double cpu_before = cpu_seconds(options.server_pid);
  const auto start = Clock::now();
  run_until(epoll, callers, start + seconds(options.seconds));
  const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
  const double cpu = cpu_seconds(options.server_pid) - cpu_before;
  ::close(epoll);

  const auto calls = static_cast<double>(totals.latencies_us.size());
  if (totals.errors != 0)
    std::fprintf(stderr, "load_client: an unexpected answer: %s\n", totals.first_error.substr(0, 2000).c_str());
  std::printf(
      "{\"calls\":%.0f,\"errors\":%llu,\"seconds\":%.3f,\"per_second\":%.1f,\"server_cpu_us\":%.3f,\"p50_us\":%u,\"p99_"
      "us\":%u}\n",
      calls, static_cast<unsigned long long>(totals.errors), elapsed, calls / elapsed,
      calls == 0 ? 0 : cpu * 1e6 / calls, percentile(totals.latencies_us, 0.5), percentile(totals.latencies_us, 0.99));
}

void hold_streams(const Options& options) {
  const std::string request = stream_request(options, options.path);
  std::vector<int> streams;
  for (unsigned i = 0; i < options.idle_streams; ++i) {
    const int stream = connect_to(options.port);
    if (::send(stream, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
      fail("cannot send");
    std::string answer;
    std::array<char, 4096> block;
    while (answer.find("\n\n") == std::string::npos) {
      const ssize_t count = ::recv(stream, block.data(), block.size(), 0);
      if (count <= 0) fail("stream " + std::to_string(i) + " was refused: " + answer);
      answer.append(block.data(), static_cast<std::size_t>(count));
      if (!answer.starts_with("HTTP/1.1 200") && answer.size() > 12)
        fail("stream " + std::to_string(i) + " was refused: " + answer);
    }
    streams.push_back(stream);
  }
  std::puts("ready");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (options.cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(options.cpu), &set);
    ::sched_setaffinity(0, sizeof set, &set);
  }
  if (options.idle_streams != 0) {
    hold_streams(options);
  } else {
    measure(options);
  }
}
