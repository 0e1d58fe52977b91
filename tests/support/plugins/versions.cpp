#include <toolhost/plugin.hpp>

#include <chrono>
#include <stdexcept>
#include <thread>

#include VERSION_MIGRATIONS

/// One plugin in several versions, by the macro VERSION, to be put in each other's places:
///   1, 2  offer what differs in one tool, one description and one schema
///   3     exports a view on top
///   4     cannot be made
struct Versions {
  struct Text {
    std::string text;
  };
  struct Duration {
    std::int64_t ms = 0;
  };
  struct Closed {
    bool closed = false;
    std::string version;
  };

  Versions() {
    if (VERSION == 4) throw std::runtime_error("version 4 cannot be made");
  }

  static std::string version() { return std::to_string(VERSION); }

  void which(toolhost::Call& call) { call.text(version()); }
  void note(toolhost::Call& call, const Text& in) {
    call.exec(toolhost::last, "insert into notes (text, version) values ($1, $2)", in.text, version());
    call.text(version());
  }
  void linger(toolhost::Call& call, const Duration& in) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(in.ms);
    while (std::chrono::steady_clock::now() < end && !call.cancelled())
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    call.text(version());
  }
  Closed close(toolhost::Call& call, const Text& in) {
    const auto answer = call.ask("sure", toolhost::Form("Close " + in.text + "?").boolean("ok", "Close it"));
    return {answer.accepted(), version()};
  }
  /// In some versions only.
  void extra(toolhost::Call& call) { call.text(version()); }
  /// On schedule; notes when it began and ended.
  void tick(toolhost::Call& call) {
    auto row = call.query("insert into runs (version) values ($1) returning id", version());
    const auto id = row.next().i64(0);
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    call.exec("update runs set ended = clock_timestamp() where id = $1", id);
  }
};
TH_FIELDS(Versions::Text, field("text", &Versions::Text::text, VERSION == 1 ? "What" : "What exactly")
                              .range(1, VERSION == 1 ? 100 : 200))
TH_FIELDS(Versions::Duration, field("ms", &Versions::Duration::ms, "Milliseconds").range(0, 60000))
TH_FIELDS(Versions::Closed, field("closed", &Versions::Closed::closed), field("version", &Versions::Closed::version))

#define TEXT_OF_(x) #x
#define TEXT_OF(x) TEXT_OF_(x)
#if VERSION == 3
#define EXPORTS exports("titles"),
#else
#define EXPORTS
#endif

TH_PLUGIN(Versions, "versions", "Versions", TEXT_OF(VERSION) ".0.0", migrations(toolhost_migrations),
          EXPORTS tool<&Versions::which>("which").description("Says which version runs.").read_only().non_blocking(),
          tool<&Versions::note>("note").description(VERSION == 1 ? "Notes." : "Notes something."),
          tool<&Versions::linger>("linger").description("Takes its time.").read_only(),
          tool<&Versions::close>("close").description("Asks first."),
          tool<&Versions::extra>(VERSION == 1 ? "only_old" : "only_new").description("Comes or goes.").read_only(),
          job<&Versions::tick>("tick").every(20))
