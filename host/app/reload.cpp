#include "app/reload.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "access/grant.hpp"
#include "app/commands/console.hpp"
#include "app/config/config_check.hpp"
#include "app/config/config_diff.hpp"
#include "base/json.hpp"
#include "base/json_writer.hpp"
#include "protocol/tool_views.hpp"

namespace toolhost::app {
namespace {

using access::Rights;

const char* to_string(ReloadTrigger trigger) {
  switch (trigger) {
    case ReloadTrigger::kSignal:
      return "signal";
    case ReloadTrigger::kFile:
      return "file";
    case ReloadTrigger::kCommand:
      return "command";
  }
  return "";
}

/// For those who may not know where the files are.
std::string place_of(const ConfigProblem& problem) {
  const auto name = std::filesystem::path(problem.file).filename().string();
  return problem.line > 0 ? name + ":" + std::to_string(problem.line) : name;
}

std::string as_lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += (text.empty() ? "" : "\n") + line;
  return text;
}

/// What the lists show with these rights, each as one text to compare.
struct Listing {
  std::string tools, resources, prompts;

  /// The lists that differ, of change_notices.
  [[nodiscard]] std::uint32_t differences(const Listing& other) const noexcept {
    return (tools == other.tools ? 0 : protocol::kToolsList) |
           (resources == other.resources ? 0 : protocol::kResourcesList) |
           (prompts == other.prompts ? 0 : protocol::kPromptsList);
  }
};

Listing listing_of(const Rights& rights, const plugin_runtime::ToolRegistry& registry) {
  Listing listing;
  const auto add = [&](std::string& text, const plugin_runtime::Tool& handler) {
    if (rights.decide(protocol::facts_of(handler), nullptr).allowed()) text.append(handler.name).push_back('\0');
  };
  for (const auto* resource : registry.resources()) add(listing.resources, resource->read);
  for (const auto* resource : registry.templates()) add(listing.resources, resource->read);
  for (const auto* prompt : registry.prompts()) add(listing.prompts, prompt->get);
  auto& text = listing.tools;
  for (const auto* tool : registry.tools()) {
    if (!rights.decide(protocol::facts_of(*tool), nullptr).allowed()) continue;
    text.append(tool->name).push_back('\0');
    const auto* own = rights.text_of(tool->name);
    if (own == nullptr) continue;
    text.append(own->title.value_or("")).push_back('\1');
    text.append(own->description.value_or("")).push_back('\2');
  }
  return listing;
}

/// The listing of each of many keys, most of which share their rights.
class Listings {
 public:
  explicit Listings(const plugin_runtime::ToolRegistry& registry) : registry_(registry) {}

  const Listing& of(const Caller& caller) {
    const auto& rights = caller.grant->rights();
    auto& known = known_[rights.get()];
    if (known.rights == nullptr) known = {rights, listing_of(*rights, registry_)};
    return known.listing;
  }

 private:
  struct Known {
    std::shared_ptr<const Rights> rights;  // keeps the address from being another's
    Listing listing;
  };
  const plugin_runtime::ToolRegistry& registry_;
  std::map<const Rights*, Known> known_;
};

const plugin_runtime::PluginSpec* find(const HostConfig& config, const std::filesystem::path& file) {
  const auto& plugins = config.plugins.plugins;
  const auto found = std::find_if(plugins.begin(), plugins.end(), [&](const auto& each) { return each.file == file; });
  return found == plugins.end() ? nullptr : &*found;
}

/// A plugin's own settings change with a restart, and tenants' settings are laid over them: those of a plugin whose own
/// are others than at the start stay as they are now. What so waits for the next start, in words.
std::vector<std::string> keep_settings_of_changed_plugins(const HostConfig& started_with, const HostConfig& current,
                                                          HostConfig& wanted) {
  std::vector<std::string> later;
  for (auto& plugin : wanted.plugins.plugins) {
    const auto* running = find(started_with, plugin.file);
    const auto* now = find(current, plugin.file);
    if (running == nullptr || running->settings_json == plugin.settings_json) continue;
    const auto& kept = now != nullptr ? *now : *running;
    for (auto& line : describe_tenant_settings(kept, plugin)) later.push_back(std::move(line));
    plugin.tenant_settings = kept.tenant_settings;
  }
  return later;
}

class Control final : public ConfigurationControl {
 public:
  Control(std::shared_ptr<const HostConfig> running, access::PolicyPtr policy, ReloadedParts parts)
      : parts_(std::move(parts)),
        started_with_(std::move(running)),
        current_(started_with_),
        policy_(std::move(policy)) {
    thread_ = std::thread([this] { serve_requests(); });
  }

  ~Control() override { Control::stop(); }

  void stop() override {
    {
      const std::lock_guard lock(state_mutex_);
      stopping_ = true;
    }
    requested_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  ReloadReport reload(ReloadTrigger trigger, bool dry_run) override {
    const std::lock_guard lock(reload_mutex_);
    const auto before = generation();
    ReloadReport report{.dry_run = dry_run, .generation = before};
    try {
      attempt(trigger, report);
    } catch (const std::exception& error) {
      refuse(report, started_with_->file.string(), std::string("cannot be put in force: ") + error.what());
    }
    if (!dry_run) finish(trigger, report, report.generation != before);
    return report;
  }

  Result<RunningPlugin> plugin(std::string_view id) override {
    auto found = running_plugin(parts_.plugins, id);
    if (!found) return found.error();
    const std::lock_guard lock(reload_mutex_);
    found->pins = pins_of(*current_, found->file);
    found->trust = started_with_->plugins.trust;
    return found;
  }

  Result<PluginReloadReport> reload_plugin(std::string_view id) override {
    const std::lock_guard lock(reload_mutex_);
    if (!is_configured(id))
      return Error{Errc::kConflict,
                   "the configuration in force does not list the plugin " + std::string(id) +
                       " any more: put it back there, or restart the host, which then goes without it",
                   {}};
    const auto replaced = parts_.plugins.replace_plugin(id, wanted_of(id));
    if (!replaced) return replaced.error();
    return PluginReloadReport{.replaced = *replaced, .problems = check_against_plugins(*current_, parts_.plugins)};
  }

  void request(ReloadTrigger trigger) override {
    {
      const std::lock_guard lock(state_mutex_);
      if (!wanted_ || trigger != ReloadTrigger::kFile) wanted_ = trigger;  // a signal that waits is answered as one
    }
    requested_.notify_all();
  }

  std::uint64_t generation() const override {
    const std::lock_guard lock(state_mutex_);
    return generation_;
  }
  std::string problem() const override {
    const std::lock_guard lock(state_mutex_);
    return problem_;
  }

 private:
  /// False when it was taken out since the start; true for one that nobody knows.
  [[nodiscard]] bool is_configured(std::string_view id) const {
    const auto& specs = current_->plugins.plugins;
    const auto infos = parts_.plugins.plugins();
    return std::none_of(infos.begin(), infos.end(), [&](const auto& info) {
      return info.id == id && std::none_of(specs.begin(), specs.end(), [&](const auto& spec) {
               return plugin_file(*current_, spec) == std::filesystem::path(info.file);
             });
    });
  }

  /// What the configuration in force wants the plugin's file to be.
  [[nodiscard]] plugin_runtime::PluginPins wanted_of(std::string_view id) const {
    for (const auto& info : parts_.plugins.plugins())
      if (info.id == id) return pins_of(*current_, info.file);
    return {};
  }

  void serve_requests() {
    for (;;) {
      ReloadTrigger trigger{};
      {
        std::unique_lock lock(state_mutex_);
        requested_.wait(lock, [this] { return stopping_ || wanted_; });
        if (stopping_) return;
        trigger = *std::exchange(wanted_, std::nullopt);
      }
      if (reload(trigger, false).should_retry) retry_later(trigger);
    }
  }

  /// The watch tells of a change once, and it is not the files' fault that the database is away.
  void retry_later(ReloadTrigger trigger) {
    std::unique_lock lock(state_mutex_);
    requested_.wait_for(lock, parts_.retry_period, [this] { return stopping_ || wanted_; });
    if (!wanted_) wanted_ = trigger;
  }

  void attempt(ReloadTrigger trigger, ReloadReport& report) {
    LoadedConfig loaded = parts_.load();
    if (parts_.on_loaded && !report.dry_run) parts_.on_loaded(loaded);
    report.problems = std::move(loaded.problems);
    if (report.problems.empty()) report.problems = check_against_plugins(loaded.config, parts_.plugins);
    if (report.problems.empty() && current_->has_tenant_dir && !loaded.config.has_tenant_dir) {
      // Not all its tenants at once lose what restricts them: more likely something is being moved or unmounted.
      return refuse(
          report, loaded.config.tenant_dir.string(),
          "the directory of the tenants has disappeared; put it back, or start the host anew to go on without it");
    }
    if (report.problems.empty()) change_to(std::move(loaded.config), trigger, report);
  }

  static void refuse(ReloadReport& report, std::string file, std::string why) {
    report.applied = false;
    report.changes.clear();
    report.problems = {{.file = std::move(file), .message = std::move(why)}};
  }

  void change_to(HostConfig wanted, ReloadTrigger trigger, ReloadReport& report) {
    report.later = describe_restart_changes(*started_with_, wanted);
    auto settings = keep_settings_of_changed_plugins(*started_with_, *current_, wanted);
    report.later.insert(report.later.end(), settings.begin(), settings.end());
    const auto policy = access::Policy::compile(wanted.policy);
    report.changes = describe(wanted, *policy);
    if (report.dry_run) return;
    // Places are followed whatever else changes, since refusals name them.
    const bool says_the_same =
        report.changes.empty() && without_places(wanted.policy) == without_places(current_->policy);
    const bool is_new = trigger != ReloadTrigger::kFile || !says_the_same;
    if (const auto prepared = is_new ? parts_.prepare(wanted) : Result<>(); !prepared) {
      report.should_retry = prepared.error().code == Errc::kUnavailable;
      return refuse(report, wanted.file.string(), prepared.error().message);
    }
    if (trigger != ReloadTrigger::kCommand) tell_once(report.later);  // who asks is told all
    switch_to(std::move(wanted), policy, is_new);
    report.applied = true;
    report.generation = generation();
  }

  std::vector<std::string> describe(const HostConfig& wanted, const access::Policy& policy) const {
    const auto registry = parts_.plugins.registry();
    auto changes = describe_changes({*current_, *policy_}, {wanted, policy}, registry->tools());
    auto settings = describe_setting_changes(*current_, wanted);
    changes.insert(changes.end(), settings.begin(), settings.end());
    return changes;
  }

  /// Nothing here can fail.
  void switch_to(HostConfig wanted, const access::PolicyPtr& policy, bool is_new) {
    const auto registry = parts_.plugins.registry();
    Listings listings(*registry);
    std::map<KeyId, Listing> before;
    for (const auto& key : parts_.gatekeeper.keys()) before[key.caller->key_id] = listings.of(*key.caller);
    for (const auto& caller : parts_.gatekeeper.token_callers()) before[caller->key_id] = listings.of(*caller);

    parts_.plugins.set_tenant_settings(tenant_settings_of(wanted, installed_plugins(parts_.plugins)));
    std::map<std::uint32_t, std::vector<KeyId>> changed;  // by the lists that changed
    for (const auto& caller : parts_.gatekeeper.set_policy(policy)) {
      const auto found = before.find(caller->key_id);
      if (found == before.end()) continue;
      if (const auto lists = found->second.differences(listings.of(*caller)); lists != 0)
        changed[lists].push_back(caller->key_id);
    }
    if (parts_.apply) parts_.apply(*current_, wanted, policy);
    policy_ = policy;
    current_ = std::make_shared<const HostConfig>(std::move(wanted));
    if (is_new) {
      const std::lock_guard lock(state_mutex_);
      ++generation_;
    }
    for (const auto& [lists, keys] : changed) parts_.mcp.lists_changed(keys, lists);
  }

  /// Drops what an earlier report has said.
  void tell_once(std::vector<std::string>& later) {
    const std::set<std::string> all(later.begin(), later.end());
    std::erase_if(later, [this](const auto& line) { return told_.contains(line); });
    told_ = all;
  }

  void finish(ReloadTrigger trigger, const ReloadReport& report, bool is_new) {
    std::vector<std::string> lines;
    if (report.applied) {
      lines = report.changes;
      for (const auto& line : report.later) lines.push_back(line + ": takes effect at the next start");
    } else {
      for (const auto& problem : report.problems) lines.push_back(toolhost::app::to_string(problem));
    }
    const bool was_refused = !problem().empty();
    {
      const std::lock_guard lock(state_mutex_);
      problem_ = report.applied ? "" : place_of(report.problems.front());
    }
    const bool is_told = report.should_retry && lines == refused_;
    refused_ = report.applied ? std::vector<std::string>() : lines;
    if (is_told) return;  // tried again, and the same came of it
    // Looked at and found the same: no event, unless it ends a warning.
    if (report.applied && !is_new && lines.empty() && !was_refused) return;
    const std::string summary = lines.empty() ? "nothing has changed" : as_lines(lines);
    const std::string file = started_with_->file.string();
    parts_.events.emit(observability::ConfigurationReloaded{.applied = report.applied,
                                                            .generation = report.generation,
                                                            .file = file,
                                                            .trigger = to_string(trigger),
                                                            .summary = summary});
  }

  const ReloadedParts parts_;
  const std::shared_ptr<const HostConfig> started_with_;

  std::mutex reload_mutex_;  // held for a whole reload; guards the next four
  std::shared_ptr<const HostConfig> current_;
  access::PolicyPtr policy_;
  std::set<std::string> told_;        // what waits for the next start
  std::vector<std::string> refused_;  // why the last reload was

  mutable std::mutex state_mutex_;  // held for a moment; guards the rest
  std::uint64_t generation_ = 1;
  std::string problem_;
  std::optional<ReloadTrigger> wanted_;
  bool stopping_ = false;
  std::condition_variable requested_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<ConfigurationControl> ConfigurationControl::create(std::shared_ptr<const HostConfig> running,
                                                                   access::PolicyPtr policy, ReloadedParts parts) {
  return std::make_unique<Control>(std::move(running), std::move(policy), std::move(parts));
}

std::string to_json(const ReloadReport& report) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("applied").boolean(report.applied).key("dry_run").boolean(report.dry_run);
  json.key("generation").unsigned_integer(report.generation).key("problems").begin_array();
  for (const auto& problem : report.problems) {
    json.begin_object().member("file", problem.file).key("line").integer(problem.line);
    json.key("column").integer(problem.column).member("message", problem.message).end_object();
  }
  json.end_array();
  const auto write = [&](const char* name, const std::vector<std::string>& lines) {
    json.key(name).begin_array();
    for (const auto& line : lines) json.string(line);
    json.end_array();
  };
  write("changes", report.changes);
  write("at_next_start", report.later);
  json.end_object();
  return out;
}

Result<ReloadReport> reload_report_from_json(std::string_view text) {
  json::Document document;
  const auto root = document.parse(text);
  ReloadReport report;
  json::Array problems;
  if (!root || json::find(*root, "generation").get(report.generation) != simdjson::SUCCESS ||
      json::find(*root, "problems").get(problems) != simdjson::SUCCESS) {
    return Error{Errc::kInternal, "the host's answer is not understood; is it of another version?", ""};
  }
  const auto flag = [&](const char* name, bool& target) { (void)json::find(*root, name).get(target); };
  flag("applied", report.applied);
  flag("dry_run", report.dry_run);
  const auto text_of = [](const json::Value& value, std::string& target) {
    std::string_view found;
    if (value.get(found) == simdjson::SUCCESS) target = found;
  };
  for (const auto& problem : problems) {
    ConfigProblem read;
    json::Value member;
    std::int64_t number = 0;
    if (json::find(problem, "file").get(member) == simdjson::SUCCESS) text_of(member, read.file);
    if (json::find(problem, "message").get(member) == simdjson::SUCCESS) text_of(member, read.message);
    if (json::find(problem, "line").get(number) == simdjson::SUCCESS) read.line = static_cast<int>(number);
    if (json::find(problem, "column").get(number) == simdjson::SUCCESS) read.column = static_cast<int>(number);
    report.problems.push_back(std::move(read));
  }
  const auto read_lines = [&](const char* name, std::vector<std::string>& target) {
    json::Array lines;
    if (json::find(*root, name).get(lines) != simdjson::SUCCESS) return;
    for (const auto& line : lines) text_of(line, target.emplace_back());
  };
  read_lines("changes", report.changes);
  read_lines("at_next_start", report.later);
  return report;
}

std::string to_text(const ReloadReport& report) {
  std::string text;
  if (report.dry_run) {
    text = report.changes.empty() ? "nothing would change" : "would change:";
  } else {
    text = "generation " + std::to_string(report.generation) + " is in force";
    if (report.changes.empty()) text += "; nothing has changed";
  }
  text += "\n";
  for (const auto& line : report.changes) text += "  " + printable(line) + "\n";
  for (const auto& line : report.later) text += "  " + printable(line) + ": takes effect at the next start\n";
  return text;
}

}  // namespace toolhost::app
