#include "access/gatekeeper.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "access/api_key.hpp"
#include "access/crypto.hpp"
#include "access/failed_sign_ins.hpp"
#include "access/key_table.hpp"
#include "access/token_issuers.hpp"
#include "base/utc_text.hpp"
#include "storage/directory_store.hpp"

namespace toolhost::access {
namespace {

using observability::HostNotice;
using observability::KeyChange;
using observability::KeyChanged;
using observability::Severity;

using std::chrono::milliseconds;

constexpr milliseconds kGuardPeriod{250};  // what has ended is told well within a second

Error denied(const KeyTable::Found& found) {
  const std::string detail = "key " + found.caller->key_prefix + " of tenant " + found.caller->tenant;
  if (found.state == KeyState::kDisabled) {
    return {Errc::kDenied, "Access denied: this API key is disabled; ask whoever manages your keys to enable it",
            detail + " is disabled"};
  }
  if (found.state == KeyState::kOwnerLeft) {
    return {Errc::kDenied,
            "Access denied: whoever made this API key does not belong to the tenant any more, or has not proved their "
            "e-mail address; ask whoever manages its people",
            detail + " is of somebody whom the tenant does not name, or whose address nobody vouches for"};
  }
  return {Errc::kDenied,
          "Access denied: this API key expired on " +
              utc_text(found.expires_at.value_or(KeyTable::WallClock::now()), "%Y-%m-%d %H:%M UTC") +
              "; make a new one",
          detail + " has expired"};
}

Reason reason_of(KeyState state) noexcept {
  if (state == KeyState::kExpired) return Reason::kKeyExpired;
  return state == KeyState::kOwnerLeft ? Reason::kOwnerLeft : Reason::kKeyDisabled;
}

KeyFlaw flaw_of_state(KeyState state) noexcept {
  if (state == KeyState::kExpired) return KeyFlaw::kExpired;
  return state == KeyState::kOwnerLeft ? KeyFlaw::kOwnerLeft : KeyFlaw::kDisabled;
}

Error held_off(milliseconds wait) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
  return {Errc::kLimit,
          "Too many invalid API keys from this address. Wait " + std::to_string(seconds) + " s, then try again.",
          "too many refused keys"};
}

PolicyPtr policy_or_defaults(PolicyPtr policy) {
  return policy != nullptr ? std::move(policy) : Policy::compile({built_in_defaults(), {}});
}

/// A thread that works at intervals until it is stopped, and once more then.
class Ticker {
 public:
  Ticker() = default;
  ~Ticker() { stop(); }

  template <class Work>
  void start(milliseconds period, Work work) {
    thread_ = std::thread([this, period, work = std::move(work)] {
      for (bool stopping = false; !stopping;) {
        {
          std::unique_lock lock(mutex_);
          stop_requested_.wait_for(lock, period, [this] { return stopping_; });
          stopping = stopping_;
        }
        work();
      }
    });
  }
  void stop() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    stop_requested_.notify_all();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable stop_requested_;
  bool stopping_ = false;
  std::thread thread_;
};

class WatchingGatekeeper final : public Gatekeeper, private storage::KeyWatch::Listener {
 public:
  WatchingGatekeeper(const storage::DatabaseAddress& address, const Secret& pepper, const GatekeeperConfig& config,
                     observability::EventSink& events)
      : config_(config),
        events_(events),
        hmac_(pepper),
        failed_sign_ins_(config.failed_sign_ins, config.failed_sign_in_period),
        keys_(policy_or_defaults(config.policy), config.is_trial),
        store_(storage::DirectoryStore::create(address)) {}

  ~WatchingGatekeeper() override {
    watch_.reset();  // from here on nobody calls on_keys() or on_confirmed()
    guard_.stop();
    bookkeeper_.stop();
  }

  Result<> watch(const storage::DatabaseAddress& address) {
    if (auto taken = take_tokens(); !taken) return taken;
    auto watch = storage::KeyWatch::start(address, *this);
    if (!watch) return watch.error();
    watch_ = std::move(*watch);
    // Two threads: a database that hangs holds up the books, not the end of keys.
    guard_.start(kGuardPeriod, [this] { keep_guard(); });
    bookkeeper_.start(config_.usage_flush, [this] { flush_usage(); });
    return boost::system::in_place_value;
  }

  Result<CallerPtr> authenticate(std::string_view x_api_key, std::string_view authorization,
                                 std::string_view remote_address) override {
    if (tokens_ != nullptr) {
      if (const auto token = presented_token(x_api_key, authorization); !token.empty())
        return tokens_->authenticate(token);
    }
    KeyFlaw flaw = KeyFlaw::kNone;
    auto caller = identify(x_api_key, authorization, remote_address, flaw);
    if (config_.attempts == nullptr) return caller;
    if (caller) {
      config_.attempts->accepted(**caller, !x_api_key.empty(), remote_address);
    } else if (caller.error().code != Errc::kLimit) {  // somebody who tries on and on tells nobody anything new
      config_.attempts->refused(x_api_key, authorization, remote_address, flaw);
    }
    return caller;
  }

  std::shared_ptr<const ProtectedResource> resource() const override { return resource_; }
  bool is_fetching() const noexcept override { return tokens_ != nullptr && tokens_->is_fetching(); }
  std::vector<CallerPtr> token_callers() const override {
    return tokens_ == nullptr ? std::vector<CallerPtr>() : tokens_->callers();
  }

  std::vector<CallerPtr> callers_of(KeyId key) const override {
    if (value(key) >= 0) {
      auto caller = keys_.find(key);
      return caller == nullptr ? std::vector<CallerPtr>() : std::vector<CallerPtr>{std::move(caller)};
    }
    auto callers = token_callers();
    std::erase_if(callers, [&](const auto& caller) { return caller->key_id != key; });
    return callers;
  }

  std::optional<DeniedKey> denied_key(std::string_view x_api_key, std::string_view authorization) const override {
    const auto key = presented_key(x_api_key, authorization);
    if (!key || !describe_malformed_key(*key).empty()) return std::nullopt;
    auto found = find(*key);
    if (found.caller == nullptr || found.state == KeyState::kLive) return std::nullopt;
    return DeniedKey{std::move(found.caller), reason_of(found.state)};
  }

  std::shared_ptr<UsageCounter> usage() const override { return usage_; }

  std::vector<CallerPtr> set_policy(PolicyPtr policy) override {
    auto regoverned =
        keys_.set_policy(policy_or_defaults(std::move(policy)), KeyTable::Clock::now(), KeyTable::WallClock::now());
    tell(regoverned.changes);
    if (tokens_ != nullptr) {
      auto by_token = tokens_->set_policy(keys_.policy());
      revoke(by_token.ended);
      regoverned.relisted.insert(regoverned.relisted.end(), by_token.callers.begin(), by_token.callers.end());
    }
    return std::move(regoverned.relisted);
  }
  PolicyPtr policy() const override { return keys_.policy(); }
  std::vector<KnownKey> keys() const override { return keys_.keys(); }
  std::size_t key_count() const override { return keys_.size(); }
  bool knows_prefix(std::string_view prefix) const override { return keys_.knows_prefix(prefix); }

  void on_revoked(std::function<void(KeyId)> on_revoked) override {
    const std::lock_guard lock(callback_mutex_);
    on_revoked_ = std::move(on_revoked);
  }

  milliseconds unconfirmed_for() const override {
    return std::chrono::duration_cast<milliseconds>(keys_.unconfirmed_for(KeyTable::Clock::now()));
  }

 private:
  Result<> take_tokens() {
    if (config_.tokens.issuers.empty()) return {};
    resource_ = std::make_shared<const ProtectedResource>(config_.tokens);
    auto tokens = TokenIssuers::start(
        config_.tokens, {.resource = resource_, .policy = keys_.policy(), .meters = keys_.meters()}, events_);
    if (!tokens) return tokens.error();
    tokens_ = std::move(*tokens);
    return {};
  }

  void on_tenants(std::vector<storage::TenantRow> rows) override {
    if (tokens_ != nullptr) tokens_->set_tenants(std::move(rows));
  }

  void on_keys(std::vector<storage::KeyRow> rows) override {
    const bool is_first = !std::exchange(loaded_, true);
    if (is_first && !config_.is_trial) tell_of_trial(rows);
    auto changes = keys_.replace(std::move(rows), KeyTable::Clock::now(), KeyTable::WallClock::now());
    if (is_first) changes.added.clear();
    tell(changes);
  }

  void tell_of_trial(const std::vector<storage::KeyRow>& rows) {
    const auto count = std::ranges::count_if(rows, &storage::KeyRow::is_of_trial);
    if (count == 0) return;
    events_.emit(HostNotice{Severity::kWarning, "keys",
                            std::to_string(count) +
                                " API key(s) were made in the trial, by people who proved nothing, and are refused now "
                                "that it is over; make new ones, and delete these with: toolhost key delete"});
  }

  void on_confirmed() override { keys_.confirm(KeyTable::Clock::now()); }

  void tell(const KeyTable::Changes& changes) {
    tell(KeyChange::kCreated, changes.added);
    tell(KeyChange::kEnabled, changes.enabled);
    for (const auto* ended : {&changes.removed, &changes.disabled, &changes.expired}) {
      const std::lock_guard lock(callback_mutex_);
      for (const auto& [caller, name] : *ended) {
        if (on_revoked_) on_revoked_(caller->key_id);
      }
    }
    tell(KeyChange::kDeleted, changes.removed);
    tell(KeyChange::kDisabled, changes.disabled);
    tell(KeyChange::kExpired, changes.expired);
  }

  void revoke(const std::vector<KeyId>& ended) {
    const std::lock_guard lock(callback_mutex_);
    for (const KeyId key : ended)
      if (on_revoked_) on_revoked_(key);
  }

  void tell(KeyChange change, const std::vector<KeyTable::Change>& keys) {
    for (const auto& [caller, name] : keys) {
      events_.emit(KeyChanged{change, caller->tenant, caller->key_prefix, name});
    }
  }

  /// As authenticate(); `flaw` is set when there is no caller.
  Result<CallerPtr> identify(std::string_view x_api_key, std::string_view authorization,
                             std::string_view remote_address, KeyFlaw& flaw) {
    const auto key = presented_key(x_api_key, authorization);
    if (!key) {
      flaw = authorization.empty() ? KeyFlaw::kMissing : KeyFlaw::kNotBearer;
      return key.error();
    }
    const auto now = KeyTable::Clock::now();
    if (const auto wrong = describe_malformed_key(*key); !wrong.empty()) {
      flaw = flaw_of(*key);
      return refused(remote_address, now, std::string(wrong));
    }
    if (!is_trusted(now)) {
      flaw = KeyFlaw::kUnchecked;
      return Error{Errc::kUnavailable,
                   "API keys cannot be checked while the database does not answer; try again shortly", ""};
    }
    auto found = find(*key);
    if (found.caller == nullptr) {
      flaw = KeyFlaw::kUnknown;
      return refused(remote_address, now, "no such key");
    }
    if (found.state == KeyState::kLive) return std::move(found.caller);
    flaw = flaw_of_state(found.state);
    return denied(found);
  }

  /// A key whose prefix nobody has costs no digest, so that guessing cannot keep the host busy.
  KeyTable::Found find(std::string_view key) const {
    if (!keys_.knows_prefix(public_prefix(key))) return {};
    return keys_.find(hmac_.digest({key}), KeyTable::WallClock::now());
  }

  /// The refusal of a key that is none; counts against the address.
  Error refused(std::string_view remote_address, KeyTable::Clock::time_point now, std::string why) {
    if (const auto wait = failed_sign_ins_.fail(FailedSignIns::address(remote_address), now);
        wait > milliseconds::zero())
      return held_off(wait);
    return {Errc::kUnauthenticated, "Invalid API key", std::move(why)};
  }

  bool is_trusted(KeyTable::Clock::time_point now) const noexcept {
    return keys_.unconfirmed_for(now) <= config_.trust_without_database;
  }

  /// Ends keys that expire and reports when keys stop or start being trusted.
  void keep_guard() {
    tell(keys_.expire(KeyTable::WallClock::now()));
    if (tokens_ != nullptr) revoke(tokens_->take_ended());
    if (is_trusted(KeyTable::Clock::now()) != trusted_) report_trust(trusted_ = !trusted_);
  }

  void report_trust(bool trusted) {
    if (trusted) {
      events_.emit(HostNotice{Severity::kInfo, "keys", "the database confirms API keys again; they are accepted"});
    } else {
      events_.emit(
          HostNotice{Severity::kError, "keys",
                     "the database has not confirmed the API keys for too long; every key is refused until it does"});
    }
  }

  void flush_usage() {
    auto uses = usage_->take();
    std::erase_if(uses, [](const auto& use) { return value(use.id) < 0; });  // a caller by token has no row of a key
    if (uses.empty()) return;
    const auto written = store_->record_uses(uses);
    if (written) return;
    usage_->restore(uses);
    events_.emit(HostNotice{Severity::kWarning, "keys", "key usage could not be written: " + written.error().message});
  }

  const GatekeeperConfig config_;
  observability::EventSink& events_;
  const Hmac hmac_;
  FailedSignIns failed_sign_ins_;
  KeyTable keys_;
  std::shared_ptr<const ProtectedResource> resource_;  // with tokens_
  std::unique_ptr<TokenIssuers> tokens_;               // null: only keys are let in
  bool loaded_ = false;                                // the watch's thread only

  const std::shared_ptr<UsageCounter> usage_ = std::make_shared<UsageCounter>();
  std::unique_ptr<storage::DirectoryStore> store_;  // the bookkeeper's thread only

  std::mutex callback_mutex_;
  std::function<void(KeyId)> on_revoked_;

  bool trusted_ = true;  // the guard's thread only
  Ticker guard_, bookkeeper_;
  std::unique_ptr<storage::KeyWatch> watch_;
};

}  // namespace

Result<std::unique_ptr<Gatekeeper>> Gatekeeper::start(const storage::DatabaseAddress& address, Secret pepper,
                                                      const GatekeeperConfig& config,
                                                      observability::EventSink& events) {
  auto gatekeeper = std::make_unique<WatchingGatekeeper>(address, pepper, config, events);
  if (const auto watching = gatekeeper->watch(address); !watching) return watching.error();
  return std::unique_ptr<Gatekeeper>(std::move(gatekeeper));
}

}  // namespace toolhost::access
