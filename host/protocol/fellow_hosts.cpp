#include "protocol/fellow_hosts.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "access/crypto.hpp"
#include "base/hex.hpp"
#include "base/json_writer.hpp"
#include "protocol/method_params.hpp"

namespace toolhost::protocol {
namespace {

using plugin_runtime::CatalogChange;
using plugin_runtime::LogLevel;
using storage::StreamStore;

constexpr std::size_t kMostNonces = 256;  // a letter that comes twice does so at once
constexpr int kLeastLevel = static_cast<int>(LogLevel::kDebug), kHighestLevel = static_cast<int>(LogLevel::kEmergency);

std::optional<LogLevel> level_of(std::optional<std::int64_t> number) noexcept {
  if (!number || *number < kLeastLevel || *number > kHighestLevel) return std::nullopt;
  return static_cast<LogLevel>(*number);
}

std::string hash_text(std::string_view session_id) {
  const auto hash = access::sha256(session_id);
  return to_hex({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

/// {"kind": kind, "key": key, "session": hash, and what `rest` adds}.
template <class Rest>
std::string letter_about(std::string_view kind, KeyId key, std::string_view session_id, Rest rest) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().member("kind", kind).key("key").integer(value(key)).member("session", hash_text(session_id));
  rest(json);
  json.end_object();
  return text;
}

}  // namespace

FellowHosts::FellowHosts(Dispatcher& dispatcher, const access::Gatekeeper& gatekeeper,
                         std::shared_ptr<SessionTable> sessions, StreamTable& streams, StreamResume& resume,
                         observability::EventSink& events)
    : gatekeeper_(gatekeeper), sessions_(std::move(sessions)), store_(streams.store), resume_(resume), events_(events) {
  if (store_ == nullptr) return;
  // They know each other's calls and streams by the hosts' numbers.
  sessions_->set_host(store_->host());
  dispatcher.set_host(store_->host());
  dispatcher.set_observer(this);
}

FellowHosts::~FellowHosts() {
  leave();
}

void FellowHosts::leave() {
  if (store_ != nullptr) store_->set_listener(nullptr);
}

void FellowHosts::join(Handlers handlers, std::chrono::minutes remembered) {
  handlers_ = std::move(handlers);
  if (store_ == nullptr) return;
  sessions_->on_ended([store = store_, remembered](KeyId key, const std::string& id) {
    store->end_session(key, access::sha256(id), StreamStore::Clock::now() + remembered);
  });
  sessions_->on_recovered([this](const SessionPtr& session) { recall(session); });
  store_->set_listener(this);
}

void FellowHosts::recall(const SessionPtr& session) {
  if (store_ == nullptr) return;
  session->begin_recall();
  if (!store_->is_available()) session->stop_waiting_for_recall();
  store_->find_wishes(session->key(), access::sha256(session->wishes_name()),
                      [session](const std::vector<StreamStore::Wish>& found) {
                        std::optional<LogLevel> level;
                        std::vector<std::string> uris;
                        for (const auto& wish : found) {
                          if (wish.uri.empty())
                            level = level_of(wish.level);
                          else
                            uris.push_back(wish.uri);
                        }
                        session->recall(level, std::move(uris));
                      });
}

void FellowHosts::wished(const Session& session, const Wish& wish) {
  std::optional<int> level;
  if (wish.level) level = static_cast<int>(*wish.level);
  store_->note_wish(session.key(), access::sha256(session.wishes_name()),
                    {.uri = std::string(wish.uri), .level = level, .is_withdrawn = wish.is_withdrawn});
  if (session.is_of_sse()) return;
  store_->send_others(letter_about("wish", session.key(), session.id(), [&](JsonWriter& json) {
    json.member("uri", wish.uri).key("withdrawn").integer(wish.is_withdrawn ? 1 : 0);
    if (level) json.key("level").integer(*level);
  }));
}

void FellowHosts::cancelled_elsewhere(const Session& session, std::string_view request_id) noexcept {
  if (session.id().empty() || session.is_of_sse() || !store_->has_others()) return;
  store_->send_others(letter_about("cancelled", session.key(), session.id(),
                                   [&](JsonWriter& json) { json.member("request", request_id); }));
}

FellowHosts::Passing FellowHosts::pass_on(const Caller& caller, std::string_view session_id, std::string_view body,
                                          std::string_view version) {
  // The rights of an access token are the token's own: only who sees it can tell.
  if (store_ == nullptr || value(caller.key_id) < 0) return Passing::kNobody;
  const auto facts = sessions_->facts_of(caller, session_id);
  if (!facts || facts->kind != SessionFacts::Kind::kSse || facts->host == store_->host()) return Passing::kNobody;
  if (!store_->is_available()) return Passing::kNotNow;
  if (!store_->is_living(facts->host)) return Passing::kNobody;
  auto letter = letter_about("message", caller.key_id, session_id, [&](JsonWriter& json) {
    // A letter may come twice, when the connection to the database is lost while it is written.
    json.member("nonce", random_id()).member("body", body);
    if (parse_revision(version)) json.member("version", version);
  });
  return store_->send_lesser(facts->host, std::move(letter)) ? Passing::kPassed : Passing::kNotNow;
}

void FellowHosts::tell_changed(const CatalogChange& change) {
  if (store_ == nullptr || change.updated_uri.empty() || change.updated_uri.size() > kLongestUri ||
      !store_->has_others())
    return;
  std::string text;
  JsonWriter json(text);
  json.begin_object().member("kind", "changed").member("uri", change.updated_uri);
  if (change.tenant) json.key("tenant").integer(value(*change.tenant));
  json.end_object();
  store_->announce(std::move(text));
}

void FellowHosts::on_session_ended(KeyId key, const StreamStore::SessionHash& id,
                                   StreamStore::Clock::time_point until) {
  sessions_->forget(key, id, until);
}

void FellowHosts::on_tick() {
  resume_.on_tick();
}

void FellowHosts::on_message(std::string message) {
  const auto document = json::acquire_document();
  const auto letter = document->parse(message);
  if (!letter) return;  // of a newer host
  try {
    take_letter(*letter);
  } catch (const std::exception& error) {  // as on an I/O thread: it is one client's
    const auto text = std::string("a message of another host failed: ") + error.what();
    events_.emit(observability::HostNotice{observability::Severity::kError, "streams", text});
  }
}

void FellowHosts::take_letter(const json::Value& letter) {
  const auto kind = json::text_in(letter, "kind").value_or("");
  if (kind == "message") return take_message(letter);
  if (kind == "wish") return take_wish(letter);
  if (kind == "cancelled") return take_cancellation(letter);
  if (kind == "changed") return take_change(letter);
  resume_.take_letter(kind, letter);
}

SessionPtr FellowHosts::session_of(const json::Value& letter) const {
  const auto bytes = from_hex(json::text_in(letter, "session").value_or(""));
  StreamStore::SessionHash hash{};
  if (bytes.size() != hash.size()) return nullptr;
  std::ranges::copy(bytes, reinterpret_cast<char*>(hash.data()));
  return sessions_->find_remembered(KeyId{json::integer_in(letter, "key").value_or(0)}, hash);
}

void FellowHosts::take_message(const json::Value& letter) {
  const auto session = session_of(letter);
  if (session == nullptr) return;  // its client has left meanwhile
  const auto nonce = json::text_in(letter, "nonce").value_or("");
  if (std::ranges::find(nonces_, nonce) != nonces_.end()) return;
  nonces_.emplace_back(nonce);
  if (nonces_.size() > kMostNonces) nonces_.pop_front();
  const auto callers = gatekeeper_.callers_of(session->key());
  if (callers.empty()) return;
  handlers_.message(session, callers.front(), json::text_in(letter, "body").value_or(""),
                    json::text_in(letter, "version").value_or(""));
}

void FellowHosts::take_wish(const json::Value& letter) {
  const auto session = session_of(letter);
  if (session == nullptr) return;
  const auto uri = json::text_in(letter, "uri").value_or("");
  if (const auto level = level_of(json::integer_in(letter, "level")))
    session->set_log_level(*level);
  else if (json::integer_in(letter, "withdrawn").value_or(0) != 0)
    session->unsubscribe(uri);
  else
    session->subscribe(std::string(uri));
}

void FellowHosts::take_cancellation(const json::Value& letter) {
  if (const auto session = session_of(letter))
    session->cancel_call(std::string(json::text_in(letter, "request").value_or("")));
}

void FellowHosts::take_change(const json::Value& letter) {
  CatalogChange change;
  change.updated_uri = json::text_in(letter, "uri").value_or("");
  if (const auto tenant = json::integer_in(letter, "tenant")) change.tenant = TenantId{static_cast<int>(*tenant)};
  if (!change.updated_uri.empty()) handlers_.changed(change);
}

}  // namespace toolhost::protocol
