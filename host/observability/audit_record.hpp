#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace toolhost::observability {

/// A record of the audit is one line of JSON of at most this many bytes, whatever stands in it.
inline constexpr std::size_t kMaxAuditRecordBytes = 64 * 1024;

/// Writes a record, `{"at":"2026-01-31T09:30:00.123456Z","kind":"key_created",...}`, into a string of its own or a
/// borrowed one. Texts are cut after 4 KiB, counted with their escapes, and earlier when there is no room for that;
/// what PostgreSQL's jsonb refuses (U+0000) becomes U+FFFD.
class AuditRecord {
 public:
  using Time = std::chrono::system_clock::time_point;

  /// Appends to `out`, which must outlive it. `kind` is a literal word.
  AuditRecord(std::string& out, std::string_view kind, Time at = std::chrono::system_clock::now());

  /// `name` is a literal; an empty text is left out.
  AuditRecord& field(std::string_view name, std::string_view text);
  AuditRecord& field(std::string_view name, std::int64_t number);
  /// A text of lines, as many as there is room for and the number of the others: write it last.
  AuditRecord& lines(std::string_view name, std::string_view text);
  /// A value that is JSON already, on one line or not; nothing when empty. One that would make the record too long is
  /// replaced by {"omitted_bytes":N}: write it last.
  AuditRecord& json(std::string_view name, std::string_view value);
  void end();

 private:
  void name(std::string_view name);
  void text(std::string_view text, std::size_t limit);
  [[nodiscard]] std::size_t room() const noexcept;
  std::string& out_;
  const std::size_t start_;
};

/// The time a record begins with; nothing when it does not begin as AuditRecord writes it.
std::optional<AuditRecord::Time> time_of_record(std::string_view record) noexcept;

/// RFC 3339 in UTC with microseconds.
void append_micros(std::string& out, AuditRecord::Time time);

}  // namespace toolhost::observability
