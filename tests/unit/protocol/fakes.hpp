#pragma once
#include <algorithm>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/gatekeeper.hpp"
#include "observability/events.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "transport/http.hpp"

/// What stands below the protocol, small enough to see through.
namespace toolhost::protocol::fakes {

inline CallerPtr caller(std::int64_t key, std::string tenant = "demo") {
  return std::make_shared<const Caller>(Caller{.tenant_id = TenantId{1},
                                               .tenant = std::move(tenant),
                                               .time_zone = "UTC",
                                               .key_id = KeyId{key},
                                               .key_prefix = "hdsk_abc123",
                                               .principal = "ann@example.com"});
}

class RecordingEvents final : public observability::EventSink {
 public:
  void emit(const observability::Event& event) noexcept override {
    const std::lock_guard lock(mutex_);
    if (const auto* call = std::get_if<observability::ToolCalled>(&event)) {
      calls_.push_back(std::string(call->tool) + " " + std::string(call->outcome));
      reasons_.push_back(std::string(call->reason) + " " + std::string(call->place));
      arguments_.emplace_back(call->arguments);
    } else if (const auto* refused = std::get_if<observability::RequestRefused>(&event)) {
      refusals_.push_back(std::string(refused->reason) +
                          (refused->caller == nullptr ? "" : " of " + refused->caller->tenant));
    }
  }
  std::vector<std::string> calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  /// Of the calls: why they were refused, and by which line.
  std::vector<std::string> reasons() const {
    const std::lock_guard lock(mutex_);
    return reasons_;
  }
  /// Of the calls: what the audit would keep.
  std::vector<std::string> arguments() const {
    const std::lock_guard lock(mutex_);
    return arguments_;
  }
  std::vector<std::string> refusals() const {
    const std::lock_guard lock(mutex_);
    return refusals_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> calls_, reasons_, arguments_, refusals_;
};

/// Knows the keys "one" (key 1) and "two" (key 2), until they are revoked.
class FakeGatekeeper final : public access::Gatekeeper {
 public:
  Result<CallerPtr> authenticate(std::string_view x_api_key, std::string_view authorization,
                                 std::string_view remote_address) override {
    last_address = remote_address;
    if (refusal) return *refusal;
    if (!is_trusted) return Error{Errc::kUnavailable, "API keys cannot be checked", ""};
    if (x_api_key.empty() && authorization.empty()) return Error{Errc::kUnauthenticated, "No API key: send one", ""};
    for (const auto& [text, caller] : live) {
      if (x_api_key != text && authorization != "Bearer " + text) continue;
      const auto found = caller;
      if (const auto then = std::exchange(after_check, nullptr)) then();
      return found;
    }
    return Error{Errc::kUnauthenticated, "Invalid API key", ""};
  }
  std::optional<DeniedKey> denied_key(std::string_view, std::string_view) const override { return denied; }
  std::vector<CallerPtr> set_policy(access::PolicyPtr) override { return {}; }
  access::PolicyPtr policy() const override { return nullptr; }
  std::shared_ptr<access::UsageCounter> usage() const override { return counter; }
  void on_revoked(std::function<void(KeyId)> on_revoked) override { revoked_ = std::move(on_revoked); }
  std::chrono::milliseconds unconfirmed_for() const override { return {}; }

  void revoke(std::string_view text) {
    const auto found = std::find_if(live.begin(), live.end(), [&](const auto& key) { return key.first == text; });
    const KeyId id = found->second->key_id;
    live.erase(found);
    revoked_(id);
  }

  std::vector<access::KnownKey> keys() const override { return {}; }

  std::vector<std::pair<std::string, CallerPtr>> live{{"one", caller(1)}, {"two", caller(2, "other")}};
  std::shared_ptr<access::UsageCounter> counter = std::make_shared<access::UsageCounter>();
  bool is_trusted = true;
  std::optional<Error> refusal;  ///< of every key
  std::optional<DeniedKey> denied;
  std::string last_address;
  std::function<void()> after_check;  ///< what happens once, right behind the next check that a key passes

 private:
  std::function<void(KeyId)> revoked_;
};

class FakeRegistry final : public plugin_runtime::ToolRegistry {
 public:
  explicit FakeRegistry(std::uint64_t generation) : generation_(generation) {}

  /// Keeps the tools sorted by name, as a registry does.
  plugin_runtime::Tool& add(std::string name) {
    auto tool = std::make_unique<plugin_runtime::Tool>(plugin_runtime::Tool{
        .name = std::move(name),
        .title = "A title",
        .description = "What it does",
        .plugin = "test",
        .input_schema_json = R"({"type":"object"})",
        .input_schema = JsonSchema::compile(R"({"type":"object"})").value(),
    });
    auto& added = *tool;
    owned_.push_back(std::move(tool));
    tools_.insert(std::upper_bound(tools_.begin(), tools_.end(), &added,
                                   [](const auto* a, const auto* b) { return a->name < b->name; }),
                  &added);
    return added;
  }
  std::span<const plugin_runtime::Tool* const> tools() const noexcept override { return tools_; }
  const plugin_runtime::Tool* find(std::string_view name) const noexcept override {
    const auto found = std::find_if(tools_.begin(), tools_.end(), [&](const auto* tool) { return tool->name == name; });
    return found == tools_.end() ? nullptr : *found;
  }
  std::uint64_t generation() const noexcept override { return generation_; }
  /// For tools that were added after it had been asked.
  void renew() noexcept { ++generation_; }

 private:
  std::uint64_t generation_;
  std::vector<std::unique_ptr<plugin_runtime::Tool>> owned_;
  std::vector<const plugin_runtime::Tool*> tools_;
};

/// Has the tools "echo" (never blocks; answers its arguments), "fail" (a tool error) and "slow" (waits for
/// finish_next()).
class FakePluginHost final : public plugin_runtime::PluginHost {
 public:
  FakePluginHost() {
    registry_ = std::make_shared<FakeRegistry>(1);
    registry_->add("slow");
    registry_->add("fail");
    registry_->add("echo").non_blocking = true;
  }

  plugin_runtime::RegistryPtr registry() const noexcept override { return registry_; }
  std::vector<plugin_runtime::PluginInfo> plugins() const override { return {}; }
  void run(plugin_runtime::ToolCallPtr call) override {
    if (call->tool->name == "slow" || !runs_inline) {
      waiting.push_back(std::move(call));
    } else {
      finish(*call);
    }
  }
  Result<std::string> run_job(std::string_view, std::string_view, CallerPtr, std::string_view) override {
    return Error{Errc::kNotFound, "no jobs here", {}};
  }
  std::vector<std::string> plugins_with_job(std::string_view) const override { return {}; }
  std::vector<std::pair<std::string, std::string>> after_writes_jobs() const override { return {}; }
  std::vector<plugin_runtime::PluginLoad> load() const override { return {}; }
  std::vector<plugin_runtime::SettingsProblem> check_settings(std::string_view, std::string_view) const override {
    return {};
  }
  void set_tenant_settings(const TenantSettings& now) override { tenant_settings = now; }
  void set_log_level(observability::Severity /*level*/) noexcept override {}
  void stop(std::chrono::milliseconds) override {}

  FakeRegistry& tools() noexcept { return *registry_; }
  /// Ends the call that has waited longest.
  void finish_next() {
    const auto call = std::move(waiting.front());
    waiting.pop_front();
    finish(*call);
  }

  std::deque<plugin_runtime::ToolCallPtr> waiting;
  TenantSettings tenant_settings;
  bool runs_inline = true;  ///< false: every call waits, whatever its tool declares

 private:
  static void finish(plugin_runtime::ToolCall& call) {
    plugin_runtime::ToolResult result;
    result.is_error = call.tool->name == "fail" || call.cancelled;
    result.outcome = call.cancelled    ? plugin_runtime::Outcome::kCancelled
                     : result.is_error ? plugin_runtime::Outcome::kToolError
                                       : plugin_runtime::Outcome::kOk;
    result.content_json = R"([{"type":"text","text":"done"}])";
    result.structured_json = result.is_error ? "" : json::to_text(call.arguments);
    call.on_done(call, std::move(result));
  }

  std::shared_ptr<FakeRegistry> registry_;
};

/// Remembers what it was sent.
class RecordingStream final : public transport::SseStream {
 public:
  bool send(std::string_view event, std::string_view data) override {
    if (is_closed) return false;
    events.push_back(std::string(event) + " " + std::string(data));
    return true;
  }
  void close() override {
    if (std::exchange(is_closed, true)) return;
    if (callback) callback();
  }
  bool is_open() const noexcept override { return !is_closed; }
  void on_closed(std::function<void()> on_closed) override { callback = std::move(on_closed); }

  std::vector<std::string> events;
  bool is_closed = false;
  std::function<void()> callback;
};

}  // namespace toolhost::protocol::fakes
