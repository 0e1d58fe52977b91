#include "protocol/pending_call.hpp"

#include <utility>

#include "access/crypto.hpp"
#include "base/base64url.hpp"
#include "base/json_writer.hpp"
#include "protocol/client_questions.hpp"
#include "protocol/encode_results.hpp"
#include "protocol/jsonrpc.hpp"

namespace toolhost::protocol {
namespace {

using plugin_runtime::AskKind;
using plugin_runtime::LogLevel;
using plugin_runtime::Outcome;
using plugin_runtime::Question;
using plugin_runtime::ToolResult;
using SteadyClock = std::chrono::steady_clock;

// Nobody knows when a plugin's queue has room again.
constexpr std::chrono::seconds kWaitWhenBusy{2};
constexpr std::string_view kTooManyQuestions =
    R"([{"type":"text","text":"Too many questions of this client are waiting for an answer. Nothing was saved. Answer them first."}])";

std::string notification(std::string_view method, std::string_view params) {
  return std::string(R"({"jsonrpc":"2.0","method":")").append(method).append(R"(","params":)").append(params) + '}';
}

std::string random_chain() {
  std::string bytes(16, '\0');
  access::fill_random({reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()});
  return to_base64url(bytes);
}

/// The message of a JSON-RPC error object.
std::string message_in(const std::string& error_json) {
  const auto document = json::acquire_document();
  const auto error = document->parse(error_json);
  json::Value member;
  std::string_view text;
  if (error && json::find(*error, "message").get(member) == simdjson::SUCCESS) (void)member.get(text);
  return std::string(text);
}

}  // namespace

PendingCall::PendingCall(Start start, const RequestContext& context, ReplySink sink)
    : id_(std::move(start.id)),
      open_id_(std::move(start.open_id)),
      method_(start.method),
      progress_token_(std::move(start.progress_token)),
      session_(context.session),
      stream_(context.stream),
      revision_(context.revision),
      capabilities_(context.capabilities),
      log_level_(context.log_level),
      trace_(std::move(start.trace)),
      sink_(std::move(sink)),
      admission_(std::move(start.admission)),
      running_(std::move(start.running)) {
  on_done = [](ToolCall& call, ToolResult&& result) { static_cast<PendingCall&>(call).finish(std::move(result)); };
  // Not an owner: the client lives as long as the call, which it is.
  client = std::shared_ptr<ClientPort>(std::shared_ptr<void>(), this);
}

Session::Opening PendingCall::open() {
  if (is_opening_.exchange(true)) return Session::Opening::kOpened;  // once, by whichever thread is first
  const auto opening = session_->open_call(open_id_, weak_from_this());
  if (opening != Session::Opening::kOpened) return opening;
  is_open_ = true;
  if (is_answered_) session_->close_call(open_id_);  // meanwhile, by a thread that did not see is_open_ yet
  return opening;
}

void PendingCall::go_on_from(StateContents state) {
  answers.by_key = std::move(state.answers);
  if (state.chain.empty()) return;
  answers.round = state.round + 1;
  chain_ = std::move(state.chain);
  if (idempotency_key.empty()) idempotency_key = chain_;
  if (tool->read_only) return;
  const auto digest = access::sha256(chain_);
  used_state.assign(digest.begin(), digest.end());
  used_state_expires = std::chrono::system_clock::now() + running_->ask_limit;
}

void PendingCall::stop(StopReason reason) noexcept {
  reply(reason);
  cancel();
  std::unique_ptr<KeyById> asked;
  {
    const std::lock_guard lock(ask_mutex_);
    asked.swap(asked_);
  }
  if (asked == nullptr) return;  // its handler runs, and ends the call
  forget_questions(*asked, reason == StopReason::kCancelledByClient);
  ToolResult result;
  result.outcome = Outcome::kCancelled;
  end(std::move(result));
}

bool PendingCall::may_have_saved() const noexcept {
  return !tool->read_only && (tool->open_world || last_sent.load());
}

void PendingCall::refuse(Reply answer) noexcept {
  admission_.release();  // before the answer, as in end()
  reply(std::move(answer));
  running_->end();
}

void PendingCall::reply(Reply reply) noexcept {
  if (is_answered_.exchange(true)) return;
  if (is_open_) session_->close_call(open_id_);
  sink_(std::move(reply));
}

void PendingCall::finish(ToolResult&& result) noexcept {
  if (result.outcome == Outcome::kInputRequired && !is_modern(revision_)) {
    if (ask(result.questions)) return;
    result.outcome = is_answered_ ? Outcome::kCancelled : Outcome::kUnavailable;
    result.is_error = true;
    result.content_json = kTooManyQuestions;
  }
  end(std::move(result));
}

void PendingCall::end(ToolResult&& result) noexcept {
  // First of all: whoever reads the answer may make the next call.
  admission_.release();
  running_->tell({.caller = *caller,
                  .tool = tool->name,
                  .plugin = tool->plugin,
                  .request_id = request_id,
                  .outcome = to_string(result.outcome),
                  .duration = std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - started_),
                  .detail = result.detail,
                  .reason = result.outcome == Outcome::kLimit ? std::string_view("busy") : std::string_view(),
                  .trace = trace_ ? &*trace_ : nullptr,
                  .queued = queued,
                  .in_handler = in_handler,
                  .in_database = in_database},
                 *tool, arguments);
  reply(reply_of(std::move(result)));
  running_->end();
}

ResultTarget PendingCall::target_of_result() const noexcept {
  return {.kind = kind, .id = id_, .target = target, .style = {revision_, running_->server, running_->list_ttl}};
}

Reply PendingCall::reply_of(ToolResult&& result) const {
  if (result.outcome == Outcome::kInputRequired) return input_required(result.questions);
  auto reply = encode_reply(target_of_result(), result);
  if (auto* const message = std::get_if<std::string>(&reply); message != nullptr && result.outcome == Outcome::kLimit)
    return Limited{std::move(*message), kWaitWhenBusy};
  return reply;
}

std::string PendingCall::encode(const ToolResult& result) const {
  return *message_of(encode_reply(target_of_result(), result));
}

bool PendingCall::can(AskKind kind) const noexcept {
  if (!is_modern(revision_) && (stream_ == nullptr || !stream_->can_ask())) return false;
  return capabilities_.can(kind);
}

bool PendingCall::wants_progress() const noexcept {
  return stream_ != nullptr && !progress_token_.empty();
}

bool PendingCall::wants(LogLevel level) const noexcept {
  return stream_ != nullptr && log_level_ && level >= *log_level_;
}

bool PendingCall::is_streamed() const noexcept {
  return stream_ != nullptr && stream_->is_streamed();
}

void PendingCall::progress(double done, std::optional<double> total, std::string_view message) {
  if (!wants_progress() || done <= last_progress_) return;
  last_progress_ = done;
  std::string params;
  JsonWriter json(params);
  json.begin_object().key("progressToken").raw(progress_token_).key("progress").number(done);
  if (total) json.key("total").number(*total);
  if (!message.empty() && revision_ >= Revision::k2025_03_26) json.member("message", message);
  json.end_object();
  stream_->notify(notification("notifications/progress", params));
}

void PendingCall::log(LogLevel level, std::string_view logger, std::string_view data_json) {
  if (!wants(level)) return;
  std::string params;
  JsonWriter json(params);
  json.begin_object().member("level", to_string(level));
  if (!logger.empty()) json.member("logger", logger);
  json.key("data").raw(data_json).end_object();
  stream_->notify(notification("notifications/message", params));
}

void PendingCall::let_go() {
  if (stream_ != nullptr) stream_->let_go();
}

std::optional<plugin_runtime::KeptStream> PendingCall::settle() noexcept {
  return stream_ == nullptr ? std::nullopt : stream_->settle();
}

bool PendingCall::ask(const std::vector<Question>& questions) {
  if (stream_ == nullptr || open() != Session::Opening::kOpened) return false;
  auto asked = std::make_unique<KeyById>();
  std::vector<std::string> messages;
  for (const auto& question : questions) {
    const auto id = running_->questions.add(session_->key(), session_, shared_from_this());
    if (!id) break;
    // The id without its quotes names an elicitation by URL, too.
    messages.push_back(
        R"({"jsonrpc":"2.0","id":)" + *id + ',' +
        encode_question(question, revision_, capabilities_, std::string_view(*id).substr(1, id->size() - 2)) + '}');
    asked->emplace(*id, question.key);
  }
  bool is_asking = messages.size() == questions.size();
  {
    const std::lock_guard lock(ask_mutex_);
    is_asking = is_asking && !is_answered_;
    if (is_asking) asked_.swap(asked);
  }
  if (!is_asking) {
    forget_questions(*asked, false);
    return false;
  }
  // From here on the handler may run again on another thread.
  for (const auto& message : messages) stream_->notify(message);
  return true;
}

void PendingCall::answered(const std::string& id, std::optional<Response> response) noexcept {
  KeyById unanswered;
  {
    const std::lock_guard lock(ask_mutex_);
    if (asked_ == nullptr) return;
    const auto found = asked_->find(id);
    if (found == asked_->end()) return;
    if (response) {
      note(found->second, *response);
      asked_->erase(found);
    } else {
      answers.timed_out = true;
      unanswered.swap(*asked_);
    }
    if (!asked_->empty()) return;
    asked_.reset();
    ++answers.round;
  }
  forget_questions(unanswered, true);
  run_again();
}

/// Takes down what the client has answered. What is no object answers nothing: it is asked again.
void PendingCall::note(const std::string& key, const Response& response) {
  if (response.is_error)
    answers.refused[key] = message_in(response.json);
  else if (response.json.starts_with('{'))
    answers.by_key[key] = response.json;
}

/// The handler, from its top, with what is known now.
void PendingCall::run_again() {
  deadline = Deadline::after(tool->timeout);
  if (!on_done)
    on_done = [](ToolCall& call, ToolResult&& result) { static_cast<PendingCall&>(call).finish(std::move(result)); };
  running_->plugins.run(shared_from_this());
}

void PendingCall::forget_questions(const KeyById& asked, bool tells_client) {
  for (const auto& [id, key] : asked) {
    running_->questions.forget(id);
    if (tells_client && stream_ != nullptr)
      stream_->notify(notification("notifications/cancelled", R"({"requestId":)" + id + '}'));
  }
}

/// What 2026-07-28 answers in place of a result: the questions, and all that is needed to go on.
Reply PendingCall::input_required(const std::vector<Question>& questions) const {
  const StateContents contents{
      .chain = chain_.empty() ? random_chain() : chain_, .round = answers.round, .answers = answers.by_key};
  const StateBinding binding{.key = caller->key_id,
                             .tenant = caller->tenant_id,
                             .method = method_,
                             .target = kind == Kind::kTool ? std::string_view(tool->name) : std::string_view(target),
                             .arguments = arguments};
  const auto state = running_->states.seal(contents, binding, RequestState::Clock::now());
  if (!state) return encode_error({RpcCode::kInternalError, state.error().message, id_}, revision_);
  std::vector<InputRequest> requests;
  for (const auto& question : questions)
    requests.push_back({question.key, encode_question(question, revision_, capabilities_)});
  return encode_result(id_, encode_input_required(requests, *state, target_of_result().style));
}

}  // namespace toolhost::protocol
