#pragma once
#include <algorithm>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "plugin_runtime/tool_runner.hpp"
#include "support/fake_client.hpp"

namespace toolhost::plugin_runtime {

/// Remembers what was reported about plugins.
class RecordedReports final : public observability::EventSink {
 public:
  struct Report {
    observability::PluginIncident incident;
    std::string rule, detail;
  };

  void emit(const observability::Event& event) noexcept override {
    const auto* report = std::get_if<observability::PluginReported>(&event);
    if (report == nullptr) return;
    const std::lock_guard lock(mutex_);
    reports_.push_back({report->incident, std::string(report->rule), std::string(report->detail)});
    changed_.notify_all();
  }

  [[nodiscard]] std::vector<Report> reports() const {
    const std::lock_guard lock(mutex_);
    return reports_;
  }
  [[nodiscard]] std::size_t count(std::string_view rule) const {
    const std::lock_guard lock(mutex_);
    return count_locked(rule);
  }
  /// Waits until `rule` was reported `times` times; false after ten seconds.
  bool wait_for(std::string_view rule, std::size_t times = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return count_locked(rule) >= times; });
  }

 private:
  std::size_t count_locked(std::string_view rule) const {
    return static_cast<std::size_t>(
        std::count_if(reports_.begin(), reports_.end(), [&](const Report& report) { return report.rule == rule; }));
  }
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Report> reports_;
};

/// Opened once; handlers wait behind it.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return is_open_; });
  }
  void wait_for_waiters(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ = false;
  int waiting_ = 0;
};

/// A tool whose handler is a C++ function, in a runner of its own without a database.
class RunnerFixture {
 public:
  using Handler = std::function<th_status(th_call*)>;

  struct Answer {
    ToolCallPtr call;
    std::future<ToolResult> result;
  };

  explicit RunnerFixture(ToolRunner::Config config = {}, std::string output_schema = {})
      : host("test", Secret(std::string(32, 'k')), observability::Severity::kInfo, events),
        tool(Tool{.name = "work",
                  .plugin = "test",
                  .input_schema = *JsonSchema::compile(
                      R"({"type":"object","properties":{"n":{"type":"integer"}},"additionalProperties":false})")}),
        runner_(std::make_shared<ToolRunner>(host, watchdog_, std::move(config))) {
    if (!output_schema.empty()) tool.output_schema = *JsonSchema::compile(output_schema);
    binding.runner = runner_.get();
    binding.user = this;
    binding.handle = [](void*, void* user, th_call* call) { return static_cast<RunnerFixture*>(user)->handler(call); };
    tool.binding = &binding;
    set_tenant(TenantId{7});
    host.set_settings("{}").value();
    runner_->start(nullptr, runner_);
  }
  ~RunnerFixture() { stop(); }

  void set_tenant(TenantId tenant) {
    caller = std::make_shared<const Caller>(Caller{.tenant_id = tenant,
                                                   .tenant = "demo",
                                                   .time_zone = "Europe/Berlin",
                                                   .key_prefix = "hdsk_abcdef",
                                                   .principal = "ada@example.com"});
  }

  Answer call(std::string_view arguments = "{}", Deadline deadline = Deadline::never()) {
    auto call = std::make_shared<ToolCall>();
    call->tool = &tool;
    call->caller = caller;
    call->max_result_bytes = max_result_bytes;
    call->kind = kind;
    call->target = target;
    call->client = client;
    call->answers = answers;
    call->document = json::acquire_document();
    call->arguments = call->document->parse(arguments).value();
    call->request_id = "request-1";
    call->deadline = deadline;
    auto promise = std::make_shared<std::promise<ToolResult>>();
    auto result = promise->get_future();
    // A second answer would throw std::future_error and end the test program.
    call->on_done = [promise](ToolCall&, ToolResult&& answer) { promise->set_value(std::move(answer)); };
    runner_->run(call, binding);
    return {call, std::move(result)};
  }

  /// Runs `body` as the handler of one call and returns its answer.
  ToolResult run(Handler body, std::string_view arguments = "{}") {
    handler = std::move(body);
    return call(arguments).result.get();
  }

  bool stop(std::chrono::milliseconds drain = std::chrono::milliseconds(0)) {
    return std::exchange(stopped_, true) || runner_->stop(drain);
  }
  ToolRunner& runner() { return *runner_; }
  /// Before what a lost handler uses goes away.
  void wait_for_lost_handlers() {
    while (runner_->lost_workers() > 0) std::this_thread::yield();
  }

  RecordedReports events;
  th_host host;
  Tool tool;
  ToolBinding binding;
  CallerPtr caller;
  Handler handler;
  // Of the calls
  std::size_t max_result_bytes = SIZE_MAX;
  ToolCall::Kind kind = ToolCall::Kind::kTool;
  std::string target;
  std::shared_ptr<ClientPort> client;
  Answers answers;

 private:
  Watchdog watchdog_;
  std::shared_ptr<ToolRunner> runner_;
  bool stopped_ = false;
};

inline th_str str(std::string_view text) {
  return {text.data(), text.size()};
}
inline std::string text_of(th_str text) {
  return {text.ptr, text.len};
}
template <class Table>
const Table& service(const char* id) {
  return *static_cast<const Table*>(find_service(id));
}
inline const th_call_api& calls() {
  return service<th_call_api>(TH_SVC_CALL);
}
inline const th_args_api& args() {
  return service<th_args_api>(TH_SVC_ARGS);
}
inline const th_json_api& json_out() {
  return service<th_json_api>(TH_SVC_JSON);
}
inline const th_db_api& db() {
  return service<th_db_api>(TH_SVC_DB);
}
inline const th_client_api& clients() {
  return service<th_client_api>(TH_SVC_CLIENT);
}
inline const th_catalog_api& catalog() {
  return service<th_catalog_api>(TH_SVC_CATALOG);
}
inline const th_prompt_api& prompts() {
  return service<th_prompt_api>(TH_SVC_PROMPT);
}
inline const th_complete_api& completions() {
  return service<th_complete_api>(TH_SVC_COMPLETE);
}
inline const th_config_api& config() {
  return service<th_config_api>(TH_SVC_CONFIG);
}
inline const th_token_api& tokens() {
  return service<th_token_api>(TH_SVC_TOKEN);
}

}  // namespace toolhost::plugin_runtime
