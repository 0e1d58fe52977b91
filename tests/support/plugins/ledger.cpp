#include <toolhost/plugin.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "ledger_migrations.hpp"

/// Writes first and takes its time afterwards, telling how far it is: what is left of a call that is cut off?
struct Ledger {
  struct Entry {
    std::string marker;
    std::int64_t ms = 0;
  };
  struct Booked {
    std::string marker;
    std::int64_t times = 0;
  };
  struct All {
    std::vector<Booked> entries;
  };
  void book(toolhost::Call& call, const Entry& in) {
    call.exec("insert into entries (marker) values ($1)", in.marker);
    call.tell(0, "books " + in.marker);
    constexpr std::int64_t kStep = 100;
    for (std::int64_t done = 0; done < in.ms; done += kStep) {
      if (call.cancelled()) throw toolhost::Error(TH_E_CANCELLED, "cancelled");
      call.progress(static_cast<double>(done), static_cast<double>(in.ms));
      std::this_thread::sleep_for(std::chrono::milliseconds(std::min(kStep, in.ms - done)));
    }
    call.text("booked " + in.marker);
  }
  All booked(toolhost::Call& call) {
    All all;
    auto rows = call.query("select marker, count(*) from entries group by marker order by marker");
    while (const auto row = rows.next()) all.entries.push_back({row.get<std::string>(0), row.get<std::int64_t>(1)});
    return all;
  }
};
TH_FIELDS(Ledger::Entry, field("marker", &Ledger::Entry::marker, "What to write").range(1, 100),
          field("ms", &Ledger::Entry::ms, "Milliseconds that it takes").range(0, 60000))
TH_FIELDS(Ledger::Booked, field("marker", &Ledger::Booked::marker), field("times", &Ledger::Booked::times))
TH_FIELDS(Ledger::All, field("entries", &Ledger::All::entries))

TH_PLUGIN(Ledger, "ledger", "Ledger", "1.0.0", migrations(toolhost_migrations),
          tool<&Ledger::book>("book").description("Writes a marker, and takes its time."),
          tool<&Ledger::booked>("booked").description("What was written, and how often.").read_only())
