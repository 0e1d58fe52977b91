#include "app/otlp_exporter.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "app/config/host_config.hpp"
#include "transport/https_client.hpp"

namespace toolhost::app {
namespace {

using observability::HostNotice;
using observability::Severity;
using std::chrono::milliseconds;

constexpr milliseconds kPeriod{1'000};
constexpr milliseconds kLongestWait{30'000};
constexpr milliseconds kLastTry{1'000};

/// Whether the collector may take the same body later (OTLP 1.x, "Retryable Response Codes").
bool is_worth_a_retry(unsigned status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

class OtlpExporterImpl final : public OtlpExporter {
 public:
  OtlpExporterImpl(Config config, std::unique_ptr<transport::HttpsClient> client, observability::SpanBatch& batch,
                   observability::EventSink& events)
      : config_(std::move(config)), client_(std::move(client)), batch_(batch), events_(events) {
    thread_ = std::thread([this] { run(); });
  }
  OtlpExporterImpl(const OtlpExporterImpl&) = delete;
  OtlpExporterImpl& operator=(const OtlpExporterImpl&) = delete;
  ~OtlpExporterImpl() override {
    {
      const std::lock_guard lock(mutex_);
      is_ending_ = true;
    }
    changed_.notify_all();
    // A collector that hangs must not hold up the host's end.
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kLastTry, [this] { return has_ended_; })) client_->stop();
    lock.unlock();
    thread_.join();
  }

 private:
  void run() {
    milliseconds wait = kPeriod;
    bool goes_on = true;
    while (goes_on) {
      {
        std::unique_lock lock(mutex_);
        goes_on = !changed_.wait_for(lock, wait, [this] { return is_ending_; });
      }
      wait = send_next() ? kPeriod : std::min(wait * 2, kLongestWait);
    }
    // The last body may have been an older one, which had waited for the collector.
    if (body_.empty()) send_next();
    if (!body_.empty()) batch_.count_dropped(spans_);
    if (!batch_.take().empty()) batch_.count_dropped(batch_.taken());
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
    changed_.notify_all();
  }

  /// What is on its way, or else what waits. False when the same body is to be sent again.
  bool send_next() {
    if (body_.empty()) {
      body_ = batch_.take();
      spans_ = batch_.taken();
    }
    return body_.empty() || send();
  }

  /// As send_next().
  bool send() {
    transport::HttpsClient::Headers headers;
    for (const auto& [name, value] : config_.headers) headers.emplace_back(name, value.reveal());
    const auto answer = client_->post(config_.url, "application/json", body_, headers);
    const bool is_taken = answer && answer->status / 100 == 2;
    tell(is_taken, answer ? "it answers " + std::to_string(answer->status) : answer.error().message);
    if (!is_taken && (!answer || is_worth_a_retry(answer->status))) return false;
    if (!is_taken) batch_.count_dropped(spans_);
    body_.clear();
    return true;
  }

  void tell(bool works, const std::string& why) {
    if (works == works_) return;
    works_ = works;
    if (works)
      events_.emit(HostNotice{Severity::kInfo, "tracing", "the collector of traces takes spans again"});
    else
      events_.emit(HostNotice{Severity::kWarning, "tracing", "the collector of traces takes no spans: " + why});
  }

  const Config config_;
  const std::unique_ptr<transport::HttpsClient> client_;
  observability::SpanBatch& batch_;
  observability::EventSink& events_;

  // Of the thread:
  std::string body_;  // on its way
  std::uint64_t spans_ = 0;
  bool works_ = true;

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool is_ending_ = false, has_ended_ = false;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<OtlpExporter>> OtlpExporter::start(Config config, observability::SpanBatch& batch,
                                                          observability::EventSink& events) {
  auto client = transport::HttpsClient::create({.ca_file = config.ca_file, .allow_plain_loopback = true});
  if (!client) return client.error();
  return std::unique_ptr<OtlpExporter>(
      std::make_unique<OtlpExporterImpl>(std::move(config), std::move(*client), batch, events));
}

Result<OtlpExporter::Config> otlp_config(const HostConfig& config) {
  OtlpExporter::Config wanted{.url = config.tracing.otlp, .headers = {}, .ca_file = config.tracing.ca_file};
  for (const auto& [name, value] : config.tracing.headers) {
    if (!value.names_place()) {
      wanted.headers.emplace_back(name, Secret(value.text));
      continue;
    }
    auto secret = resolve(value);
    if (!secret) return secret.error();
    wanted.headers.emplace_back(name, std::move(*secret));
  }
  return wanted;
}

}  // namespace toolhost::app
