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

struct ExportRequest {
  std::optional<std::string> cursor;
  std::int64_t limit = 500;
};

struct ExportResult {
  std::vector<toolhost::Json> rows;
  std::optional<std::string> cursor;  ///< absent at the end
  std::int64_t done = 0, total = 0;
};

TH_FIELDS(ExportRequest, field("cursor", &ExportRequest::cursor).range(1, 2000),
          field("limit", &ExportRequest::limit).range(1, 1000).defaulted())
TH_FIELDS(ExportResult, field("rows", &ExportResult::rows), field("cursor", &ExportResult::cursor),
          field("done", &ExportResult::done), field("total", &ExportResult::total))

/// Tickets with their messages, internal ones included, in the order of their creation: rows that import_tickets()
/// reads. Throws Refusal for a cursor of something else.
ExportResult export_tickets(toolhost::Call& call, const ExportRequest& request);

}  // namespace helpdesk::tickets
