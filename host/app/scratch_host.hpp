#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/caller.hpp"
#include "base/result.hpp"
#include "observability/events.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "storage/database_address.hpp"

namespace toolhost::app {

/// The name, or a problem that lists what there is; `what` is "tool", "prompt" ...
Error unknown_name(std::string_view what, std::string_view name, const std::vector<std::string>& names);

/// A host for the time of a test: a PostgreSQL of its own in a temporary directory, plugins loaded as a serving host
/// loads them, tenants, and calls that wait for their answer. No listeners, no keys, no scheduled jobs, no audit.
///
/// All of it is removed when the object ends, also after a start that failed. What a killed process left behind is in
/// nobody's way, and removed by a later start. Functions belong to the main thread, which starts the server, but for
/// those that say otherwise. `events` outlives the object.
class ScratchHost {
 public:
  struct Config {
    std::vector<plugin_runtime::PluginSpec> plugins;  ///< may be none
    /// Works in this database in place of a server of its own: the schemas of the host and the plugins are brought up
    /// to date there, and they, the tenants and their rows stay.
    std::optional<storage::DatabaseAddress> database;
    unsigned workers = 8;  ///< of each plugin
    /// Plugins' time stands still, and their ids follow from a seed: set_time(), advance(). So do those of their SQL,
    /// as far as storage::ScratchClock can stand in for the server's; not with `database`. Limits run by the real
    /// clock.
    bool steps_time = false;
    bool keep = false;  ///< leaves directory(), which is a data directory of Toolhost then
    observability::Severity log_level = observability::Severity::kWarning;  ///< of the plugins' log records
    std::chrono::milliseconds lost_worker_grace{5'000};                     ///< as PluginHostConfig has it
    plugin_runtime::PluginOffer offer;
  };
  /// Within seconds. kInvalidArgument when a plugin was refused, with its file, the reason and the cure; kUnavailable
  /// when there is no PostgreSQL to start, or it cannot be reached.
  static Result<std::unique_ptr<ScratchHost>> start(Config config, observability::EventSink& events);
  virtual ~ScratchHost() = default;

  /// Makes the tenant, or takes it when there is one of this name (as DirectoryStore::create_tenant() allows it), and
  /// makes these its people. `time_zone` is an IANA name. kInvalidArgument says what is wrong with either.
  virtual Result<> add_tenant(const std::string& name, const std::string& time_zone = "UTC",
                              const Members& members = {}) = 0;
  /// Somebody of the tenant. `person` is an e-mail address, or any word; without `role` they have the one that the
  /// tenant's members give them, else agent. kNotFound: no such tenant was added. Any thread.
  [[nodiscard]] virtual Result<CallerPtr> caller(std::string_view tenant, std::string person,
                                                 std::optional<Role> role = std::nullopt) const = 0;

  /// Plugins' time from now on, and a new beginning of their ids. While no call runs; with Config::steps_time, which
  /// begins at 1970 with the seed 0, else kMisuse.
  virtual Result<> set_time(plugin_runtime::SteppedTime::Moment now, std::uint64_t seed) = 0;
  /// Moves it on. While no call runs; kMisuse as set_time().
  virtual Result<> advance(std::chrono::microseconds by) = 0;

  /// What is asked of a plugin.
  struct Request {
    plugin_runtime::ToolCall::Kind kind = plugin_runtime::ToolCall::Kind::kTool;
    /// Of the tool or the prompt; the resource's URI; of kComplete the prompt's name or the template's text.
    std::string name;
    /// A JSON object; of kComplete {"argument": {"name": ..., "value": ...}, "context": {"arguments": {...}}}. Not of
    /// kRead.
    std::string arguments = "{}";
    /// What the client answers when it is asked, by key: results of MCP, JSON objects. None: the client cannot be
    /// asked.
    std::map<std::string, std::string, std::less<>> answers;
    bool can_be_asked = false;  ///< also without answers: then the result is the questions (kInputRequired)
    std::string idempotency_key;
  };
  /// Ready for PluginHost::run(), but for its `on_done`. kNotFound: there is no such thing, with what there is;
  /// kDenied: the built-in rights of the caller's role do not reach it; kInvalidArgument: the arguments are no JSON
  /// object. Any thread.
  [[nodiscard]] virtual Result<plugin_runtime::ToolCallPtr> make_call(const Request& request,
                                                                      const CallerPtr& caller) const = 0;
  /// Runs such a call and waits for its end, which comes at the latest some seconds after the tool's timeout. Errors
  /// are those of make_call(); whatever the plugin answers is a result. With answers, it is run again with them for as
  /// long as it asks for what is among them. Any thread.
  virtual Result<plugin_runtime::ToolResult> call(const Request& request, const CallerPtr& caller) = 0;

  /// The plugins; run_job() is theirs. Lives as long as this object.
  [[nodiscard]] virtual plugin_runtime::PluginHost& plugins() noexcept = 0;
  /// Where all of it is; with Config::keep it stays.
  [[nodiscard]] virtual const std::filesystem::path& directory() const noexcept = 0;
  /// Of use while this object lives.
  [[nodiscard]] virtual const storage::DatabaseAddress& database() const noexcept = 0;
};

}  // namespace toolhost::app
