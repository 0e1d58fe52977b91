#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "plugin_runtime/plugin_host.hpp"
#include "support/fake_client.hpp"
#include "support/temp_postgres.hpp"

namespace toolhost::plugin_runtime {

/// Remembers what was reported about plugins.
class ReportLines final : public observability::EventSink {
 public:
  void emit(const observability::Event& event) noexcept override {
    const auto* report = std::get_if<observability::PluginReported>(&event);
    if (report == nullptr) return;
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::string(report->plugin) + " " + std::string(report->rule) + ": " +
                     std::string(report->detail));
    changed_.notify_all();
  }
  /// Waits for a report of `plugin` and `rule`; its whole line, or empty after ten seconds.
  std::string wait_for(const std::string& plugin, const std::string& rule) {
    std::unique_lock lock(mutex_);
    std::string found;
    changed_.wait_for(lock, std::chrono::seconds(10), [&] {
      for (const auto& line : lines_)
        if (line.starts_with(plugin + " " + rule + ":")) found = line;
      return !found.empty();
    });
    return found;
  }
  [[nodiscard]] std::size_t count(const std::string& plugin, const std::string& rule) {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(lines_.begin(), lines_.end(), [&](const std::string& line) {
      return line.starts_with(plugin + " " + rule + ":");
    }));
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

/// A directory of this test, removed at its end.
class TempDirectory {
 public:
  TempDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "toolhost-plugins-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::filesystem::path test_plugin(const std::string& name) {
  return std::filesystem::path(TOOLHOST_TEST_PLUGINS) / (name + ".so");
}

class PluginHostTest : public testing::Test {
 protected:
  using Results = std::future<ToolResult>;
  struct Running {
    ToolCallPtr call;
    std::future<ToolResult> result;
  };

  /// Starts a host with these files; `tune` may change the rest of its configuration.
  void start(
      const std::vector<std::filesystem::path>& files,
      const std::function<void(PluginHostConfig&)>& tune = [](auto&) {}) {
    PluginHostConfig config;
    for (const auto& file : files) config.plugins.push_back({.file = file, .settings_json = {}});
    config.store_directory = directory.path() / "store";
    config.sealing_key = Secret(std::string(32, 'k'));
    tune(config);
    auto started = PluginHost::start(std::move(config), address(), events);
    ASSERT_TRUE(started) << started.error().message;
    host = std::move(*started);
  }
  virtual storage::DatabaseAddress address() { return storage::DatabaseAddress::embedded("/nonexistent"); }

  void TearDown() override {
    if (host) host->stop(std::chrono::milliseconds(0));
  }

  /// The reason why the only plugin of `start` was refused; empty when it serves.
  [[nodiscard]] std::string refusal() const { return host->plugins().at(0).reason; }

  static CallerPtr caller_of(TenantId tenant) {
    auto caller = std::make_shared<Caller>();
    caller->tenant_id = tenant;
    caller->tenant = "tenant-" + std::to_string(value(tenant));
    caller->principal = "ada@example.com";
    return caller;
  }

  Running begin(const std::string& tool, std::string_view arguments, TenantId tenant = TenantId{1},
                Deadline deadline = Deadline::never(), std::string idempotency_key = {}) {
    const auto registry = host->registry();
    const auto* const found = registry->find(tool);
    if (found == nullptr) throw std::runtime_error("no tool " + tool + ": " + host->plugins().at(0).reason);
    return begin(*found, arguments, tenant, deadline, std::move(idempotency_key));
  }
  Running begin(
      const Tool& tool, std::string_view arguments, TenantId tenant = TenantId{1},
      Deadline deadline = Deadline::never(), std::string idempotency_key = {},
      const std::function<void(ToolCall&)>& tune = [](auto&) {}) {
    auto call = std::make_shared<ToolCall>();
    call->registry = host->registry();
    call->tool = &tool;
    call->client = client;
    call->answers = answers;
    auto caller = std::make_shared<Caller>(*caller_of(tenant));
    caller->read_only = callers_only_read;
    call->caller = std::move(caller);
    call->document = json::acquire_document();
    call->arguments = call->document->parse(arguments).value();
    call->request_id = "request-1";
    call->idempotency_key = std::move(idempotency_key);
    call->deadline = deadline;
    tune(*call);
    auto promise = std::make_shared<std::promise<ToolResult>>();
    auto result = promise->get_future();
    call->on_done = [promise](ToolCall&, ToolResult&& answer) { promise->set_value(std::move(answer)); };
    host->run(call);
    return {call, std::move(result)};
  }
  ToolResult run(const std::string& tool, std::string_view arguments, TenantId tenant = TenantId{1}) {
    return begin(tool, arguments, tenant).result.get();
  }

  bool callers_only_read = false;
  std::shared_ptr<FakeClient> client;  ///< of the calls; null: nobody
  Answers answers;                     ///< that the calls begin with
  TempDirectory directory;
  ReportLines events;
  std::unique_ptr<PluginHost> host;
};

}  // namespace toolhost::plugin_runtime
