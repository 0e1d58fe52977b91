#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace toolhost::app {

/// How far a command is, on standard error: on a terminal one line that is drawn again and again, elsewhere a line
/// every few seconds. One thread.
class ProgressBar {
 public:
  /// `what` is going on: "importing tickets.csv".
  explicit ProgressBar(std::string what);
  ~ProgressBar();  ///< takes the line off the terminal
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// `fraction`, from 0 to 1, is done, as far as anybody knows. Shows it when it is time to; call it as often as you
  /// like.
  void show(std::optional<double> fraction, std::string_view details);

 private:
  using Clock = std::chrono::steady_clock;
  const std::string what_;
  const bool is_terminal_;
  Clock::time_point next_;
  bool is_drawn_ = false;
};

/// "importing tickets.csv [#######.............]  37%  details", cut to `width` characters.
std::string progress_line(std::string_view what, std::optional<double> fraction, std::string_view details,
                          std::size_t width);

}  // namespace toolhost::app
