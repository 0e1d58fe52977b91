#pragma once
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/caller.hpp"
#include "base/deadline.hpp"
#include "base/json.hpp"
#include "base/json_schema.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "observability/events.hpp"
#include "observability/metrics.hpp"
#include "plugin_runtime/client_port.hpp"
#include "plugin_runtime/header_members.hpp"
#include "plugin_runtime/plugin_secrets.hpp"
#include "plugin_runtime/plugin_trust.hpp"
#include "plugin_runtime/sensitive_members.hpp"
#include "plugin_runtime/time_source.hpp"
#include "plugin_runtime/uri_template.hpp"
#include "storage/database_address.hpp"

namespace toolhost::plugin_runtime {

/// Of one run of a job.
constexpr std::size_t kMaxJobResultBytes = 64 << 20;

/// One tool of one plugin, ready to be listed and called. Immutable; lives as long as its registry generation.
struct Tool {
  std::string name, title, description;
  std::string plugin;                                 ///< id of the plugin that registered it
  std::string input_schema_json, output_schema_json;  ///< the plugin's, made compact; output may be empty
  std::string meta_json;                              ///< a compact JSON object, passed through as _meta; may be empty
  std::string icons_json;                             ///< a compact JSON array; may be empty
  JsonSchema input_schema;
  std::optional<JsonSchema> output_schema;
  bool read_only = false, destructive = false, idempotent = false, open_world = false;
  bool non_blocking = false;
  unsigned max_concurrency = 0;  ///< calls at a time in an instance; 0: as many as there are workers
  std::chrono::milliseconds timeout{30'000};
  SensitiveMembers sensitive;     ///< which members of its arguments nobody may store
  HeaderMembers headers;          ///< which members of its arguments clients repeat in HTTP fields ("x-mcp-header")
  const void* binding = nullptr;  ///< the runner's own link to the plugin; not for others
};

/// What clients may read. Rights, limits and audit of its handlers are those of tools: `read` and `complete` are called
/// as such, under the name "resource:NAME", and only read. Immutable; lives as long as its registry generation.
struct Resource {
  std::string uri;  ///< of a template: its RFC 6570 text
  std::string name, title, description, mime_type;
  std::string annotations_json, icons_json, meta_json;  ///< compact; may be empty
  std::optional<std::int64_t> size;                     ///< bytes
  std::optional<UriTemplate> uri_template;              ///< set: it is one, and not in the list of resources
  Tool read;                                            ///< takes {"uri", "variables"}
  std::optional<Tool> complete;                         ///< takes {"argument", "context"}; of a template
};

struct PromptArgument {
  std::string name, title, description;
  bool required = false;
};

/// A prompt that people pick; its handlers as those of a Resource, under the name "prompt:NAME".
struct Prompt {
  std::string name, title, description;
  std::string icons_json, meta_json;  ///< compact; may be empty
  std::vector<PromptArgument> arguments;
  Tool get;                      ///< takes its arguments, an object of strings; refuses unknown and missing ones
  std::optional<Tool> complete;  ///< takes {"argument", "context"}
};

/// A resource and what its template's variables stand for, percent-decoded.
struct FoundResource {
  const Resource* resource = nullptr;  ///< null: there is none
  std::vector<std::pair<std::string, std::string>> variables;
};

/// The tools of one generation, sorted by name, and what else its plugins offer. Immutable, shared by the calls that
/// began in it.
class ToolRegistry {
 public:
  virtual ~ToolRegistry() = default;
  [[nodiscard]] virtual std::span<const Tool* const> tools() const noexcept = 0;
  [[nodiscard]] virtual const Tool* find(std::string_view name) const noexcept = 0;
  /// Sorted by name; templates apart.
  [[nodiscard]] virtual std::span<const Resource* const> resources() const noexcept { return {}; }
  [[nodiscard]] virtual std::span<const Resource* const> templates() const noexcept { return {}; }
  [[nodiscard]] virtual std::span<const Prompt* const> prompts() const noexcept { return {}; }
  /// The resource with this URI, else the first template that it fits.
  [[nodiscard]] virtual FoundResource find_resource(std::string_view /*uri*/) const { return {}; }
  /// The template with this text, as completions name it; null: there is none.
  [[nodiscard]] virtual const Resource* find_template(std::string_view /*uri_template*/) const noexcept {
    return nullptr;
  }
  [[nodiscard]] virtual const Prompt* find_prompt(std::string_view /*name*/) const noexcept { return nullptr; }
  /// The plugin with this id may send log messages to the clients of its calls.
  [[nodiscard]] virtual bool logs_to_clients(std::string_view /*plugin*/) const noexcept { return false; }
  /// Grows by one with every switch.
  [[nodiscard]] virtual std::uint64_t generation() const noexcept = 0;
};
using RegistryPtr = std::shared_ptr<const ToolRegistry>;

/// How a call ended; for the event and for the transport's status.
enum class Outcome {
  kOk,
  kToolError,
  kInvalidArguments,
  kTimeout,
  kCancelled,
  kUnavailable,
  kLimit,
  kInternal,
  kInputRequired,  ///< nothing was saved; run the call again with answers to ToolResult::questions
  kNotFound,       ///< of a resource, prompt or completion: there is no such thing
  kStateUsed,      ///< nothing was saved: what ToolCall::used_state names was used before
};
const char* to_string(Outcome outcome) noexcept;

/// What the handler produced.
struct ToolResult {
  Outcome outcome = Outcome::kInternal;
  bool is_error = true;
  /// Of a tool, and of everything that failed: a JSON array of MCP content blocks. Of kRead: of "contents"; of kPrompt:
  /// of "messages"; of kComplete: the "completion" object {"values", "total", "hasMore"}.
  std::string content_json;
  std::string structured_json;      ///< an object, or empty
  std::string detail;               ///< for the log only
  std::string description;          ///< of kPrompt: of these messages; may be empty
  std::vector<Question> questions;  ///< of kInputRequired: at least one
  std::optional<AskKind> lacked;    ///< it failed because the client cannot be asked this
  bool is_kept = false;             ///< stored with what the call wrote, as ClientPort::settle() wanted it
};

/// One tools/call, or one of its kin, on its way through the host. Made by protocol, run by PluginHost, each run ended
/// exactly once through `on_done`. After kInputRequired it may be run again, with an `on_done` and `answers`.
struct ToolCall {
  enum class Kind : std::uint8_t { kTool, kRead, kPrompt, kComplete };
  Kind kind = Kind::kTool;
  RegistryPtr registry;  ///< keeps the generation alive
  RegistryPtr runs_in;   ///< set by the host: the later generation that `tool` is of, when the first one had ended
  const Tool* tool = nullptr;
  CallerPtr caller;
  json::DocumentPtr document;               ///< owns `arguments`
  json::Value arguments;                    ///< an object; {} when the request had none
  std::string request_id;                   ///< the host's id of this call, for logs and correlation
  std::string idempotency_key;              ///< from the arguments or the request; may be empty
  std::size_t max_result_bytes = SIZE_MAX;  ///< the tenant's own; the smaller one counts
  Deadline deadline = Deadline::never();
  std::string target;                  ///< of kRead and kComplete of a template: the URI; of a prompt: its name
  std::shared_ptr<ClientPort> client;  ///< who may be told and asked meanwhile; null: nobody, as for jobs
  Answers answers;
  mutable std::atomic<bool> last_sent{false};  ///< a statement that commits by itself (TH_DB_LAST) has been sent
  /// 32 bytes that may be used once: stored with what the call writes, or the call fails (kStateUsed); empty: none.
  std::string used_state;
  std::chrono::system_clock::time_point used_state_expires;  ///< when it may be forgotten
  /// How long the last run waited for a worker, was in its handler, and of that and after it in the database.
  std::chrono::microseconds queued{0}, in_handler{0}, in_database{0};
  /// Called once: inline for non-blocking tools (not after a question), on a worker thread otherwise. Must not block
  /// and not throw.
  std::function<void(ToolCall&, ToolResult&&)> on_done;

  /// From any thread: asks the running handler (and PostgreSQL) to stop. on_done still comes, with kCancelled or what
  /// was ready.
  void cancel() noexcept;
  std::atomic<bool> cancelled{false};
  std::mutex cancel_mutex;          ///< guards `on_cancel`
  std::function<void()> on_cancel;  ///< set by the runner while something can be interrupted
};
using ToolCallPtr = std::shared_ptr<ToolCall>;

/// What a plugin shows to clients: each tool, resource, template and prompt as a JSON object in MCP's words, by "tool
/// NAME", "resource NAME", "template NAME" or "prompt NAME".
using PluginOffers = std::map<std::string, std::string>;

/// SHA-256 over all of it, 64 lower-case hex digits: the same in every build of a plugin that shows the same.
std::string hash_of(const PluginOffers& offers);

/// In words, a line for each difference: "tool close_ticket is new", "tool close_ticket:
/// inputSchema/properties/id/type: "string" -> "integer"". Values are whole: who reads them decides whether to trust
/// them.
std::vector<std::string> offer_changes(const PluginOffers& before, const PluginOffers& after);

/// What plugins say has changed; views are borrowed.
struct CatalogChange {
  std::uint32_t lists = 0;         ///< TH_LIST_* of plugin.h: 1 tools, 2 resources, 4 prompts; fetch them again
  std::string_view updated_uri;    ///< a resource that changed; may be empty
  std::optional<TenantId> tenant;  ///< for its clients only
};

struct PluginSpec {
  std::filesystem::path file;
  std::string settings_json;  ///< the plugin's own settings, as JSON
  unsigned workers = 0;       ///< 0: PluginHostConfig::workers
  /// By tenant name: the settings in force there, whole. Tenants that are not listed have settings_json.
  std::map<std::string, std::string, std::less<>> tenant_settings;
  PluginPins pins;
  PluginSecrets::Map secrets;  ///< what "toolhost.secrets/1" gives it, by name
};

/// What plugins are offered: everything, unless somebody wants to know how a plugin does with less.
struct PluginOffer {
  std::uint32_t abi_minor = UINT32_MAX;  ///< as a host of this minor; higher than this host's: its own
  std::vector<std::string> withheld;     ///< ids of services that are not there
};

struct PluginHostConfig {
  std::vector<PluginSpec> plugins;
  PluginTrust trust;
  /// One caller (role admin, no key) for each tenant: whom scheduled jobs run for. Called on a thread of the host, now
  /// and then; empty: no scheduled jobs.
  std::function<std::vector<CallerPtr>()> job_callers;
  std::filesystem::path store_directory;  ///< content-addressed copies; created 0700
  unsigned workers = 8;                   ///< blocking handlers of one plugin at a time
  /// Of one tenant at one plugin; over it a call is refused at once (kLimit). All tenants together: 16 times that.
  std::size_t max_queued_calls = 256;
  std::chrono::milliseconds default_timeout{30'000};
  std::chrono::milliseconds lost_worker_grace{
      5'000};                     ///< a handler that overstays its deadline by this is lost and its thread replaced
  unsigned max_lost_workers = 4;  ///< then the plugin is quarantined: every call is kUnavailable
  std::size_t max_result_bytes = 1 << 20;  ///< content and structured text of one call
  Secret sealing_key;                      ///< 32 bytes; authenticates the tokens (cursors) that plugins hand out
  observability::Severity log_level = observability::Severity::kInfo;  ///< log records of plugins below it are dropped
  /// What plugins take for the time and their ids from: now_us(), new_uuid(), and deadlines as they read them. Limits
  /// run by the real clock all the same. Null: the system's.
  std::shared_ptr<TimeSource> time;
  PluginOffer offer;
};

/// What a plugin has to do at this moment.
struct PluginLoad {
  std::string id;
  std::size_t queued = 0, running = 0, deferred = 0, workers = 0, max_workers = 0, lost_workers = 0;
  std::size_t retiring = 0;                    ///< earlier instances that still end their calls
  std::size_t versions = 0, mapped_bytes = 0;  ///< of its code in this process
};

/// A setting that a plugin's own schema refuses.
struct SettingsProblem {
  std::string pointer;  ///< JSON pointer into the settings (RFC 6901)
  std::string message;
};

struct PluginInfo {
  std::string id, name, version, vendor, file, sha256, built_with;
  std::string signed_by;      ///< name of the trusted key that signed the file; empty: none
  std::string offers_sha256;  ///< of what it offers to clients; empty when it was refused before that was known
  std::string state;          ///< "serving", "refused", "quarantined"
  std::string reason;         ///< why it is not serving; what to do
  std::uint32_t abi_minor = 0;
  std::vector<std::string> tools, resources, templates, prompts;  ///< names; of a plugin that serves or did
  std::vector<std::string> services;
};

/// What came of putting another version of a plugin in the place of the one before.
struct PluginReplacement {
  std::string id;
  std::string version_before;  ///< empty: it was not serving
  std::string version, sha256, offers_sha256;
  bool same_file = false;            ///< the content is what it was: only the instance is new
  std::vector<std::string> changes;  ///< of what it offers, in words, a line each
  std::vector<std::string> with;  ///< other plugins that got new instances, since the views they may read have changed
  std::size_t running = 0;        ///< calls that the instance before still has
  std::uint64_t generation = 0;   ///< of the registry, from now on
  std::size_t versions = 0, mapped_bytes = 0;  ///< of this plugin in this process, since no code is ever unloaded
};

/// Loads plugins, keeps the registry, runs calls on each plugin's own bounded worker pool.
class PluginHost {
 public:
  /// Loads every plugin of the config (migrating its schema first). A plugin that is refused does not stop the others:
  /// it is in plugins() with its reason, and reported as an event.
  static Result<std::unique_ptr<PluginHost>> start(PluginHostConfig config, const storage::DatabaseAddress& address,
                                                   observability::EventSink& events);
  virtual ~PluginHost() = default;

  [[nodiscard]] virtual RegistryPtr registry() const noexcept = 0;  ///< lock-free or nearly so; any thread
  [[nodiscard]] virtual std::vector<PluginInfo> plugins() const = 0;
  /// Runs the call: checks its arguments against the input schema, runs the handler (inline when the tool never blocks,
  /// else on the pool), checks the result against the output schema, ends the transaction, then calls on_done. Any
  /// thread; never blocks the caller longer than a non-blocking handler runs.
  virtual void run(ToolCallPtr call) = 0;
  /// Runs one job of a plugin for a tenant and waits: its structured result as JSON. `arguments` is a JSON object.
  /// kNotFound when there is no such plugin or job; what the job said when it refused.
  virtual Result<std::string> run_job(std::string_view plugin, std::string_view job, CallerPtr caller,
                                      std::string_view arguments) = 0;
  /// Ids of the serving plugins that have a job of this name, in the order of the configuration.
  [[nodiscard]] virtual std::vector<std::string> plugins_with_job(std::string_view job) const = 0;
  /// Plugin id and name of each job that follows writes, in the order of the configuration.
  [[nodiscard]] virtual std::vector<std::pair<std::string, std::string>> after_writes_jobs() const = 0;
  /// Of each serving plugin, in the order of the configuration. Any thread.
  [[nodiscard]] virtual std::vector<PluginLoad> load() const = 0;
  /// What the serving plugins count themselves ("toolhost.metrics/1"). Any thread.
  [[nodiscard]] virtual std::vector<observability::MetricFamily> metrics() const { return {}; }
  /// What the schema of this plugin says against these settings (a JSON object); one problem as well for any settings
  /// of a plugin that takes none. Empty when it is not serving. Any thread.
  [[nodiscard]] virtual std::vector<SettingsProblem> check_settings(std::string_view plugin,
                                                                    std::string_view settings_json) const = 0;
  /// Makes these the settings of tenants from now on: by plugin id, then by tenant name, whole. Calls that run keep
  /// theirs. Those of other tenants fall back to the plugin's own. All must have passed check_settings(). One thread at
  /// a time.
  using TenantSettings = std::map<std::string, std::map<std::string, std::string, std::less<>>, std::less<>>;
  virtual void set_tenant_settings(const TenantSettings& settings) = 0;
  /// Calls `on_change` from now on, on a thread of the host, one at a time; it must not block. Several changes within
  /// about a tenth of a second are one. Before the first call; empty: nobody.
  virtual void on_catalog(std::function<void(const CatalogChange&)> /*on_change*/) {}
  /// Log records of plugins below it are dropped from now on. Any thread.
  virtual void set_log_level(observability::Severity level) noexcept = 0;
  /// Puts what the plugin's file holds now in the place of what serves, or of what was refused, while calls run: the
  /// new instance is made beside the old one, then takes all calls that begin from then on; the old one ends its own
  /// and is ended behind them. A plugin whose file is the same gets a new instance of it. Of `wanted` counts what it
  /// says about which file may serve (offers_sha256); the rest is as it was. On any error nothing has changed, but that
  /// migrations stay. kNotFound: no such plugin; kUnavailable: too many earlier instances still end their calls, or the
  /// host is stopping; otherwise why the file was refused. Runs plugin code on the calling thread; any thread but the
  /// plugins'.
  virtual Result<PluginReplacement> replace_plugin(std::string_view /*id*/, const PluginPins& /*wanted*/) {
    return Error{Errc::kMisuse, "this host replaces no plugins", {}};
  }
  /// What a serving plugin offers; null when none has this id. Any thread.
  [[nodiscard]] virtual std::shared_ptr<const PluginOffers> offers(std::string_view /*id*/) const { return nullptr; }
  /// Waits for running calls for at most `drain`, cancels the rest, quiesces and destroys the plugins. Idempotent.
  virtual void stop(std::chrono::milliseconds drain) = 0;
};

/// What a plugin declares.
struct PluginDescription {
  std::string id, version, sha256;
  PluginOffers offers;
  std::vector<std::string> tools;  ///< and "resource:NAME", "prompt:NAME": what rights and limits may name
  std::shared_ptr<const JsonSchema> settings_schema;  ///< null: it takes no settings
};
/// Loads the file into this process for good and asks it: its constructors and its entry point run, no instance is made
/// and no database touched. A copy is stored in `store`. For commands that end soon, not for a host that serves. A file
/// that a host with these pins and this trust would refuse is refused.
Result<PluginDescription> describe_plugin_file(const std::filesystem::path& file, const std::filesystem::path& store,
                                               const PluginPins& pins = {}, const PluginTrust& trust = {});

/// What a plugin's schema (null: it takes none) says against settings, which may be empty for none.
std::vector<SettingsProblem> check_plugin_settings(const JsonSchema* schema, std::string_view settings_json);

/// Reads what a plugin file says about itself without running one instruction of it: identity card, exports, needed
/// libraries.
Result<PluginInfo> inspect_plugin_file(const std::filesystem::path& file);

}  // namespace toolhost::plugin_runtime
