// Everything that plugin.hpp offers, for every compiler at hand.
#include <toolhost/plugin.hpp>

namespace sample {

enum class Level { kLow, kHigh };
TH_ENUM(Level, value(Level::kLow, "low"), value(Level::kHigh, "high"))

struct Inner {
  toolhost::Uuid id;
  std::optional<toolhost::Time> at;
};
TH_FIELDS(Inner, field("id", &Inner::id), field("at", &Inner::at))

struct Input {
  std::string text;
  double ratio = 0.5;
  std::vector<std::string> tags;
  toolhost::OneOrMany<Level> levels;
  toolhost::Nullable<std::string> assignee;
  std::vector<Inner> inner;
  toolhost::Json extra;
};
TH_FIELDS(Input, field("text", &Input::text, "Text").range(1, 10).pattern("^a"),
          field("ratio", &Input::ratio).range(0.0, 1.0).defaulted(),
          field("tags", &Input::tags).items(0, 3).range(1, 9),
          field("levels", &Input::levels).default_note("All of them."),
          field("assignee", &Input::assignee).format("email"), field("inner", &Input::inner),
          field("extra", &Input::extra))

class Tools {
 public:
  explicit Tools(toolhost::Host& host) : start_(host.now_us()) {}

  Inner run(toolhost::Call& call, const Input& in) {
    auto savepoint = call.savepoint();
    call.exec("select $1", in.text, in.ratio, true, 1U, "literal", in.tags, in.assignee, in.extra,
              toolhost::Time{start_}, call.new_uuid(), toolhost::Bytes{"raw"}, std::optional<int>(), nullptr,
              Level::kLow);
    savepoint.release();
    toolhost::Values values;
    values.add(in.text);
    auto rows = call.query(toolhost::last, "select $1", values);
    while (const toolhost::Row row = rows.next()) {
      if (row.get<std::optional<Level>>(0)) call.text(row.text(0));
    }
    const auto token = call.seal("x");
    return {call.new_uuid(), call.open(token) ? std::optional(toolhost::Time{1}) : std::nullopt};
  }
  void ping(toolhost::Call& call) const noexcept { call.log(TH_LOG_INFO, call.tenant()); }

 private:
  std::int64_t start_;
};

}  // namespace sample

TH_PLUGIN(sample::Tools, "sample.tools", "Sample", "1.2.3", vendor("Toolhost"), config_schema(R"({"type":"object"})"),
          migrations({{1, "one", "create table a ()"}}), shared_tables("a", "b"),
          tool<&sample::Tools::run>("run").title("Run").description("Runs.").destructive().open_world().timeout(1000),
          exports("a_view"), reads("tickets.titles", "*.documents"),
          job<&sample::Tools::run>("index").every(1000).after_writes(),
          tool<&sample::Tools::ping>("ping").description("Pings.").read_only().idempotent().non_blocking().meta("{}"))
