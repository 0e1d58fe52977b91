#include "access/issuer_keys.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "transport/https_client.hpp"
#include "transport/url.hpp"

namespace toolhost::access {
namespace {

using namespace std::chrono_literals;
using observability::HostNotice;
using observability::Severity;
using Time = std::chrono::steady_clock::time_point;

constexpr std::chrono::seconds kFreshByDefault = 1h, kLeastFresh = 1min, kMostFresh = 24h;
constexpr std::chrono::seconds kRenewPause = 1min, kRetryPause = 5s;
/// Without a word from the issuer keys that it may have withdrawn are used no longer.
constexpr std::chrono::seconds kLongestUse = 24h;

constexpr std::string_view kOpenIdPath = "/.well-known/openid-configuration";
constexpr std::string_view kOAuthPath = "/.well-known/oauth-authorization-server";

Error unavailable(std::string why) {
  return {Errc::kUnavailable, std::move(why)};
}

/// An https URL, or plain HTTP to this machine.
Result<transport::Url> checked_url(const std::string& text) {
  auto url = transport::parse_url(text);
  if (!url) return Error{Errc::kInvalidArgument, "'" + text + "' cannot be used: " + url.error().message};
  if (!url->is_https && !url->is_loopback())
    return Error{Errc::kInvalidArgument, "'" + text + "' cannot be used: it is no https URL"};
  return url;
}

/// Where the metadata may stand: OpenID Connect Discovery 1.0, section 4, then RFC 8414 section 3.1.
std::array<std::string, 2> metadata_urls(const transport::Url& issuer) {
  const std::string path =
      issuer.target.ends_with('/') ? issuer.target.substr(0, issuer.target.size() - 1) : issuer.target;
  return {issuer.origin() + path + std::string(kOpenIdPath), issuer.origin() + std::string(kOAuthPath) + path};
}

class FetchedKeys final : public IssuerKeys {
 public:
  FetchedKeys(IssuerKeysConfig config, const transport::Url& issuer, std::unique_ptr<transport::HttpsClient> client,
              observability::EventSink& events)
      : config_(std::move(config)),
        metadata_urls_(metadata_urls(issuer)),
        client_(std::move(client)),
        events_(events),
        next_fetch_(config_.clock()),
        thread_([this] { work(); }) {}

  ~FetchedKeys() override {
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
    }
    client_->stop();
    wanted_.notify_all();
    thread_.join();
  }

  KeysPtr get() const override {
    const std::lock_guard lock(mutex_);
    return keys_ != nullptr && config_.clock() < usable_until_ ? keys_ : nullptr;
  }

  bool renew(const KeysPtr& known) override {
    const std::lock_guard lock(mutex_);
    if (keys_ != known || is_fetching_) return true;
    const auto now = config_.clock();
    if (now < renew_at_) return false;
    renew_at_ = now + kRenewPause;
    next_fetch_ = now;
    is_fetching_ = true;  // from the caller's point of view
    wanted_.notify_all();
    return true;
  }

  bool is_fetching() const noexcept override {
    const std::lock_guard lock(mutex_);
    return is_fetching_;
  }

 private:
  struct Fetched {
    SigningKeys keys;
    std::chrono::seconds fresh;
  };

  void work() {
    std::unique_lock lock(mutex_);
    while (!is_stopping_) {
      if (const auto now = config_.clock(); now < next_fetch_) {
        wanted_.wait_for(lock, next_fetch_ - now);
        continue;
      }
      is_fetching_ = true;
      lock.unlock();
      auto fetched = fetch();
      const auto news = news_of(fetched);
      lock.lock();
      take(std::move(fetched));
      is_fetching_ = false;
      if (!news || is_stopping_) continue;
      lock.unlock();  // whoever hears of it may ask for the keys
      events_.emit(HostNotice{news->severity, "tokens", news->text});
      lock.lock();
    }
  }

  struct News {
    Severity severity;
    std::string text;
  };
  /// When the issuer is lost or found; told once each.
  std::optional<News> news_of(const Result<Fetched>& fetched) {
    if (std::exchange(has_failed_, !fetched) == !fetched) return std::nullopt;
    if (fetched) return News{Severity::kInfo, "the keys of " + config_.issuer + " are there"};
    return News{Severity::kWarning, "the keys of " + config_.issuer + " cannot be fetched: " + fetched.error().message};
  }

  /// With the lock.
  void take(Result<Fetched> fetched) {
    const auto now = config_.clock();
    if (!fetched) {
      next_fetch_ = now + kRetryPause;
      return;
    }
    keys_ = std::make_shared<const SigningKeys>(std::move(fetched->keys));
    usable_until_ = now + kLongestUse;
    next_fetch_ = now + fetched->fresh;
  }

  Result<Fetched> fetch() {
    const auto url = config_.jwks_url.empty() ? find_keys() : Result<std::string>(config_.jwks_url);
    if (!url) return url.error();
    const auto answer = client_->get(*url);
    if (!answer) return answer.error();
    if (answer->status != 200) return unavailable(*url + " answers " + std::to_string(answer->status));
    auto keys = SigningKeys::parse(answer->body);
    if (!keys) return unavailable(*url + " holds no keys that this server can use");
    return Fetched{std::move(*keys), std::clamp(answer->max_age.value_or(kFreshByDefault), kLeastFresh, kMostFresh)};
  }

  /// jwks_uri of the issuer's metadata.
  Result<std::string> find_keys() {
    Error problem = unavailable("it has no metadata");
    for (const auto& url : metadata_urls_) {
      const auto answer = client_->get(url);
      if (!answer) return answer.error();
      if (answer->status != 200) {
        problem = unavailable(url + " answers " + std::to_string(answer->status));
        continue;
      }
      const auto document = json::acquire_document();
      const auto root = document->parse(answer->body);
      if (!root || !root->is_object() || has_duplicate_members(*root)) return unavailable(url + " cannot be read");
      if (text_claim(*root, "issuer") != config_.issuer)
        return unavailable(url + " calls the issuer by another name than the configuration");
      std::string keys(text_claim(*root, "jwks_uri").value_or(""));
      if (!checked_url(keys)) return unavailable(url + " does not say where its keys are");
      return keys;
    }
    return problem;
  }

  const IssuerKeysConfig config_;
  const std::array<std::string, 2> metadata_urls_;
  const std::unique_ptr<transport::HttpsClient> client_;
  observability::EventSink& events_;
  bool has_failed_ = false;  // the thread's only

  mutable std::mutex mutex_;  // guards what follows; never held while the issuer is asked
  std::condition_variable wanted_;
  KeysPtr keys_;
  Time usable_until_, renew_at_, next_fetch_;
  bool is_fetching_ = true;  // the first fetch begins at once
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<IssuerKeys>> IssuerKeys::start(IssuerKeysConfig config, observability::EventSink& events) {
  auto issuer = checked_url(config.issuer);
  if (!issuer) return issuer.error();
  bool is_plain = !issuer->is_https;
  if (!config.jwks_url.empty()) {
    const auto keys = checked_url(config.jwks_url);
    if (!keys) return keys.error();
    is_plain = is_plain || !keys->is_https;
  }
  auto client = transport::HttpsClient::create(
      {.ca_file = config.ca_file, .limit = config.limit, .allow_plain_loopback = is_plain});
  if (!client) return client.error();
  return std::unique_ptr<IssuerKeys>(
      std::make_unique<FetchedKeys>(std::move(config), *issuer, std::move(*client), events));
}

}  // namespace toolhost::access
