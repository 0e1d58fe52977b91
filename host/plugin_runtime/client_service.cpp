#include <algorithm>
#include <cmath>

#include "plugin_runtime/client_answer.hpp"
#include "plugin_runtime/service_tables.hpp"

// The client behind a call: progress, messages and questions; and what plugins announce to all clients.

namespace toolhost::plugin_runtime::services {
namespace {

constexpr std::size_t kMaxProgressBytes = 1'024, kMaxLoggerBytes = 256, kMaxClientBytes = 64 * 1024;
constexpr std::chrono::milliseconds kProgressInterval{50};
constexpr unsigned kMaxMessagesPerSecond = 200;
constexpr std::uint32_t kAllLists = TH_LIST_TOOLS | TH_LIST_RESOURCES | TH_LIST_PROMPTS;

static_assert(static_cast<std::uint32_t>(AskKind::kForm) == TH_ASK_FORM &&
              static_cast<std::uint32_t>(AskKind::kUrl) == TH_ASK_URL &&
              static_cast<std::uint32_t>(AskKind::kSampling) == TH_ASK_SAMPLING &&
              static_cast<std::uint32_t>(AskKind::kRoots) == TH_ASK_ROOTS);

bool is_kind(std::uint32_t kind) noexcept {
  return kind >= TH_ASK_FORM && kind <= TH_ASK_ROOTS;
}

bool is_key(std::string_view key) noexcept {
  return !key.empty() && key.size() <= 64 && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

bool is_object_schema(const json::Value& params) {
  const auto schema = json::find(params, "requestedSchema");
  if (schema.error() != simdjson::SUCCESS || json::text_in(schema.value_unsafe(), "type").value_or("") != "object")
    return false;
  const auto properties = json::find(schema.value_unsafe(), "properties");
  return properties.error() == simdjson::SUCCESS && properties.value_unsafe().is_object() &&
         JsonSchema::compile(json::to_text(schema.value_unsafe())).has_value();
}

/// What the kind needs and `params` lack; null when they lack nothing.
const char* missing_in(const json::Value& params, AskKind kind) {
  if (!params.is_object()) return "the params are not a JSON object";
  json::Array messages;
  std::int64_t tokens = 0;
  switch (kind) {
    case AskKind::kForm:
      if (json::text_in(params, "message").value_or("").empty()) return "a form needs \"message\"";
      return is_object_schema(params) ? nullptr : "a form needs \"requestedSchema\", a schema of an object";
    case AskKind::kUrl:
      if (json::text_in(params, "message").value_or("").empty()) return "a URL needs \"message\"";
      return is_absolute_uri(json::text_in(params, "url").value_or("")) ? nullptr
                                                                        : "a URL needs \"url\", an absolute one";
    case AskKind::kSampling:
      if (json::find(params, "messages").get(messages) != simdjson::SUCCESS || messages.size() == 0)
        return "sampling needs \"messages\"";
      return json::find(params, "maxTokens").get(tokens) == simdjson::SUCCESS && tokens > 0
                 ? nullptr
                 : "sampling needs \"maxTokens\", a positive integer";
    case AskKind::kRoots:
      break;
  }
  return nullptr;
}

std::string_view what_it_lacks(AskKind kind) noexcept {
  switch (kind) {
    case AskKind::kForm:
      return "The tool needs an answer from you, but your client does not support forms (elicitation).";
    case AskKind::kUrl:
      return "The tool needs you to open a page, but your client does not support that (elicitation by URL).";
    case AskKind::kSampling:
      return "The tool needs your client's language model, but your client does not support that (sampling).";
    case AskKind::kRoots:
      return "The tool needs to know your working directories, but your client does not tell them (roots).";
  }
  return {};
}

// ---- toolhost.client/1

int32_t client_can(th_call* call, uint32_t kind) noexcept {
  if (!answers(call) || !is_kind(kind) || call->client() == nullptr) return 0;
  return call->client()->can(static_cast<AskKind>(kind)) ? 1 : 0;
}

/// A question's answer, or, when there is none yet, or one that does not fit, the question noted to be asked.
th_status answer_question(th_call& call, AskKind kind, std::string_view key, std::string_view params, th_str& answer) {
  if (params.size() > kMaxClientBytes)
    return fail_with(call, TH_E_LIMIT, "the params of a question hold at most 64 KiB");
  auto document = json::acquire_document();
  const auto root = document->parse(params.empty() ? "{}" : params);
  if (!root) return fail_with(call, TH_E_INVALID, "the params are no JSON: " + root.error().message);
  if (const auto* missing = missing_in(*root, kind)) return fail_with(call, TH_E_INVALID, missing);
  auto params_json = json::to_text(*root);
  const auto& answers = call.start.call->answers;
  if (const auto found = answers.by_key.find(key);
      found != answers.by_key.end() && is_answer(kind, params_json, found->second)) {
    answer = lend(found->second);
    return TH_OK;
  }
  if (answers.timed_out) return fail_with(call, TH_E_TIMEOUT, "nobody answered in time");
  if (call.committed || call.outcome_unknown)
    return fail_with(call, TH_E_MISUSE, "a statement with TH_DB_LAST has written: ask before it");
  if (!call.client()->can(kind)) {
    if (!call.lacked) call.lacked = kind;
    return fail_with(call, TH_E_UNSUPPORTED, what_it_lacks(kind));
  }
  const auto is_same = [key](const Question& question) { return question.key == key; };
  if (std::any_of(call.questions.begin(), call.questions.end(), is_same)) return TH_E_ASKED;
  if (answers.round >= TH_ASK_MAX_ROUNDS) return fail_with(call, TH_E_LIMIT, "a call asks in at most 10 rounds");
  if (call.questions.size() >= TH_ASK_MAX_QUESTIONS)
    return fail_with(call, TH_E_LIMIT, "a call asks at most 16 questions at a time");
  call.questions.push_back({.key = std::string(key), .kind = kind, .params_json = std::move(params_json)});
  return TH_E_ASKED;
}

th_status client_ask(th_call* call, uint32_t kind, th_str key, th_str params, th_str* answer) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (answer == nullptr) return fail_with(*call, TH_E_MISUSE, "answer is NULL");
  if (!is_kind(kind)) return fail_with(*call, TH_E_INVALID, "kind is not TH_ASK_*");
  if (!is_key(view(key))) return fail_with(*call, TH_E_INVALID, "a key is 1 to 64 of a-z 0-9 _");
  if (call->client() == nullptr) return fail_with(*call, TH_E_UNSUPPORTED, "there is no client to ask");
  const auto& refused = call->start.call->answers.refused;
  if (const auto found = refused.find(view(key)); found != refused.end())
    return fail_with(*call, TH_E_DENIED, found->second);
  return answer_question(*call, static_cast<AskKind>(kind), view(key), view(params), *answer);
}

uint32_t client_round(th_call* call) noexcept {
  return answers(call) ? call->start.call->answers.round : 0;
}

/// False for one more than a second may have.
bool count_message(th_call& call) {
  const auto second = wall_clock_us() / 1'000'000;
  if (call.message_second != second) {
    call.message_second = second;
    call.messages = 0;
  }
  if (++call.messages == kMaxMessagesPerSecond + 1)
    call.start.host->report(observability::PluginIncident::kMisbehaved, "message-flood",
                            "tool " + call.start.call->tool->name + ", request " + call.start.call->request_id +
                                ": more than " + std::to_string(kMaxMessagesPerSecond) +
                                " messages to its client in one second; the rest was dropped");
  return call.messages <= kMaxMessagesPerSecond;
}

th_status client_message(th_call* call, int32_t level, th_str logger, th_str data) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (level < 0 || level > static_cast<int32_t>(LogLevel::kEmergency))
    return fail_with(*call, TH_E_INVALID, "level is not 0 to 7");
  if (logger.len > kMaxLoggerBytes || !is_utf8(view(logger)))
    return fail_with(*call, TH_E_INVALID, "the logger is not UTF-8 of at most 256 bytes");
  if (data.len > kMaxClientBytes) return fail_with(*call, TH_E_LIMIT, "a message holds at most 64 KiB");
  if (call->client() == nullptr || !call->client()->wants(static_cast<LogLevel>(level))) return TH_OK;
  if (!count_message(*call)) return fail_with(*call, TH_E_LIMIT, "a call sends at most 200 messages in a second");
  auto document = json::acquire_document();
  const auto root = document->parse(view(data));
  if (!root) return fail_with(*call, TH_E_INVALID, "the data is no JSON: " + root.error().message);
  call->client()->log(static_cast<LogLevel>(level), view(logger), json::to_text(*root));
  return TH_OK;
}

th_status client_let_go(th_call* call) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (call->client() != nullptr) call->client()->let_go();
  return TH_OK;
}

// ---- toolhost.catalog/1

th_status catalog_changed(th_host* host, uint32_t lists) noexcept {
  if (host == nullptr) return TH_E_MISUSE;
  if (lists == 0 || (lists & ~kAllLists) != 0) return TH_E_INVALID;
  return host->announce(lists) ? TH_OK : TH_E_MISUSE;
}

th_status catalog_updated(th_host* host, th_str uri) noexcept {
  if (host == nullptr) return TH_E_MISUSE;
  if (!is_absolute_uri(view(uri))) return TH_E_INVALID;
  return host->announce(view(uri), std::nullopt) ? TH_OK : TH_E_LIMIT;
}

th_status catalog_updated_for(th_call* call, th_str uri) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (!is_absolute_uri(view(uri))) return fail_with(*call, TH_E_INVALID, "the uri is not absolute");
  if (std::find(call->updated.begin(), call->updated.end(), view(uri)) != call->updated.end()) return TH_OK;
  if (call->updated.size() >= CatalogNews::kMaxUpdates)
    return fail_with(*call, TH_E_LIMIT, "a call announces at most 1,000 resources");
  call->updated.emplace_back(view(uri));
  return TH_OK;
}

/// With progress.mutex held.
void send_progress(th_call& call, double done, double total, std::string_view message) {
  auto& progress = call.progress;
  progress.was_sent = true;
  progress.sent = done;
  progress.sent_at = std::chrono::steady_clock::now();
  call.client()->progress(done, total > 0 ? std::optional(total) : std::nullopt, message);
  progress.is_waiting.store(false, std::memory_order_release);
}

}  // namespace

th_status call_progress(th_call* call, double done, double total, th_str message) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  auto& progress = call->progress;
  if (!std::isfinite(done) || !std::isfinite(total))
    return fail_with(*call, TH_E_INVALID, "progress is a finite number");
  if (progress.was_given && done <= progress.given) return fail_with(*call, TH_E_INVALID, "progress did not grow");
  if (message.len > kMaxProgressBytes)
    return fail_with(*call, TH_E_LIMIT, "the message of progress holds at most 1,024 bytes");
  if (!is_utf8(view(message))) return fail_with(*call, TH_E_INVALID, "the message is not UTF-8");
  progress.was_given = true;
  progress.given = done;
  if (call->client() == nullptr || !call->client()->wants_progress()) return TH_OK;
  const std::lock_guard lock(progress.mutex);
  if (progress.was_sent && done <= progress.sent) return TH_OK;  // an attempt before got further
  if (!progress.was_sent || std::chrono::steady_clock::now() - progress.sent_at >= kProgressInterval) {
    send_progress(*call, done, total, view(message));
    return TH_OK;
  }
  progress.waiting = done;
  progress.total = total;
  progress.message = view(message);
  progress.is_waiting.store(true, std::memory_order_release);
  return TH_OK;
}

constexpr th_client_api client_table{sizeof(th_client_api), 0, client_can, client_ask, client_round, client_message,
                                     client_let_go};
constexpr th_catalog_api catalog_table{sizeof(th_catalog_api), 0, catalog_changed, catalog_updated,
                                       catalog_updated_for};

}  // namespace toolhost::plugin_runtime::services

void th_call::flush_progress() {
  if (!progress.is_waiting.load(std::memory_order_acquire)) return;
  const std::lock_guard lock(progress.mutex);
  if (!progress.is_waiting.load(std::memory_order_relaxed)) return;
  toolhost::plugin_runtime::services::send_progress(*this, progress.waiting, progress.total, progress.message);
}
