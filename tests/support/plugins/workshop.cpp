#include <toolhost/plugin.hpp>

#include <atomic>
#include <string>
#include <thread>

/// What plugins do beyond their database: secrets, metrics.
class Workshop {
 public:
  explicit Workshop(toolhost::Host& host)
      : used_(host.counter("uses_total", "Secrets that were used.", {"name"})),
        length_(host.gauge("secret_bytes", "Length of the last one.")) {}

  struct Name {
    std::string name;
  };
  struct Text {
    std::string text;
  };
  Text use_secret(toolhost::Call& call, const Name& in) {
    const auto secret = std::string(call.secret(in.name));
    call.log(TH_LOG_WARN, "used " + secret);
    used_.add(1, in.name);
    length_.set(static_cast<double>(secret.size()));
    return {secret};
  }

  struct Count {
    int overlapping;
  };
  /// How many calls were in here at once.
  Count step(toolhost::Call&) {
    const int now = ++inside_;
    std::this_thread::yield();
    --inside_;
    return {now};
  }

 private:
  std::atomic<int> inside_{0};
  toolhost::Metric used_, length_;
};
TH_FIELDS(Workshop::Name, field("name", &Workshop::Name::name, ""))
TH_FIELDS(Workshop::Text, field("text", &Workshop::Text::text, ""))

TH_FIELDS(Workshop::Count, field("overlapping", &Workshop::Count::overlapping, ""))

TH_PLUGIN(Workshop, "workshop", "Workshop", "1.0.0",
          tool<&Workshop::use_secret>("use_secret").description("Gives away a secret."),
          tool<&Workshop::step>("step").description("One at a time.").serial())
