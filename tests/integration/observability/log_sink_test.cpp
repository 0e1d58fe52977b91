#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <thread>

#include "base/json.hpp"
#include "observability/log.hpp"

namespace toolhost::observability {
namespace {

/// A pipe whose reading end collects what a sink writes.
class Pipe {
 public:
  Pipe() { EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0); }
  ~Pipe() {
    close_writer();
    ::close(ends_[0]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  [[nodiscard]] int writer() const { return ends_[1]; }
  void close_writer() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  /// Until the writing end is closed.
  std::string read_to_end() {
    std::string text;
    std::array<char, 65536> buffer;
    for (ssize_t size; (size = ::read(ends_[0], buffer.data(), buffer.size())) > 0;)
      text.append(buffer.data(), static_cast<std::size_t>(size));
    return text;
  }
  void shrink() { EXPECT_GE(::fcntl(ends_[1], F_SETPIPE_SZ, 4096), 0); }

 private:
  std::array<int, 2> ends_{};
};

const Caller kCaller{.tenant = "demo", .time_zone = "UTC", .key_prefix = "hdsk_abcdef", .principal = "ann@example.com"};

ToolCalled call(std::string_view outcome) {
  return {.caller = kCaller,
          .tool = "create_ticket",
          .plugin = "tickets",
          .request_id = "r1",
          .outcome = outcome,
          .duration = std::chrono::microseconds(1500),
          .detail = outcome == "ok" ? "" : "why"};
}

TEST(LogSink, WritesOneJsonLineForEachEvent) {
  Pipe pipe;
  {
    const auto sink = create_log_sink({.level = Severity::kDebug, .descriptor = pipe.writer()});
    sink->emit(call("internal"));
    sink->emit(call("ok"));
    sink->emit(RequestRefused{.reason = "invalid_key", .remote = "192.0.2.1", .detail = "a\nb"});
    sink->emit(
        KeyChanged{.change = KeyChange::kDeleted, .tenant = "demo", .key_prefix = "hdsk_abcdef", .name = "laptop"});
    sink->emit(PluginReported{
        .incident = PluginIncident::kRefused, .plugin = "tickets", .rule = "stray-export", .detail = "d"});
    sink->emit(HostNotice{.severity = Severity::kTrace, .component = "http", .message = "below the level"});
  }
  pipe.close_writer();
  const std::string text = pipe.read_to_end();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 5);
  std::vector<std::string> events;
  std::size_t at = 0;
  for (std::size_t end; (end = text.find('\n', at)) != text.npos; at = end + 1) {
    json::Document document;
    const auto line = document.parse(std::string_view(text).substr(at, end - at));
    ASSERT_TRUE(line.has_value()) << text;
    events.push_back(std::string(json::find(*line, "level").get_string().value()) + " " +
                     std::string(json::find(*line, "event").get_string().value()));
  }
  EXPECT_EQ(events, (std::vector<std::string>{"error tool_called", "debug tool_called", "info request_refused",
                                              "info key_deleted", "error plugin_refused"}));
  EXPECT_NE(text.find("\"message\":\"a\\nb\""), text.npos);
}

TEST(LogSink, LeavesOutSuccessfulCallsAtInfo) {
  Pipe pipe;
  {
    const auto sink = create_log_sink({.format = LogFormat::kText, .descriptor = pipe.writer()});
    sink->emit(call("ok"));
    sink->emit(call("timeout"));
  }
  pipe.close_writer();
  const std::string text = pipe.read_to_end();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_NE(text.find(" warning tool_called tenant=\"demo\" key=\"hdsk_abcdef\" tool=\"create_ticket\""), text.npos)
      << text;
  EXPECT_NE(text.find("outcome=\"timeout\" duration_us=1500: why"), text.npos) << text;
}

TEST(LogSink, SaysWhyCallsAndRequestsWereRefused) {
  Pipe pipe;
  {
    const auto sink = create_log_sink({.format = LogFormat::kText, .descriptor = pipe.writer()});
    auto denied = call("denied");
    denied.reason = "tool";
    denied.place = "tenants/demo.yaml:7";
    sink->emit(denied);
    auto limited = call("limit");
    limited.reason = "key_rate";
    sink->emit(limited);
    sink->emit(RequestRefused{.reason = "key_expired", .remote = "192.0.2.1", .detail = "d", .caller = &kCaller});
  }
  pipe.close_writer();
  const std::string text = pipe.read_to_end();
  EXPECT_NE(text.find(" info tool_called tenant=\"demo\" key=\"hdsk_abcdef\" tool=\"create_ticket\" plugin=\"tickets\" "
                      "request=\"r1\" outcome=\"denied\" duration_us=1500 reason=\"tool\" "
                      "place=\"tenants/demo.yaml:7\": why\n"),
            text.npos)
      << text;
  EXPECT_NE(text.find("outcome=\"limit\" duration_us=1500 reason=\"key_rate\": why\n"), text.npos) << text;
  EXPECT_NE(text.find("reason=\"key_expired\" remote=\"192.0.2.1\" tenant=\"demo\" key=\"hdsk_abcdef\": d\n"),
            text.npos)
      << text;
}

TEST(LogSink, TellsOfReloadsAndKeysOnOneLineEach) {
  Pipe pipe;
  {
    const auto sink = create_log_sink({.format = LogFormat::kText, .descriptor = pipe.writer()});
    ConfigurationReloaded reloaded{.applied = true,
                                   .generation = 3,
                                   .file = "toolhost.yaml",
                                   .trigger = "file",
                                   .summary = "acme loses delete_task\nbeta gains it"};
    sink->emit(reloaded);
    reloaded.applied = false;
    reloaded.summary = "toolhost.yaml:9: unknown key 'tols'";
    sink->emit(reloaded);
    for (const auto change : {KeyChange::kDisabled, KeyChange::kEnabled, KeyChange::kExpired})
      sink->emit(KeyChanged{.change = change, .tenant = "demo", .key_prefix = "hdsk_abcdef", .name = "laptop"});
  }
  pipe.close_writer();
  const std::string text = pipe.read_to_end();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 5);
  EXPECT_NE(text.find(" info configuration_reloaded result=\"applied\" generation=3 file=\"toolhost.yaml\" "
                      "trigger=\"file\": acme loses "
                      "delete_task; beta gains it\n"),
            text.npos)
      << text;
  EXPECT_NE(
      text.find(
          " error configuration_reloaded result=\"refused\" generation=3 file=\"toolhost.yaml\" trigger=\"file\": "
          "toolhost.yaml:9: unknown key 'tols'\n"),
      text.npos)
      << text;
  for (const char* word : {" info key_disabled ", " info key_enabled ", " info key_expired "})
    EXPECT_NE(text.find(word), text.npos) << text;
}

TEST(LogSink, ChangesItsLevelWhileItRuns) {
  Pipe pipe;
  {
    const auto sink = create_log_sink({.format = LogFormat::kText, .descriptor = pipe.writer()});
    sink->emit(call("ok"));
    sink->set_level(Severity::kDebug);
    EXPECT_EQ(sink->level(), Severity::kDebug);
    sink->emit(call("ok"));
    sink->set_level(Severity::kError);
    sink->emit(call("timeout"));
    sink->emit(
        PluginReported{.incident = PluginIncident::kLog, .plugin = "tickets", .rule = "info", .detail = "a record"});
    sink->emit(
        PluginReported{.incident = PluginIncident::kLog, .plugin = "tickets", .rule = "error", .detail = "a record"});
  }
  pipe.close_writer();
  const std::string text = pipe.read_to_end();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
  EXPECT_NE(text.find(" debug tool_called "), text.npos) << text;
  EXPECT_NE(text.find(" error plugin_log "), text.npos) << text;
}

TEST(LogSink, DropsTheOldestAndSaysHowManyWhenNobodyReads) {
  Pipe pipe;
  pipe.shrink();
  constexpr int kLines = 20'000;
  auto sink = create_log_sink({.format = LogFormat::kText, .descriptor = pipe.writer()});
  const auto start = std::chrono::steady_clock::now();
  for (int index = 0; index < kLines; ++index) {
    sink->emit(
        HostNotice{.severity = Severity::kInfo, .component = "host", .message = "line " + std::to_string(index) + "."});
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start,
            std::chrono::seconds(5));  // the emitter does not wait for the reader
  std::string text;
  std::thread reader([&] { text = pipe.read_to_end(); });
  sink.reset();
  pipe.close_writer();
  reader.join();
  EXPECT_NE(text.find("log lines were lost"), text.npos);
  EXPECT_NE(text.find("line " + std::to_string(kLines - 1) + "."), text.npos);
}

TEST(LogSink, EndsThoughNobodyReads) {
  Pipe pipe;
  pipe.shrink();
  auto sink = create_log_sink({.format = LogFormat::kText, .descriptor = pipe.writer()});
  for (int index = 0; index < 3000; ++index)
    sink->emit(HostNotice{.severity = Severity::kInfo, .component = "host", .message = "x"});
  const auto start = std::chrono::steady_clock::now();
  sink.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(FanOut, PassesEventsToEverySinkInOrder) {
  struct Recorder final : EventSink {
    explicit Recorder(std::string& log, char name) : log_(log), name_(name) {}
    void emit(const Event&) noexcept override { log_ += name_; }
    std::string& log_;
    const char name_;
  };
  std::string log;
  std::vector<std::unique_ptr<EventSink>> sinks;
  sinks.push_back(std::make_unique<Recorder>(log, 'a'));
  sinks.push_back(std::make_unique<Recorder>(log, 'b'));
  const auto all = create_fan_out(std::move(sinks));
  all->emit(HostNotice{.severity = Severity::kInfo, .component = "host", .message = "x"});
  all->emit(HostNotice{.severity = Severity::kInfo, .component = "host", .message = "y"});
  EXPECT_EQ(log, "abab");
}

}  // namespace
}  // namespace toolhost::observability
