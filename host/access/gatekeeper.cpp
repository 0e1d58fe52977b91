#include "access/gatekeeper.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

#include "access/api_key.hpp"
#include "access/crypto.hpp"
#include "access/key_table.hpp"
#include "access/usage_counter.hpp"
#include "storage/directory_store.hpp"

namespace toolhost::access {
namespace {

using observability::HostNotice;
using observability::KeyChange;
using observability::KeyChanged;
using observability::Severity;

constexpr std::chrono::seconds kTrustCheckPeriod{1};

class WatchingGatekeeper final : public Gatekeeper, private storage::KeyWatch::Listener {
 public:
  WatchingGatekeeper(const storage::DatabaseAddress& address, const Secret& pepper, const GatekeeperConfig& config,
                     observability::EventSink& events)
      : config_(config),
        events_(events),
        hmac_(pepper),
        keys_(config.membership),
        store_(storage::DirectoryStore::create(address)) {}

  ~WatchingGatekeeper() override {
    watch_.reset();  // from here on nobody calls on_keys() or on_confirmed()
    if (!bookkeeper_.joinable()) return;
    {
      const std::lock_guard lock(stop_mutex_);
      stopping_ = true;
    }
    stop_requested_.notify_all();
    bookkeeper_.join();
  }

  Result<> watch(const storage::DatabaseAddress& address) {
    auto watch = storage::KeyWatch::start(address, *this);
    if (!watch) return watch.error();
    watch_ = std::move(*watch);
    bookkeeper_ = std::thread([this] { keep_books(); });
    return boost::system::in_place_value;
  }

  Result<CallerPtr> authenticate(std::string_view x_api_key, std::string_view authorization) override {
    const auto key = presented_key(x_api_key, authorization);
    if (!key) return key.error();
    // A text that cannot be a key costs no digest, so that guessing cannot keep the host busy.
    if (const auto flaw = describe_malformed_key(*key); !flaw.empty()) {
      return Error{Errc::kUnauthenticated, "Invalid API key", std::string(flaw)};
    }
    if (!is_trusted()) {
      return Error{Errc::kUnavailable,
                   "API keys cannot be checked while the database does not answer; try again shortly", ""};
    }
    auto caller = keys_.find(hmac_.digest({*key}));
    if (caller == nullptr) return Error{Errc::kUnauthenticated, "Invalid API key", "no such key"};
    return caller;
  }

  void count_use(const Caller& caller) noexcept override {
    usage_.add(caller.key_id, std::chrono::system_clock::now());
  }

  void on_revoked(std::function<void(KeyId)> on_revoked) override {
    const std::lock_guard lock(callback_mutex_);
    on_revoked_ = std::move(on_revoked);
  }

  std::chrono::milliseconds unconfirmed_for() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(keys_.unconfirmed_for(KeyTable::Clock::now()));
  }

 private:
  void on_keys(std::vector<storage::KeyRow> rows) override {
    const auto changes = keys_.replace(std::move(rows), KeyTable::Clock::now());
    if (std::exchange(loaded_, true)) {
      for (const auto& [caller, name] : changes.added) {
        events_.emit(KeyChanged{KeyChange::kCreated, caller->tenant, caller->key_prefix, name});
      }
    }
    for (const auto& [caller, name] : changes.removed) {
      {
        const std::lock_guard lock(callback_mutex_);
        if (on_revoked_) on_revoked_(caller->key_id);
      }
      events_.emit(KeyChanged{KeyChange::kDeleted, caller->tenant, caller->key_prefix, name});
    }
  }

  void on_confirmed() override { keys_.confirm(KeyTable::Clock::now()); }

  bool is_trusted() const noexcept {
    return keys_.unconfirmed_for(KeyTable::Clock::now()) <= config_.trust_without_database;
  }

  /// Writes uses in batches and reports when keys stop or start being trusted.
  void keep_books() {
    auto next_flush = std::chrono::steady_clock::now() + config_.usage_flush;
    for (bool trusted = true, stopping = false; !stopping;) {
      {
        std::unique_lock lock(stop_mutex_);
        const auto wake_up = std::min(next_flush, std::chrono::steady_clock::now() + kTrustCheckPeriod);
        stop_requested_.wait_until(lock, wake_up, [this] { return stopping_; });
        stopping = stopping_;
      }
      if (!stopping && is_trusted() != trusted) report_trust(trusted = !trusted);
      if (!stopping && std::chrono::steady_clock::now() < next_flush) continue;
      flush_usage();
      next_flush = std::chrono::steady_clock::now() + config_.usage_flush;
    }
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
    const auto uses = usage_.take();
    if (uses.empty()) return;
    const auto written = store_->record_uses(uses);
    if (written) return;
    usage_.restore(uses);
    events_.emit(HostNotice{Severity::kWarning, "keys", "key usage could not be written: " + written.error().message});
  }

  const GatekeeperConfig config_;
  observability::EventSink& events_;
  const Hmac hmac_;
  KeyTable keys_;
  bool loaded_ = false;  // the watch's thread only

  UsageCounter usage_;
  std::unique_ptr<storage::DirectoryStore> store_;  // the bookkeeper's thread only

  std::mutex callback_mutex_;
  std::function<void(KeyId)> on_revoked_;

  std::mutex stop_mutex_;
  std::condition_variable stop_requested_;
  bool stopping_ = false;
  std::thread bookkeeper_;
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
