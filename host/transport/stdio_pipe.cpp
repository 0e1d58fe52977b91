#include "transport/stdio_pipe.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace toolhost::transport {
namespace {

constexpr std::size_t kReadSize = std::size_t{64} * 1024;
constexpr std::size_t kKeptLine = std::size_t{256} * 1024;  // a larger one is given back

/// A duplicate that no child process inherits, above the standard three.
int duplicate(int fd) {
  return ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/// Waits until there is room, where the other owners of a descriptor made it non-blocking.
void wait_for_room(int fd) noexcept {
  pollfd waiting{.fd = fd, .events = POLLOUT, .revents = 0};
  ::poll(&waiting, 1, -1);
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
    : input_(input), output_(output), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

StdioPipe::~StdioPipe() {
  for (const int fd : {input_, output_, wake_}) ::close(fd);
}

void StdioPipe::interrupt() noexcept {
  ::eventfd_write(wake_, 1);
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
  const std::lock_guard lock(write_mutex_);
  if (is_closed_) return false;
  line_.assign(text);
  std::replace_if(line_.begin(), line_.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  line_ += '\n';
  is_closed_ = !write_all(line_);
  if (line_.capacity() > kKeptLine) std::string().swap(line_);
  return !is_closed_;
}

bool StdioPipe::write_all(std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t written = ::write(output_, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      wait_for_room(output_);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace toolhost::transport
