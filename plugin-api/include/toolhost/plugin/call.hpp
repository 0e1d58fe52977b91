#pragma once
#include <toolhost/plugin/client.hpp>
#include <toolhost/plugin/error.hpp>
#include <toolhost/plugin/guarded.hpp>
#include <toolhost/plugin/services.hpp>
#include <toolhost/plugin/sql.hpp>
#include <toolhost/plugin/values.hpp>

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace toolhost {

/// A view of another plugin that this one may read.
struct ReadableView {
  std::string plugin;    ///< id of the plugin that exports it
  std::string sql_name;  ///< as a statement names it, quoted
};

/// A member of the caller's tenant.
struct Person {
  std::string email, name, role;
};

#if TH_ABI_TARGET >= 1
/// Something that the plugin counts; made by Host. Copyable; valid as long as the instance. Any thread.
class Metric {
 public:
  Metric() = default;

  /// With a value for each label, in their order. False when it was not taken (th_metrics_api).
  template <class... Values>
  bool add(double value, const Values&... label_values) const noexcept {
    return change(&th_metrics_api::add, value, {to_th(std::string_view(label_values))...});
  }
  /// Of a gauge.
  template <class... Values>
  bool set(double value, const Values&... label_values) const noexcept {
    return change(&th_metrics_api::set, value, {to_th(std::string_view(label_values))...});
  }

 private:
  friend class Host;
  Metric(th_host* host, std::uint32_t number) noexcept : host_(host), number_(number) {}
  template <class Change>
  bool change(Change how, double value, std::initializer_list<th_str> labels) const noexcept {
    return host_ != nullptr &&
           (detail::services.metrics->*how)(host_, number_, value, labels.begin(), labels.size()) == TH_OK;
  }
  th_host* host_ = nullptr;
  std::uint32_t number_ = 0;
};
#endif

/// The host as a plugin instance sees it. Copyable; valid as long as the instance. Any thread.
class Host {
 public:
  explicit Host(th_host* host) noexcept : host_(host) {}

  /// `level`: TH_LOG_*.
  void log(std::int32_t level, std::string_view message) const noexcept {
    detail::services.core->log(host_, nullptr, level, to_th(message), nullptr, 0);
  }
  /// Wall clock, microseconds since 1970-01-01T00:00Z.
  [[nodiscard]] std::int64_t now_us() const noexcept { return detail::services.core->now_us(host_); }
  /// A UUID of version 7.
  [[nodiscard]] Uuid new_uuid() const noexcept { return Uuid(detail::services.core->new_uuid(host_)); }
  /// A setting of the plugin by JSON Pointer, or `fallback` when it is not set.
  [[nodiscard]] std::string config(std::string_view pointer, std::string_view fallback = {}) const {
    return detail::setting(host_, nullptr, pointer).value_or(std::string(fallback));
  }
  [[nodiscard]] std::int64_t config_i64(std::string_view pointer, std::int64_t fallback) const {
    return detail::setting_i64(host_, nullptr, pointer).value_or(fallback);
  }
  /// A setting of any kind as JSON text.
  [[nodiscard]] std::optional<std::string> config_json(std::string_view pointer) const {
    return detail::setting_json(host_, nullptr, pointer);
  }
  /// What reads(...) of TH_PLUGIN was granted. From the constructor of the plugin's class on.
  [[nodiscard]] std::vector<ReadableView> readable_views() const {
    std::vector<ReadableView> views;
    if (detail::services.reads == nullptr) return views;
    th_str plugin{}, name{};
    while (detail::services.reads->view(host_, views.size(), &plugin, &name) == TH_OK)
      views.push_back({std::string(view(plugin)), std::string(view(name))});
    return views;
  }
#if TH_ABI_TARGET >= 1
  /// Declares a metric, in the constructor of the plugin's class only; th_metrics_api says what names and labels are
  /// like. On a host without metrics it counts nothing. Throws Error when the host refuses it; its log says why.
  [[nodiscard]] Metric counter(const char* name, const char* help,
                               std::initializer_list<const char*> labels = {}) const {
    return metric(TH_METRIC_COUNTER, name, help, labels);
  }
  [[nodiscard]] Metric gauge(const char* name, const char* help, std::initializer_list<const char*> labels = {}) const {
    return metric(TH_METRIC_GAUGE, name, help, labels);
  }
  /// Runs `function` on a thread of the host, soon, or in `delay_us` microseconds; what it throws is logged. False when
  /// it was not taken, and was destroyed without running: the instance stops, or too many wait (th_executor_api).
  template <class Function>
  bool submit(Function function, std::int64_t delay_us = 0) const {
    if (detail::services.executor == nullptr) return false;
    struct Task {
      th_host* host;
      Function function;
      static void run(void* context) noexcept {
        const std::unique_ptr<Task> task(static_cast<Task*>(context));
        detail::guarded(task->host, nullptr, [&]() -> th_status {
          task->function();
          return TH_OK;
        });
      }
    };
    auto task = std::make_unique<Task>(Task{host_, std::move(function)});
    const auto& executor = *detail::services.executor;
    const th_status status = delay_us > 0 ? executor.after(host_, delay_us, &Task::run, task.get())
                                          : executor.submit(host_, &Task::run, task.get());
    if (status != TH_OK) return false;
    static_cast<void>(task.release());
    return true;
  }
  /// These lists (TH_LIST_*) should be fetched again. From the constructor of the plugin's class until quiesce().
  void changed(std::uint32_t lists) const noexcept {
    if (detail::services.catalog != nullptr) detail::services.catalog->changed(host_, lists);
  }
  /// The resource has changed, for every tenant. False when it was not taken (th_catalog_api).
  bool updated(std::string_view uri) const noexcept {
    return detail::services.catalog != nullptr && detail::services.catalog->updated(host_, to_th(uri)) == TH_OK;
  }
#endif
  [[nodiscard]] th_host* handle() const noexcept { return host_; }

 private:
#if TH_ABI_TARGET >= 1
  Metric metric(std::uint32_t kind, const char* name, const char* help,
                std::initializer_list<const char*> labels) const {
    if (detail::services.metrics == nullptr) return {};
    std::vector<const char*> list(labels);
    list.push_back(nullptr);
    std::uint32_t number = 0;
    const th_status status = detail::services.metrics->define(host_, kind, name, help, list.data(), &number);
    if (status != TH_OK) throw Error(status, "the metric " + std::string(name) + " cannot be defined");
    return Metric(host_, number);
  }
#endif
  th_host* host_;
};

/// Undoes what was done since call.savepoint(), unless release() was called. Savepoints nest.
class Savepoint {
 public:
  Savepoint(Savepoint&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
  Savepoint& operator=(Savepoint&&) = delete;
  ~Savepoint() {
    if (call_ != nullptr) detail::services.db->savepoint(call_, TH_SAVEPOINT_ROLLBACK);
  }
  /// Keeps what was done. Throws SqlError.
  void release() { finish(TH_SAVEPOINT_RELEASE); }
  /// Undoes it now. Throws SqlError.
  void rollback() { finish(TH_SAVEPOINT_ROLLBACK); }

 private:
  friend class Call;
  explicit Savepoint(th_call* call) : call_(call) {
    detail::check_sql(call_, detail::services.db->savepoint(call_, TH_SAVEPOINT_SET));
  }
  void finish(std::int32_t operation) {
    if (call_ == nullptr) return;
    th_call* call = std::exchange(call_, nullptr);
    detail::check_sql(call, detail::services.db->savepoint(call, operation));
  }
  th_call* call_;
};

#if TH_ABI_TARGET >= 1
template <class Output>
class Promise;
#endif

/// One call of a handler: who calls, what the host offers meanwhile, and where the result goes. Tools get it as it is;
/// resources, prompts and completions as Reading, Prompting and Completing (catalog.hpp). Use it on the handler's
/// thread only and not after the handler returned (cancelled() is fine on any thread until then). string_views that it
/// returns live until then.
class Call {
 public:
  Call(th_host* host, th_call* call) noexcept : host_(host), call_(call) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  /// The tenant's name, for display; the host scopes every statement to the tenant by itself.
  [[nodiscard]] std::string_view tenant() const { return view(info().tenant); }
  /// E-mail address of the key's owner, or the key's name; with an access token its person's e-mail address, or its
  /// subject; in a job "toolhost".
  [[nodiscard]] std::string_view principal() const { return view(info().principal); }
  /// "hdsk_" and six characters, "oauth_" and six for who presents access tokens: tells them apart, safe to show. Empty
  /// in a job.
  [[nodiscard]] std::string_view key_prefix() const { return view(info().key_prefix); }
  /// The host's id of this call, as in its logs.
  [[nodiscard]] std::string_view request_id() const { return view(info().request_id); }
  /// Empty when the caller sent none.
  [[nodiscard]] std::string_view idempotency_key() const { return view(info().idempotency_key); }
  /// The tenant's IANA zone, e.g. "Europe/Berlin".
  [[nodiscard]] std::string_view time_zone() const { return view(info().time_zone); }
  /// What the caller is in the tenant: "viewer", "agent" or "admin".
  [[nodiscard]] std::string_view role() const { return view(info().role); }
  /// The members of the tenant whom `text` names (th_people_api); all of them for an empty one. At most `limit`.
  [[nodiscard]] std::vector<Person> people(std::string_view text, std::size_t limit = 1000) {
    const auto& service = detail::need(detail::services.people, TH_SVC_PEOPLE);
    std::vector<th_person> found(limit < 16 ? limit : 16);
    std::size_t count = 0;
    check(service.find(call_, to_th(text), found.data(), found.size(), &count));
    if (count > found.size() && found.size() < limit) {
      found.resize(count < limit ? count : limit);
      check(service.find(call_, to_th(text), found.data(), found.size(), &count));
    }
    if (count < found.size()) found.resize(count);
    std::vector<Person> people;
    for (const th_person& person : found)
      people.push_back(
          {std::string(view(person.email)), std::string(view(person.name)), std::string(view(person.role))});
    return people;
  }
  /// Wall clock in microseconds; 0: none.
  [[nodiscard]] std::int64_t deadline_us() const { return info().deadline_us; }
  /// How many times the handler ran before for this call (after TH_E_RETRY).
  [[nodiscard]] std::uint32_t attempt() const { return info().attempt; }
  /// Wall clock, microseconds since 1970-01-01T00:00Z.
  [[nodiscard]] std::int64_t now_us() const noexcept { return detail::services.core->now_us(host_); }
  /// A UUID of version 7.
  [[nodiscard]] Uuid new_uuid() const noexcept { return Uuid(detail::services.core->new_uuid(host_)); }
  /// True when nobody waits for the result any more: stop soon. Cheap.
  [[nodiscard]] bool cancelled() const noexcept { return detail::services.call->cancelled(call_) != 0; }
  /// The arguments as JSON text.
  [[nodiscard]] std::string_view args_json() const noexcept { return view(detail::services.call->args_json(call_)); }

  /// Appends a text block to the result. A result without one gets its structured content as text from the host.
  void text(std::string_view block) { check(detail::services.call->text(call_, to_th(block))); }
#if TH_ABI_TARGET >= 1
  /// Appends a block of any kind.
  void content(const Content& block) {
    if (!TH_HAS(detail::services.call, content)) throw Error(TH_E_UNSUPPORTED, "this host has only text blocks");
    check(detail::services.call->content(call_, &block.raw()));
  }
  void image(std::string_view bytes, std::string_view mime_type) { content(Content::image(bytes, mime_type)); }
  void audio(std::string_view bytes, std::string_view mime_type) { content(Content::audio(bytes, mime_type)); }

  /// How far the call is: `done` grows, and what does not is not sent; `total` 0: not known. Cheap, also when nobody
  /// listens.
  void progress(double done, double total = 0, std::string_view message = {}) const noexcept {
    if (TH_HAS(detail::services.call, progress))
      static_cast<void>(detail::services.call->progress(call_, done, total, to_th(message)));
  }
  /// A log message for the client. `level`: 0 (debug) to 7 (emergency). False when it was dropped: too large, or too
  /// many in a second.
  bool tell(std::int32_t level, std::string_view text, std::string_view logger = {}) {
    std::string data;
    detail::append_json_string(data, text);
    return tell_json(level, data, logger);
  }
  bool tell_json(std::int32_t level, std::string_view data_json, std::string_view logger = {}) {
    const th_status status = client().message(call_, level, to_th(logger), to_th(data_json));
    if (status == TH_E_LIMIT) return false;
    check(status);
    return true;
  }

  /// Whether the client can be asked this kind (TH_ASK_*).
  [[nodiscard]] bool can(std::uint32_t kind) const noexcept {
    return detail::services.client != nullptr && detail::services.client->can(call_, kind) != 0;
  }
  /// How often the client has answered.
  [[nodiscard]] std::uint32_t round() const { return client().round(call_); }
  /// Asks the client. Without an answer yet the handler ends here; with it, the handler runs again from its top, and
  /// this returns it. So put what must happen once behind the last question. `key`: a-z 0-9 _, the same in every run.
  /// Throws Error: TH_E_UNSUPPORTED when the client cannot be asked this, TH_E_DENIED when it answered with an error,
  /// TH_E_TIMEOUT when nobody answered in time, TH_E_INVALID for a question without what its kind needs or a bad key,
  /// TH_E_LIMIT for too many questions or rounds or one over 64 KiB, TH_E_MISUSE behind a Last that has written.
  Answer ask(std::string_view key, const Ask& question) {
    auto answer = try_ask(key, question);
    if (!answer) throw detail::Asked();
    return std::move(*answer);
  }
  /// Asks several things at once: answers by key.
  std::map<std::string, Answer, std::less<>> ask_all(
      std::initializer_list<std::pair<std::string_view, Ask>> questions) {
    std::map<std::string, Answer, std::less<>> answers;
    bool asked = false;
    for (const auto& [key, question] : questions) {
      auto answer = try_ask(key, question);
      asked = asked || !answer;
      if (answer) answers.emplace(key, std::move(*answer));
    }
    if (asked) throw detail::Asked();
    return answers;
  }
  /// Asks the assistant's model; its text.
  std::string sample(std::string_view key, const Sampling& question) { return ask(key, question).text(); }
  /// What the assistant works on.
  std::vector<Root> roots(std::string_view key) { return ask(key, Roots()).roots(); }
  /// Before a long wait: lets go of the connection if the client can come back for the result.
  void let_go() { check(client().let_go(call_)); }

  /// Lets the call go on without this handler and without a thread of the host; the handler then returns
  /// Later<Output>. The promise gives the result (later.hpp), on the thread that it was handed to. Throws Error:
  /// TH_E_LIMIT for too many of them, TH_E_MISUSE after a statement or in a tool that never blocks.
  template <class Output>
  [[nodiscard]] Promise<Output> defer();
  [[nodiscard]] bool is_deferred() const noexcept { return is_deferred_; }

  /// A secret that the configuration grants the plugin by this name; gone when the handler returns, so keep no copy.
  /// Throws Error: TH_E_DENIED when it is not granted.
  [[nodiscard]] std::string_view secret(std::string_view name) {
    th_str text{};
    check(detail::need(detail::services.secrets, TH_SVC_SECRETS).get(call_, to_th(name), &text));
    return view(text);
  }

  /// The resource has changed, for the tenant of this call, once the call has succeeded.
  void updated(std::string_view uri) {
    check(detail::need(detail::services.catalog, TH_SVC_CATALOG).updated_for(call_, to_th(uri)));
  }
#endif
  /// `level`: TH_LOG_*. The record carries tenant, tool and request id.
  void log(std::int32_t level, std::string_view message) const noexcept {
    detail::services.core->log(host_, call_, level, to_th(message), nullptr, 0);
  }

  /// A setting in force for the caller's tenant by JSON Pointer, or `fallback` when it is not set.
  [[nodiscard]] std::string config(std::string_view pointer, std::string_view fallback = {}) const {
    return detail::setting(host_, call_, pointer).value_or(std::string(fallback));
  }
  [[nodiscard]] std::int64_t config_i64(std::string_view pointer, std::int64_t fallback) const {
    return detail::setting_i64(host_, call_, pointer).value_or(fallback);
  }
  [[nodiscard]] std::optional<std::string> config_json(std::string_view pointer) const {
    return detail::setting_json(host_, call_, pointer);
  }

  /// URL-safe text that the client can carry and cannot change; readable, not encrypted. At most TH_TOKEN_MAX_DATA
  /// bytes.
  [[nodiscard]] std::string seal(std::string_view data) {
    th_str token{};
    check(detail::need(detail::services.token, TH_SVC_TOKEN).seal(call_, to_th(data), &token));
    return std::string(view(token));
  }
  /// What was sealed; nothing for a token that is forged, damaged, or of another plugin or tenant.
  [[nodiscard]] std::optional<std::string> open(std::string_view token) {
    th_str data{};
    const th_status status = detail::need(detail::services.token, TH_SVC_TOKEN).open(call_, to_th(token), &data);
    if (status == TH_E_INVALID) return std::nullopt;
    check(status);
    return std::string(view(data));
  }

  /// Runs one statement with parameters $1..$n (see sql.hpp for the types; or one Values, which holds them all) and
  /// returns the number of rows it inserted, updated or deleted. Throws SqlError. Ends the Rows of the statement
  /// before.
  template <class... Args>
  std::int64_t exec(std::string_view sql, const Args&... args) {
    return exec_flagged(0, sql, args...);
  }
  /// The same for the last statement of a call that writes: it commits in its own round trip. A statement after it
  /// begins a new transaction, and an error after it no longer undoes it.
  template <class... Args>
  std::int64_t exec(Last, std::string_view sql, const Args&... args) {
    return exec_flagged(TH_DB_LAST, sql, args...);
  }
  /// Runs one statement that gives rows. Throws SqlError. Ends the Rows of the statement before.
  template <class... Args>
  [[nodiscard]] Rows query(std::string_view sql, const Args&... args) {
    return query_flagged(0, sql, args...);
  }
  template <class... Args>
  [[nodiscard]] Rows query(Last, std::string_view sql, const Args&... args) {
    return query_flagged(TH_DB_LAST, sql, args...);
  }
  /// Sets a savepoint, to survive a statement that may fail. Throws SqlError.
  [[nodiscard]] Savepoint savepoint() {
    detail::need(detail::services.db, TH_SVC_DB);
    return Savepoint(call_);
  }

  /// For the C functions that this class does not cover.
  [[nodiscard]] th_call* handle() const noexcept { return call_; }

 private:
#if TH_ABI_TARGET >= 1
  static const th_client_api& client() { return detail::need(detail::services.client, TH_SVC_CLIENT); }
  std::optional<Answer> try_ask(std::string_view key, const Ask& question) {
    th_str answer{};
    const th_status status = client().ask(call_, question.kind, to_th(key), to_th(question.params), &answer);
    if (status == TH_E_ASKED) return std::nullopt;
    check(status);
    return Answer(view(answer));
  }
#endif
  const th_call_info& info() const {
    if (info_.struct_size == 0) {
      th_call_info filled{};
      filled.struct_size = sizeof filled;
      check(detail::services.call->info(call_, &filled));
      info_ = filled;
    }
    return info_;
  }
  void check(th_status status) const { detail::check(call_, status); }
  template <class... Args>
  std::int64_t exec_flagged(std::uint32_t flags, std::string_view sql, const Args&... args) {
    const auto& db = detail::need(detail::services.db, TH_SVC_DB);
    const detail::Parameters<Args...> parameters(args...);
    std::int64_t affected = 0;
    detail::check_sql(call_, db.exec(call_, to_th(sql), parameters.data(), parameters.size(), flags, &affected));
    return affected;
  }
  template <class... Args>
  Rows query_flagged(std::uint32_t flags, std::string_view sql, const Args&... args) {
    const auto& db = detail::need(detail::services.db, TH_SVC_DB);
    const detail::Parameters<Args...> parameters(args...);
    th_rows* rows = nullptr;
    detail::check_sql(call_, db.query(call_, to_th(sql), parameters.data(), parameters.size(), flags, &rows));
    return Rows(db, call_, rows);
  }

  th_host* host_;
  th_call* call_;
#if TH_ABI_TARGET >= 1
  bool is_deferred_ = false;
#endif
  mutable th_call_info info_{};
};

}  // namespace toolhost
