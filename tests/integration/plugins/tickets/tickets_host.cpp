#include "tickets_host.hpp"

#include <atomic>
#include <future>

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
    config.plugins = {{.file = TICKETS_PLUGIN_FILE, .settings_json = "{}", .workers = 16}};
    config.store_directory = postgres.directory() / "plugin-store";
    config.sealing_key = Secret(std::string(32, 'k'));
    auto started = PluginHost::start(config, postgres.address(), events);
    if (!started) throw std::runtime_error(started.error().message + started.error().detail);
    plugins = std::move(*started);
    const auto infos = plugins->plugins();
    if (infos.size() != 1 || infos[0].state != "serving") throw std::runtime_error("refused: " + infos.at(0).reason);
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

CallerPtr TicketsTest::new_tenant(const std::string& time_zone) {
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
  return std::make_shared<const Caller>(std::move(caller));
}

CallerPtr TicketsTest::colleague(const CallerPtr& caller, const std::string& principal) {
  Caller other = *caller;
  other.principal = principal;
  other.key_prefix = "hdsk_" + principal.substr(0, 6);
  return std::make_shared<const Caller>(std::move(other));
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
