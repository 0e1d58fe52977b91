#include <toolhost/plugin.hpp>

#include <atomic>
#include <string>
#include <thread>

/// What plugins do beyond their database: secrets, metrics.
class Workshop {
 public:
  explicit Workshop(toolhost::Host& host)
      : host_(host),
        used_(host.counter("uses_total", "Secrets that were used.", {"name"})),
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

  struct Wait {
    std::string text;
    int ms;
  };
  /// Says the text after a while, on a thread of the host; sooner when nobody waits any more.
  toolhost::Later<Text> say_later(toolhost::Call& call, const Wait& in) {
    auto promise = call.defer<Text>();
    promise.on_cancel([host = host_] { host.log(TH_LOG_WARN, "nobody waits"); });
    host_.submit([promise = std::move(promise), in]() mutable { promise.resolve(Text{in.text}); }, in.ms * 1000L);
    return {};
  }
  /// Drops its promise.
  toolhost::Later<void> forget(toolhost::Call& call) {
    static_cast<void>(call.defer<void>());
    return {};
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
  toolhost::Host host_;
  std::atomic<int> inside_{0};
  toolhost::Metric used_, length_;
};
TH_FIELDS(Workshop::Name, field("name", &Workshop::Name::name, ""))
TH_FIELDS(Workshop::Text, field("text", &Workshop::Text::text, ""))

TH_FIELDS(Workshop::Wait, field("text", &Workshop::Wait::text, ""), field("ms", &Workshop::Wait::ms, ""))
TH_FIELDS(Workshop::Count, field("overlapping", &Workshop::Count::overlapping, ""))

TH_PLUGIN(Workshop, "workshop", "Workshop", "1.0.0",
          tool<&Workshop::use_secret>("use_secret").description("Gives away a secret."),
          tool<&Workshop::step>("step").description("One at a time.").serial(),
          tool<&Workshop::say_later>("say_later").description("Says it later."),
          tool<&Workshop::forget>("forget").description("Never says it."))
