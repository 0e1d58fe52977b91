#pragma once
#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/gatekeeper.hpp"
#include "base/json_writer.hpp"
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
  std::shared_ptr<const access::ProtectedResource> resource() const override { return oauth; }
  bool is_fetching() const noexcept override { return fetching; }
  std::optional<DeniedKey> denied_key(std::string_view, std::string_view) const override { return denied; }
  std::vector<CallerPtr> callers_of(KeyId key) const override {
    for (const auto& [text, caller] : live)
      if (caller->key_id == key) return {caller};
    return {};
  }
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
  std::shared_ptr<const access::ProtectedResource> oauth;  ///< set before the endpoint is made
  std::atomic<bool> fetching = false;                      ///< keys of an issuer are on their way
  std::string last_address;
  std::function<void()> after_check;  ///< what happens once, right behind the next check that a key passes

 private:
  std::function<void(KeyId)> revoked_;
};

inline plugin_runtime::Tool make_tool(std::string name) {
  return {
      .name = std::move(name),
      .title = "A title",
      .description = "What it does",
      .plugin = "test",
      .input_schema_json = R"({"type":"object"})",
      .input_schema = JsonSchema::compile(R"({"type":"object"})").value(),
  };
}

class FakeRegistry final : public plugin_runtime::ToolRegistry {
 public:
  using Resource = plugin_runtime::Resource;
  using Prompt = plugin_runtime::Prompt;

  explicit FakeRegistry(std::uint64_t generation) : generation_(generation) {}

  /// Keeps the tools sorted by name, as a registry does.
  plugin_runtime::Tool& add(std::string name) {
    return keep(owned_, tools_, std::make_unique<plugin_runtime::Tool>(make_tool(std::move(name))));
  }
  /// A template when the URI is one.
  Resource& add_resource(const std::string& name, const std::string& uri) {
    auto resource = std::make_unique<Resource>(
        Resource{.uri = uri, .name = name, .read = handler("resource:" + name), .complete = std::nullopt});
    if (uri.find('{') == std::string::npos) return keep(owned_resources_, resources_, std::move(resource));
    resource->uri_template = plugin_runtime::UriTemplate::parse(uri).value();
    return keep(owned_resources_, templates_, std::move(resource));
  }
  Prompt& add_prompt(const std::string& name) {
    return keep(
        owned_prompts_, prompts_,
        std::make_unique<Prompt>(Prompt{.name = name, .get = handler("prompt:" + name), .complete = std::nullopt}));
  }
  /// Of a resource or a prompt.
  static plugin_runtime::Tool handler(std::string name) {
    auto tool = make_tool(std::move(name));
    tool.read_only = true;
    return tool;
  }

  std::span<const Resource* const> resources() const noexcept override { return resources_; }
  std::span<const Resource* const> templates() const noexcept override { return templates_; }
  std::span<const Prompt* const> prompts() const noexcept override { return prompts_; }
  plugin_runtime::FoundResource find_resource(std::string_view uri) const override {
    for (const auto* resource : resources_)
      if (resource->uri == uri) return {resource, {}};
    for (const auto* resource : templates_)
      if (auto variables = resource->uri_template->match(uri)) return {resource, std::move(*variables)};
    return {};
  }
  const Resource* find_template(std::string_view text) const noexcept override {
    const auto found =
        std::find_if(templates_.begin(), templates_.end(), [&](const auto* resource) { return resource->uri == text; });
    return found == templates_.end() ? nullptr : *found;
  }
  const Prompt* find_prompt(std::string_view name) const noexcept override {
    const auto found =
        std::find_if(prompts_.begin(), prompts_.end(), [&](const auto* prompt) { return prompt->name == name; });
    return found == prompts_.end() ? nullptr : *found;
  }
  bool logs_to_clients(std::string_view plugin) const noexcept override { return plugin == logging_plugin; }

  std::span<const plugin_runtime::Tool* const> tools() const noexcept override { return tools_; }
  const plugin_runtime::Tool* find(std::string_view name) const noexcept override {
    const auto found = std::find_if(tools_.begin(), tools_.end(), [&](const auto* tool) { return tool->name == name; });
    return found == tools_.end() ? nullptr : *found;
  }
  std::uint64_t generation() const noexcept override { return generation_; }
  /// For tools that were added after it had been asked.
  void renew() noexcept { ++generation_; }

  std::string logging_plugin;  ///< the one that sends log messages; handlers are of "test"

 private:
  template <class Item>
  static Item& keep(std::vector<std::unique_ptr<Item>>& owned, std::vector<const Item*>& sorted,
                    std::unique_ptr<Item> item) {
    auto& added = *item;
    owned.push_back(std::move(item));
    sorted.insert(std::upper_bound(sorted.begin(), sorted.end(), &added,
                                   [](const auto* a, const auto* b) { return a->name < b->name; }),
                  &added);
    return added;
  }

  std::uint64_t generation_;
  std::vector<std::unique_ptr<plugin_runtime::Tool>> owned_;
  std::vector<std::unique_ptr<Resource>> owned_resources_;
  std::vector<std::unique_ptr<Prompt>> owned_prompts_;
  std::vector<const plugin_runtime::Tool*> tools_;
  std::vector<const Resource*> resources_, templates_;
  std::vector<const Prompt*> prompts_;
};

/// Has the tools "echo" (never blocks; answers its arguments), "fail" (a tool error) and "slow" (waits for
/// finish_next()). What is read and prompted for has the arguments of its handler as text; a template finds nothing for
/// the variable "gone".
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
    using plugin_runtime::Outcome;
    plugin_runtime::ToolResult result;
    const auto arguments = json::to_text(call.arguments);
    const bool is_gone = call.kind == Kind::kRead && arguments.find(R"("gone")") != std::string::npos;
    result.is_error = call.tool->name == "fail" || call.cancelled || is_gone;
    result.outcome = call.cancelled    ? Outcome::kCancelled
                     : is_gone         ? Outcome::kNotFound
                     : result.is_error ? Outcome::kToolError
                                       : Outcome::kOk;
    result.content_json = result.is_error ? R"([{"type":"text","text":"done"}])" : content_of(call, arguments);
    if (call.kind == Kind::kPrompt) result.description = "What it does now";
    if (call.kind == Kind::kTool && !result.is_error) result.structured_json = arguments;
    call.on_done(call, std::move(result));
  }

  using Kind = plugin_runtime::ToolCall::Kind;
  static std::string content_of(const plugin_runtime::ToolCall& call, std::string_view arguments) {
    std::string out;
    JsonWriter json(out);
    switch (call.kind) {
      case Kind::kTool:
        return R"([{"type":"text","text":"done"}])";
      case Kind::kRead:
        json.begin_array().begin_object().member("uri", call.target).member("text", arguments).end_object().end_array();
        break;
      case Kind::kPrompt:
        json.begin_array().begin_object().member("role", "user").key("content").begin_object();
        json.member("type", "text").member("text", arguments).end_object().end_object().end_array();
        break;
      case Kind::kComplete:
        return R"({"values":["one","two"],"total":2,"hasMore":false})";
    }
    return out;
  }

  std::shared_ptr<FakeRegistry> registry_;
};

/// Remembers what it was sent.
class RecordingStream final : public transport::SseStream {
 public:
  using SseStream::send;
  bool send(const Event& event) override {
    if (is_closed) return false;
    events.push_back(std::string(event.event) + " " + std::string(event.data));
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
