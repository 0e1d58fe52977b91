#include "plugin_runtime/plugin_host.hpp"

#include <algorithm>
#include <future>
#include <iterator>
#include <system_error>
#include <thread>

#include "plugin_runtime/call_result.hpp"
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
using Refused = PluginInstance::Refused;

constexpr std::string_view kReplacedText =
    "The plugin of this tool was replaced meanwhile by a version that does not have the tool, or whose tool does "
    "something else. Nothing was saved. Fetch the list of tools anew.";

PluginInfo describe(const CheckedFile& file) {
  PluginInfo info;
  info.id = file.card.id;
  info.version = file.card.version;
  info.file = file.path.string();
  info.sha256 = file.sha256;
  info.signed_by = file.signed_by;
  info.built_with = file.card.built_with;
  info.abi_minor = file.card.abi_minor;
  return info;
}

void name_offers(PluginInfo& info, const PluginDefinition& definition) {
  for (auto* names : {&info.tools, &info.resources, &info.templates, &info.prompts}) names->clear();
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

/// Of these, what another plugin has already: refused.
std::optional<Refused> taken_name(const PluginDefinition& definition, const std::string& file,
                                  const std::vector<PluginPtr>& others) {
  for (const auto& [what, key] : owned_names(definition)) {
    for (const auto& other : others) {
      const auto theirs = owned_names(other->definition());
      if (std::find(theirs.begin(), theirs.end(), OwnedName(what, key)) == theirs.end()) continue;
      return Refused{"duplicate-" + what,
                     {Errc::kConflict,
                      file + ": its " + what + " " + key + " exists already, in the plugin " + other->definition().id +
                          "; load only one of the two",
                      {}}};
    }
  }
  return std::nullopt;
}

std::string counted(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string loaded_text(const PluginInfo& info, const PluginDefinition& definition) {
  auto text = info.id + " " + info.version + " from " + info.file + " (sha256 " + info.sha256 + "), " +
              counted(info.tools.size(), "tool");
  if (!definition.jobs.empty()) text += ", " + counted(definition.jobs.size(), "job");
  if (!definition.resources.empty()) text += ", " + counted(definition.resources.size(), "resource");
  if (!definition.prompts.empty()) text += ", " + counted(definition.prompts.size(), "prompt");
  return text;
}

/// A handler of a resource, and the resource.
struct OfferedHandler {
  const Resource* resource = nullptr;
  const Tool* handler = nullptr;
};

OfferedHandler find_read(const ToolRegistry& registry, const ToolCall& call) {
  for (const auto offers : {registry.resources(), registry.templates()})
    for (const auto* resource : offers) {
      if (resource->read.name != call.tool->name) continue;
      if (call.kind == ToolCall::Kind::kRead) return {resource, &resource->read};
      return {resource, resource->complete ? &*resource->complete : nullptr};
    }
  return {};
}

/// Its namesake in another generation; null when there is none that does as much and as little.
const Tool* namesake(const PluginRegistry& registry, const ToolCall& call) {
  const auto& tool = *call.tool;
  const Tool* found = nullptr;
  if (call.kind == ToolCall::Kind::kTool) {
    // What was a tool must not become a job, which no client may call, nor the other way round.
    const auto* const first = call.registry->find(tool.name);
    if (first != nullptr && first->plugin == tool.plugin) {
      found = registry.find(tool.name);
    } else {
      for (const auto& plugin : registry.plugins())
        for (const auto& job : plugin->definition().jobs)
          if (const auto& other = job.definition.tool; other.name == tool.name && other.plugin == tool.plugin)
            found = &other;
    }
  } else if (const auto read = find_read(registry, call); read.resource != nullptr) {
    // The call has variables of the template that it fits.
    const auto before = find_read(*call.registry, call);
    if (before.resource != nullptr && before.resource->uri == read.resource->uri) found = read.handler;
  } else {
    for (const auto* prompt : registry.prompts()) {
      if (prompt->get.name != tool.name) continue;
      if (call.kind == ToolCall::Kind::kPrompt)
        found = &prompt->get;
      else
        found = prompt->complete ? &*prompt->complete : nullptr;
    }
  }
  const bool is_same = found != nullptr && found->plugin == tool.plugin && found->read_only == tool.read_only &&
                       found->destructive == tool.destructive && found->idempotent == tool.idempotent &&
                       found->open_world == tool.open_world;
  return is_same ? found : nullptr;
}

class Host final : public PluginHost {
 public:
  Host(PluginHostConfig config, const storage::DatabaseAddress& address, EventSink& events)
      : config_(std::move(config)), address_(address), events_(events) {
    load_plugins();
    try {
      scheduler_->start(registry_, scheduled_jobs(plugins_), config_.job_callers);
    } catch (const std::system_error&) {
      stop(std::chrono::milliseconds(0));
      throw;
    }
  }

  ~Host() override { stop(std::chrono::milliseconds(0)); }

  [[nodiscard]] RegistryPtr registry() const noexcept override { return newest(); }

  [[nodiscard]] std::vector<PluginInfo> plugins() const override {
    std::vector<PluginInfo> infos;
    const std::lock_guard lock(mutex_);
    for (const auto& entry : entries_) {
      infos.push_back(entry.info);
      if (entry.plugin == nullptr || !entry.plugin->is_quarantined()) continue;
      infos.back().state = "quarantined";
      infos.back().reason =
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
    const auto registry = newest();
    const auto found = find_job(*registry, plugin, job);
    if (!found) return found.error();
    auto call = make_job_call(registry, **found, std::move(caller), arguments);
    if (!call) return call.error();
    std::promise<ToolResult> ended;
    (*call)->on_done = [&](ToolCall&, ToolResult&& result) { ended.set_value(std::move(result)); };
    run(std::move(*call));
    return job_answer(ended.get_future().get());
  }

  [[nodiscard]] std::vector<std::string> plugins_with_job(std::string_view job) const override {
    std::vector<std::string> ids;
    for (const auto& plugin : serving()) {
      const auto& jobs = plugin->definition().jobs;
      if (std::any_of(jobs.begin(), jobs.end(), [&](const auto& found) { return found.definition.tool.name == job; }))
        ids.push_back(plugin->definition().id);
    }
    return ids;
  }

  [[nodiscard]] std::vector<std::pair<std::string, std::string>> after_writes_jobs() const override {
    std::vector<std::pair<std::string, std::string>> jobs;
    for (const auto& plugin : serving())
      for (const auto& job : plugin->definition().jobs)
        if (job.after_writes) jobs.emplace_back(plugin->definition().id, job.definition.tool.name);
    return jobs;
  }

  [[nodiscard]] std::vector<PluginLoad> load() const override {
    std::vector<PluginLoad> loads;
    for (const auto& plugin : serving()) {
      auto& load = loads.emplace_back(plugin->load());
      load.retiring = retiring_of(load.id);
      const auto mapped = PluginImage::mapped(load.id);
      load.versions = mapped.versions;
      load.mapped_bytes = mapped.bytes;
    }
    return loads;
  }

  [[nodiscard]] std::vector<observability::MetricFamily> metrics() const override {
    std::vector<observability::MetricFamily> all;
    for (const auto& plugin : serving())
      for (auto& family : plugin->metrics()) all.push_back(std::move(family));
    return all;
  }

  [[nodiscard]] std::vector<SettingsProblem> check_settings(std::string_view plugin,
                                                            std::string_view settings_json) const override {
    const auto found = serving(plugin);
    return found == nullptr ? std::vector<SettingsProblem>() : found->check_settings(settings_json);
  }

  void set_tenant_settings(const TenantSettings& settings) override {
    static const std::map<std::string, std::string, std::less<>> kNone;
    const std::lock_guard changing(change_mutex_);
    for (auto& entry : entries_) {
      const auto found = settings.find(entry.info.id);
      entry.spec.tenant_settings = found == settings.end() ? kNone : found->second;
      if (entry.plugin != nullptr) entry.plugin->set_tenant_settings(entry.spec.tenant_settings);
      for_each_retiring(entry.info.id, [&](auto& plugin) { plugin.set_tenant_settings(entry.spec.tenant_settings); });
    }
  }

  void on_catalog(std::function<void(const CatalogChange&)> on_change) override { news_.listen(std::move(on_change)); }

  void set_log_level(observability::Severity level) noexcept override {
    const std::lock_guard changing(change_mutex_);
    config_.log_level = level;
    for (const auto& plugin : plugins_) plugin->set_log_level(level);
    for (const auto& entry : entries_)
      for_each_retiring(entry.info.id, [level](auto& plugin) { plugin.set_log_level(level); });
  }

  [[nodiscard]] std::shared_ptr<const PluginOffers> offers(std::string_view id) const override {
    const auto found = serving(id);
    return found == nullptr ? nullptr : found->offers();
  }

  Result<PluginReplacement> replace_plugin(std::string_view id, const PluginPins& wanted) override {
    const std::lock_guard changing(change_mutex_);
    if (stopping_.load()) return Error{Errc::kUnavailable, "the host is stopping; start it anew", {}};
    reap_retired();
    auto replaced = replace(id, wanted);
    if (!replaced)
      events_.emit(
          observability::PluginReported{PluginIncident::kRefused, id, "replacement", replaced.error().message});
    return replaced;
  }

  void stop(std::chrono::milliseconds drain) override {
    stopping_.store(true);
    const auto until = Deadline::after(drain);
    const auto left = [&] { return std::chrono::duration_cast<std::chrono::milliseconds>(until.left()); };
    const std::lock_guard changing(change_mutex_);  // a replacement that is being made is waited for
    scheduler_->stop();
    {
      const std::lock_guard lock(mutex_);
      for (const auto& retired : retiring_)
        if (retired->plugin != nullptr) retired->plugin->hasten(left());
    }
    for (auto plugin = plugins_.rbegin(); plugin != plugins_.rend(); ++plugin) (*plugin)->stop(left());
    for (const auto& retired : retiring_)
      if (retired->thread.joinable()) retired->thread.join();
    news_.listen(nullptr);
  }

 private:
  /// A plugin of the configuration. Without `plugin` it was refused.
  struct Entry {
    PluginSpec spec;
    PluginInfo info;
    std::optional<CheckedFile> file;  // without its bytes; of `plugin`
    PluginPtr plugin;
    PluginInstance::Views views;
  };
  /// An instance that no call begins in any more, and the thread that waits for its end.
  struct Retiring {
    std::string id;
    PluginInstance::Views views;
    PluginPtr plugin;  // null when it has ended; guarded by mutex_
    std::thread thread;
    std::atomic<bool> is_over{false};  // the thread is at its end
  };
  static constexpr std::size_t kMaxRetiring = 8;    // instances of one plugin
  static constexpr std::size_t kManyVersions = 16;  // are worth a word
  static constexpr std::chrono::seconds kForThreads{10};

  [[nodiscard]] PluginInstance::Surroundings around() {
    return {.config = config_,
            .address = address_,
            .watchdog = watchdog_,
            .writes = scheduler_,
            .news = news_,
            .events = events_,
            .hand_over = [this](const ToolCallPtr& call) { return hand_over(call); }};
  }

  [[nodiscard]] std::shared_ptr<const PluginRegistry> newest() const noexcept {
    const std::lock_guard lock(registry_mutex_);
    return registry_;
  }
  [[nodiscard]] std::vector<PluginPtr> serving() const {
    const std::lock_guard lock(mutex_);
    return plugins_;
  }
  [[nodiscard]] PluginPtr serving(std::string_view id) const {
    for (const auto& plugin : serving())
      if (plugin->definition().id == id) return plugin;
    return nullptr;
  }
  [[nodiscard]] std::size_t retiring_of(std::string_view id) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(retiring_.begin(), retiring_.end(), [&](const auto& retired) {
      return retired->id == id && retired->plugin != nullptr;
    }));
  }

  /// Of this plugin, those that still end their calls.
  template <class Function>
  void for_each_retiring(std::string_view id, Function function) {
    const std::lock_guard lock(mutex_);
    for (const auto& retired : retiring_)
      if (retired->id == id && retired->plugin != nullptr) function(*retired->plugin);
  }

  static std::vector<JobScheduler::Job> scheduled_jobs(const std::vector<PluginPtr>& plugins) {
    std::vector<JobScheduler::Job> jobs;
    for (const auto& plugin : plugins)
      for (const auto& job : plugin->scheduled_jobs()) jobs.push_back(job);
    return jobs;
  }

  // ---- the first generation

  /// Every migration comes before every grant, and every grant before the first plugin that could use one.
  void load_plugins() {
    for (const auto& spec : config_.plugins) prepare(spec);
    find_views();
    for (auto& entry : entries_)
      if (entry.plugin != nullptr) serve(entry);
    registry_ = std::make_shared<PluginRegistry>(plugins_, 1);
  }

  void prepare(const PluginSpec& spec) {
    auto& entry = entries_.emplace_back();
    entry.spec = spec;
    auto file = check_plugin_file(spec.file, spec.pins, config_.trust);
    if (!file) {
      entry.info.id = entry.info.name = spec.file.stem().string();
      entry.info.file = spec.file.string();
      return refuse(entry, {"file", file.error()});
    }
    entry.info = describe(*file);
    for (const auto& other : entries_) {
      if (other.plugin == nullptr || other.info.id != entry.info.id) continue;
      return refuse(entry,
                    {"duplicate-id",
                     {Errc::kConflict,
                      entry.info.file + ": a plugin with the id " + entry.info.id + " is loaded already; list it once",
                      {}}});
    }
    auto prepared = PluginInstance::prepare(*file, spec, around());
    if (!prepared) return refuse(entry, prepared.error());
    entry.plugin = std::move(*prepared);
    if (auto refused = entry.plugin->migrate(around())) return refuse(entry, *refused);
    file->bytes = {};
    entry.file = std::move(*file);
  }

  /// Refusing one plugin may leave another without what it needs.
  void find_views() {
    for (bool settled = false; !settled;) {
      settled = true;
      std::vector<const PluginDefinition*> loaded;
      for (const auto& entry : entries_)
        if (entry.plugin != nullptr) loaded.push_back(&entry.plugin->definition());
      for (auto& entry : entries_) {
        if (entry.plugin == nullptr) continue;
        auto views = readable_views(entry.plugin->definition(), loaded);
        if (views) {
          entry.views = std::move(*views);
          continue;
        }
        auto error = views.error();
        error.message = entry.info.file + ": " + error.message;
        refuse(entry, {"reads", error});
        settled = false;
        break;
      }
    }
  }

  void serve(Entry& entry) {
    const auto& definition = entry.plugin->definition();
    if (const auto taken = taken_name(definition, entry.info.file, plugins_)) return refuse(entry, *taken);
    complete(entry.info, *entry.plugin);
    if (const auto refused = entry.plugin->serve(entry.views, entry.views, address_)) return refuse(entry, *refused);
    name_offers(entry.info, definition);
    entry.info.state = "serving";
    events_.emit(observability::PluginReported{PluginIncident::kLoaded, entry.info.id, "loaded",
                                               loaded_text(entry.info, definition)});
    plugins_.push_back(entry.plugin);
  }

  static void complete(PluginInfo& info, const PluginInstance& plugin) {
    info.name = plugin.definition().name;
    info.vendor = plugin.definition().vendor;
    info.services = plugin.definition().services;
    info.offers_sha256 = hash_of(*plugin.offers());
  }

  void refuse(Entry& entry, const Refused& refused) {
    const auto& error = refused.error;
    entry.info.state = "refused";
    entry.info.reason = error.message;
    const auto detail = error.detail.empty() ? error.message : error.message + " (" + error.detail + ")";
    events_.emit(observability::PluginReported{PluginIncident::kRefused, entry.info.id, refused.rule, detail});
    entry.plugin.reset();
    entry.file.reset();
  }

  // ---- the next one

  /// A new instance on its way into service, and the entry that it is for.
  struct Successor {
    std::size_t index = 0;
    Entry entry;
    bool serves = false;
  };

  Result<PluginReplacement> replace(std::string_view id, const PluginPins& wanted) {
    const auto found =
        std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.info.id == id; });
    if (found == entries_.end()) return no_such_plugin(id);
    if (retiring_of(id) >= kMaxRetiring)
      return Error{Errc::kUnavailable,
                   std::to_string(kMaxRetiring) + " earlier instances of " + std::string(id) +
                       " still end their calls; try again when some have",
                   {}};
    std::vector<Successor> successors;
    auto first = successor_of(static_cast<std::size_t>(found - entries_.begin()), wanted);
    if (!first) return first.error();
    successors.push_back(std::move(*first));
    if (auto done = add_readers(successors); !done) return done.error();
    // As at the start: every migration comes before every grant. From here on what fails must be undone.
    for (const auto step : {&Host::migrate, &Host::bring_up}) {
      for (auto& successor : successors) {
        const auto refused = (this->*step)(successor);
        if (!refused) continue;
        undo(successors);
        return refused->error;
      }
    }
    return switch_to(std::move(successors), *found);
  }

  [[nodiscard]] Error no_such_plugin(std::string_view id) const {
    std::string ids;
    for (const auto& entry : entries_) ids += (ids.empty() ? "" : ", ") + entry.info.id;
    return {Errc::kNotFound, "there is no plugin " + std::string(id) + (ids.empty() ? "" : "; there is: " + ids), {}};
  }

  Result<Successor> successor_of(std::size_t index, const PluginPins& wanted) {
    const auto& before = entries_[index];
    auto spec = before.spec;
    spec.pins = wanted;
    auto file = check_plugin_file(spec.file, spec.pins, config_.trust);
    if (!file) return file.error();
    const bool is_taken = std::any_of(entries_.begin(), entries_.end(), [&](const Entry& other) {
      return &other != &before && other.plugin != nullptr && other.info.id == file->card.id;
    });
    if (is_taken || (before.plugin != nullptr && file->card.id != before.info.id))
      return Error{Errc::kConflict,
                   file->path.string() + ": its id is " + file->card.id + ", not " + before.info.id +
                       "; another plugin takes its place with a restart",
                   {}};
    Successor successor{.index = index, .entry = {.spec = spec, .info = describe(*file)}};
    auto prepared = PluginInstance::prepare(*file, spec, around());
    if (!prepared) return prepared.error().error;
    successor.entry.plugin = std::move(*prepared);
    file->bytes = {};
    successor.entry.file = std::move(*file);
    if (const auto taken =
            taken_name(successor.entry.plugin->definition(), successor.entry.info.file, others_than(before.plugin)))
      return taken->error;
    return successor;
  }

  [[nodiscard]] std::vector<PluginPtr> others_than(const PluginPtr& plugin) const {
    auto others = plugins_;
    std::erase(others, plugin);
    return others;
  }

  /// What a plugin may read does not change while its instance lives: whoever may read more or less than before because
  /// of these gets a new one, too, of the code that it has.
  Result<> add_readers(std::vector<Successor>& successors) {
    for (bool settled = false; !settled;) {
      settled = true;
      std::vector<const PluginDefinition*> loaded;
      for (std::size_t index = 0; index < entries_.size(); ++index)
        if (const auto& plugin = newest(index, successors)) loaded.push_back(&plugin->definition());
      for (std::size_t index = 0; index < entries_.size() && settled; ++index) {
        const auto plugin = newest(index, successors);
        if (plugin == nullptr) continue;
        auto views = readable_views(plugin->definition(), loaded);
        if (!views) {
          const auto& id = plugin->definition().id;
          return Error{Errc::kConflict, entries_[index].info.file + ": " + id + ": " + views.error().message, {}};
        }
        if (auto* const successor = find(index, successors)) {
          successor->entry.views = std::move(*views);
        } else if (!std::ranges::equal(*views, entries_[index].views, is_same_view)) {
          auto entry = entries_[index];
          auto prepared = PluginInstance::prepare(*entry.file, entry.spec, around());
          if (!prepared) return prepared.error().error;
          entry.plugin = std::move(*prepared);
          successors.push_back({.index = index, .entry = std::move(entry)});
          settled = false;
        }
      }
    }
    std::sort(successors.begin(), successors.end(), [](const auto& a, const auto& b) { return a.index < b.index; });
    return boost::system::in_place_value;
  }

  static bool is_same_view(const storage::ExportedView& a, const storage::ExportedView& b) {
    return a.plugin_id == b.plugin_id && a.view == b.view;
  }
  static Successor* find(std::size_t index, std::vector<Successor>& successors) {
    const auto found =
        std::find_if(successors.begin(), successors.end(), [&](const auto& each) { return each.index == index; });
    return found == successors.end() ? nullptr : &*found;
  }
  [[nodiscard]] PluginPtr newest(std::size_t index, std::vector<Successor>& successors) const {
    const auto* const successor = find(index, successors);
    return successor != nullptr ? successor->entry.plugin : entries_[index].plugin;
  }

  std::optional<Refused> migrate(Successor& successor) { return successor.entry.plugin->migrate(around()); }

  std::optional<Refused> bring_up(Successor& successor) {
    auto& entry = successor.entry;
    auto granted = in_use(entry.info.id, entry.views);
    add_views(granted, entries_[successor.index].views);
    if (auto refused = entry.plugin->serve(entry.views, granted, address_)) return refused;
    successor.serves = true;
    complete(entry.info, *entry.plugin);
    name_offers(entry.info, entry.plugin->definition());
    entry.info.state = "serving";
    return std::nullopt;
  }

  void undo(const std::vector<Successor>& successors) {
    for (const auto& successor : successors) {
      if (successor.serves) successor.entry.plugin->stop(std::chrono::milliseconds(0));
      const auto& before = entries_[successor.index];
      narrow_grants(successor.entry.plugin->definition(),
                    before.plugin != nullptr ? before.views : PluginInstance::Views());
    }
  }

  static void add_views(PluginInstance::Views& views, const PluginInstance::Views& more) {
    for (const auto& view : more)
      if (std::none_of(views.begin(), views.end(), [&](const auto& each) { return is_same_view(each, view); }))
        views.push_back(view);
  }

  /// These, and what instances of this plugin may read that still end their calls.
  [[nodiscard]] PluginInstance::Views in_use(std::string_view id, PluginInstance::Views views) const {
    const std::lock_guard lock(mutex_);
    for (const auto& retired : retiring_)
      if (retired->id == id && retired->plugin != nullptr) add_views(views, retired->views);
    return views;
  }

  /// Takes back what no instance reads: the newest reads `views`.
  void narrow_grants(const PluginDefinition& definition, const PluginInstance::Views& views) {
    if (!definition.has_database()) return;
    if (const auto done = storage::grant_reads(address_, definition.id, in_use(definition.id, views)); !done)
      events_.emit(observability::PluginReported{PluginIncident::kMisbehaved, definition.id, "reads",
                                                 "what it may read could not be narrowed: " + done.error().message});
  }

  PluginReplacement switch_to(std::vector<Successor> successors, const Entry& replaced) {
    PluginReplacement report;
    report.id = replaced.info.id;
    const bool was_serving = replaced.plugin != nullptr;
    if (was_serving) report.version_before = replaced.info.version;
    const auto before = was_serving ? replaced.plugin->offers() : std::make_shared<const PluginOffers>();
    const auto index = static_cast<std::size_t>(&replaced - entries_.data());
    const auto& info = find(index, successors)->entry.info;
    report.same_file = was_serving && replaced.info.sha256 == info.sha256;
    report.id = info.id;
    report.version = info.version;
    report.sha256 = info.sha256;
    report.offers_sha256 = info.offers_sha256;
    report.changes = offer_changes(*before, *find(index, successors)->entry.plugin->offers());
    if (was_serving) {
      const auto load = replaced.plugin->load();
      report.running = load.running + load.queued + load.deferred;
    }

    std::vector<std::unique_ptr<Retiring>> old;
    {
      const std::lock_guard lock(mutex_);
      for (auto& successor : successors) {
        auto& entry = entries_[successor.index];
        if (entry.plugin != nullptr) {
          old.push_back(std::make_unique<Retiring>());
          old.back()->id = entry.info.id;
          old.back()->plugin = entry.plugin;
          old.back()->views = entry.views;
        }
        if (successor.index != index) report.with.push_back(entry.info.id);
        entry = std::move(successor.entry);
      }
      plugins_.clear();
      for (const auto& entry : entries_)
        if (entry.plugin != nullptr) plugins_.push_back(entry.plugin);
    }
    report.generation = switch_registry();
    const auto mapped = PluginImage::mapped(report.id);
    report.versions = mapped.versions;
    report.mapped_bytes = mapped.bytes;
    tell(report, entries_[index]);
    for (auto& each : old) retire(std::move(each));
    tell_clients(report.changes);
    return report;
  }

  std::uint64_t switch_registry() {
    const auto next = std::make_shared<const PluginRegistry>(plugins_, registry_->generation() + 1);
    auto before = next;
    {
      const std::lock_guard lock(registry_mutex_);
      registry_.swap(before);
    }
    try {
      scheduler_->replace(next, scheduled_jobs(plugins_));
    } catch (const std::system_error& error) {
      events_.emit(
          observability::PluginReported{PluginIncident::kMisbehaved, "", "jobs",
                                        std::string("jobs do not run, for want of a thread: ") + error.what()});
    }
    return next->generation();
  }

  void tell(const PluginReplacement& report, const Entry& entry) {
    auto text = loaded_text(entry.info, entry.plugin->definition());
    if (!report.version_before.empty()) text += ", in the place of " + report.version_before;
    for (const auto& change : report.changes) text += "; " + change;
    events_.emit(observability::PluginReported{PluginIncident::kLoaded, report.id, "replaced", text});
    if (report.versions >= kManyVersions)
      events_.emit(observability::PluginReported{
          PluginIncident::kMisbehaved, report.id, "versions",
          std::to_string(report.versions) + " versions of it are mapped, " + std::to_string(report.mapped_bytes >> 10) +
              " KiB of files, and stay until the host is restarted; at " + std::to_string(PluginImage::kMaxVersions) +
              " no other is loaded"});
  }

  /// Which lists to fetch again.
  void tell_clients(const std::vector<std::string>& changes) {
    std::uint32_t lists = 0;
    for (const auto& change : changes)
      lists |= change.starts_with("tool ") ? TH_LIST_TOOLS
                                           : (change.starts_with("prompt ") ? TH_LIST_PROMPTS : TH_LIST_RESOURCES);
    if (lists != 0) news_.changed(lists);
  }

  void retire(std::unique_ptr<Retiring> retired) {
    auto& one = *retired;
    {
      const std::lock_guard lock(mutex_);
      retiring_.push_back(std::move(retired));
    }
    try {
      one.thread = std::thread([this, &one] {
        end(one);
        narrow_grants_of_successor(one);
        one.is_over.store(true);
      });
    } catch (const std::system_error&) {
      // No thread to wait on, and everybody waits for this one: its calls get little time.
      one.plugin->hasten(config_.lost_worker_grace);
      end(one);
      narrow_grants_of(one);
      one.is_over.store(true);
    }
  }

  /// Every call has a deadline, so the wait for the last one needs no other.
  void end(Retiring& one) {
    auto plugin = one.plugin;
    const auto longest = plugin->longest_call() + config_.lost_worker_grace + std::chrono::seconds(1);
    plugin->stop(longest, kForThreads);
    const std::lock_guard lock(mutex_);
    one.plugin.reset();
  }

  /// Takes back what `over` could read, and its successor may not.
  void narrow_grants_of_successor(const Retiring& over) {
    // A replacement that is being made holds the mutex, and stop() waits for this thread with it.
    while (!change_mutex_.try_lock_for(std::chrono::milliseconds(50)))
      if (stopping_.load()) return;
    const std::lock_guard changing(change_mutex_, std::adopt_lock);
    narrow_grants_of(over);
  }

  void narrow_grants_of(const Retiring& over) {
    if (stopping_.load()) return;
    for (const auto& entry : entries_)
      if (entry.info.id == over.id && entry.plugin != nullptr) narrow_grants(entry.plugin->definition(), entry.views);
  }

  /// Forgets those that have ended.
  void reap_retired() {
    std::vector<std::unique_ptr<Retiring>> over;
    {
      const std::lock_guard lock(mutex_);
      for (auto& retired : retiring_)
        if (retired->is_over.load()) over.push_back(std::move(retired));
      std::erase(retiring_, nullptr);
    }
    for (const auto& retired : over)
      if (retired->thread.joinable()) retired->thread.join();
  }

  /// A call that came to an instance behind its end runs in the newest generation. True when it was seen to.
  bool hand_over(const ToolCallPtr& call) {
    if (stopping_.load()) return false;
    const auto registry = newest();
    const auto* const next = namesake(*registry, *call);
    if (next == nullptr) {
      std::exchange(call->on_done, nullptr)(*call, refusal(Outcome::kUnavailable, kReplacedText));
      return true;
    }
    if (next == call->tool) return false;
    const auto before = std::exchange(call->runs_in, registry);  // may hold the runner that asks
    call->tool = next;
    run(call);
    return true;
  }

  [[nodiscard]] static Result<const Tool*> find_job(const PluginRegistry& registry, std::string_view plugin,
                                                    std::string_view job) {
    const auto not_found = [](std::string message, const std::string& others) {
      return Error{Errc::kNotFound, std::move(message) + (others.empty() ? "" : "; there is: " + others), {}};
    };
    std::string ids;
    for (const auto& candidate : registry.plugins()) {
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

  PluginHostConfig config_;  // its log_level guarded by change_mutex_
  const storage::DatabaseAddress address_;
  EventSink& events_;
  Watchdog watchdog_;
  CatalogNews news_{watchdog_};
  const std::shared_ptr<JobScheduler> scheduler_ = std::make_shared<JobScheduler>();
  std::atomic<bool> stopping_{false};

  /// Held while a generation is made, and when all ends; by whoever writes what mutex_ guards, too.
  std::timed_mutex change_mutex_;
  mutable std::mutex mutex_;        // held for a moment; guards what follows against its readers
  std::vector<Entry> entries_;      // in the order of the configuration
  std::vector<PluginPtr> plugins_;  // those of them that serve
  std::vector<std::unique_ptr<Retiring>> retiring_;
  /// Held for a pointer copy on either side.
  mutable std::mutex registry_mutex_;
  std::shared_ptr<const PluginRegistry> registry_;
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

Result<std::unique_ptr<PluginHost>> PluginHost::start(PluginHostConfig config, const storage::DatabaseAddress& address,
                                                      observability::EventSink& events) {
  if (config.sealing_key.reveal().size() < 32)
    return Error{Errc::kMisuse, "the sealing key of the plugin host must have 32 bytes", {}};
  try {
    return std::make_unique<Host>(std::move(config), address, events);
  } catch (const std::system_error& error) {
    return Error{Errc::kUnavailable, std::string("the plugin host cannot start a thread: ") + error.what(), {}};
  }
}

Result<PluginInfo> inspect_plugin_file(const std::filesystem::path& file) {
  const auto checked = inspect_file(file);
  if (!checked) return checked.error();
  auto info = describe(*checked);
  info.state = "not loaded";
  return info;
}

}  // namespace toolhost::plugin_runtime
