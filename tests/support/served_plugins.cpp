#include "support/served_plugins.hpp"

#include <atomic>
#include <future>
#include <thread>

#include "base/json_writer.hpp"
#include "support/temp_postgres.hpp"

namespace toolhost::test_support {
namespace {

using plugin_runtime::PluginHost;
using plugin_runtime::PluginHostConfig;
using plugin_runtime::ToolCall;
using plugin_runtime::ToolResult;

/// Prints what goes wrong inside the host.
class PrintingEvents final : public observability::EventSink {
 public:
  void emit(const observability::Event& event) noexcept override {
    if (const auto* report = std::get_if<observability::PluginReported>(&event)) {
      if (report->incident == observability::PluginIncident::kLoaded) return;
      std::fprintf(stderr, "plugin %.*s: %.*s %.*s\n", static_cast<int>(report->plugin.size()), report->plugin.data(),
                   static_cast<int>(report->rule.size()), report->rule.data(), static_cast<int>(report->detail.size()),
                   report->detail.data());
    }
  }
};

struct RunningHost {
  PrintingEvents events;
  std::unique_ptr<PluginHost> plugins;

  RunningHost() {
    TempPostgres& postgres = TempPostgres::shared();
    PluginHostConfig config;
    config.plugins = served_plugins();
    config.max_result_bytes = 64 << 20;  // as the commands that run jobs have it
    config.store_directory = postgres.directory() / "plugin-store";
    config.sealing_key = Secret(std::string(32, 'k'));
    auto started = PluginHost::start(std::move(config), postgres.address(), events);
    if (!started) throw std::runtime_error(started.error().message + started.error().detail);
    plugins = std::move(*started);
    for (const auto& info : plugins->plugins())
      if (info.state != "serving") throw std::runtime_error("refused: " + info.reason);
  }
};

RunningHost& host() {
  static RunningHost running;
  return running;
}

}  // namespace

Answer::Answer(ToolResult result) : result_(std::move(result)), document_(std::make_unique<json::Document>()) {
  json::Document content;
  if (auto blocks = content.parse(result_.content_json)) {
    for (const json::Value block : blocks->get_array().value()) text_ += std::string_view(block["text"]);
  }
  if (!result_.structured_json.empty()) document_->parse(result_.structured_json).value();
}

Answer::Answer(std::string structured_json) : document_(std::make_unique<json::Document>()) {
  result_.is_error = false;
  result_.structured_json = std::move(structured_json);
  if (!result_.structured_json.empty()) document_->parse(result_.structured_json).value();
}

bool Answer::has(std::string_view pointer) const {
  return !result_.structured_json.empty() && document_->root().at_pointer(pointer).error() == simdjson::SUCCESS;
}

std::string Answer::at(std::string_view pointer) const {
  if (!has(pointer)) return "";
  const json::Value found = document_->root().at_pointer(pointer);
  if (found.is_string()) return std::string(std::string_view(found));
  return json::to_text(found);
}

std::vector<std::string> Answer::each(std::string_view pointer, std::string_view name) const {
  std::vector<std::string> values;
  for (std::size_t i = 0; i < size(pointer); ++i) {
    values.push_back(at(std::string(pointer) + '/' + std::to_string(i) + '/' + std::string(name)));
  }
  return values;
}

std::size_t Answer::size(std::string_view pointer) const {
  if (!has(pointer)) return 0;
  return document_->root().at_pointer(pointer).get_array().value().size();
}

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

ServedPluginsTest::ServedPluginsTest() : ana(new_tenant()) {}

CallerPtr ServedPluginsTest::new_tenant(const std::string& time_zone, std::vector<Member> members) {
  static std::atomic<int> count{0};
  host();
  Caller caller;
  const int number = ++count;
  caller.tenant = "tenant-" + std::to_string(number);
  caller.tenant_id = TempPostgres::shared().add_tenant(caller.tenant);
  caller.time_zone = time_zone;
  caller.key_id = KeyId{number};
  caller.key_prefix = "hdsk_" + std::to_string(100000 + number);
  caller.principal = "ana@example.com";
  if (!members.empty()) caller.members = std::make_shared<const Members>(std::move(members));
  return std::make_shared<const Caller>(std::move(caller));
}

CallerPtr ServedPluginsTest::colleague(const CallerPtr& caller, const std::string& principal, Role role) {
  Caller other = *caller;
  other.principal = principal;
  other.key_prefix = "hdsk_" + principal.substr(0, 6);
  other.role = role;
  return std::make_shared<const Caller>(std::move(other));
}

void ServedPluginsTest::start(const CallerPtr& caller, std::string_view tool, const std::string& arguments,
                              std::function<void(ToolResult)> on_answer) {
  auto call = std::make_shared<ToolCall>();
  call->registry = host().plugins->registry();
  call->tool = call->registry->find(tool);
  ASSERT_NE(call->tool, nullptr) << tool;
  call->caller = caller;
  call->document = json::acquire_document();
  call->arguments = call->document->parse(arguments).value();
  call->request_id = "test";
  call->deadline = Deadline::after(std::chrono::seconds(60));
  call->on_done = [on_answer = std::move(on_answer)](ToolCall&, ToolResult&& result) { on_answer(std::move(result)); };
  host().plugins->run(std::move(call));
}

Answer ServedPluginsTest::call(const CallerPtr& caller, std::string_view tool, const std::string& arguments) {
  std::promise<ToolResult> promise;
  start(caller, tool, arguments, [&promise](ToolResult result) { promise.set_value(std::move(result)); });
  return Answer(promise.get_future().get());
}

std::vector<Answer> ServedPluginsTest::call_at_once(int threads, const CallerPtr& caller, std::string_view tool,
                                                    const std::function<std::string(int)>& arguments) {
  std::vector<std::future<ToolResult>> results;
  std::atomic<int> waiting{threads};
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) {
    auto promise = std::make_shared<std::promise<ToolResult>>();
    results.push_back(promise->get_future());
    running.emplace_back([&, promise, text = arguments(i)] {
      for (--waiting; waiting > 0;) std::this_thread::yield();
      start(caller, tool, text, [promise](ToolResult result) { promise->set_value(std::move(result)); });
    });
  }
  for (std::thread& thread : running) thread.join();
  std::vector<Answer> answers;
  for (auto& result : results) answers.emplace_back(result.get());
  return answers;
}

plugin_runtime::RegistryPtr ServedPluginsTest::registry() {
  return host().plugins->registry();
}

std::string ServedPluginsTest::run_job(const CallerPtr& caller, std::string_view plugin, std::string_view job,
                                       const std::string& arguments) {
  const CallerPtr runner = colleague(caller, "toolhost", Role::kAdmin);
  std::string next = arguments;
  while (true) {
    const auto result = host().plugins->run_job(plugin, job, runner, next);
    if (!result) {
      ADD_FAILURE() << result.error().message;
      return {};
    }
    if (result->find(R"("more":true)") == std::string::npos) return *result;
    next = "{}";
  }
}

std::string ServedPluginsTest::refused_job(const CallerPtr& caller, std::string_view plugin, std::string_view job,
                                           const std::string& arguments) {
  const auto result = host().plugins->run_job(plugin, job, colleague(caller, "toolhost", Role::kAdmin), arguments);
  return result ? "not refused" : result.error().message;
}

std::string ServedPluginsTest::sql(const std::string& schema, const std::string& statement) {
  return TempPostgres::shared().run_sql("set search_path = " + schema + "; " + statement);
}

}  // namespace toolhost::test_support
