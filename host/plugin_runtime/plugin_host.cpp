#include "plugin_runtime/plugin_host.hpp"

#include <algorithm>
#include <future>
#include <map>
#include <system_error>

#include "plugin_runtime/job_runs.hpp"
#include "plugin_runtime/job_scheduler.hpp"
#include "plugin_runtime/plugin_instance.hpp"
#include "plugin_runtime/plugin_library.hpp"
#include "plugin_runtime/plugin_registry.hpp"
#include "plugin_runtime/readable_views.hpp"
#include "plugin_runtime/watchdog.hpp"

namespace toolhost::plugin_runtime {
namespace {

using observability::EventSink;
using observability::PluginIncident;
using PluginPtr = std::shared_ptr<PluginInstance>;

PluginInfo describe(const CheckedFile& file) {
  PluginInfo info;
  info.id = file.card.id;
  info.version = file.card.version;
  info.file = file.path.string();
  info.sha256 = file.sha256;
  info.built_with = file.card.built_with;
  info.abi_minor = file.card.abi_minor;
  return info;
}

void name_offers(PluginInfo& info, const PluginDefinition& definition) {
  for (const auto& offered : definition.tools) info.tools.push_back(offered.tool.name);
  for (const auto& offered : definition.resources)
    (offered.resource.uri_template ? info.templates : info.resources).push_back(offered.resource.name);
  for (const auto& offered : definition.prompts) info.prompts.push_back(offered.prompt.name);
}

/// What must be unique in the host: "tool", "resource", "uri" or "prompt", and its name.
using OwnedName = std::pair<std::string, std::string>;
std::vector<OwnedName> owned_names(const PluginDefinition& definition) {
  std::vector<OwnedName> names;
  for (const auto& tool : definition.tools) names.emplace_back("tool", tool.tool.name);
  for (const auto& resource : definition.resources) {
    names.emplace_back("resource", resource.resource.name);
    names.emplace_back("uri", resource.resource.uri);
  }
  for (const auto& prompt : definition.prompts) names.emplace_back("prompt", prompt.prompt.name);
  return names;
}

class Host final : public PluginHost {
 public:
  Host(const PluginHostConfig& config, const storage::DatabaseAddress& address, EventSink& events) : events_(events) {
    load_plugins(config, address);
    registry_ = std::make_shared<PluginRegistry>(plugins_, 1);
    std::vector<JobScheduler::Job> jobs;
    for (const auto& plugin : plugins_)
      for (const auto& job : plugin->scheduled_jobs()) jobs.push_back(job);
    try {
      scheduler_->start(registry_, std::move(jobs), config.job_callers);
    } catch (const std::system_error&) {
      stop(std::chrono::milliseconds(0));
      throw;
    }
  }

  ~Host() override { stop(std::chrono::milliseconds(0)); }

  [[nodiscard]] RegistryPtr registry() const noexcept override { return registry_; }

  [[nodiscard]] std::vector<PluginInfo> plugins() const override {
    auto infos = infos_;
    for (auto& info : infos) {
      const auto quarantined = [&](const PluginPtr& plugin) {
        return plugin->definition().id == info.id && plugin->is_quarantined();
      };
      if (info.state != "serving" || std::none_of(plugins_.begin(), plugins_.end(), quarantined)) continue;
      info.state = "quarantined";
      info.reason =
          "too many of its handlers did not return; it serves again when they have. Report it to the plugin's author";
    }
    return infos;
  }

  void run(ToolCallPtr call) override {
    auto& binding = *const_cast<ToolBinding*>(static_cast<const ToolBinding*>(call->tool->binding));
    binding.runner->run(std::move(call), binding);
  }

  Result<std::string> run_job(std::string_view plugin, std::string_view job, CallerPtr caller,
                              std::string_view arguments) override {
    const auto found = find_job(plugin, job);
    if (!found) return found.error();
    auto call = make_job_call(registry_, **found, std::move(caller), arguments);
    if (!call) return call.error();
    std::promise<ToolResult> ended;
    (*call)->on_done = [&](ToolCall&, ToolResult&& result) { ended.set_value(std::move(result)); };
    run(std::move(*call));
    return job_answer(ended.get_future().get());
  }

  [[nodiscard]] std::vector<std::string> plugins_with_job(std::string_view job) const override {
    std::vector<std::string> ids;
    for (const auto& plugin : plugins_) {
      const auto& jobs = plugin->definition().jobs;
      if (std::any_of(jobs.begin(), jobs.end(), [&](const auto& found) { return found.definition.tool.name == job; }))
        ids.push_back(plugin->definition().id);
    }
    return ids;
  }

  [[nodiscard]] std::vector<std::pair<std::string, std::string>> after_writes_jobs() const override {
    std::vector<std::pair<std::string, std::string>> jobs;
    for (const auto& plugin : plugins_)
      for (const auto& job : plugin->definition().jobs)
        if (job.after_writes) jobs.emplace_back(plugin->definition().id, job.definition.tool.name);
    return jobs;
  }

  [[nodiscard]] std::vector<PluginLoad> load() const override {
    std::vector<PluginLoad> loads;
    for (const auto& plugin : plugins_) loads.push_back(plugin->load());
    return loads;
  }

  [[nodiscard]] std::vector<SettingsProblem> check_settings(std::string_view plugin,
                                                            std::string_view settings_json) const override {
    for (const auto& candidate : plugins_)
      if (candidate->definition().id == plugin) return candidate->check_settings(settings_json);
    return {};
  }

  void set_tenant_settings(const TenantSettings& settings) override {
    static const std::map<std::string, std::string, std::less<>> kNone;
    for (const auto& plugin : plugins_) {
      const auto found = settings.find(plugin->definition().id);
      plugin->set_tenant_settings(found == settings.end() ? kNone : found->second);
    }
  }

  void on_catalog(std::function<void(const CatalogChange&)> on_change) override { news_.listen(std::move(on_change)); }

  void set_log_level(observability::Severity level) noexcept override {
    for (const auto& plugin : plugins_) plugin->set_log_level(level);
  }

  void stop(std::chrono::milliseconds drain) override {
    scheduler_->stop();
    const auto until = Deadline::after(drain);
    for (auto plugin = plugins_.rbegin(); plugin != plugins_.rend(); ++plugin)
      (*plugin)->stop(std::chrono::duration_cast<std::chrono::milliseconds>(until.left()));
    news_.listen(nullptr);
  }

 private:
  /// A plugin on its way into service; without `plugin` it was refused.
  struct Candidate {
    PluginInfo info;
    PluginPtr plugin;
    std::vector<storage::ExportedView> views;
  };
  using Candidates = std::vector<Candidate>;

  /// Every migration comes before every grant, and every grant before the first plugin that could use one.
  void load_plugins(const PluginHostConfig& config, const storage::DatabaseAddress& address) {
    Candidates candidates;
    for (const auto& spec : config.plugins) prepare(candidates, spec, config, address);
    find_views(candidates);
    for (auto& candidate : candidates)
      if (candidate.plugin != nullptr) serve(candidate, address);
    for (auto& candidate : candidates) infos_.push_back(std::move(candidate.info));
  }

  void prepare(Candidates& candidates, const PluginSpec& spec, const PluginHostConfig& config,
               const storage::DatabaseAddress& address) {
    const auto file = check_plugin_file(spec.file);
    Candidate candidate;
    if (!file) {
      candidate.info.id = candidate.info.name = spec.file.stem().string();
      candidate.info.file = spec.file.string();
      refuse(candidate, "file", file.error());
      return candidates.push_back(std::move(candidate));
    }
    candidate.info = describe(*file);
    for (const auto& other : candidates) {
      if (other.plugin == nullptr || other.info.id != candidate.info.id) continue;
      refuse(candidate, "duplicate-id",
             {Errc::kConflict,
              candidate.info.file + ": a plugin with the id " + candidate.info.id + " is loaded already; list it once",
              {}});
      return candidates.push_back(std::move(candidate));
    }
    auto prepared = PluginInstance::prepare(*file, spec, config, address, watchdog_, scheduler_, news_, events_);
    if (prepared)
      candidate.plugin = std::move(*prepared);
    else
      refuse(candidate, prepared.error().rule, prepared.error().error);
    candidates.push_back(std::move(candidate));
  }

  /// Refusing one plugin may leave another without what it needs.
  void find_views(Candidates& candidates) {
    for (bool settled = false; !settled;) {
      settled = true;
      std::vector<const PluginDefinition*> loaded;
      for (const auto& candidate : candidates)
        if (candidate.plugin != nullptr) loaded.push_back(&candidate.plugin->definition());
      for (auto& candidate : candidates) {
        if (candidate.plugin == nullptr) continue;
        auto views = readable_views(candidate.plugin->definition(), loaded);
        if (views) {
          candidate.views = std::move(*views);
          continue;
        }
        auto error = views.error();
        error.message = candidate.info.file + ": " + error.message;
        refuse(candidate, "reads", error);
        settled = false;
        break;
      }
    }
  }

  void serve(Candidate& candidate, const storage::DatabaseAddress& address) {
    const auto& definition = candidate.plugin->definition();
    auto& info = candidate.info;
    for (const auto& [what, key] : owned_names(definition)) {
      const auto owner = owners_.find({what, key});
      if (owner == owners_.end()) continue;
      return refuse(candidate, "duplicate-" + what,
                    {Errc::kConflict,
                     info.file + ": its " + what + " " + key + " exists already, in the plugin " + owner->second +
                         "; load only one of the two",
                     {}});
    }
    info.name = definition.name;
    info.vendor = definition.vendor;
    info.services = definition.services;
    if (const auto refused = candidate.plugin->serve(candidate.views, address))
      return refuse(candidate, refused->rule, refused->error);
    name_offers(info, definition);
    for (const auto& owned : owned_names(definition)) owners_[owned] = definition.id;
    info.state = "serving";
    const auto counted = [](std::size_t count, const std::string& what) {
      return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
    };
    auto detail = info.id + " " + info.version + " from " + info.file + " (sha256 " + info.sha256 + "), " +
                  counted(info.tools.size(), "tool");
    if (!definition.jobs.empty()) detail += ", " + counted(definition.jobs.size(), "job");
    if (!definition.resources.empty()) detail += ", " + counted(definition.resources.size(), "resource");
    if (!definition.prompts.empty()) detail += ", " + counted(definition.prompts.size(), "prompt");
    events_.emit(observability::PluginReported{PluginIncident::kLoaded, info.id, "loaded", detail});
    plugins_.push_back(candidate.plugin);
  }

  void refuse(Candidate& candidate, const std::string& rule, const Error& error) {
    candidate.info.state = "refused";
    candidate.info.reason = error.message;
    const auto detail = error.detail.empty() ? error.message : error.message + " (" + error.detail + ")";
    events_.emit(observability::PluginReported{PluginIncident::kRefused, candidate.info.id, rule, detail});
    candidate.plugin.reset();
  }

  [[nodiscard]] Result<const Tool*> find_job(std::string_view plugin, std::string_view job) const {
    const auto not_found = [](std::string message, const std::string& others) {
      return Error{Errc::kNotFound, std::move(message) + (others.empty() ? "" : "; there is: " + others), {}};
    };
    std::string ids;
    for (const auto& candidate : plugins_) {
      const auto& definition = candidate->definition();
      ids += (ids.empty() ? "" : ", ") + definition.id;
      if (definition.id != plugin) continue;
      std::string names;
      for (const auto& found : definition.jobs) {
        if (found.definition.tool.name == job) return &found.definition.tool;
        names += (names.empty() ? "" : ", ") + found.definition.tool.name;
      }
      return not_found("the plugin " + definition.id + " has no job " + std::string(job), names);
    }
    return not_found("no plugin " + std::string(plugin) + " is loaded", ids);
  }

  EventSink& events_;
  Watchdog watchdog_;
  CatalogNews news_{watchdog_};
  const std::shared_ptr<JobScheduler> scheduler_ = std::make_shared<JobScheduler>();
  std::vector<PluginPtr> plugins_;  // in the order of the configuration
  std::vector<PluginInfo> infos_;
  std::map<OwnedName, std::string> owners_;  // plugin id of what must be unique in the host
  RegistryPtr registry_;
};

}  // namespace

const char* to_string(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::kOk:
      return "ok";
    case Outcome::kToolError:
      return "tool_error";
    case Outcome::kInvalidArguments:
      return "invalid_arguments";
    case Outcome::kTimeout:
      return "timeout";
    case Outcome::kCancelled:
      return "cancelled";
    case Outcome::kUnavailable:
      return "unavailable";
    case Outcome::kLimit:
      return "limit";
    case Outcome::kInternal:
      return "internal";
    case Outcome::kInputRequired:
      return "input_required";
    case Outcome::kNotFound:
      return "not_found";
    case Outcome::kStateUsed:
      return "state_used";
  }
  return "internal";
}

void ToolCall::cancel() noexcept {
  cancelled.store(true);
  const std::lock_guard lock(cancel_mutex);
  if (on_cancel) on_cancel();
}

Result<std::unique_ptr<PluginHost>> PluginHost::start(const PluginHostConfig& config,
                                                      const storage::DatabaseAddress& address,
                                                      observability::EventSink& events) {
  if (config.sealing_key.reveal().size() < 32)
    return Error{Errc::kMisuse, "the sealing key of the plugin host must have 32 bytes", {}};
  try {
    return std::make_unique<Host>(config, address, events);
  } catch (const std::system_error& error) {
    return Error{Errc::kUnavailable, std::string("the plugin host cannot start a thread: ") + error.what(), {}};
  }
}

Result<PluginInfo> inspect_plugin_file(const std::filesystem::path& file) {
  const auto checked = check_plugin_file(file, false);
  if (!checked) return checked.error();
  auto info = describe(*checked);
  info.state = "not loaded";
  return info;
}

}  // namespace toolhost::plugin_runtime
