#include "plugin_runtime/plugin_host.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "plugin_runtime/plugin_instance.hpp"
#include "plugin_runtime/plugin_library.hpp"
#include "plugin_runtime/watchdog.hpp"

namespace toolhost::plugin_runtime {
namespace {

using observability::EventSink;
using observability::PluginIncident;
using PluginPtr = std::shared_ptr<PluginInstance>;

/// Shares the plugins, so that a call keeps its tool for as long as it keeps its registry.
class Registry final : public ToolRegistry {
 public:
  Registry(std::vector<PluginPtr> plugins, std::uint64_t generation)
      : plugins_(std::move(plugins)), generation_(generation) {
    for (const auto& plugin : plugins_)
      for (const auto& tool : plugin->definition().tools) tools_.push_back(&tool.tool);
    std::sort(tools_.begin(), tools_.end(), [](const Tool* a, const Tool* b) { return a->name < b->name; });
  }

  [[nodiscard]] std::span<const Tool* const> tools() const noexcept override { return tools_; }

  [[nodiscard]] const Tool* find(std::string_view name) const noexcept override {
    const auto found = std::lower_bound(tools_.begin(), tools_.end(), name,
                                        [](const Tool* tool, std::string_view wanted) { return tool->name < wanted; });
    return found != tools_.end() && (*found)->name == name ? *found : nullptr;
  }

  [[nodiscard]] std::uint64_t generation() const noexcept override { return generation_; }

 private:
  const std::vector<PluginPtr> plugins_;
  const std::uint64_t generation_;
  std::vector<const Tool*> tools_;
};

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

class Host final : public PluginHost {
 public:
  Host(const PluginHostConfig& config, const storage::DatabaseAddress& address, EventSink& events) : events_(events) {
    for (const auto& spec : config.plugins) open(spec, config, address);
    registry_ = std::make_shared<Registry>(plugins_, 1);
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
      info.reason = "too many of its handlers did not return; restart the host, and report it to the plugin's author";
    }
    return infos;
  }

  void run(ToolCallPtr call) override {
    auto& binding = *const_cast<ToolBinding*>(static_cast<const ToolBinding*>(call->tool->binding));
    binding.runner->run(std::move(call), binding);
  }

  void stop(std::chrono::milliseconds drain) override {
    const auto until = Deadline::after(drain);
    for (auto plugin = plugins_.rbegin(); plugin != plugins_.rend(); ++plugin)
      (*plugin)->stop(std::chrono::duration_cast<std::chrono::milliseconds>(until.left()));
  }

 private:
  void open(const PluginSpec& spec, const PluginHostConfig& config, const storage::DatabaseAddress& address) {
    const auto file = check_plugin_file(spec.file);
    if (!file) {
      PluginInfo info;
      info.id = info.name = spec.file.stem().string();
      info.file = spec.file.string();
      return refuse(std::move(info), "file", file.error());
    }
    auto info = describe(*file);
    for (const auto& other : plugins_) {
      if (other->definition().id != info.id) continue;
      const Error error{
          Errc::kConflict, info.file + ": a plugin with the id " + info.id + " is loaded already; list it once", {}};
      return refuse(std::move(info), "duplicate-id", error);
    }
    auto opened = PluginInstance::open(*file, spec, config, address, watchdog_, events_);
    if (!opened) return refuse(std::move(info), opened.error().rule, opened.error().error);
    adopt(std::move(*opened), std::move(info));
  }

  void adopt(PluginPtr plugin, PluginInfo info) {
    const auto& definition = plugin->definition();
    info.name = definition.name;
    info.vendor = definition.vendor;
    info.services = definition.services;
    for (const auto& tool : definition.tools) info.tools.push_back(tool.tool.name);
    for (const auto& name : info.tools) {
      const auto owner = tool_owners_.find(name);
      if (owner == tool_owners_.end()) continue;
      plugin->stop(std::chrono::milliseconds(0));
      const Error error{Errc::kConflict,
                        info.file + ": its tool " + name + " exists already, in the plugin " + owner->second +
                            "; load only one of the two",
                        {}};
      info.tools.clear();
      return refuse(std::move(info), "duplicate-tool", error);
    }
    for (const auto& name : info.tools) tool_owners_[name] = definition.id;
    info.state = "serving";
    const auto detail = info.id + " " + info.version + " from " + info.file + " (sha256 " + info.sha256 + "), " +
                        std::to_string(info.tools.size()) + (info.tools.size() == 1 ? " tool" : " tools");
    events_.emit(observability::PluginReported{PluginIncident::kLoaded, info.id, "loaded", detail});
    infos_.push_back(std::move(info));
    plugins_.push_back(std::move(plugin));
  }

  void refuse(PluginInfo info, const char* rule, const Error& error) {
    info.state = "refused";
    info.reason = error.message;
    const auto detail = error.detail.empty() ? error.message : error.message + " (" + error.detail + ")";
    events_.emit(observability::PluginReported{PluginIncident::kRefused, info.id, rule, detail});
    infos_.push_back(std::move(info));
  }

  EventSink& events_;
  Watchdog watchdog_;
  std::vector<PluginPtr> plugins_;  // in the order of the configuration
  std::vector<PluginInfo> infos_;
  std::map<std::string, std::string> tool_owners_;
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
  return std::make_unique<Host>(config, address, events);
}

Result<PluginInfo> inspect_plugin_file(const std::filesystem::path& file) {
  const auto checked = check_plugin_file(file, false);
  if (!checked) return checked.error();
  auto info = describe(*checked);
  info.state = "not loaded";
  return info;
}

}  // namespace toolhost::plugin_runtime
