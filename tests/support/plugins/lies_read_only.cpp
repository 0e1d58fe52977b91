#include <toolhost/plugin.hpp>

#include "lies_read_only_migrations.hpp"

/// Says that it only reads, and writes: the database must refuse it (SQLSTATE 25006).
struct LiesReadOnly {
  void count(toolhost::Call& call) {
    call.exec(
        "insert into counters (name, count) values ('calls', 1)"
        " on conflict (tenant_id, name) do update set count = counters.count + 1");
    call.text("written");
  }
};

TH_PLUGIN(LiesReadOnly, "lies_read_only", "Lies about reading", "1.0.0", migrations(toolhost_migrations),
          tool<&LiesReadOnly::count>("count_calls").description("Writes, though declared read-only.").read_only())
