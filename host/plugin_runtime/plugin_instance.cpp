#include "plugin_runtime/plugin_instance.hpp"

#include <future>
#include <mutex>
#include <thread>

#include "plugin_runtime/black_box.hpp"
#include "plugin_runtime/definition_fields.hpp"
#include "plugin_runtime/plugin_offers.hpp"

namespace toolhost::plugin_runtime {
namespace {

// Jobs move many rows at a time, and their results stay in this process.

/// Settings that break the schema never reach the plugin. `tenant` is for messages; empty: those of the plugin.
Result<> refuse_problems(const std::vector<SettingsProblem>& problems, const std::string& tenant = {}) {
  if (problems.empty()) return boost::system::in_place_value;
  std::string text = tenant.empty() ? std::string("its settings") : "its settings for the tenant " + tenant;
  text += " are not valid:";
  for (const auto& problem : problems)
    text += " " + (problem.pointer.empty() ? "settings" : problem.pointer) + ": " + problem.message + ";";
  return refusal(text + " correct them in the configuration");
}

/// What its threads may still touch is never freed, not even when the process ends.
void leave_alive(std::shared_ptr<PluginInstance> plugin) {
  static std::mutex mutex;
  static auto& left_alive = *new std::vector<std::shared_ptr<PluginInstance>>;
  const std::lock_guard lock(mutex);
  left_alive.push_back(std::move(plugin));
}

}  // namespace

Result<> PluginInstance::set_settings(const PluginSpec& spec) {
  if (auto checked = refuse_problems(check_settings(spec.settings_json)); !checked) return checked;
  if (auto set = host_.set_settings(spec.settings_json); !set) return set.error();
  for (const auto& [tenant, settings] : spec.tenant_settings)
    if (auto checked = refuse_problems(check_settings(settings), tenant); !checked) return checked;
  return host_.set_tenant_settings(spec.tenant_settings);
}

std::vector<SettingsProblem> PluginInstance::check_settings(std::string_view settings_json) const {
  PluginSettings settings;
  const auto root = settings.set(settings_json);
  if (!root) return {{.pointer = {}, .message = root.error().message}};
  std::vector<SettingsProblem> problems;
  if (!definition_.config_schema) {
    json::Object object;
    if (root->get(object) == simdjson::SUCCESS && object.size() > 0)
      problems.push_back({.pointer = {}, .message = "it takes no settings; remove them"});
    return problems;
  }
  for (auto& violation : definition_.config_schema->violations(*root))
    problems.push_back({.pointer = std::move(violation.path), .message = std::move(violation.message)});
  return problems;
}

void PluginInstance::set_tenant_settings(const std::map<std::string, std::string, std::less<>>& settings) {
  // Whoever calls this has checked them; what is no JSON all the same changes nothing.
  if (const auto set = host_.set_tenant_settings(settings); !set)
    host_.report(observability::PluginIncident::kMisbehaved, "settings", set.error().message);
}

PluginLoad PluginInstance::load() const {
  auto load = runner_->load();
  load.id = definition_.id;
  return load;
}

PluginInstance::Refused PluginInstance::refused(const char* rule, const Error& error) const {
  // The loader's messages name the file already.
  const bool named = error.message.starts_with(file_);
  return {rule, {error.code, named ? error.message : file_ + ": " + error.message, error.detail}};
}

PluginInstance::Outcome PluginInstance::prepare(const CheckedFile& file, const PluginSpec& spec,
                                                const Surroundings& around) {
  const auto& config = around.config;
  auto plugin = std::make_shared<PluginInstance>(file, config, around.events);
  plugin->host_.set_news(around.news);
  plugin->host_.set_time(config.time);
  plugin->host_.set_secrets(PluginSecrets(spec.secrets));
  plugin->host_.set_offer(config.offer);
  const auto image = PluginImage::load(file, config.store_directory);
  if (!image) return plugin->refused("load", image.error());
  {
    const BlackBoxScope scope(file.card.id, "(entry)", file.sha256);
    const auto raw = (*image)->definition(host_api(config.offer.abi_minor), &plugin->host_);
    if (!raw) return plugin->refused("entry", raw.error());
    auto adopted = adopt_definition(*raw, file.card, config.default_timeout);
    if (!adopted) return plugin->refused("definition", adopted.error());
    plugin->definition_ = std::move(*adopted);
  }
  const auto& definition = plugin->definition_;
  plugin->offers_ = std::make_shared<const PluginOffers>(offers_of(definition));
  if (const auto hash = hash_of(*plugin->offers_); !spec.pins.offers_sha256.empty() && spec.pins.offers_sha256 != hash)
    return plugin->refused(
        "offers", refusal("what it offers to clients has the hash " + hash + ", not " + spec.pins.offers_sha256 +
                          " as the configuration wants; look at its tools ('toolhost plugin reload " + definition.id +
                          " --dry-run' shows what differs), then write the new one there"));
  if (auto set = plugin->set_settings(spec); !set) return plugin->refused("settings", set.error());
  plugin->workers_ = spec.workers > 0 ? spec.workers : std::max(config.workers, 1U);
  plugin->runner_ = std::make_unique<ToolRunner>(
      plugin->host_, around.watchdog,
      ToolRunner::Config{
          .workers = plugin->workers_,
          .max_queued_calls = config.max_queued_calls,
          .lost_worker_grace = config.lost_worker_grace,
          .max_lost_workers = config.max_lost_workers,
          .max_result_bytes = config.max_result_bytes,
          .conninfo = definition.has_database() ? around.address.as_plugin(definition.id) : std::string(),
          .file = plugin->file_,
          .writes = around.writes,
          .hand_over = around.hand_over});
  return plugin;
}

std::optional<PluginInstance::Refused> PluginInstance::migrate(const Surroundings& around) {
  if (!definition_.has_database()) return std::nullopt;
  const auto migrated = storage::migrate_plugin(around.address, definition_.id, definition_.migrations,
                                                definition_.shared_tables, around.events, definition_.exports);
  if (!migrated) return refused("migration", migrated.error());
  return std::nullopt;
}

std::optional<PluginInstance::Refused> PluginInstance::serve(const Views& views, const Views& granted,
                                                             const storage::DatabaseAddress& address) {
  if (definition_.has_database()) {
    if (auto done = storage::grant_reads(address, definition_.id, granted); !done)
      return refused("reads", done.error());
  }
  std::vector<th_host::ReadableView> readable;
  for (const auto& view : views) readable.push_back({view.plugin_id, storage::sql_name(view)});
  host_.set_readable_views(std::move(readable));
  if (definition_.create != nullptr) {
    const BlackBoxScope scope(definition_.id, "(create)", sha256_);
    if (const auto status = definition_.create(&host_, &instance_); status != TH_OK) {
      if (!runner_->stop(std::chrono::milliseconds(0))) leave_alive(shared_from_this());
      host_.silence();
      return refused("create", refusal("create() answered " + std::to_string(status) +
                                       "; the plugin's log lines before this one say why"));
    }
  }
  host_.end_of_create();
  for (auto& [tool, handle, user] : definition_.tools) bind(tool, handle, user);
  for (auto& job : definition_.jobs) {
    auto& [tool, handle, user] = job.definition;
    bind(tool, handle, user).max_result_bytes = kMaxJobResultBytes;
  }
  for (auto& [resource, read, complete, user] : definition_.resources) {
    bind(resource.read, read, user);
    if (resource.complete) bind(*resource.complete, complete, user);
  }
  for (auto& [prompt, get, complete, user] : definition_.prompts) {
    bind(prompt.get, get, user);
    if (prompt.complete) bind(*prompt.complete, complete, user);
  }
  runner_->start(instance_, weak_from_this());
  return std::nullopt;
}

ToolBinding& PluginInstance::bind(Tool& tool, th_handler handle, void* user) {
  auto& binding = *bindings_.emplace_back(std::make_unique<ToolBinding>());
  binding.runner = runner_.get();
  binding.handle = handle;
  binding.user = user;
  binding.timeout = tool.timeout;
  binding.runs_inline = tool.non_blocking;
  binding.max_concurrency = tool.max_concurrency;
  tool.binding = &binding;
  return binding;
}

std::vector<JobScheduler::Job> PluginInstance::scheduled_jobs() {
  std::vector<JobScheduler::Job> jobs;
  for (const auto& job : definition_.jobs) {
    auto& binding = const_cast<ToolBinding&>(*static_cast<const ToolBinding*>(job.definition.tool.binding));
    jobs.push_back({.definition = &job, .binding = &binding, .host = &host_, .most_of_plugin = workers_ > 2 ? 2U : 1U});
  }
  return jobs;
}

std::chrono::milliseconds PluginInstance::longest_call() const noexcept {
  std::chrono::milliseconds longest{0};
  for (const auto& binding : bindings_) longest = std::max(longest, binding->timeout);
  return longest;
}

void PluginInstance::stop(std::chrono::milliseconds drain, std::chrono::milliseconds for_threads) {
  if (std::exchange(stopped_, true)) return;
  const bool left = runner_->stop(drain);
  const bool quiet = left && quiesce(std::max(for_threads, std::chrono::milliseconds(1'000)));
  if (!quiet) {
    host_.report(observability::PluginIncident::kMisbehaved, left ? "quiesce" : "overstay",
                 left ? "quiesce() failed or overstayed: the instance is left alive"
                      : "handlers or functions of the executor have not returned: the instance is left alive");
    leave_alive(shared_from_this());
  } else if (definition_.destroy != nullptr) {
    const BlackBoxScope scope(definition_.id, "(destroy)", "");
    definition_.destroy(instance_);
  }
  host_.silence();
}

bool PluginInstance::quiesce(std::chrono::milliseconds limit) {
  if (definition_.quiesce == nullptr) return true;
  const auto until = std::chrono::system_clock::now() + limit;
  const auto until_us = host_.now_us() + std::chrono::duration_cast<std::chrono::microseconds>(limit).count();
  // On a thread of its own, which is left behind when it does not return.
  std::packaged_task<th_status()> task([self = shared_from_this(), until_us] {
    const BlackBoxScope scope(self->definition_.id, "(quiesce)", "");
    return self->definition_.quiesce(self->instance_, until_us);
  });
  auto status = task.get_future();
  std::thread thread;
  try {
    thread = std::thread(std::move(task));
  } catch (const std::system_error&) {
    return false;  // without a thread nobody knows whether it would return
  }
  if (status.wait_until(until + std::chrono::milliseconds(100)) != std::future_status::ready) {
    thread.detach();
    return false;
  }
  thread.join();
  return status.get() == TH_OK;
}

}  // namespace toolhost::plugin_runtime
