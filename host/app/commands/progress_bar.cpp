#include "app/commands/progress_bar.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

namespace toolhost::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kRedraw = 100ms;
constexpr auto kLinePeriod = 5s;
constexpr std::size_t kBarWidth = 20;
constexpr std::string_view kClearLine = "\r\x1b[K";

std::size_t terminal_width() {
  winsize size{};
  const bool is_known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return is_known ? size.ws_col : 80;
}

/// Its first `count` characters.
std::string_view cut(std::string_view text, std::size_t count) {
  const auto continues = [&](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80; };
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    if (continues(end)) continue;
    if (count == 0) break;
    --count;
  }
  return text.substr(0, end);
}

}  // namespace

std::string progress_line(std::string_view what, std::optional<double> fraction, std::string_view details,
                          std::size_t width) {
  std::string line(what);
  if (fraction) {
    const double done = std::clamp(*fraction, 0.0, 1.0);
    const auto filled = static_cast<std::size_t>(done * kBarWidth);
    const std::string percent = std::to_string(static_cast<int>(done * 100));
    line += " [" + std::string(filled, '#') + std::string(kBarWidth - filled, '.') + "] ";
    line += std::string(3 - percent.size(), ' ') + percent + "%";
  }
  line += "  ";
  line += details;
  return std::string(cut(line, width));
}

ProgressBar::ProgressBar(std::string what)
    : what_(std::move(what)), is_terminal_(::isatty(STDERR_FILENO) == 1), next_(Clock::now()) {
  if (!is_terminal_) next_ += kLinePeriod;  // what is quick needs no line
}

ProgressBar::~ProgressBar() {
  if (is_drawn_) std::cerr << kClearLine << std::flush;
}

void ProgressBar::show(std::optional<double> fraction, std::string_view details) {
  const auto now = Clock::now();
  if (now < next_) return;
  next_ = now + (is_terminal_ ? Clock::duration(kRedraw) : Clock::duration(kLinePeriod));
  if (is_terminal_) {
    // The last column stays free: writing into it would wrap the line on some terminals.
    std::cerr << kClearLine << progress_line(what_, fraction, details, terminal_width() - 1) << std::flush;
    is_drawn_ = true;
    return;
  }
  std::cerr << what_ << ": ";
  if (fraction) std::cerr << static_cast<int>(std::clamp(*fraction, 0.0, 1.0) * 100) << "%, ";
  std::cerr << details << std::endl;
}

}  // namespace toolhost::app
