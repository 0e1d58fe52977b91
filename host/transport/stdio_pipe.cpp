#include "transport/stdio_pipe.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

namespace toolhost::transport {
namespace {

constexpr std::size_t kReadSize = std::size_t{64} * 1024;
constexpr std::size_t kMostWaiting = std::size_t{1} << 20;
constexpr std::size_t kAtOnce = PIPE_BUF;  // what a descriptor with room takes without waiting
constexpr std::chrono::milliseconds kEndPatience{500};
constexpr std::size_t kKeptLine = std::size_t{256} * 1024;  // a larger one is given back

/// A duplicate that no child process inherits, above the standard three.
int duplicate(int fd) {
  return ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/// Also when nobody reads any more.
bool has_room(int fd) noexcept {
  pollfd output{.fd = fd, .events = POLLOUT, .revents = 0};
  return ::poll(&output, 1, 0) > 0;
}

/// How much was written without waiting; nothing when nobody reads any more.
std::optional<std::size_t> write_some(int fd, std::string_view bytes) noexcept {
  const ssize_t written = ::write(fd, bytes.data(), std::min(bytes.size(), kAtOnce));
  if (written >= 0) return static_cast<std::size_t>(written);
  if (errno == EAGAIN || errno == EINTR) return 0;
  return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<StdioPipe>> StdioPipe::take_over() {
  std::signal(SIGPIPE, SIG_IGN);
  const int input = duplicate(STDIN_FILENO);
  const int output = duplicate(STDOUT_FILENO);
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  const bool is_taken = input >= 0 && output >= 0 && nothing >= 0 && ::dup2(nothing, STDIN_FILENO) >= 0 &&
                        ::dup2(::fcntl(STDERR_FILENO, F_GETFD) < 0 ? nothing : STDERR_FILENO, STDOUT_FILENO) >= 0;
  const int why = errno;
  if (nothing >= 0) ::close(nothing);
  if (is_taken) return std::make_unique<StdioPipe>(input, output);
  if (input >= 0) ::close(input);
  if (output >= 0) ::close(output);
  return Error{Errc::kUnavailable, "standard input and output are not open", std::strerror(why)};
}

StdioPipe::StdioPipe(int input, int output) noexcept
    : input_(input),
      output_(output),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      end_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

StdioPipe::~StdioPipe() {
  {
    std::unique_lock lock(write_mutex_);
    written_.wait_for(lock, kEndPatience, [this] { return waiting_.empty(); });
    is_ending_ = true;
  }
  written_.notify_all();
  ::eventfd_write(end_, 1);
  if (flusher_.joinable()) flusher_.join();
  for (const int fd : {input_, output_, wake_, end_}) ::close(fd);
}

void StdioPipe::interrupt() noexcept {
  {
    const std::lock_guard lock(write_mutex_);
    is_interrupted_ = true;
  }
  written_.notify_all();
  ::eventfd_write(wake_, 1);
}

void StdioPipe::wait_for_reader() {
  std::unique_lock lock(write_mutex_);
  written_.wait(lock, [this] { return waiting_bytes_ < kMostWaiting || is_interrupted_; });
}

/// False at the end of the input, and when the reader was interrupted.
bool StdioPipe::fill() {
  buffer_.erase(0, begin_);
  searched_ -= begin_;
  begin_ = 0;
  if (buffer_.empty() && buffer_.capacity() > kKeptLine) std::string().swap(buffer_);
  const std::size_t before = buffer_.size();
  buffer_.resize(before + kReadSize);
  ssize_t got = -1;
  for (;;) {
    std::array<pollfd, 2> waiting{
        {{.fd = input_, .events = POLLIN, .revents = 0}, {.fd = wake_, .events = POLLIN, .revents = 0}}};
    const bool is_ready = ::poll(waiting.data(), waiting.size(), -1) > 0;
    if (is_ready && waiting[1].revents != 0) break;
    if (!is_ready) continue;
    got = ::read(input_, buffer_.data() + before, kReadSize);
    if (got >= 0 || (errno != EINTR && errno != EAGAIN)) break;
  }
  buffer_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return got > 0;
}

StdioPipe::Line StdioPipe::read() {
  wait_for_reader();
  for (;;) {
    std::size_t end = buffer_.find('\n', searched_);
    if (end == std::string::npos && !has_ended_) {
      searched_ = buffer_.size();
      if (buffer_.size() - begin_ > kMaxLine) {
        skips_ = true;
        begin_ = searched_;
      }
      has_ended_ = !fill();
      continue;
    }
    if (end == std::string::npos && begin_ == buffer_.size() && !skips_) return End{};
    const bool is_cut = end == std::string::npos;
    if (is_cut) end = buffer_.size();
    std::string_view line(buffer_.data() + begin_, end - begin_);
    begin_ = searched_ = is_cut ? end : end + 1;
    if (std::exchange(skips_, false) || line.size() > kMaxLine) return TooLong{};
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) return std::string(line);
  }
}

bool StdioPipe::write(std::string_view text) {
  std::unique_lock lock(write_mutex_);
  put(text, Post::kAlways);
  written_.wait(lock, [this] { return waiting_.empty(); });
  return !is_closed_;
}

void StdioPipe::post(std::string_view text, Post how) {
  const std::lock_guard lock(write_mutex_);
  put(text, how);
}

// With the lock. What there is room for is written here, which spares most lines the way over another thread.
void StdioPipe::put(std::string_view text, Post how) {
  if (is_closed_ || (how == Post::kIfRoom && waiting_bytes_ >= kMostWaiting)) return;
  line_.assign(text);
  std::replace_if(line_.begin(), line_.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  line_ += '\n';
  if (how == Post::kOnce && std::find(waiting_.begin(), waiting_.end(), line_) != waiting_.end()) return;
  std::string_view rest(line_);
  while (waiting_.empty() && !is_closed_ && !rest.empty() && has_room(output_)) {
    const auto written = write_some(output_, rest);
    is_closed_ = !written;
    rest.remove_prefix(written.value_or(0));
  }
  if (!is_closed_ && !rest.empty()) {
    if (!flusher_.joinable()) flusher_ = std::thread([this] { flush(); });
    waiting_.emplace_back(rest);
    waiting_bytes_ += rest.size();
    written_.notify_all();
  }
  if (line_.capacity() > kKeptLine) std::string().swap(line_);
}

/// Writes what waits, until nobody reads any more.
void StdioPipe::flush() {
  std::unique_lock lock(write_mutex_);
  for (;;) {
    written_.wait(lock, [this] { return is_ending_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const std::string& line = waiting_.front();
    lock.unlock();
    const bool is_written = write_waiting(line);
    lock.lock();
    waiting_bytes_ -= line.size();
    waiting_.pop_front();
    if (!is_written) {
      is_closed_ = true;
      waiting_.clear();
      waiting_bytes_ = 0;
    }
    written_.notify_all();
    if (!is_written) return;
  }
}

/// False when nobody reads, or the pipe ends.
bool StdioPipe::write_waiting(std::string_view line) noexcept {
  while (!line.empty()) {
    std::array<pollfd, 2> waits{
        {{.fd = output_, .events = POLLOUT, .revents = 0}, {.fd = end_, .events = POLLIN, .revents = 0}}};
    if (::poll(waits.data(), waits.size(), -1) <= 0) continue;
    if (waits[1].revents != 0) return false;
    const auto written = write_some(output_, line);
    if (!written) return false;
    line.remove_prefix(*written);
  }
  return true;
}

}  // namespace toolhost::transport
