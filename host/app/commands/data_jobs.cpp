#include "app/commands/data_jobs.hpp"

#include <algorithm>
#include <thread>
#include <unordered_set>

#include "base/json.hpp"
#include "base/json_writer.hpp"

namespace toolhost::app {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBatchRows = 500;
constexpr std::size_t kBatchBytes = 4 << 20;
constexpr std::int64_t kExportRows = 200;
constexpr int kMaxUnexplained = 3;  // rows in a row that fail without a word about themselves: it is not the rows
constexpr int kAttempts = 8;
static_assert(kMaxJsonlRowBytes >= plugin_runtime::kMaxJobResultBytes, "what an export writes, an import reads");
constexpr auto kFirstPause = 100ms;

/// Whether the same request may work in a moment.
bool may_pass(Errc code) {
  return code == Errc::kUnavailable || code == Errc::kRetry;
}

/// Whether fewer rows, or other ones, may work. What is wrong with the whole order shows in its first batch.
bool may_be_a_row(Errc code, bool is_first) {
  if (code == Errc::kInvalidArgument) return !is_first;
  return code == Errc::kInternal || code == Errc::kConflict || code == Errc::kLimit || code == Errc::kTimeout ||
         code == Errc::kMisuse;
}

Result<std::string> run_patiently(const Workplace& workplace, std::string_view job, std::string_view arguments) {
  auto pause = std::chrono::milliseconds(kFirstPause);
  for (int attempt = 1;; ++attempt) {
    auto result = workplace.plugins.run_job(workplace.plugin, job, workplace.caller, arguments);
    if (result || !may_pass(result.error().code) || attempt == kAttempts) return result;
    std::this_thread::sleep_for(pause);
    pause *= 2;
  }
}

Error interruption(std::string_view job) {
  return {Errc::kCancelled, std::string(job) + " was interrupted", {}};
}

/// The same, for a job that another process may hold up for minutes.
Result<std::string> run_when_free(const Workplace& workplace, std::string_view job, std::string_view arguments,
                                  const OnProgress& on_progress, const Patience& patience) {
  const auto began = std::chrono::steady_clock::now();
  for (;;) {
    auto result = workplace.plugins.run_job(workplace.plugin, job, workplace.caller, arguments);
    const auto waited = std::chrono::steady_clock::now() - began;
    if (result || !may_pass(result.error().code) || waited > patience.limit) return result;
    if (!on_progress({.waited = std::chrono::ceil<std::chrono::seconds>(waited)})) return interruption(job);
    std::this_thread::sleep_for(patience.step);
  }
}

Error wrong_answer(const Workplace& workplace, std::string_view job, std::string detail) {
  return {Errc::kMisuse,
          "the plugin " + workplace.plugin + " answered its job " + std::string(job) +
              " in a way that its contract forbids; report it to the plugin's author",
          std::move(detail)};
}

std::uint64_t number_in(const json::Value& object, std::string_view key) {
  std::uint64_t number = 0;
  if (json::find(object, key).get(number)) return 0;
  return number;
}

std::optional<double> amount_in(const json::Value& object, std::string_view key) {
  double number = 0;
  if (json::find(object, key).get(number)) return std::nullopt;
  return number;
}

class Import {
 public:
  Import(const Workplace& workplace, const ImportOrder& order, ImportCount& count)
      : workplace_(workplace), order_(order), count_(count) {}

  Result<> run(RowReader& rows) {
    for (bool more = true; more;) {
      const auto batch = read_batch(rows, more);
      Result<> taken = boost::system::in_place_value;
      if (!batch) {
        taken = batch.error();
      } else if (!batch->empty()) {
        taken = take(*batch);
      }
      report_refused();
      if (!taken) return taken;
      if (!order_.go_on(count_)) return Error{Errc::kCancelled, "the import was interrupted", {}};
    }
    return {};
  }

 private:
  /// `more` becomes false at the end of the file.
  Result<std::vector<SourceRow>> read_batch(RowReader& rows, bool& more) {
    std::vector<SourceRow> batch;
    std::size_t bytes = 0;
    for (std::size_t read = 0; read < kBatchRows; ++read) {
      SourceRow row;
      if (held_back_) {
        row = std::move(*held_back_);
        held_back_.reset();
      } else {
        const auto found = rows.next(row);
        if (!found) return found.error();
        if (!(more = *found)) break;
      }
      if (!row.flaw.empty()) {
        refuse(row, row.flaw);
        continue;
      }
      bytes += row.data.size();
      if (bytes > kBatchBytes && !batch.empty()) {
        held_back_ = std::move(row);
        break;
      }
      batch.push_back(std::move(row));
    }
    return batch;
  }

  Result<> take(std::span<const SourceRow> rows) {
    const auto answer = run_patiently(workplace_, "import", arguments(rows));
    if (answer) return book(rows, *answer);
    if (!may_be_a_row(answer.error().code, count_.accepted + count_.unchanged == 0)) return answer.error();
    if (rows.size() > 1) {
      if (auto taken = take(rows.first(rows.size() / 2)); !taken) return taken;
      return take(rows.subspan(rows.size() / 2));
    }
    if (++unexplained_ == kMaxUnexplained) return answer.error();
    refuse(rows.front(), answer.error().message);
    return {};
  }

  std::string arguments(std::span<const SourceRow> rows) const {
    std::string text;
    JsonWriter json(text);
    json.begin_object().member("source", order_.source).key("rows").begin_array();
    for (const auto& row : rows)
      json.begin_object().key("row").unsigned_integer(row.line).key("data").raw(row.data).end_object();
    json.end_array().key("map").begin_object();
    for (const auto& [field, names] : order_.map) {
      json.key(field).begin_array();
      for (const auto& name : names) json.string(name);
      json.end_array();
    }
    json.end_object().key("dry_run").boolean(order_.dry_run).end_object();
    return text;
  }

  /// Counts what the plugin says it did.
  Result<> book(std::span<const SourceRow> rows, std::string_view answer) {
    json::Document document;
    const auto root = document.parse(answer);
    json::Array refused;
    if (!root || json::find(*root, "refused").get(refused)) return wrong_answer(workplace_, "import", "no 'refused'");
    ImportCount said{.accepted = number_in(*root, "accepted"), .unchanged = number_in(*root, "unchanged")};
    said.refused = refused.size();
    if (said.rows() != rows.size()) {
      return wrong_answer(
          workplace_, "import",
          "it answered for " + std::to_string(said.rows()) + " of " + std::to_string(rows.size()) + " rows");
    }
    count_.accepted += said.accepted;
    count_.unchanged += said.unchanged;
    if (said.accepted + said.unchanged > 0) unexplained_ = 0;
    json::Array read;
    if (json::find(*root, "rows").get(read) == simdjson::SUCCESS) note_ids(read);
    for (const auto& item : refused) {
      const auto line = number_in(item, "row");
      const auto row = std::find_if(rows.begin(), rows.end(), [&](const auto& other) { return other.line == line; });
      std::string_view reason = "refused";
      static_cast<void>(json::find(item, "reason").get(reason));
      refuse(row == rows.end() ? SourceRow{.line = line} : *row, reason);
    }
    return {};
  }

  /// Tells ids that came before in this file from those that were there before it. A dry run of the plugin sees no more
  /// than one batch.
  void note_ids(const json::Array& rows) {
    for (const auto& item : rows) {
      std::string_view id, known;
      if (json::find(item, "id").get(id) != simdjson::SUCCESS) continue;
      static_cast<void>(json::find(item, "known").get(known));
      const bool is_repeated = !ids_.insert(std::hash<std::string_view>()(id)).second || known == "repeated";
      if (is_repeated && known.empty()) {
        --count_.accepted;
        ++count_.unchanged;
      }
      if (!is_repeated) {
        count_.imported += known == "imported" ? 1 : 0;
        continue;
      }
      const auto line = number_in(item, "row");
      count_.repeated_line = count_.repeated == 0 ? line : std::min(count_.repeated_line, line);
      ++count_.repeated;
    }
  }

  void refuse(const SourceRow& row, std::string_view reason) {
    ++count_.refused;
    refused_.push_back({.line = row.line, .data = row.data, .flaw = std::string(reason)});
  }

  /// Those of one batch, in the order of the file.
  void report_refused() {
    std::sort(refused_.begin(), refused_.end(), [](const auto& a, const auto& b) { return a.line < b.line; });
    for (const auto& row : refused_) order_.on_refused({.line = row.line, .reason = row.flaw, .data = row.data});
    refused_.clear();
  }

  const Workplace& workplace_;
  const ImportOrder& order_;
  ImportCount& count_;
  std::optional<SourceRow> held_back_;  // for the next batch
  std::vector<SourceRow> refused_;
  std::unordered_set<std::size_t> ids_;  // hashes of those that were read
  int unexplained_ = 0;
};

}  // namespace

Result<> import_rows(const Workplace& workplace, RowReader& rows, const ImportOrder& order, ImportCount& count) {
  return Import(workplace, order, count).run(rows);
}

Result<> export_rows(const Workplace& workplace, const std::function<Result<>(std::string_view)>& write,
                     const OnProgress& on_progress) {
  json::Document document;
  std::string cursor;
  for (std::int64_t limit = kExportRows;;) {
    std::string arguments;
    JsonWriter json(arguments);
    json.begin_object();
    if (!cursor.empty()) json.member("cursor", cursor);
    json.key("limit").integer(limit).end_object();
    const auto answer = run_patiently(workplace, "export", arguments);
    if (!answer && answer.error().code == Errc::kLimit && limit > 1) {
      limit /= 2;  // so many of them do not fit into one result
      continue;
    }
    if (!answer) return answer.error();
    const auto root = document.parse(*answer);
    json::Array rows;
    if (!root || json::find(*root, "rows").get(rows)) return wrong_answer(workplace, "export", "no 'rows'");
    for (const auto& row : rows)
      if (auto written = write(json::to_text(row)); !written) return written;
    if (!on_progress({amount_in(*root, "done"), amount_in(*root, "total")}))
      return Error{Errc::kCancelled, "the export was interrupted", {}};
    std::string_view next;
    if (json::find(*root, "cursor").get(next) || next.empty()) return {};
    cursor = next;
  }
}

Result<> run_to_end(const Workplace& workplace, std::string_view job, std::string_view first,
                    const OnProgress& on_progress, const Patience& patience) {
  json::Document document;
  for (std::string_view arguments = first;; arguments = "{}") {
    const auto answer = run_when_free(workplace, job, arguments, on_progress, patience);
    if (!answer) return answer.error();
    const auto root = document.parse(*answer);
    if (!root) return wrong_answer(workplace, job, root.error().message);
    if (!on_progress({amount_in(*root, "done"), amount_in(*root, "total")})) return interruption(job);
    bool more = false;
    if (json::find(*root, "more").get(more) || !more) return {};
  }
}

}  // namespace toolhost::app
