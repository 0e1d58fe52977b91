#include "protocol/session.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "access/grant.hpp"
#include "base/base64url.hpp"

namespace toolhost::protocol {
namespace {

constexpr std::size_t kRandomBytes = 16;
constexpr std::size_t kMacBytes = 16;
constexpr char kOldIdFormat = 1;  // {format, revision, random}
constexpr char kIdFormat = 2;
constexpr std::size_t kOldPayloadBytes = 2 + kRandomBytes;
constexpr std::size_t kFactBytes = 9;  // format, revision, capabilities (2), kind, host (4)
constexpr std::size_t kPayloadBytes = kFactBytes + kRandomBytes;
constexpr char kNoRevision = '\xFF';
constexpr std::size_t kMostSubscriptions = 1'000, kMostSubscriptionBytes = std::size_t{256} * 1024;
constexpr std::size_t kMostTold = 64, kMostToldBytes = std::size_t{64} * 1024;
constexpr std::string_view kSealPurpose = "toolhost session id";
constexpr std::chrono::minutes kSweepPeriod{1};
constexpr std::chrono::minutes kEndedKeyMemory{5};  // a request meets its session within moments of its verification

std::string random_bytes() {
  std::string bytes(kRandomBytes, '\0');
  access::fill_random({reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()});
  return bytes;
}

}  // namespace

Session::Session(std::string id, const Caller& caller, const SessionFacts& facts)
    : id_(std::move(id)),
      key_(caller.key_id),
      tenant_(caller.tenant_id),
      stream_id_(random_bytes()),
      is_of_sse_(facts.kind == SessionFacts::Kind::kSse),
      revision_(facts.revision ? static_cast<int>(*facts.revision) : -1),
      capabilities_(facts.capabilities.bits()),
      wishes_name_(is_of_sse_ ? stream_id_ : id_) {}

std::optional<Revision> Session::revision() const noexcept {
  const int revision = revision_.load(std::memory_order_relaxed);
  if (revision < 0) return std::nullopt;
  return static_cast<Revision>(revision);
}

void Session::set_revision(Revision revision) noexcept {
  revision_.store(static_cast<int>(revision), std::memory_order_relaxed);
}

ClientCapabilities Session::capabilities() const noexcept {
  return ClientCapabilities::from_bits(capabilities_.load(std::memory_order_relaxed));
}

void Session::set_capabilities(const ClientCapabilities& capabilities) noexcept {
  capabilities_.store(capabilities.bits(), std::memory_order_relaxed);
}

std::optional<plugin_runtime::LogLevel> Session::log_level() const noexcept {
  const int level = log_level_.load(std::memory_order_relaxed);
  if (level < 0) return std::nullopt;
  return static_cast<plugin_runtime::LogLevel>(level);
}

void Session::set_log_level(plugin_runtime::LogLevel level) noexcept {
  log_level_.store(static_cast<int>(level), std::memory_order_relaxed);
}

bool Session::subscribe(std::string uri) {
  const std::lock_guard lock(mutex_);
  if (forgone_) forgone_->erase(uri);
  return subscribe_locked(std::move(uri));
}

bool Session::subscribe_locked(std::string uri) {
  if (ended_) return false;
  if (subscriptions_.contains(uri)) return true;
  const auto bytes = subscription_bytes_ + uri.size();
  if (subscriptions_.size() >= kMostSubscriptions || bytes > kMostSubscriptionBytes) return false;
  subscriptions_.insert(std::move(uri));
  subscription_bytes_ = bytes;
  return true;
}

bool Session::unsubscribe(std::string_view uri) {
  const std::lock_guard lock(mutex_);
  if (forgone_ && forgone_->size() < kMostSubscriptions) forgone_->emplace(uri);
  const auto found = subscriptions_.find(uri);
  if (found == subscriptions_.end()) return forgone_.has_value();
  subscription_bytes_ -= found->size();
  subscriptions_.erase(found);
  return true;
}

bool Session::is_subscribed(std::string_view uri) const {
  const std::lock_guard lock(mutex_);
  return subscriptions_.contains(uri);
}

std::string Session::wishes_name() const {
  const std::lock_guard lock(mutex_);
  return wishes_name_;
}

void Session::set_wishes_name(std::string name) {
  const std::lock_guard lock(mutex_);
  wishes_name_ = std::move(name);
}

void Session::begin_recall() {
  const std::lock_guard lock(mutex_);
  if (!forgone_) forgone_.emplace();
  waits_for_recall_.store(true, std::memory_order_release);
}

void Session::recall(std::optional<plugin_runtime::LogLevel> level, std::vector<std::string> uris) {
  const std::lock_guard lock(mutex_);
  int unsaid = -1;
  if (level) log_level_.compare_exchange_strong(unsaid, static_cast<int>(*level));
  const bool knows_all = forgone_ && forgone_->size() < kMostSubscriptions;
  for (auto& uri : uris)
    if (knows_all && !forgone_->contains(uri)) subscribe_locked(std::move(uri));
  forgone_.reset();
  stop_waiting_for_recall();
}

Session::Opening Session::open_call(std::string id, std::weak_ptr<OpenCall> call) {
  const std::lock_guard lock(mutex_);
  if (ended_) return Opening::kEnded;
  return calls_.try_emplace(std::move(id), std::move(call)).second ? Opening::kOpened : Opening::kDuplicate;
}

void Session::close_call(const std::string& id) noexcept {
  const std::lock_guard lock(mutex_);
  calls_.erase(id);
}

bool Session::cancel_call(const std::string& id) noexcept {
  std::shared_ptr<OpenCall> call;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = calls_.find(id); found != calls_.end()) call = found->second.lock();
  }
  if (call == nullptr) return false;
  call->stop(StopReason::kCancelledByClient);
  return true;
}

std::optional<std::shared_ptr<transport::SseStream>> Session::attach_stream(
    std::shared_ptr<transport::SseStream> stream, const StreamStart& start) {
  const std::lock_guard lock(mutex_);
  if (ended_ || (stream_ != nullptr && !start.after)) return std::nullopt;
  // What is attached still is half-open, as the client tells by coming back.
  auto replaced = std::exchange(stream_, std::move(stream));
  token_ = start.token;
  if (start.retry)
    stream_->send({.event = {},
                   .data = {},
                   .id = token_ + '.' + std::to_string(start.after.value_or(last_number_)),
                   .retry = start.retry});
  for (const auto& told : told_)
    if (start.after && told.number > *start.after) send(told);
  return replaced;
}

bool Session::tell(std::string_view message) {
  const std::lock_guard lock(mutex_);
  if (ended_ || (stream_ == nullptr && token_.empty())) return false;
  Told told{++last_number_, std::string(message)};
  if (stream_ != nullptr) send(told);
  if (token_.empty()) return true;
  told_bytes_ += message.size();
  told_.push_back(std::move(told));
  while (told_.size() > kMostTold || told_bytes_ > kMostToldBytes) {
    told_bytes_ -= told_.front().message.size();
    told_.pop_front();
  }
  return true;
}

void Session::send(const Told& told) const {
  const auto id = token_.empty() ? std::string() : token_ + '.' + std::to_string(told.number);
  stream_->send({.event = "message", .data = told.message, .id = id});
}

std::shared_ptr<transport::SseStream> Session::stream() const {
  const std::lock_guard lock(mutex_);
  return stream_;
}

void Session::detach_stream(const transport::SseStream& stream) noexcept {
  std::shared_ptr<transport::SseStream> detached;
  const std::lock_guard lock(mutex_);
  if (stream_.get() == &stream) detached.swap(stream_);
}

void Session::end(StopReason reason) noexcept {
  std::map<std::string, std::weak_ptr<OpenCall>> calls;
  std::shared_ptr<transport::SseStream> stream;
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    ended_ = reason;
    calls.swap(calls_);
    stream.swap(stream_);
    // Nobody comes back for these, and the session may stay known for long.
    subscriptions_.clear();
    subscription_bytes_ = 0;
    forgone_.reset();
    told_.clear();
    told_bytes_ = 0;
  }
  // Outside the lock: both call back into this session.
  for (const auto& [id, weak] : calls) {
    if (const auto call = weak.lock()) call->stop(reason);
  }
  if (stream != nullptr) stream->close();
}

std::optional<StopReason> Session::ended() const noexcept {
  const std::lock_guard lock(mutex_);
  return ended_;
}

bool Session::is_busy() const noexcept {
  const std::lock_guard lock(mutex_);
  return stream_ != nullptr || !calls_.empty();
}

std::string SessionSeal::make(KeyId key, const SessionFacts& facts) const {
  const auto bits = facts.capabilities.bits();
  std::string bytes{kIdFormat, facts.revision ? static_cast<char>(*facts.revision) : kNoRevision,
                    static_cast<char>(bits & 0xFF), static_cast<char>(bits >> 8), static_cast<char>(facts.kind)};
  for (unsigned i = 0; i < 4; ++i) bytes += static_cast<char>(facts.host >> (8 * i));
  bytes += random_bytes();
  bytes += mac_of(key, bytes);
  return to_base64url(bytes);
}

std::optional<SessionFacts> SessionSeal::open(KeyId key, std::string_view id) const {
  const auto bytes = from_base64url(id);
  if (!bytes || bytes->size() < kMacBytes) return std::nullopt;
  const auto payload = std::string_view(*bytes).substr(0, bytes->size() - kMacBytes);
  const bool is_old = payload.size() == kOldPayloadBytes && payload[0] == kOldIdFormat;
  if (!is_old && (payload.size() != kPayloadBytes || payload[0] != kIdFormat)) return std::nullopt;
  if (!access::equal_in_constant_time(mac_of(key, payload), std::string_view(*bytes).substr(payload.size())))
    return std::nullopt;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(payload[at]); };
  SessionFacts facts;
  if (payload[1] != kNoRevision) {
    facts.revision = static_cast<Revision>(byte(1));
    if (*facts.revision > kNewestLegacy) return std::nullopt;  // made by a newer host of the same installation
  }
  if (is_old) return facts;
  facts.capabilities = ClientCapabilities::from_bits(static_cast<std::uint16_t>(byte(2) | byte(3) << 8));
  facts.kind = static_cast<SessionFacts::Kind>(byte(4));
  for (unsigned i = 0; i < 4; ++i) facts.host |= std::uint32_t{byte(5 + i)} << (8 * i);
  return facts;
}

std::string SessionSeal::mac_of(KeyId key, std::string_view payload) const {
  const std::string owner = std::to_string(value(key));
  const auto digest =
      hmac_.digest({kSealPurpose, std::string_view("\0", 1), owner, std::string_view("\0", 1), payload});
  return {reinterpret_cast<const char*>(digest.data()), kMacBytes};
}

std::string random_id() {
  return to_base64url(random_bytes());
}

SessionPtr SessionTable::create(const Caller& caller, Revision revision, Clock::time_point now,
                                const ClientCapabilities& capabilities) {
  const SessionFacts facts{.revision = revision, .capabilities = capabilities, .host = host_.load()};
  return enter(std::make_shared<Session>(seal_.make(caller.key_id, facts), caller, facts), now);
}

SessionPtr SessionTable::find(const Caller& caller, std::string_view id, Clock::time_point now) {
  if (auto session = find_remembered(caller, id, now)) return session->ended() ? nullptr : session;
  const auto facts = seal_.open(caller.key_id, id);
  if (!facts || facts->kind != SessionFacts::Kind::kHttp || is_forgotten(id)) return nullptr;
  const auto recovered = std::make_shared<Session>(std::string(id), caller, *facts);
  if (on_recovered_) recovered->begin_recall();
  auto session = enter(recovered, now);
  if (session == recovered && on_recovered_) on_recovered_(session);
  return session->ended() ? nullptr : session;
}

SessionPtr SessionTable::find_remembered(const Caller& caller, std::string_view id, Clock::time_point now) {
  Shard& shard = shard_of(caller.key_id);
  const std::lock_guard lock(shard.mutex);
  const auto key = shard.keys.find(value(caller.key_id));
  if (key == shard.keys.end()) return nullptr;
  const auto found = key->second.by_id.find(id);
  if (found == key->second.by_id.end()) return nullptr;
  found->second->last_used = now;
  key->second.recent.splice(key->second.recent.begin(), key->second.recent, found->second);
  return found->second->session;
}

SessionPtr SessionTable::find_remembered(KeyId id, const std::array<std::uint8_t, 32>& hash) const {
  std::vector<SessionPtr> sessions;
  {
    const Shard& shard = shard_of(id);
    const std::lock_guard lock(shard.mutex);
    if (const auto key = shard.keys.find(value(id)); key != shard.keys.end()) collect(key->second, sessions);
  }
  const auto found = std::ranges::find_if(
      sessions, [&](const auto& session) { return !session->id().empty() && access::sha256(session->id()) == hash; });
  return found == sessions.end() ? nullptr : *found;
}

bool SessionTable::end(const Caller& caller, std::string_view id, Clock::time_point now) {
  const auto session = find(caller, id, now);
  if (session == nullptr) return false;
  // It stays in the table, ended, so that its id, which still proves itself, does not bring it back.
  session->end(StopReason::kSessionEnded);
  if (on_ended_) on_ended_(caller.key_id, session->id());
  return true;
}

void SessionTable::forget(KeyId id, const std::array<std::uint8_t, 32>& hash,
                          std::chrono::system_clock::time_point until) {
  {
    const std::lock_guard lock(forgotten_mutex_);
    const auto now = std::chrono::system_clock::now();
    std::erase_if(forgotten_, [&](const auto& entry) { return entry.second < now; });
    forgotten_[hash] = until;
  }
  if (const auto session = find_remembered(id, hash)) session->end(StopReason::kSessionEnded);
}

bool SessionTable::is_forgotten(std::string_view id) {
  const std::lock_guard lock(forgotten_mutex_);
  if (forgotten_.empty()) return false;
  const auto found = forgotten_.find(access::sha256(id));
  return found != forgotten_.end() && found->second >= std::chrono::system_clock::now();
}

std::size_t SessionTable::max_streams(const Caller& caller) const noexcept {
  if (caller.grant == nullptr) return limits_.max_streams_per_key;
  return std::min(limits_.max_streams_per_key, caller.grant->rights()->max_streams());
}

SessionTable::Attaching SessionTable::attach(const Caller& caller, const SessionPtr& session,
                                             const std::shared_ptr<transport::SseStream>& stream,
                                             const StreamStart& start) {
  std::optional<std::shared_ptr<transport::SseStream>> replaced;
  {
    Shard& shard = shard_of(session->key());
    const std::lock_guard lock(shard.mutex);
    KeySessions& key = shard.keys[value(session->key())];
    if (key.ended || session->ended()) return Attaching::kEnded;
    const bool replaces = start.after && session->stream() != nullptr;
    if (!replaces && key.streams >= max_streams(caller)) return Attaching::kTooMany;
    replaced = session->attach_stream(stream, start);
    if (!replaced) return Attaching::kOccupied;
    ++key.streams;
  }
  if (*replaced != nullptr) (*replaced)->close();
  return Attaching::kAttached;
}

void SessionTable::detach(const SessionPtr& session, const transport::SseStream& stream) noexcept {
  session->detach_stream(stream);
  Shard& shard = shard_of(session->key());
  const std::lock_guard lock(shard.mutex);
  if (const auto key = shard.keys.find(value(session->key())); key != shard.keys.end()) release_stream(key->second);
}

SessionPtr SessionTable::open_stream(const Caller& caller, const std::shared_ptr<transport::SseStream>& stream) {
  const SessionFacts facts{.kind = SessionFacts::Kind::kSse, .host = host_.load()};
  auto session = std::make_shared<Session>(seal_.make(caller.key_id, facts), caller, facts);
  Shard& shard = shard_of(caller.key_id);
  const std::lock_guard lock(shard.mutex);
  KeySessions& key = shard.keys[value(caller.key_id)];
  if (key.ended) {
    session->end(*key.ended);
    return session;
  }
  if (key.streams >= max_streams(caller)) return nullptr;
  session->attach_stream(stream);
  ++key.streams;
  key.stream_sessions.emplace(session->id(), session);
  return session;
}

SessionPtr SessionTable::find_stream(const Caller& caller, std::string_view id) {
  Shard& shard = shard_of(caller.key_id);
  const std::lock_guard lock(shard.mutex);
  const auto key = shard.keys.find(value(caller.key_id));
  if (key == shard.keys.end()) return nullptr;
  const auto found = key->second.stream_sessions.find(id);
  return found == key->second.stream_sessions.end() ? nullptr : found->second;
}

void SessionTable::close_stream(const SessionPtr& session) noexcept {
  {
    Shard& shard = shard_of(session->key());
    const std::lock_guard lock(shard.mutex);
    const auto key = shard.keys.find(value(session->key()));
    if (key != shard.keys.end() && key->second.stream_sessions.erase(session->id()) > 0) release_stream(key->second);
  }
  session->end(StopReason::kSessionEnded);
}

SessionPtr SessionTable::without_session(const Caller& caller) {
  Shard& shard = shard_of(caller.key_id);
  const std::lock_guard lock(shard.mutex);
  KeySessions& key = shard.keys[value(caller.key_id)];
  if (key.without_session == nullptr) {
    key.without_session = std::make_shared<Session>(std::string(), caller, SessionFacts{});
    if (key.ended) key.without_session->end(*key.ended);
  }
  return key.without_session;
}

void SessionTable::end_key(KeyId id, StopReason reason, Clock::time_point now) noexcept {
  std::vector<SessionPtr> sessions;
  {
    Shard& shard = shard_of(id);
    const std::lock_guard lock(shard.mutex);
    sweep(shard, now);
    KeySessions& key = shard.keys[value(id)];
    collect(key, sessions);
    forget_ending(key);
    key = {};
    key.ended = reason;
    key.ended_at = now;
    ended_keys_.fetch_add(1, std::memory_order_relaxed);
    key.ending = endings_.fetch_add(1, std::memory_order_acq_rel) + 1;
  }
  for (const auto& session : sessions) session->end(reason);
}

void SessionTable::verified(const Caller& caller, std::uint64_t endings_before) noexcept {
  if (ended_keys_.load(std::memory_order_relaxed) == 0) return;
  Shard& shard = shard_of(caller.key_id);
  const std::lock_guard lock(shard.mutex);
  const auto key = shard.keys.find(value(caller.key_id));
  if (key == shard.keys.end() || !key->second.ended || key->second.ending > endings_before) return;
  // Enabled again. What it had has ended for good; it begins anew.
  forget_ending(key->second);
  key->second = {};
}

void SessionTable::forget_ending(KeySessions& key) noexcept {
  if (key.ended) ended_keys_.fetch_sub(1, std::memory_order_relaxed);
  key.ended.reset();
}

void SessionTable::end_all(StopReason reason) noexcept {
  std::vector<SessionPtr> sessions;
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (auto& [id, key] : shard.keys) {
      collect(key, sessions);
      forget_ending(key);
    }
    shard.keys.clear();
  }
  for (const auto& session : sessions) session->end(reason);
}

void SessionTable::tell(KeyId id, std::string_view message) const {
  std::vector<SessionPtr> sessions;
  {
    const Shard& shard = shard_of(id);
    const std::lock_guard lock(shard.mutex);
    const auto key = shard.keys.find(value(id));
    if (key == shard.keys.end()) return;
    collect(key->second, sessions);
  }
  for (const auto& session : sessions)
    if (session->revision()) session->tell(message);
}

void SessionTable::tell_if(std::string_view message, const std::function<bool(const Session&)>& concerns) const {
  std::vector<SessionPtr> sessions;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const auto& [id, key] : shard.keys) collect(key, sessions);
  }
  for (const auto& session : sessions)
    if (session->revision() && concerns(*session)) session->tell(message);
}

SessionTable::Counts SessionTable::counts() const {
  Counts counts;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const auto& [id, key] : shard.keys) {
      counts.sessions += key.recent.size() + key.stream_sessions.size();
      counts.streams += key.streams;
    }
  }
  return counts;
}

std::size_t SessionTable::size() const {
  std::size_t count = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (const auto& [id, key] : shard.keys) count += key.recent.size();
  }
  return count;
}

SessionPtr SessionTable::enter(SessionPtr session, Clock::time_point now) {
  SessionPtr evicted;
  {
    Shard& shard = shard_of(session->key());
    const std::lock_guard lock(shard.mutex);
    sweep(shard, now);
    KeySessions& key = shard.keys[value(session->key())];
    if (key.ended)
      session->end(*key.ended);
    else
      session = remember(key, std::move(session), now, evicted);
  }
  if (evicted != nullptr) evicted->end(StopReason::kSessionEnded);
  return session;
}

SessionPtr SessionTable::remember(KeySessions& key, SessionPtr session, Clock::time_point now, SessionPtr& evicted) {
  // Two requests may recover the same session at a time; the first one's stays.
  if (const auto known = key.by_id.find(session->id()); known != key.by_id.end()) return known->second->session;
  if (key.recent.size() >= limits_.max_sessions_per_key) {
    // The longest idle one; its seal brings it back. One with a stream or a running call goes only when all have.
    const auto idle = std::find_if(key.recent.rbegin(), key.recent.rend(),
                                   [](const auto& remembered) { return !remembered.session->is_busy(); });
    const auto leaving = idle == key.recent.rend() ? std::prev(key.recent.end()) : std::prev(idle.base());
    evicted = std::move(leaving->session);
    key.by_id.erase(evicted->id());
    key.recent.erase(leaving);
  }
  key.recent.push_front({session, now});
  key.by_id.emplace(session->id(), key.recent.begin());
  return session;
}

void SessionTable::sweep(Shard& shard, Clock::time_point now) {
  if (now < shard.next_sweep) return;
  shard.next_sweep = now + kSweepPeriod;
  for (auto entry = shard.keys.begin(); entry != shard.keys.end();) {
    KeySessions& key = entry->second;
    while (!key.recent.empty() && now - key.recent.back().last_used > limits_.idle_limit) {
      const auto oldest = std::prev(key.recent.end());
      if (oldest->session->is_busy()) {
        oldest->last_used = now;
        key.recent.splice(key.recent.begin(), key.recent, oldest);
      } else {
        key.by_id.erase(oldest->session->id());
        key.recent.erase(oldest);
      }
    }
    const bool is_unused = key.recent.empty() && key.streams == 0 &&
                           (key.without_session == nullptr || key.without_session.use_count() == 1) &&
                           (!key.ended || now - key.ended_at > kEndedKeyMemory);
    if (is_unused) forget_ending(key);
    entry = is_unused ? shard.keys.erase(entry) : std::next(entry);
  }
}

void SessionTable::release_stream(KeySessions& key) noexcept {
  // A key's entry may have been dropped and made anew while a stream of the old one was closing.
  if (key.streams > 0) --key.streams;
}

void SessionTable::collect(const KeySessions& key, std::vector<SessionPtr>& sessions) {
  for (const auto& remembered : key.recent) sessions.push_back(remembered.session);
  for (const auto& [id, session] : key.stream_sessions) sessions.push_back(session);
  if (key.without_session != nullptr) sessions.push_back(key.without_session);
}

}  // namespace toolhost::protocol
