#include "app/plugin_check/check_host.hpp"

#include <future>

#include "plugin_runtime/plugin_library.hpp"

namespace toolhost::app {
namespace {

using observability::PluginIncident;
using plugin_runtime::Tool;
using plugin_runtime::ToolCall;
using plugin_runtime::ToolResult;

constexpr std::string_view kPerson = "ana@example.com";
constexpr std::size_t kMaxIncidents = 1'000;

std::uint64_t mixed(std::uint64_t seed, std::string_view text) {
  for (const char c : text) seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return seed;
}

}  // namespace

void Incidents::emit(const observability::Event& event) noexcept {
  const auto* report = std::get_if<observability::PluginReported>(&event);
  if (report == nullptr) return;
  const std::lock_guard lock(mutex_);
  if (report->incident == PluginIncident::kLog) ++log_records_;
  const bool is_broken =
      report->incident == PluginIncident::kMisbehaved || report->incident == PluginIncident::kLostWorker;
  if (is_broken && broken_.size() < kMaxIncidents)
    broken_.push_back({std::string(report->rule), std::string(report->detail)});
}

std::vector<Incidents::Incident> Incidents::take_broken_rules() {
  const std::lock_guard lock(mutex_);
  return std::exchange(broken_, {});
}

std::size_t Incidents::log_records() const {
  const std::lock_guard lock(mutex_);
  return log_records_;
}

Result<std::unique_ptr<CheckHost>> CheckHost::start(const CheckJob& job, ChildReport& report, const Options& options) {
  report.begin_step("start");
  const auto file = plugin_runtime::inspect_file(job.file);
  if (!file) return file.error();
  auto host = std::unique_ptr<CheckHost>(new CheckHost(report));
  host->plugin_ = file->card.id;
  ScratchHost::Config config;
  for (const auto& other : job.with) config.plugins.push_back({.file = other});
  config.plugins.push_back({.file = job.file, .settings_json = job.settings_json});
  config.database = storage::DatabaseAddress::external(job.database_url);
  config.workers = options.workers;
  config.log_level = observability::Severity::kInfo;
  config.lost_worker_grace = options.lost_worker_grace;
  config.offer = options.offer;
  auto started = ScratchHost::start(std::move(config), host->incidents_);
  if (!started) return started.error();
  host->host_ = std::move(*started);
  const auto added = host->host_->add_tenant(job.check, "Europe/Berlin",
                                             {{.email = std::string(kPerson), .name = "Ana", .role = Role::kAdmin}});
  if (!added) return added.error();
  const auto caller = host->host_->caller(job.check, std::string(kPerson), Role::kAdmin);
  if (!caller) return caller.error();
  host->caller_ = *caller;
  return host;
}

CheckHost::~CheckHost() = default;

std::vector<const Tool*> CheckHost::tools() const {
  std::vector<const Tool*> tools;
  for (const auto* tool : host_->plugins().registry()->tools())
    if (tool->plugin == plugin_) tools.push_back(tool);
  return tools;
}

CheckedCall CheckHost::call(const Tool& tool, std::string arguments, std::chrono::milliseconds deadline,
                            std::chrono::milliseconds cancel_after) {
  CheckedCall checked{.tool = &tool, .arguments = std::move(arguments), .result = {}};
  report_.begin_step(call_text(checked));
  const auto call = host_->make_call({.name = tool.name, .arguments = checked.arguments}, caller_);
  if (!call) {
    checked.result.outcome = plugin_runtime::Outcome::kInvalidArguments;
    checked.result.detail = call.error().message;
    return checked;
  }
  (*call)->deadline = Deadline::after(deadline);
  const auto ended = std::make_shared<std::promise<ToolResult>>();
  auto result = ended->get_future();
  (*call)->on_done = [ended](ToolCall&, ToolResult&& answer) { ended->set_value(std::move(answer)); };
  const auto began = std::chrono::steady_clock::now();
  host_->plugins().run(*call);
  if (cancel_after.count() >= 0) {
    result.wait_for(cancel_after);
    (*call)->cancel();
  }
  checked.result = result.get();
  checked.took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
  return checked;
}

void CheckHost::stop() {
  report_.begin_step("stop");
  caller_.reset();
  host_->plugins().stop(std::chrono::milliseconds(2'000));
  host_.reset();
}

std::vector<std::string> for_each_tool(const CheckJob& job, CheckHost& host,
                                       const std::function<void(const Tool& tool, RandomArguments& arguments)>& body) {
  std::vector<std::string> without;
  for (const auto* tool : host.tools()) {
    RandomArguments arguments(tool->input_schema_json, tool->input_schema, mixed(job.seed, job.check + tool->name));
    if (arguments.smallest().empty())
      without.push_back(tool->name);
    else
      body(*tool, arguments);
  }
  return without;
}

std::string call_text(const CheckedCall& call) {
  constexpr std::size_t kShown = 200;
  auto text = call.tool->name + "(" + call.arguments.substr(0, kShown);
  return text + (call.arguments.size() > kShown ? "...)" : ")");
}

}  // namespace toolhost::app
