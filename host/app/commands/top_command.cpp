#include "app/commands/top_command.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <csignal>
#include <iostream>

#include "app/admin_socket.hpp"
#include "app/commands/console.hpp"
#include "app/top_view.hpp"
#include "base/json.hpp"
#include "base/json_writer.hpp"

namespace toolhost::app {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr char kEndOfText = 3;  // Ctrl-C

struct TopOptions {
  bool once = false, as_json = false;
  std::string interval = "2s", by;
};

/// "500ms", "2s", "1m": 100 ms to an hour.
Result<milliseconds> interval_of(const std::string& text) {
  const Error wrong{Errc::kInvalidArgument, "--interval is a time of 100ms to 60m, such as 2s; not '" + text + "'", ""};
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0 || number > 1'000'000) return wrong;
  const std::string_view unit(end, text.data() + text.size());
  if (unit == "s") number *= 1'000;
  if (unit == "m") number *= 60'000;
  if ((unit != "ms" && unit != "s" && unit != "m") || number < 100 || number > 3'600'000) return wrong;
  return milliseconds(number);
}

TopBy table_of(const std::string& name) {
  if (name == "tenants") return TopBy::kTenants;
  if (name == "tools") return TopBy::kTools;
  return name == "keys" ? TopBy::kKeys : TopBy::kAll;
}

Result<std::string> ask(const std::filesystem::path& data_dir, const char* command) {
  return AdminClient::ask(data_dir, std::string(R"({"command":")") + command + "\"}", std::chrono::seconds(10));
}

Result<Top> ask_top(const std::filesystem::path& data_dir) {
  const auto answer = ask(data_dir, "top");
  if (!answer) return answer.error();
  return top_from_json(*answer);
}

/// The whole terminal, for as long as this object lives: no echo, keys at once, what stood there before comes back.
class Screen {
 public:
  Screen() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) sigaddset(&signals, signal);
    pthread_sigmask(SIG_BLOCK, &signals, &before_);
    signals_ = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    has_keys_ = ::tcgetattr(STDIN_FILENO, &keys_before_) == 0;
    if (has_keys_) {
      termios keys = keys_before_;
      keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
      ::tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    }
    put("\x1b[?1049h\x1b[?25l");
  }
  ~Screen() {
    put("\x1b[?25h\x1b[?1049l");
    if (has_keys_) ::tcsetattr(STDIN_FILENO, TCSANOW, &keys_before_);
    if (signals_ >= 0) ::close(signals_);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  [[nodiscard]] static winsize size() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) size = {.ws_row = 24, .ws_col = 80};
    return size;
  }

  static void draw(std::string_view text) {
    std::string out = "\x1b[H";
    for (const char c : text) {
      if (c == '\n') out += "\x1b[K\r";
      out += c;
    }
    put(out + "\x1b[J");
  }

  enum class Wish { kNothing, kRedraw, kEnd };
  /// What happens first: a key, a signal, or nothing until then.
  Wish wait(Clock::time_point until) {
    for (;;) {
      const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
      if (left <= 0) return Wish::kNothing;
      pollfd polled[2] = {{.fd = signals_, .events = POLLIN, .revents = 0},
                          {.fd = has_keys_ ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0}};
      if (::poll(polled, 2, static_cast<int>(left)) <= 0) continue;
      signalfd_siginfo signal{};
      if (polled[0].revents != 0 && ::read(signals_, &signal, sizeof signal) > 0)
        return signal.ssi_signo == SIGWINCH ? Wish::kRedraw : Wish::kEnd;
      char key = 0;
      if (polled[1].revents == 0) continue;
      if (::read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q' || key == kEndOfText) return Wish::kEnd;
    }
  }

 private:
  static void put(std::string_view text) {
    while (!text.empty()) {
      const ssize_t size = ::write(STDOUT_FILENO, text.data(), text.size());
      if (size < 0 && errno != EINTR) return;
      if (size > 0) text.remove_prefix(static_cast<std::size_t>(size));
    }
  }

  sigset_t before_{};
  int signals_ = -1;
  termios keys_before_{};
  bool has_keys_ = false;
};

int watch(const std::filesystem::path& data_dir, TopBy by, milliseconds interval, Top first) {
  Screen screen;
  Result<Top> top = std::move(first);
  for (;;) {
    const winsize size = Screen::size();
    const std::size_t lines = std::max<std::size_t>(size.ws_row, 3) - 2;
    const std::string text = top ? to_text(*top, by, lines, size.ws_col) : printable(top.error().message) + "\n";
    Screen::draw(text + "q ends");
    switch (screen.wait(Clock::now() + interval)) {
      case Screen::Wish::kEnd:
        return kExitOk;
      case Screen::Wish::kRedraw:
        continue;
      case Screen::Wish::kNothing:
        break;
    }
    top = ask_top(data_dir);
  }
}

int run_top(const CommonOptions& options, const TopOptions& wanted) {
  const auto interval = interval_of(wanted.interval);
  if (!interval) return fail(interval.error());
  const auto data_dir = data_dir_of(options);
  if (!data_dir) return fail(data_dir.error());
  const auto answer = ask(*data_dir, "top");
  if (!answer) return fail(answer.error());
  if (wanted.as_json) {
    std::cout << *answer << "\n";
    return kExitOk;
  }
  auto top = top_from_json(*answer);
  if (!top) return fail(top.error());
  const TopBy by = table_of(wanted.by);
  if (!wanted.once && ::isatty(STDOUT_FILENO) == 1) return watch(*data_dir, by, *interval, std::move(*top));
  std::cout << to_text(*top, by, 0, 0);
  return kExitOk;
}

int run_log_level(const CommonOptions& options, const std::string& level) {
  std::string request;
  JsonWriter json(request);
  json.begin_object().member("command", "log-level");
  if (!level.empty()) json.member("level", level);
  json.end_object();
  const auto data_dir = data_dir_of(options);
  if (!data_dir) return fail(data_dir.error());
  const auto answer = AdminClient::ask(*data_dir, request);
  if (!answer) return fail(answer.error());
  json::Document document;
  const auto root = document.parse(*answer);
  std::string_view now;
  json::Value member;
  if (!root || json::find(*root, "level").get(member) != simdjson::SUCCESS || member.get(now) != simdjson::SUCCESS)
    return fail({Errc::kInternal, "the host's answer is not what this version of toolhost expects", ""});
  std::cout << now << "\n";
  return kExitOk;
}

}  // namespace

void add_observe_commands(CLI::App& app, CommonOptions& options, int& exit_code) {
  auto* top = app.add_subcommand("top", "Show what the running host does: tenants, tools and keys of the last minute");
  add_common(*top, options);
  static TopOptions wanted;
  static std::string level;
  top->add_flag("--once", wanted.once, "Print it once; so it is too when the output is no terminal");
  top->add_flag("--json", wanted.as_json, "Print JSON for programs, once");
  top->add_option("--interval", wanted.interval, "Time between two looks, e.g. 500ms (default 2s)")->type_name("TIME");
  top->add_option("--by", wanted.by, "Only one of the tables")
      ->type_name("WHAT")
      ->check(CLI::IsMember({"tenants", "tools", "keys"}));
  top->footer("Errors are tool errors, wrong arguments, time limits and failures; refusals are counted apart.");
  top->callback([&] { exit_code = run_top(options, wanted); });

  auto* log_level = app.add_subcommand("log-level", "Show or change the level of the running host's log");
  add_common(*log_level, options);
  log_level->add_option("LEVEL", level, "trace, debug, info, warning, error or critical");
  log_level->footer("A restart, and a reload that changes log.level, go back to the configuration's.");
  log_level->callback([&] { exit_code = run_log_level(options, level); });
}

}  // namespace toolhost::app
