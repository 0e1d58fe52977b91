#include <toolhost/plugin.hpp>

#include <chrono>
#include <thread>

#include "jobs_migrations.hpp"

/// Jobs of every kind.
struct Jobs {
  struct Item {
    std::string text;
  };
  struct Progress {
    std::int64_t done = 0;
    bool more = false;
  };
  struct Import {
    std::vector<std::string> rows;
  };
  struct Imported {
    std::int64_t accepted = 0;
    std::string setting;
  };

  void add_item(toolhost::Call& call, const Item& in) {
    call.exec(toolhost::last, "insert into items (text) values ($1)", in.text);
    call.text("added");
  }
  /// On schedule; fails for as long as there is an item "broken".
  Progress tick(toolhost::Call& call) {
    auto broken = call.query("select 1 from items where text = 'broken' limit 1");
    if (broken.next()) throw toolhost::Error(TH_E_CONFLICT, "an item is broken");
    note(call, "tick");
    return {};
  }
  /// After writes; one item a run.
  Progress digest(toolhost::Call& call) {
    note(call, "digest");
    const auto done = call.exec(
        "update items set digested = pg_current_xact_id()::text::bigint "
        "where id = (select min(id) from items where digested is null)");
    auto left = call.query("select count(*) from items where digested is null");
    return {done, left.next().i64(0) > 0};
  }
  /// On request.
  Imported import(toolhost::Call& call, const Import& in) {
    for (const auto& row : in.rows) {
      if (row.empty()) throw toolhost::Error(TH_E_INVALID, "a row is empty");
      call.exec("insert into items (text) values ($1)", row);
    }
    return {static_cast<std::int64_t>(in.rows.size()), call.config("/source", "none")};
  }
  /// On request: more than a tool may give.
  Imported bulky(toolhost::Call&) { return {0, std::string(4 << 20, 'x')}; }

 private:
  static void note(toolhost::Call& call, std::string_view job) {
    call.exec(
        "insert into runs (job, caller) values ($1, $2)", job,
        std::string(call.principal()) + " " + std::string(call.role()) + " '" + std::string(call.key_prefix()) + "'");
  }
};
TH_FIELDS(Jobs::Item, field("text", &Jobs::Item::text))
TH_FIELDS(Jobs::Progress, field("done", &Jobs::Progress::done), field("more", &Jobs::Progress::more))
TH_FIELDS(Jobs::Import, field("rows", &Jobs::Import::rows))
TH_FIELDS(Jobs::Imported, field("accepted", &Jobs::Imported::accepted), field("setting", &Jobs::Imported::setting))

TH_PLUGIN(Jobs, "jobs", "Jobs", "1.0.0", migrations(toolhost_migrations),
          config_schema(R"({"type":"object","properties":{"source":{"type":"string"}},"additionalProperties":false})"),
          tool<&Jobs::add_item>("add_item").description("Adds an item."), job<&Jobs::tick>("tick").every(50),
          job<&Jobs::digest>("digest").after_writes(), job<&Jobs::import>("import"), job<&Jobs::bulky>("bulky"))
