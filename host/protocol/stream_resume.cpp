#include "protocol/stream_resume.hpp"

#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "base/hex.hpp"
#include "base/json_writer.hpp"
#include "protocol/http_call_stream.hpp"
#include "protocol/http_replies.hpp"

namespace toolhost::protocol {
namespace {

using storage::StreamStore;
using transport::SseStream;

constexpr std::string_view kHostGone = "The host was restarted while this call ran. ";
constexpr std::string_view kNoAnswer = "This call ended without an answer. ";
constexpr std::string_view kNothingSaved = "Nothing was saved: call again.";
constexpr std::string_view kPerhapsSaved = "It may have been saved: look before you repeat.";
constexpr std::string_view kNoLongerKept =
    "The answer of this call is no longer kept. What it did was saved: look before you repeat.";
constexpr unsigned kPatientTicks = 2;  // until the other host is looked at again

template <class Number>
Number number_in(const json::Value& object, std::string_view name) {
  return static_cast<Number>(json::integer_in(object, name).value_or(0));
}

/// Which host has asked the question with this id (`"th7-..."`, JSON text); nothing when none has.
std::optional<std::uint32_t> host_of_question(std::string_view id) {
  constexpr std::string_view kStart = "\"th";
  if (!id.starts_with(kStart)) return std::nullopt;
  std::uint32_t host = 0;
  const auto* const end = id.data() + id.size();
  const auto [stop, error] = std::from_chars(id.data() + kStart.size(), end, host);
  if (error != std::errc() || stop == end || *stop != '-') return std::nullopt;
  return host;
}

}  // namespace

StreamResume::~StreamResume() {
  end_all();
}

void StreamResume::resume(const EventTokens::Place& place, transport::HttpResponse& response) {
  const auto& token = place.token;
  const auto running = streams_->find(token.stream, token.key);
  const bool can_look = streams_->store != nullptr;
  const auto stream = SseStream::create();
  if (running != nullptr ? !running->resume(place.number, stream) : !can_look)
    return respond_error(response, 400, {RpcCode::kServerError, "Bad Request: Last-Event-ID is not known", {}});
  if (running == nullptr && !streams_->store->is_available())
    return respond_unavailable(response, "What became of the call cannot be looked up now; try again shortly.");
  response.status = 200;
  response.stream = stream;
  if (running != nullptr) return;

  const auto away = std::make_shared<Away>(Away{.token = token,
                                                .sealed = streams_->tokens.seal(token),
                                                .seen = place.number,
                                                .ticks = 0,
                                                .is_gone = false,
                                                .stream = stream});
  AwayPtr former;
  {
    const std::lock_guard lock(mutex_);
    former = std::exchange(away_[token.stream], away);
  }
  if (former != nullptr) former->stream->close();
  look(away);
}

void StreamResume::look(const AwayPtr& away) {
  const auto& token = away->token;
  const bool is_gone = this->is_gone(*away);
  streams_->store->look({.stream = uuid_text(token.stream),
                         .key = token.key,
                         .host = is_gone ? 0 : token.host,
                         .expires = StreamStore::Clock::time_point(std::chrono::seconds(token.expires))},
                        [this, away](const StreamStore::Found& fate) { found(away, fate); });
}

void StreamResume::found(const AwayPtr& away, const StreamStore::Found& found) {
  const auto& token = away->token;
  const auto error = [&](std::string_view text) {
    return encode_error({RpcCode::kInternalError, std::string(text), token.rpc_id});
  };
  switch (found.fate) {
    case StreamStore::Fate::kAnswered:
      return tell(away, away->seen + 1, found.message.empty() ? error(kNoLongerKept) : found.message, true);
    case StreamStore::Fate::kLost: {
      std::string text(is_gone(*away) || token.host == streams_->host() ? kNoAnswer : kHostGone);
      return tell(away, away->seen + 1, error(text.append(token.may_have_saved ? kPerhapsSaved : kNothingSaved)), true);
    }
    case StreamStore::Fate::kRunning:
      return ask_host(away);
    case StreamStore::Fate::kUnknown:
      // The client comes back, and asks again.
      away->stream->close();
      return remove(away);
  }
}

void StreamResume::tell(const AwayPtr& away, std::uint32_t number, std::string_view message, bool is_last) {
  {
    const std::lock_guard lock(mutex_);
    // The answer comes also to a client that says it has seen more than there was.
    if (number <= away->seen && is_last) number = away->seen + 1;
    if (number <= away->seen) return;
    away->seen = number;
    away->ticks = 0;
  }
  const auto id = away->sealed + '.' + std::to_string(number);
  away->stream->send({.event = "message", .data = message, .id = id, .retry = {}});
  if (!is_last) return;
  away->stream->close();
  remove(away);
}

void StreamResume::ask_host(const AwayPtr& away) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().member("kind", "read").member("stream", to_hex(away->token.stream));
  json.key("key").integer(value(away->token.key)).key("seen").unsigned_integer(away->seen);
  json.key("to").unsigned_integer(streams_->host()).end_object();
  streams_->store->send(away->token.host, std::move(text));
}

/// Another host wants to hear what a stream of this one says.
void StreamResume::serve_reader(const json::Value& message) {
  const auto id = from_hex(json::text_in(message, "stream").value_or(""));
  const auto stream = streams_->find(id, number_in<KeyId>(message, "key"));
  const auto to = number_in<std::uint32_t>(message, "to");
  if (stream == nullptr) {
    // It has ended. An answer that it had was sent to the database in front of this letter.
    std::string text;
    JsonWriter(text).begin_object().member("kind", "gone").member("stream", to_hex(id)).end_object();
    return streams_->store->send(to, std::move(text));
  }
  stream->resume(number_in<std::uint32_t>(message, "seen"),
                 [store = streams_->store, to, id](std::uint32_t number, const std::string& event, bool is_last) {
                   std::string text;
                   JsonWriter json(text);
                   json.begin_object().member("kind", "event").member("stream", to_hex(id));
                   json.key("number").unsigned_integer(number).key("last").integer(is_last ? 1 : 0);
                   json.member("message", event).end_object();
                   store->send(to, std::move(text));
                 });
}

void StreamResume::take_gone(const json::Value& message) {
  const auto away = find(from_hex(json::text_in(message, "stream").value_or("")));
  if (away == nullptr) return;
  {
    const std::lock_guard lock(mutex_);
    away->is_gone = true;
  }
  look(away);
}

bool StreamResume::is_gone(const Away& away) const {
  const std::lock_guard lock(mutex_);
  return away.is_gone;
}

void StreamResume::pass_event(const json::Value& message) {
  if (const auto away = find(from_hex(json::text_in(message, "stream").value_or(""))))
    tell(away, number_in<std::uint32_t>(message, "number"), json::text_in(message, "message").value_or(""),
         number_in<int>(message, "last") != 0);
}

void StreamResume::take_response(const Message& response, const Caller& caller, std::string_view text) {
  if (dispatcher_.take_response(response, caller.key_id) || streams_->store == nullptr) return;
  const auto host = host_of_question(response.id);
  if (!host || !streams_->store->is_living(*host)) return;
  std::string out;
  JsonWriter(out)
      .begin_object()
      .member("kind", "response")
      .key("key")
      .integer(value(caller.key_id))
      .member("text", text)
      .end_object();
  streams_->store->send(*host, std::move(out));
}

void StreamResume::pass_response(const json::Value& message) {
  const auto parsed = parse_message(json::text_in(message, "text").value_or(""));
  const auto* const response = std::get_if<Message>(&parsed);
  if (response != nullptr && response->kind == Message::Kind::kResponse)
    dispatcher_.take_response(*response, number_in<KeyId>(message, "key"));
}

void StreamResume::take_letter(std::string_view kind, const json::Value& letter) {
  if (kind == "read") serve_reader(letter);
  if (kind == "event") pass_event(letter);
  if (kind == "gone") take_gone(letter);
  if (kind == "response") pass_response(letter);
}

void StreamResume::on_tick() {
  streams_->sweep(StreamTable::Clock::now());
  std::vector<AwayPtr> silent, left;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, away] : away_) {
      if (!away->stream->is_open())
        left.push_back(away);
      else if (++away->ticks % kPatientTicks == 0)
        silent.push_back(away);
    }
  }
  for (const auto& away : left) remove(away);
  for (const auto& away : silent) look(away);
}

StreamResume::AwayPtr StreamResume::find(const std::string& stream) const {
  const std::lock_guard lock(mutex_);
  const auto found = away_.find(stream);
  return found == away_.end() ? nullptr : found->second;
}

void StreamResume::remove(const AwayPtr& away) {
  const std::lock_guard lock(mutex_);
  const auto found = away_.find(away->token.stream);
  if (found != away_.end() && found->second == away) away_.erase(found);
}

template <class Which>
void StreamResume::end(Which which) {
  std::vector<AwayPtr> ended;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(away_, [&](const auto& entry) {
      if (!which(entry.second->token.key)) return false;
      ended.push_back(entry.second);
      return true;
    });
  }
  for (const auto& away : ended) away->stream->close();
}

void StreamResume::end_key(KeyId key) {
  end([key](KeyId other) { return other == key; });
}

void StreamResume::end_all() {
  end([](KeyId) { return true; });
}

}  // namespace toolhost::protocol
