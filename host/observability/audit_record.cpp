#include "observability/audit_record.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "observability/journal_segment.hpp"
#include "observability/log_line.hpp"

namespace toolhost::observability {
namespace {

constexpr std::string_view kStart = R"({"at":")";
constexpr std::size_t kTimeBytes = std::string_view("2026-01-31T09:30:00.123456Z").size();
constexpr std::size_t kMarkerBytes = 64;  // a name and {"omitted_bytes":N}
constexpr std::size_t kEndBytes = 1024;   // kept for members that come when there is no more room for texts
static_assert(bytes_of_record(kMaxAuditRecordBytes) <= kSmallestSegment - kFirstRecordOffset);

/// How many bytes of the inner part of a JSON string, at most `limit`, hold whole characters.
std::size_t whole_characters(std::string_view string, std::size_t limit) noexcept {
  for (std::size_t at = 0;;) {
    std::size_t next = at + 1;
    if (string[at] == '\\') next = at + (string[at + 1] == 'u' ? 6 : 2);
    while (next < string.size() && (static_cast<unsigned char>(string[next]) & 0xC0) == 0x80) ++next;
    if (next > limit) return at;
    at = next;
  }
}

/// Makes JSON that was appended from `start` on fit for one line of a file and for jsonb. Line breaks of valid JSON
/// stand between its tokens, where a space means the same.
void tame(std::string& out, std::size_t start) {
  for (std::size_t at = start; (at = out.find_first_of("\n\r", at)) != std::string::npos;) out[at] = ' ';
  constexpr std::string_view kNul = "\\u0000";
  for (std::size_t at = start; (at = out.find(kNul, at)) != std::string::npos; at += kNul.size()) {
    std::size_t backslashes = 1;
    while (at >= start + backslashes && out[at - backslashes] == '\\') ++backslashes;
    if (backslashes % 2 == 1) out.replace(at, kNul.size(), "\\ufffd");
  }
}

/// The number that `text` is, digits only.
std::optional<int> digits(std::string_view text) noexcept {
  int number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  return number;
}

}  // namespace

void append_micros(std::string& out, AuditRecord::Time time) {
  using namespace std::chrono;
  // The part up to the second is kept, since thousands of records share it.
  thread_local sys_seconds kept_second{};
  thread_local std::string kept;
  const auto second = floor<seconds>(time);
  if (second != kept_second || kept.empty()) {
    const auto day = floor<days>(second);
    const year_month_day date(day);
    const hh_mm_ss clock(second - day);
    char text[40];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()));
    kept = text;
    kept_second = second;
  }
  auto micros = static_cast<unsigned>(floor<microseconds>(time - second).count());
  char tail[] = "000000Z";
  for (int at = 5; at >= 0; --at, micros /= 10) tail[at] = static_cast<char>('0' + micros % 10);
  out.append(kept).append(tail, sizeof tail - 1);
}

std::optional<AuditRecord::Time> time_of_record(std::string_view record) noexcept {
  using namespace std::chrono;
  if (!record.starts_with(kStart) || record.size() < kStart.size() + kTimeBytes) return std::nullopt;
  const std::string_view text = record.substr(kStart.size(), kTimeBytes);
  const auto part = [&](std::size_t at, std::size_t count) { return digits(text.substr(at, count)); };
  const auto y = part(0, 4), mo = part(5, 2), d = part(8, 2), h = part(11, 2), mi = part(14, 2), s = part(17, 2),
             us = part(20, 6);
  if (!y || !mo || !d || !h || !mi || !s || !us || text.back() != 'Z') return std::nullopt;
  const year_month_day date{year{*y}, month{static_cast<unsigned>(*mo)}, day{static_cast<unsigned>(*d)}};
  if (!date.ok()) return std::nullopt;
  return sys_days(date) + hours(*h) + minutes(*mi) + seconds(*s) + microseconds(*us);
}

AuditRecord::AuditRecord(std::string& out, std::string_view kind, Time at) : out_(out), start_(out.size()) {
  out_ += kStart;
  append_micros(out_, at);
  out_.append(R"(","kind":")").append(kind).append("\"");
}

void AuditRecord::name(std::string_view name) {
  out_.append(",\"").append(name).append("\":");
}

AuditRecord& AuditRecord::field(std::string_view name, std::string_view text) {
  if (text.empty()) return *this;
  this->name(name);
  this->text(text, std::min(kMostTextBytes, room()));
  return *this;
}

AuditRecord& AuditRecord::lines(std::string_view name, std::string_view text) {
  if (text.empty()) return *this;
  this->name(name);
  this->text(first_lines(text, room()), room());
  return *this;
}

void AuditRecord::text(std::string_view text, std::size_t limit) {
  constexpr std::string_view kCut = "...\"";
  const std::size_t start = out_.size() + 1;
  append_safe_string(out_, text, limit);
  if (text.find('\0') != std::string_view::npos) tame(out_, start);
  if (out_.size() - start <= limit + kCut.size()) return;
  out_.resize(start + whole_characters(std::string_view(out_).substr(start), limit));
  out_ += kCut;
}

std::size_t AuditRecord::room() const noexcept {
  const std::size_t used = out_.size() - start_ + kEndBytes;
  return used < kMaxAuditRecordBytes ? kMaxAuditRecordBytes - used : 0;
}

AuditRecord& AuditRecord::field(std::string_view name, std::int64_t number) {
  this->name(name);
  char text[24];
  out_.append(text, std::to_chars(text, text + sizeof text, number).ptr);
  return *this;
}

AuditRecord& AuditRecord::json(std::string_view name, std::string_view value) {
  if (value.empty()) return *this;
  this->name(name);
  const std::size_t start = out_.size();
  if (start - start_ + value.size() + kMarkerBytes > kMaxAuditRecordBytes) {
    out_.append(R"({"omitted_bytes":)").append(std::to_string(value.size())).append("}");
    return *this;
  }
  out_ += value;
  tame(out_, start);
  return *this;
}

void AuditRecord::end() {
  out_ += '}';
}

}  // namespace toolhost::observability
