#include "observability/log.hpp"

#include <poll.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "observability/log_line.hpp"

namespace toolhost::observability {
namespace {

constexpr std::size_t kQueuedLines = 4096;
constexpr int kPatienceMs = 1000;  // for a reader of standard error that has stopped reading

/// Writes finished lines to a descriptor; used by the one thread of the spdlog pool.
class DescriptorSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  DescriptorSink(int descriptor, bool is_json, spdlog::details::thread_pool& pool)
      : descriptor_(descriptor), is_json_(is_json), pool_(pool) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::size_t overruns = pool_.overrun_counter();
    lost_ += overruns - std::exchange(seen_overruns_, overruns);
    if (lost_ > 0) report_loss();
    if (!write(std::string_view(message.payload.data(), message.payload.size()))) ++lost_;
  }
  void flush_() override {}

 private:
  void report_loss() {
    std::string line;
    LogLine(line, is_json_, std::chrono::system_clock::now(), to_string(Severity::kWarning), "host_notice")
        .field("component", "log")
        .message(std::to_string(lost_) + " log lines were lost: they came faster than they could be written")
        .end();
    if (write(line)) lost_ = 0;
  }

  bool write(std::string_view line) {
    // One wait when the reader stops, none for the lines that follow, so that the end of the host does not hang on it.
    pollfd state{.fd = descriptor_, .events = POLLOUT, .revents = 0};
    is_stalled_ = ::poll(&state, 1, is_stalled_ ? 0 : kPatienceMs) == 0;
    if (is_stalled_) return false;
    while (!line.empty()) {
      const ssize_t written = ::write(descriptor_, line.data(), line.size());
      if (written < 0 && errno != EINTR) return false;
      if (written > 0) line.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
  }

  const int descriptor_;
  const bool is_json_;
  spdlog::details::thread_pool& pool_;
  std::size_t seen_overruns_ = 0;
  std::size_t lost_ = 0;
  bool is_stalled_ = false;
};

spdlog::level::level_enum to_spdlog(Severity severity) noexcept {
  switch (severity) {
    case Severity::kTrace:
      return spdlog::level::trace;
    case Severity::kDebug:
      return spdlog::level::debug;
    case Severity::kInfo:
      return spdlog::level::info;
    case Severity::kWarning:
      return spdlog::level::warn;
    case Severity::kError:
      return spdlog::level::err;
    case Severity::kCritical:
      return spdlog::level::critical;
  }
  return spdlog::level::info;
}

Severity severity_of(const ToolCalled& event) noexcept {
  if (event.outcome == "ok") return Severity::kDebug;
  if (event.outcome == "internal") return Severity::kError;
  return event.outcome == "timeout" || event.outcome == "unavailable" ? Severity::kWarning : Severity::kInfo;
}
Severity severity_of(const RequestRefused&) noexcept {
  return Severity::kInfo;
}
Severity severity_of(const PersonSignedIn&) noexcept {
  return Severity::kInfo;
}
Severity severity_of(const KeyChanged&) noexcept {
  return Severity::kInfo;
}
Severity severity_of(const PluginReported& event) noexcept {
  switch (event.incident) {
    case PluginIncident::kLoaded:
      return Severity::kInfo;
    case PluginIncident::kLog:
      return severity_named(event.rule).value_or(Severity::kInfo);
    case PluginIncident::kMisbehaved:
      return Severity::kWarning;
    case PluginIncident::kRefused:
    case PluginIncident::kLostWorker:
      return Severity::kError;
  }
  return Severity::kInfo;
}
Severity severity_of(const ConfigurationReloaded& event) noexcept {
  return event.applied ? Severity::kInfo : Severity::kError;
}
Severity severity_of(const HostNotice& event) noexcept {
  return event.severity;
}

const char* word_of(const ToolCalled&) noexcept {
  return "tool_called";
}
const char* word_of(const RequestRefused&) noexcept {
  return "request_refused";
}
const char* word_of(const PersonSignedIn&) noexcept {
  return "signed_in";
}
const char* word_of(const KeyChanged& event) noexcept {
  switch (event.change) {
    case KeyChange::kCreated:
      return "key_created";
    case KeyChange::kDeleted:
      return "key_deleted";
    case KeyChange::kDisabled:
      return "key_disabled";
    case KeyChange::kEnabled:
      return "key_enabled";
    case KeyChange::kExpired:
      return "key_expired";
  }
  return "key_deleted";
}
const char* word_of(const PluginReported& event) noexcept {
  switch (event.incident) {
    case PluginIncident::kLoaded:
      return "plugin_loaded";
    case PluginIncident::kRefused:
      return "plugin_refused";
    case PluginIncident::kMisbehaved:
      return "plugin_misbehaved";
    case PluginIncident::kLostWorker:
      return "plugin_lost_worker";
    case PluginIncident::kLog:
      return "plugin_log";
  }
  return "plugin_log";
}
const char* word_of(const ConfigurationReloaded&) noexcept {
  return "configuration_reloaded";
}
const char* word_of(const HostNotice&) noexcept {
  return "host_notice";
}

/// Lines become parts of one sentence, which a terminal shows better than "\n".
std::string on_one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (c == '\n') {
      line += "; ";
    } else {
      line += c;
    }
  }
  return line;
}

void describe(LogLine& line, const ToolCalled& event) {
  line.field("tenant", event.caller.tenant)
      .field("key", event.caller.key_prefix)
      .field("tool", event.tool)
      .field("plugin", event.plugin)
      .field("request", event.request_id)
      .field("outcome", event.outcome)
      .field("duration_us", event.duration.count());
  if (!event.reason.empty()) line.field("reason", event.reason);
  if (!event.place.empty()) line.field("place", event.place);
  if (event.trace != nullptr) line.field("trace", trace_id_text(*event.trace));
  if (!event.detail.empty()) line.message(event.detail);
}
void describe(LogLine& line, const RequestRefused& event) {
  line.field("reason", event.reason).field("remote", event.remote);
  if (event.caller != nullptr) line.field("tenant", event.caller->tenant).field("key", event.caller->key_prefix);
  if (!event.detail.empty()) line.message(event.detail);
}
void describe(LogLine& line, const PersonSignedIn& event) {
  line.field("email", event.email).field("remote", event.remote);
}
void describe(LogLine& line, const KeyChanged& event) {
  line.field("tenant", event.tenant).field("key", event.key_prefix).field("name", event.name);
}
void describe(LogLine& line, const PluginReported& event) {
  line.field("plugin", event.plugin);
  if (!event.rule.empty()) line.field("rule", event.rule);
  if (!event.detail.empty()) line.message(event.detail);
}
void describe(LogLine& line, const ConfigurationReloaded& event) {
  line.field("result", event.applied ? "applied" : "refused")
      .field("generation", static_cast<std::int64_t>(event.generation))
      .field("file", event.file)
      .field("trigger", event.trigger);
  if (!event.summary.empty()) line.message(on_one_line(first_lines(event.summary, kMostTextBytes)));
}
void describe(LogLine& line, const HostNotice& event) {
  line.field("component", event.component).message(event.message);
}

class LogSinkImpl final : public LogSink {
 public:
  explicit LogSinkImpl(const LogConfig& config)
      : is_json_(config.format == LogFormat::kJson ||
                 (config.format == LogFormat::kAuto && ::isatty(config.descriptor) == 0)),
        pool_(std::make_shared<spdlog::details::thread_pool>(kQueuedLines, 1)),
        logger_(std::make_shared<spdlog::async_logger>(
            "toolhost", std::make_shared<DescriptorSink>(config.descriptor, is_json_, *pool_), pool_,
            spdlog::async_overflow_policy::overrun_oldest)) {
    LogSinkImpl::set_level(config.level);
  }
  LogSinkImpl(const LogSinkImpl&) = delete;
  LogSinkImpl& operator=(const LogSinkImpl&) = delete;
  /// Writes what is queued and ends the writing thread, before what that thread uses goes.
  ~LogSinkImpl() override { pool_.reset(); }

  void emit(const Event& event) noexcept override {
    std::visit([this](const auto& what) { log(what); }, event);
  }
  void set_level(Severity level) noexcept override {
    level_.store(level, std::memory_order_relaxed);
    logger_->set_level(to_spdlog(level));
  }
  [[nodiscard]] Severity level() const noexcept override { return level_.load(std::memory_order_relaxed); }

 private:
  template <class What>
  void log(const What& event) {
    const Severity severity = severity_of(event);
    if (!logger_->should_log(to_spdlog(severity))) return;
    thread_local std::string text;
    text.clear();
    LogLine line(text, is_json_, std::chrono::system_clock::now(), to_string(severity), word_of(event));
    describe(line, event);
    line.end();
    logger_->log(to_spdlog(severity),
                 spdlog::string_view_t(text.data(), text.size()));  // copies the text; spdlog does not throw
  }

  const bool is_json_;
  std::shared_ptr<spdlog::details::thread_pool> pool_;
  const std::shared_ptr<spdlog::async_logger> logger_;
  std::atomic<Severity> level_{Severity::kInfo};
};

class FanOut final : public EventSink {
 public:
  explicit FanOut(std::vector<std::unique_ptr<EventSink>> sinks) : sinks_(std::move(sinks)) {}
  void emit(const Event& event) noexcept override {
    for (const auto& sink : sinks_) sink->emit(event);
  }

 private:
  const std::vector<std::unique_ptr<EventSink>> sinks_;
};

}  // namespace

std::unique_ptr<LogSink> create_log_sink(const LogConfig& config) {
  return std::make_unique<LogSinkImpl>(config);
}

std::unique_ptr<EventSink> create_fan_out(std::vector<std::unique_ptr<EventSink>> sinks) {
  return std::make_unique<FanOut>(std::move(sinks));
}

}  // namespace toolhost::observability
