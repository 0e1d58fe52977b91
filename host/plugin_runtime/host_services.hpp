#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <toolhost/plugin.h>

#include "base/deadline.hpp"
#include "base/json.hpp"
#include "observability/events.hpp"
#include "plugin_runtime/catalog_news.hpp"
#include "plugin_runtime/executor.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "plugin_runtime/plugin_metrics.hpp"
#include "plugin_runtime/plugin_secrets.hpp"
#include "plugin_runtime/sealed_token.hpp"
#include "plugin_runtime/structured_writer.hpp"
#include "plugin_runtime/time_source.hpp"
#include "storage/tenant_connection.hpp"

namespace toolhost::plugin_runtime {

/// Settings of a plugin; they never change once they are set.
class PluginSettings {
 public:
  /// kInvalidArgument when they are no JSON object.
  Result<json::Value> set(std::string_view json);
  /// As they were set.
  [[nodiscard]] const std::string& source() const noexcept { return source_; }
  [[nodiscard]] const json::Value& root() const noexcept { return root_; }
  /// `value` of them as JSON text that lives as long as this object. Any thread.
  std::string_view text(std::string_view pointer, const json::Value& value);

 private:
  std::string source_;
  json::Document document_;
  json::Value root_;
  std::mutex mutex_;  // guards what follows
  std::map<std::string, std::string, std::less<>> texts_;
};

/// The settings in force in the tenants that have their own, as they were at one moment.
struct SettingsSnapshot {
  std::uint64_t number = 0;  ///< never used again in this process; 0: no tenant ever had any
  std::map<std::string, std::shared_ptr<PluginSettings>, std::less<>> of;
};
using SettingsSnapshotPtr = std::shared_ptr<const SettingsSnapshot>;

}  // namespace toolhost::plugin_runtime

/// The host as one plugin instance sees it. The C tables work on it from any thread.
struct th_host {
 public:
  /// A view of another plugin that this one may read.
  struct ReadableView {
    std::string plugin, sql_name;
  };

  th_host(std::string plugin_id, const toolhost::Secret& sealing_key, toolhost::observability::Severity log_level,
          toolhost::observability::EventSink& events);

  /// Sets the plugin's own settings. Before any call; kInvalidArgument when they are no JSON object.
  toolhost::Result<toolhost::json::Value> set_settings(std::string_view json);
  /// Sets those of tenants, by name, whole, for calls that begin from now on; the other tenants have the plugin's own.
  /// Any thread. kInvalidArgument, and nothing changes, when one of them is no JSON object.
  toolhost::Result<> set_tenant_settings(const std::map<std::string, std::string, std::less<>>& settings);
  /// Before the plugin's entry; null: the system's.
  void set_time(std::shared_ptr<toolhost::plugin_runtime::TimeSource> time) noexcept { time_ = std::move(time); }
  /// What the plugin is told of the time: microseconds since 1970.
  [[nodiscard]] std::int64_t now_us() const noexcept;
  /// Null: the system's.
  [[nodiscard]] toolhost::plugin_runtime::TimeSource* time() const noexcept { return time_.get(); }
  /// Before the entry point runs.
  void set_offer(const toolhost::plugin_runtime::PluginOffer& offer) { offer_ = offer; }
  /// Before create().
  void set_secrets(toolhost::plugin_runtime::PluginSecrets secrets) { secrets_ = std::move(secrets); }
  void set_readable_views(std::vector<ReadableView> views) { readable_views_ = std::move(views); }

  /// Before create(); outlives the instance.
  void set_executor(toolhost::plugin_runtime::Executor& executor) noexcept { executor_ = &executor; }
  /// Metrics are defined until here.
  void end_of_create() noexcept { takes_metrics_ = false; }

  /// Reports something about this plugin, without its secrets; dropped after silence().
  void report(toolhost::observability::PluginIncident incident, std::string_view rule, std::string_view detail);
  /// A log record of the plugin: bounded per second, so that one plugin cannot drown the log.
  void log(toolhost::observability::Severity severity, std::string_view text);
  [[nodiscard]] bool logs(toolhost::observability::Severity severity) const noexcept {
    return !is_silent_.load(std::memory_order_acquire) && severity >= log_level_.load(std::memory_order_relaxed);
  }
  void set_log_level(toolhost::observability::Severity level) noexcept { log_level_ = level; }  ///< any thread
  /// Before create(); outlives silence().
  void set_news(toolhost::plugin_runtime::CatalogNews& news) noexcept { news_ = &news; }
  /// What "toolhost.catalog/1" announces; false when there is nobody to tell, or CatalogNews took no more.
  bool announce(std::uint32_t lists);
  bool announce(std::string_view uri, std::optional<toolhost::TenantId> tenant);
  /// From now on nothing is reported: threads that a plugin or a lost handler left behind may outlive the event sink.
  void silence();

  [[nodiscard]] const std::string& plugin() const noexcept { return plugin_; }
  [[nodiscard]] const toolhost::plugin_runtime::PluginOffer& offer() const noexcept { return offer_; }
  [[nodiscard]] const toolhost::plugin_runtime::TokenSealer& sealer() const noexcept { return sealer_; }
  [[nodiscard]] toolhost::plugin_runtime::PluginSettings& settings() noexcept { return settings_; }
  /// Makes `held` the settings of tenants that are in force; costs one load when it is already. Any thread.
  void hold_tenant_settings(toolhost::plugin_runtime::SettingsSnapshotPtr& held) noexcept;
  [[nodiscard]] const toolhost::plugin_runtime::PluginSecrets& secrets() const noexcept { return secrets_; }
  [[nodiscard]] toolhost::plugin_runtime::PluginMetrics& metrics() noexcept { return metrics_; }
  [[nodiscard]] const toolhost::plugin_runtime::PluginMetrics& metrics() const noexcept { return metrics_; }
  [[nodiscard]] toolhost::plugin_runtime::Executor* executor() const noexcept { return executor_; }
  [[nodiscard]] bool takes_metrics() const noexcept { return takes_metrics_; }
  [[nodiscard]] const std::vector<ReadableView>& readable_views() const noexcept { return readable_views_; }

 private:
  const std::string plugin_;
  const toolhost::plugin_runtime::TokenSealer sealer_;
  std::atomic<toolhost::observability::Severity> log_level_;
  std::atomic<bool> is_silent_{false};
  toolhost::plugin_runtime::PluginSettings settings_;
  toolhost::plugin_runtime::PluginSecrets secrets_;
  toolhost::plugin_runtime::PluginMetrics metrics_;
  std::atomic<bool> takes_metrics_{true};
  toolhost::plugin_runtime::Executor* executor_ = nullptr;
  toolhost::plugin_runtime::PluginOffer offer_;
  std::vector<ReadableView> readable_views_;
  std::shared_ptr<toolhost::plugin_runtime::TimeSource> time_;
  std::atomic<std::uint64_t> tenant_settings_number_{0};
  std::mutex settings_mutex_;                                      // guards what follows
  toolhost::plugin_runtime::SettingsSnapshotPtr tenant_settings_;  // null until there are any
  std::mutex mutex_;                                               // guards what follows
  toolhost::observability::EventSink* events_;
  toolhost::plugin_runtime::CatalogNews* news_ = nullptr;
  std::int64_t log_second_ = 0;
  unsigned logged_ = 0;
};

namespace toolhost::plugin_runtime {

/// How one call goes on without its handler's thread: defer() of plugin.h.
class Deferral {
 public:
  virtual ~Deferral() = default;
  /// On the handler's thread.
  virtual th_status defer(th_call& call) = 0;
  /// Once, on any thread. `is_awaited`: nobody has answered the call without it.
  virtual void complete(th_call& call, th_status status, bool is_awaited) = 0;
};

}  // namespace toolhost::plugin_runtime

/// The rows of one query, as the plugin holds them.
struct th_rows {
  th_call* call = nullptr;
  toolhost::storage::Rows* rows = nullptr;  ///< null once they have ended
  std::vector<th_value> row;
};

/// One attempt of one call, as the plugin sees it. Belongs to one worker thread and is used again for its next call, so
/// a plugin that keeps the pointer past its handler meets an object that knows that no call is running, not freed
/// memory. A deferred one leaves its worker, and is used again only when many others have ended.
struct th_call {
 public:
  struct Start {
    th_host* host = nullptr;
    const toolhost::plugin_runtime::ToolCall* call = nullptr;
    unsigned attempt = 0;
    toolhost::Deadline deadline = toolhost::Deadline::never();
    const std::atomic<bool>* deadline_passed = nullptr;       ///< may be null
    toolhost::storage::TenantConnection* database = nullptr;  ///< null: the tool has none
    std::size_t max_result_bytes = 0;
    toolhost::plugin_runtime::Deferral* deferral = nullptr;  ///< null: it ends with its handler
  };
  /// A call that goes on without its handler.
  struct Deferred {
    enum class State : std::uint8_t { kNot, kOpen, kDisowned, kEnded };  ///< kDisowned: answered, not completed
    std::mutex mutex;                                                    // guards what follows
    std::condition_variable changed;
    State state = State::kNot;
    std::shared_ptr<toolhost::plugin_runtime::Deferral> call;  ///< until it ends
    th_fn on_cancel = nullptr;
    void* context = nullptr;
    bool has_fired = false;  ///< on_cancel was called, or will be
    std::thread::id firing;  ///< who calls it at this moment
  };
  /// Progress as the plugin gave it and as it was sent; a newer one takes the place of one that waits to be sent.
  struct Progress {
    double given = 0;  ///< of the handler's thread
    bool was_given = false;
    std::atomic<bool> is_waiting{false};
    std::mutex mutex;  // guards what follows, and is_waiting against being set
    bool was_sent = false;
    double sent = 0, waiting = 0, total = 0;
    std::string message;
    std::chrono::steady_clock::time_point sent_at;
  };
  /// Of "toolhost.complete/1".
  struct Completion {
    std::string values;  ///< JSON array, not closed yet
    std::size_t count = 0;
    std::optional<std::int64_t> total;
  };
  /// Between enter() and leave() the services answer on this thread.
  void enter(const Start& start);
  /// Sends the progress that waits. On the handler's thread before leave(), or on another while the call is known to
  /// live.
  void flush_progress();
  /// From here on every service answers TH_E_MISUSE; what was pushed stays until the next enter().
  void leave() noexcept;
  /// From any thread, while the handler runs: the call was answered without it. Services answer TH_E_MISUSE,
  /// cancelled() answers 1.
  void disown() noexcept;
  /// On the handler's thread: from here on the services answer on every thread, until leave().
  void become_deferred(std::shared_ptr<toolhost::plugin_runtime::Deferral> call);
  /// With the lock on `deferred`: calls on_cancel without it.
  void fire(std::unique_lock<std::mutex>& lock);
  /// Frees what a call that has ended held.
  void shed() noexcept;

  /// Ends the rows of the last query: the next statement takes their place.
  void end_rows() noexcept;
  [[nodiscard]] bool is_cancelled() const noexcept;
  [[nodiscard]] bool is_on_this_thread() const noexcept;
  /// The tool says so, or the caller may do no more.
  [[nodiscard]] bool reads_only() const noexcept {
    return start.call->tool->read_only || start.call->caller->read_only;
  }
  [[nodiscard]] toolhost::plugin_runtime::ToolCall::Kind kind() const noexcept { return start.call->kind; }
  [[nodiscard]] toolhost::plugin_runtime::ClientPort* client() const noexcept { return start.call->client.get(); }
  /// The bytes of the result so far: what the plugin may still add is the limit less this.
  [[nodiscard]] std::size_t result_bytes() const noexcept {
    return content.size() + description.size() + completion.values.size() + structured.size() + writer.text().size();
  }
  /// Those in force for the tenant when the call began.
  [[nodiscard]] toolhost::plugin_runtime::PluginSettings& settings() noexcept;

  Start start;
  std::string content;      ///< JSON array of blocks, contents or messages, not closed yet
  std::string description;  ///< of a prompt
  Completion completion;
  toolhost::plugin_runtime::StructuredWriter writer;
  std::string structured;                           ///< given whole, compact
  toolhost::json::DocumentPtr structured_document;  ///< of `structured`
  std::string args_text;
  std::deque<std::string> kept;          ///< what services lent the plugin until the handler returns
  std::deque<toolhost::Secret> secrets;  ///< the same, wiped then

  std::vector<toolhost::plugin_runtime::Question> questions;  ///< that the client is to be asked
  std::optional<toolhost::plugin_runtime::AskKind> lacked;    ///< the first kind that it cannot be asked
  Progress progress;
  std::vector<std::string> updated;  ///< URIs to announce once the call has succeeded
  std::int64_t message_second = 0;   ///< of the last message to the client, and how many in it
  unsigned messages = 0;

  bool threw = false;   ///< an exception left the handler; failure_message is its text
  bool failed = false;  ///< fail() was called
  th_status failure = TH_OK;
  std::string failure_message;

  th_status error_status = TH_OK;  ///< last_error()
  std::string error_message, error_code, error_detail;

  Deferred deferred;
  bool is_deferred = false;    ///< written on the handler's thread
  bool used_database = false;  ///< a statement or savepoint was tried
  bool in_transaction = false;
  bool statement_failed = false;  ///< the last statement failed and nothing has made up for it
  bool committed = false;         ///< a statement marked TH_DB_LAST has written for good
  bool outcome_unknown = false;   ///< the connection was lost while such a statement committed
  unsigned savepoints = 0;
  std::chrono::steady_clock::duration in_database{0};
  std::vector<toolhost::storage::SqlValue> parameters;
  std::deque<th_rows> rows;

 private:
  toolhost::plugin_runtime::SettingsSnapshotPtr tenant_settings_;
  toolhost::plugin_runtime::PluginSettings* settings_ = nullptr;  // of the call, once asked for
  std::atomic<const void*> owner_{nullptr};
};

namespace toolhost::plugin_runtime {

/// The core table that every plugin gets, as a host of this minor has it; lives as long as the process.
const th_host_api& host_api(std::uint32_t abi_minor = TH_ABI_MINOR) noexcept;
/// The table of "toolhost.<service>/<revision>" as a host of this minor has it, or null when it does not offer it.
const void* find_service(std::string_view id, std::uint32_t abi_minor = TH_ABI_MINOR) noexcept;
/// True when a commit that failed like this may have been carried out all the same: its answer was lost.
bool leaves_outcome_unknown(Errc code, std::string_view sqlstate) noexcept;
/// How a storage error looks to a plugin.
th_status to_status(Errc code) noexcept;

}  // namespace toolhost::plugin_runtime
