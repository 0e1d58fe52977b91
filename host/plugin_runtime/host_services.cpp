#include "plugin_runtime/host_services.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

#include "plugin_runtime/service_tables.hpp"

using toolhost::Errc;
using toolhost::Error;
using toolhost::Result;
using toolhost::observability::PluginIncident;
using toolhost::observability::Severity;
using toolhost::plugin_runtime::PluginSecrets;
using toolhost::plugin_runtime::PluginSettings;
using toolhost::plugin_runtime::SettingsSnapshot;
using toolhost::plugin_runtime::SettingsSnapshotPtr;
using namespace toolhost::plugin_runtime::services;
namespace json = toolhost::json;

namespace {

constexpr unsigned kMaxLogRecordsPerSecond = 200;
constexpr std::size_t kMaxLogBytes = 8 * 1024;
constexpr std::size_t kMaxLogPairs = 32;

/// Its address tells threads apart.
constinit thread_local char this_thread = 0;
/// The owner of a call that was answered while its handler still runs.
constexpr char nobody = 0;
/// The owner of a deferred call: whoever the plugin gives it to.
constexpr char anybody = 0;

// ---- core table

void append_log_text(std::string& out, std::string_view text, const PluginSecrets& secrets) {
  std::string without_secrets;
  if (!secrets.empty()) text = without_secrets = secrets.redacted(text, kMaxLogBytes);
  text = text.substr(0, kMaxLogBytes - std::min(out.size(), kMaxLogBytes));
  if (is_utf8(text)) {
    out += text;
    return;
  }
  for (const char c : text) out += static_cast<unsigned char>(c) < 0x80 ? c : '?';
}

const void* core_get_service(th_host* host, const char* id) noexcept {
  if (id == nullptr) return nullptr;
  const std::string_view name(id, strnlen(id, 256));
  if (host == nullptr) return toolhost::plugin_runtime::find_service(name);
  const auto& [minor, withheld] = host->offer();
  if (std::find(withheld.begin(), withheld.end(), name) != withheld.end()) return nullptr;
  return toolhost::plugin_runtime::find_service(name, minor);
}

void core_log(th_host* host, th_call* call, int32_t level, th_str message, const th_str* pairs, size_t count) noexcept {
  if (host == nullptr) return;
  const auto severity = static_cast<Severity>(std::clamp<int32_t>(level, TH_LOG_TRACE, TH_LOG_CRITICAL));
  if (!host->logs(severity)) return;
  std::string text;
  append_log_text(text, view(message), host->secrets());
  for (std::size_t i = 0; pairs != nullptr && i < std::min(count, kMaxLogPairs); ++i) {
    text += ' ';
    append_log_text(text, view(pairs[2 * i]), host->secrets());
    text += '=';
    append_log_text(text, view(pairs[2 * i + 1]), host->secrets());
  }
  if (call != nullptr && call->is_on_this_thread()) {
    const auto& running = *call->start.call;
    text += " tool=" + running.tool->name + " request=" + running.request_id + " tenant=" + running.caller->tenant;
  }
  host->log(severity, text);
}

int32_t core_log_enabled(th_host* host, int32_t level) noexcept {
  return host != nullptr && host->logs(static_cast<Severity>(std::clamp<int32_t>(level, TH_LOG_TRACE, TH_LOG_CRITICAL)))
             ? 1
             : 0;
}

int64_t core_now_us(th_host* host) noexcept {
  return host != nullptr ? host->now_us() : wall_clock_us();
}

/// Random bytes of the kernel, fetched for some thirty ids at a time.
std::uint64_t random_bits() noexcept {
  thread_local std::array<std::uint64_t, 32> pool;
  thread_local std::size_t used = pool.size();
  if (used == pool.size()) {
    // Requests of up to 256 bytes are never cut short once the kernel's generator is seeded.
    while (getrandom(pool.data(), sizeof(pool), 0) != static_cast<ssize_t>(sizeof(pool))) {
    }
    used = 0;
  }
  return pool[used++];
}

th_uuid as_c(const toolhost::plugin_runtime::UuidBytes& bytes) noexcept {
  th_uuid id{};
  std::copy(bytes.begin(), bytes.end(), id.b);
  return id;
}

th_uuid core_new_uuid(th_host* host) noexcept {
  if (host != nullptr && host->time() != nullptr) return as_c(host->time()->new_uuid());
  // RFC 9562, section 6.2, method 3: 48 bits of milliseconds and 12 bits of their fraction, never the same twice, so
  // that later ids sort after earlier ones within this process too.
  static std::atomic<std::uint64_t> last{0};
  const auto now = toolhost::plugin_runtime::uuid_ticks(wall_clock_us());
  auto before = last.load(std::memory_order_relaxed);
  std::uint64_t ticks = 0;
  do {
    ticks = std::max(now, before + 1);
  } while (!last.compare_exchange_weak(before, ticks, std::memory_order_relaxed));
  return as_c(toolhost::plugin_runtime::uuid_v7(ticks, random_bits()));
}

constexpr th_host_api host_api_of(std::uint32_t minor) {
  return {.struct_size = sizeof(th_host_api),
          .abi_minor = minor,
          .product = "Toolhost",
          .version = TOOLHOST_VERSION,
          .get_service = core_get_service,
          .log = core_log,
          .log_enabled = core_log_enabled,
          .now_us = core_now_us,
          .new_uuid = core_new_uuid};
}
constexpr std::array<th_host_api, TH_ABI_MINOR + 1> kHostApis{host_api_of(0), host_api_of(1)};

/// Of minor 0: what came later is not there, also for who does not ask.
const th_call_api& first_call_table() {
  static const th_call_api table = [] {
    th_call_api first{};
    std::memcpy(&first, &call_table, offsetof(th_call_api, content));
    first.struct_size = offsetof(th_call_api, content);
    return first;
  }();
  return table;
}

struct Service {
  std::string_view id;
  const void* table;
  std::uint32_t since;  // minor
};
constexpr std::array<Service, 15> kServices{{{TH_SVC_CALL, &call_table, 0},
                                             {TH_SVC_ARGS, &args_table, 0},
                                             {TH_SVC_JSON, &json_table, 0},
                                             {TH_SVC_DB, &database_table, 0},
                                             {TH_SVC_CONFIG, &config_table, 0},
                                             {TH_SVC_TOKEN, &token_table, 0},
                                             {TH_SVC_PEOPLE, &people_table, 0},
                                             {TH_SVC_READS, &reads_table, 0},
                                             {TH_SVC_CLIENT, &client_table, 1},
                                             {TH_SVC_CATALOG, &catalog_table, 1},
                                             {TH_SVC_PROMPT, &prompt_table, 1},
                                             {TH_SVC_COMPLETE, &complete_table, 1},
                                             {TH_SVC_SECRETS, &secrets_table, 1},
                                             {TH_SVC_METRICS, &metrics_table, 1},
                                             {TH_SVC_EXECUTOR, &executor_table, 1}}};

}  // namespace

th_host::th_host(std::string plugin_id, const toolhost::Secret& sealing_key, Severity log_level,
                 toolhost::observability::EventSink& events)
    : plugin_(std::move(plugin_id)),
      sealer_(sealing_key, plugin_),
      log_level_(log_level),
      metrics_(plugin_),
      events_(&events) {}

std::int64_t th_host::now_us() const noexcept {
  return time_ != nullptr ? time_->now_us() : wall_clock_us();
}

Result<json::Value> th_host::set_settings(std::string_view text) {
  return settings_.set(text);
}

Result<> th_host::set_tenant_settings(const std::map<std::string, std::string, std::less<>>& settings) {
  static std::atomic<std::uint64_t> last_number{0};
  SettingsSnapshotPtr before;
  hold_tenant_settings(before);
  const auto now = std::make_shared<SettingsSnapshot>();
  bool is_new = before == nullptr ? !settings.empty() : before->of.size() != settings.size();
  for (const auto& [tenant, text] : settings) {
    auto& slot = now->of[tenant];
    // What has not changed is not parsed again.
    if (before != nullptr) {
      if (const auto known = before->of.find(tenant); known != before->of.end() && known->second->source() == text)
        slot = known->second;
    }
    if (slot != nullptr) continue;
    is_new = true;
    slot = std::make_shared<PluginSettings>();
    if (const auto set = slot->set(text); !set)
      return Error{set.error().code, "for the tenant " + tenant + ": " + set.error().message, set.error().detail};
  }
  if (!is_new) return boost::system::in_place_value;
  now->number = ++last_number;
  const std::lock_guard lock(settings_mutex_);
  tenant_settings_ = now;
  tenant_settings_number_.store(now->number, std::memory_order_release);
  return boost::system::in_place_value;
}

void th_host::hold_tenant_settings(SettingsSnapshotPtr& held) noexcept {
  const auto held_number = held == nullptr ? 0 : held->number;
  if (tenant_settings_number_.load(std::memory_order_acquire) == held_number) return;
  SettingsSnapshotPtr current;
  {
    const std::lock_guard lock(settings_mutex_);
    current = tenant_settings_;
  }
  held = std::move(current);
}

void th_host::report(PluginIncident incident, std::string_view rule, std::string_view detail) {
  std::string without_secrets;
  if (!secrets_.empty()) detail = without_secrets = secrets_.redacted(detail);
  const std::lock_guard lock(mutex_);
  if (events_ != nullptr) events_->emit(toolhost::observability::PluginReported{incident, plugin_, rule, detail});
}

void th_host::log(Severity severity, std::string_view text) {
  const auto second = wall_clock_us() / 1'000'000;
  std::unique_lock lock(mutex_);
  if (events_ == nullptr) return;
  if (second != log_second_) {
    if (logged_ > kMaxLogRecordsPerSecond)
      events_->emit(toolhost::observability::PluginReported{
          PluginIncident::kMisbehaved, plugin_, "log-flood",
          std::to_string(logged_ - kMaxLogRecordsPerSecond) + " log records were dropped: more than " +
              std::to_string(kMaxLogRecordsPerSecond) + " in one second"});
    log_second_ = second;
    logged_ = 0;
  }
  if (++logged_ > kMaxLogRecordsPerSecond) return;
  events_->emit(toolhost::observability::PluginReported{PluginIncident::kLog, plugin_, to_string(severity), text});
}

bool th_host::announce(std::uint32_t lists) {
  const std::lock_guard lock(mutex_);
  if (news_ != nullptr) news_->changed(lists);
  return news_ != nullptr;
}

bool th_host::announce(std::string_view uri, std::optional<toolhost::TenantId> tenant) {
  const std::lock_guard lock(mutex_);
  return news_ != nullptr && news_->updated(uri, tenant);
}

void th_host::silence() {
  // Before anything else is touched: threads that a plugin left behind go on while the process ends, and with it what
  // is static, such as the JSON library's choice of an implementation.
  is_silent_.store(true, std::memory_order_release);
  const std::lock_guard lock(mutex_);
  events_ = nullptr;
  news_ = nullptr;
}

void th_call::enter(const Start& next) {
  start = next;
  content.assign("[");
  writer.reset();
  structured.clear();
  structured_document.reset();
  args_text.clear();
  kept.clear();
  description.clear();
  completion.values.clear();
  completion.count = 0;
  completion.total.reset();
  questions.clear();
  lacked.reset();
  updated.clear();
  progress.was_given = false;
  // What was sent in an attempt before cannot be taken back.
  if (start.attempt == 0) progress.was_sent = false;
  threw = failed = false;
  failure_message.clear();
  error_status = TH_OK;
  error_message.clear();
  error_code.clear();
  error_detail.clear();
  if (is_deferred) {
    const std::lock_guard lock(deferred.mutex);
    deferred.state = Deferred::State::kNot;
    deferred.on_cancel = nullptr;
    deferred.has_fired = false;
  }
  is_deferred = used_database = false;
  in_transaction = statement_failed = committed = outcome_unknown = false;
  savepoints = 0;
  in_database = {};
  rows.clear();
  // A call that is run again goes on with what it began with.
  if (start.attempt == 0) start.host->hold_tenant_settings(tenant_settings_);
  settings_ = nullptr;
  owner_.store(&this_thread, std::memory_order_release);
}

void th_call::leave() noexcept {
  owner_.store(nullptr, std::memory_order_release);
  secrets.clear();
  end_rows();
}

void th_call::end_rows() noexcept {
  if (!rows.empty()) rows.back().rows = nullptr;
}

toolhost::plugin_runtime::PluginSettings& th_call::settings() noexcept {
  if (settings_ != nullptr) return *settings_;
  settings_ = &start.host->settings();
  if (tenant_settings_ != nullptr) {
    const auto found = tenant_settings_->of.find(start.call->caller->tenant);
    if (found != tenant_settings_->of.end()) settings_ = found->second.get();
  }
  return *settings_;
}

void th_call::disown() noexcept {
  owner_.store(&nobody, std::memory_order_release);
}

void th_call::become_deferred(std::shared_ptr<toolhost::plugin_runtime::Deferral> call) {
  start.database = nullptr;
  is_deferred = true;
  {
    const std::lock_guard lock(deferred.mutex);
    deferred.state = Deferred::State::kOpen;
    deferred.call = std::move(call);
  }
  owner_.store(&anybody, std::memory_order_release);
}

void th_call::fire(std::unique_lock<std::mutex>& lock) {
  deferred.firing = std::this_thread::get_id();
  const auto function = deferred.on_cancel;
  auto* const context = deferred.context;
  lock.unlock();
  function(context);
  lock.lock();
  deferred.firing = {};
  deferred.changed.notify_all();
}

void th_call::shed() noexcept {
  // What waits to be sent is of a call that is over; the frame will be another's.
  {
    const std::lock_guard lock(progress.mutex);
    progress.is_waiting.store(false);
    progress.message = std::string();
  }
  // An assigned {} would keep the memory.
  content = std::string();
  description = std::string();
  completion.values = std::string();
  (void)writer.take();
  writer.reset();
  structured = std::string();
  structured_document.reset();
  args_text = std::string();
  kept = {};
  updated = std::vector<std::string>();
  failure_message = std::string();
  error_message = std::string();
  error_detail = std::string();
  tenant_settings_.reset();
  settings_ = nullptr;
}

bool th_call::is_on_this_thread() const noexcept {
  const auto* const owner = owner_.load(std::memory_order_acquire);
  return owner == &this_thread || owner == &anybody;
}

bool th_call::is_cancelled() const noexcept {
  const auto* owner = owner_.load(std::memory_order_acquire);
  if (owner == nullptr || owner == &nobody) return owner != nullptr;
  return start.call->cancelled.load(std::memory_order_relaxed) ||
         (start.deadline_passed != nullptr && start.deadline_passed->load(std::memory_order_relaxed));
}

namespace toolhost::plugin_runtime {

Result<json::Value> PluginSettings::set(std::string_view text) {
  source_ = text;
  const auto root = document_.parse(text.empty() ? std::string_view("{}") : text);
  if (!root) return root.error();
  if (!root->is_object()) return Error{Errc::kInvalidArgument, "they are no object", {}};
  root_ = *root;
  return root_;
}

std::string_view PluginSettings::text(std::string_view pointer, const json::Value& value) {
  const std::lock_guard lock(mutex_);
  if (const auto found = texts_.find(pointer); found != texts_.end()) return found->second;
  return texts_.emplace(pointer, json::to_text(value)).first->second;
}

const th_host_api& host_api(std::uint32_t abi_minor) noexcept {
  return kHostApis[std::min<std::size_t>(abi_minor, TH_ABI_MINOR)];
}

bool leaves_outcome_unknown(Errc code, std::string_view sqlstate) noexcept {
  if (code != Errc::kUnavailable && code != Errc::kTimeout && code != Errc::kCancelled) return false;
  // 08001: the connection could not even be made, so nothing was sent. Other codes come from a server that says itself
  // that it did not commit.
  return sqlstate.empty() || sqlstate.starts_with("57P") || (sqlstate.starts_with("08") && sqlstate != "08001");
}

const void* find_service(std::string_view id, std::uint32_t abi_minor) noexcept {
  if (id == TH_SVC_CALL && abi_minor == 0) return &first_call_table();
  for (const auto& service : kServices)
    if (service.id == id && service.since <= abi_minor) return service.table;
  return nullptr;
}

th_status to_status(Errc code) noexcept {
  switch (code) {
    case Errc::kInvalidArgument:
      return TH_E_INVALID;
    case Errc::kNotFound:
      return TH_E_NOT_FOUND;
    case Errc::kConflict:
      return TH_E_CONFLICT;
    case Errc::kUnauthenticated:
    case Errc::kDenied:
      return TH_E_DENIED;
    case Errc::kUnavailable:
      return TH_E_UNAVAILABLE;
    case Errc::kTimeout:
      return TH_E_TIMEOUT;
    case Errc::kCancelled:
      return TH_E_CANCELLED;
    case Errc::kRetry:
      return TH_E_RETRY;
    case Errc::kLimit:
      return TH_E_LIMIT;
    case Errc::kUnsupported:
      return TH_E_UNSUPPORTED;
    case Errc::kMisuse:
      return TH_E_MISUSE;
    case Errc::kInternal:
      return TH_E_INTERNAL;
  }
  return TH_E_INTERNAL;
}

}  // namespace toolhost::plugin_runtime
