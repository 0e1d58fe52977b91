#include <toolhost/plugin.hpp>

/// Has no tables of its own, and reads those of a plugin that needs another one.
struct Chained {
  struct Count {
    std::int64_t loans = 0;
  };
  Count count_loans(toolhost::Call& call) {
    auto rows = call.query(R"(select count(*) from "com_acme_reader"."titles")");
    return {rows.next().i64(0)};
  }
};
TH_FIELDS(Chained::Count, field("loans", &Chained::Count::loans))

TH_PLUGIN(Chained, "chained", "Chained", "1.0.0", reads("com.acme.reader.titles"),
          tool<&Chained::count_loans>("count_loans").description("Counts loans.").read_only())
