#pragma once
#include <cstdint>
#include <filesystem>
#include <istream>
#include <memory>
#include <span>
#include <string>

#include "base/result.hpp"

namespace toolhost::app {

/// Longer rows are refused. Of JSONL a row may be as long as the longest that an export can write; in CSV a quote that
/// stands alone takes in all that follows, so that a row soon is too long to be one.
constexpr std::size_t kMaxJsonlRowBytes = 64 << 20;
constexpr std::size_t kMaxCsvRowBytes = 1 << 20;

/// One row of a file that is imported.
struct SourceRow {
  std::uint64_t line = 0;  ///< 1-based; where the row begins
  std::string data;        ///< a JSON object; empty when the row cannot be read
  std::string flaw;        ///< why it cannot be read; empty when it can
};

enum class RowFormat { kCsv, kJsonl };

/// Reads the rows of a file one by one, in memory that does not grow with the file. UTF-8, with or without a byte order
/// mark; lines may end in LF, CR LF or CR; blank lines are skipped.
///
/// CSV (RFC 4180): the first line names the columns and shows whether commas, semicolons or tabs separate them. A row
/// becomes an object of its values that are not empty; columns of one name become a list. JSONL: one object a line.
class RowReader {
 public:
  /// The format is told by the name: .csv and .tsv, or .jsonl and .ndjson. kNotFound, kInvalidArgument (a name or a
  /// first line that cannot be used), kUnavailable.
  static Result<std::unique_ptr<RowReader>> open(const std::filesystem::path& file);
  static Result<std::unique_ptr<RowReader>> create(std::unique_ptr<std::istream> in, RowFormat format);
  virtual ~RowReader() = default;

  /// The next row, with a flaw when it is a bad one; false at the end. kUnavailable when the file cannot be read on.
  virtual Result<bool> next(SourceRow& row) = 0;
  /// How far into the file the rows so far reach.
  [[nodiscard]] virtual std::uint64_t bytes_read() const noexcept = 0;
  /// The names of the columns; none for JSONL.
  [[nodiscard]] virtual std::span<const std::string> columns() const noexcept = 0;
};

}  // namespace toolhost::app
