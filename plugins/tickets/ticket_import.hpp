#pragma once
#include <toolhost/plugin/fields.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace toolhost {
class Call;
}

namespace helpdesk::tickets {

/// Rows that one call of the job "import" takes; it is one transaction.
inline constexpr std::size_t kImportRows = 500;

struct ImportRow {
  std::int64_t row = 0;  ///< its number in the file, for people
  toolhost::Json data;   ///< an object
};

struct ImportRequest {
  std::string source;
  std::vector<ImportRow> rows;
  std::optional<toolhost::Json> map;  ///< {field: [column, ...]}
  bool dry_run = false;
};

struct RefusedRow {
  std::int64_t row = 0;
  std::string reason;
};

/// Why a row is unchanged: its id came before among these rows, or in an earlier call with this source; or it is an
/// export of a ticket that is here.
enum class Known { kRepeated, kImported, kHere };

/// A row that was not refused; `known` when it is unchanged.
struct ReadRow {
  std::int64_t row = 0;
  std::string id;  ///< in its source
  std::optional<Known> known;
};

struct ImportResult {
  std::int64_t accepted = 0, unchanged = 0;
  std::vector<RefusedRow> refused;
  std::vector<ReadRow> rows;
};

TH_ENUM(Known, value(Known::kRepeated, "repeated"), value(Known::kImported, "imported"), value(Known::kHere, "here"))

TH_FIELDS(ImportRow, field("row", &ImportRow::row), field("data", &ImportRow::data))
TH_FIELDS(ImportRequest, field("source", &ImportRequest::source).range(1, 200),
          field("rows", &ImportRequest::rows).items(0, kImportRows), field("map", &ImportRequest::map),
          field("dry_run", &ImportRequest::dry_run).defaulted())
TH_FIELDS(RefusedRow, field("row", &RefusedRow::row), field("reason", &RefusedRow::reason))
TH_FIELDS(ReadRow, field("row", &ReadRow::row), field("id", &ReadRow::id), field("known", &ReadRow::known))
TH_FIELDS(ImportResult, field("accepted", &ImportResult::accepted), field("unchanged", &ImportResult::unchanged),
          field("refused", &ImportResult::refused), field("rows", &ImportResult::rows))

/// Makes tickets of rows of other systems' data, and of rows of export_tickets(). A row that was imported from this
/// source before, or whose ticket is here anyway, is unchanged. Throws Refusal for a map that is none.
ImportResult import_tickets(toolhost::Call& call, const ImportRequest& request);

}  // namespace helpdesk::tickets
