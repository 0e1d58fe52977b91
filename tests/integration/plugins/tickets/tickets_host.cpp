#include "tickets_host.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>

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

constexpr const char* kTenantWithCategories = "with-categories";

struct RunningHost {
  PrintingEvents events;
  std::unique_ptr<PluginHost> plugins;

  RunningHost() {
    TempPostgres& postgres = TempPostgres::shared();
    PluginHostConfig config;
    config.plugins = {
        {.file = TICKETS_PLUGIN_FILE,
         .settings_json = "{}",
         .workers = 32,
         .tenant_settings = {{kTenantWithCategories, R"({"categories":["Hardware","Software","Network"]})"}}},
        {.file = TASKS_PLUGIN_FILE, .settings_json = "{}", .workers = 2}};
    config.max_result_bytes = 64 << 20;  // as the commands that run jobs have it
    config.store_directory = postgres.directory() / "plugin-store";
    config.sealing_key = Secret(std::string(32, 'k'));
    auto started = PluginHost::start(config, postgres.address(), events);
    if (!started) throw std::runtime_error(started.error().message + started.error().detail);
    plugins = std::move(*started);
    const auto infos = plugins->plugins();
    for (const auto& info : infos) {
      if (info.state != "serving") throw std::runtime_error(info.id + " was refused: " + info.reason);
    }
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
  document_->parse(result_.structured_json).value();
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

TicketsTest::TicketsTest() : ana(new_tenant()) {}

namespace {

Caller caller_in(const std::string& tenant, int number) {
  Caller caller;
  caller.tenant = tenant;
  caller.tenant_id = TempPostgres::shared().add_tenant(tenant);
  caller.time_zone = "Europe/Berlin";
  caller.key_id = KeyId{number};
  caller.key_prefix = "hdsk_" + std::to_string(100000 + number);
  caller.principal = "ana@example.com";
  return caller;
}

}  // namespace

CallerPtr TicketsTest::new_tenant(const std::string& time_zone) {
  static std::atomic<int> count{0};
  host();
  const int number = ++count;
  Caller caller = caller_in("tenant-" + std::to_string(number), number);
  caller.time_zone = time_zone;
  return std::make_shared<const Caller>(std::move(caller));
}

CallerPtr TicketsTest::in_tenant_with_categories() {
  host();
  static const CallerPtr caller = std::make_shared<const Caller>(caller_in(kTenantWithCategories, 0));
  return caller;
}

CallerPtr TicketsTest::colleague(const CallerPtr& caller, const std::string& principal, Role role) {
  Caller other = *caller;
  other.principal = principal;
  other.key_prefix = "hdsk_" + principal.substr(0, 6);
  other.role = role;
  return std::make_shared<const Caller>(std::move(other));
}

CallerPtr TicketsTest::with_members(const CallerPtr& caller, Members members) {
  Caller other = *caller;
  std::sort(members.begin(), members.end(), [](const Member& a, const Member& b) { return a.name < b.name; });
  other.members = std::make_shared<const Members>(std::move(members));
  return std::make_shared<const Caller>(std::move(other));
}

Answer TicketsTest::job(const CallerPtr& caller, std::string_view name, const std::string& arguments) {
  auto result = host().plugins->run_job("tickets", name, colleague(caller, "toolhost", Role::kAdmin), arguments);
  if (!result) throw std::runtime_error(result.error().message + " " + result.error().detail);
  return Answer(std::move(*result));
}

std::string TicketsTest::job_refusal(const CallerPtr& caller, std::string_view name, const std::string& arguments) {
  try {
    job(caller, name, arguments);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "not refused";
}

void TicketsTest::start(const CallerPtr& caller, std::string_view tool, const std::string& arguments,
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

Answer TicketsTest::call(const CallerPtr& caller, std::string_view tool, const std::string& arguments) {
  std::promise<ToolResult> promise;
  start(caller, tool, arguments, [&promise](ToolResult result) { promise.set_value(std::move(result)); });
  return Answer(promise.get_future().get());
}

std::vector<Answer> TicketsTest::call_at_once(const CallerPtr& caller, std::string_view tool,
                                              const std::vector<std::string>& arguments) {
  std::mutex mutex;
  std::condition_variable all_done;
  std::vector<ToolResult> results;
  for (const std::string& one : arguments) {
    start(caller, tool, one, [&](ToolResult result) {
      const std::lock_guard lock(mutex);
      results.push_back(std::move(result));
      all_done.notify_one();
    });
  }
  std::unique_lock lock(mutex);
  all_done.wait(lock, [&] { return results.size() == arguments.size(); });
  std::vector<Answer> answers;
  for (ToolResult& result : results) answers.emplace_back(std::move(result));
  return answers;
}

plugin_runtime::RegistryPtr TicketsTest::registry() {
  return host().plugins->registry();
}

std::string TicketsTest::create(const CallerPtr& caller, const std::string& arguments) {
  const Answer answer = call(caller, "create_ticket", arguments);
  EXPECT_FALSE(answer.is_error()) << answer.text();
  return answer.at("/ticket/id");
}

std::string TicketsTest::sql(const std::string& statement) {
  return TempPostgres::shared().run_sql("set search_path = tickets; " + statement);
}

}  // namespace toolhost::test_support
