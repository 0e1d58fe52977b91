#include "app/top_view.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "app/commands/console.hpp"
#include "base/json.hpp"
#include "base/json_writer.hpp"

namespace toolhost::app {
namespace {

using observability::RecentCalls;
using std::chrono::microseconds;

constexpr std::size_t kLinesOfTable = 10;  // of each of three tables, when nothing says how much room there is

void write(JsonWriter& json, const HostStatus& status) {
  json.begin_object().member("version", status.version).member("config_file", status.config_file);
  json.key("generation").unsigned_integer(status.generation).key("uptime_s").integer(status.uptime.count());
  json.key("keys").unsigned_integer(status.keys).key("connections").unsigned_integer(status.connections);
  json.key("streams").unsigned_integer(status.streams).key("sessions").unsigned_integer(status.sessions);
  json.key("running_calls").unsigned_integer(status.running_calls);
  json.key("queued_calls").unsigned_integer(status.queued_calls);
  json.key("ready").boolean(status.readiness.reasons.empty());
  json.member("reasons", status.readiness.reasons);
  json.member("warnings", status.readiness.warnings);
  json.end_object();
}

void write(JsonWriter& json, const char* name, const std::vector<RecentCalls>& rows) {
  json.key(name).begin_array();
  for (const auto& row : rows) {
    json.begin_object().member("name", row.name).member("detail", row.detail);
    json.key("calls").unsigned_integer(row.calls).key("errors").unsigned_integer(row.errors);
    json.key("refusals").unsigned_integer(row.refusals);
    json.key("time_us").integer(row.time.count()).key("p95_us").integer(row.p95.count()).end_object();
  }
  json.end_array();
}

/// The members of an object that to_json() wrote. Remembers whether one was missing.
class Reader {
 public:
  explicit Reader(json::Value object) : object_(object) {}

  std::string text(std::string_view name) {
    std::string_view text;
    json::Value value;
    is_whole_ &= json::find(object_, name).get(value) == simdjson::SUCCESS && value.get(text) == simdjson::SUCCESS;
    return std::string(text);
  }
  std::int64_t number(std::string_view name) {
    std::int64_t number = 0;
    json::Value value;
    is_whole_ &= json::find(object_, name).get(value) == simdjson::SUCCESS && value.get(number) == simdjson::SUCCESS;
    return std::max<std::int64_t>(number, 0);
  }
  std::uint64_t count(std::string_view name) { return static_cast<std::uint64_t>(number(name)); }
  template <class Visit>
  void each(std::string_view name, Visit visit) {
    json::Array array;
    json::Value value;
    if (json::find(object_, name).get(value) != simdjson::SUCCESS || value.get(array) != simdjson::SUCCESS) {
      is_whole_ = false;
      return;
    }
    for (const auto item : array) visit(item);
  }
  std::vector<std::string> texts(std::string_view name) {
    std::vector<std::string> texts;
    each(name, [&](const json::Value& item) {
      std::string_view text;
      is_whole_ &= item.get(text) == simdjson::SUCCESS;
      texts.emplace_back(text);
    });
    return texts;
  }
  std::vector<RecentCalls> rows(std::string_view name) {
    std::vector<RecentCalls> rows;
    each(name, [&](const json::Value& item) {
      Reader row(item);
      rows.push_back({.name = row.text("name"),
                      .detail = row.text("detail"),
                      .calls = row.count("calls"),
                      .errors = row.count("errors"),
                      .refusals = row.count("refusals"),
                      .time = microseconds(row.number("time_us")),
                      .p95 = microseconds(row.number("p95_us"))});
      is_whole_ &= row.is_whole();
    });
    return rows;
  }
  [[nodiscard]] bool is_whole() const noexcept { return is_whole_; }

 private:
  json::Value object_;
  bool is_whole_ = true;
};

std::string with_format(const char* format, double number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), format, number);
  return text.data();
}

/// "12.3 ms".
std::string duration_text(microseconds time) {
  const auto us = static_cast<double>(time.count());
  if (us < 1'000) return with_format("%.0f us", us);
  if (us < 10'000) return with_format("%.1f ms", us / 1e3);
  return us < 1'000'000 ? with_format("%.0f ms", us / 1e3) : with_format("%.1f s", us / 1e6);
}

/// "3 d 4 h", "2 h 14 min", "48 s".
std::string uptime_text(std::chrono::seconds time) {
  const auto seconds = time.count();
  const auto two = [](std::int64_t big, const char* one, std::int64_t small, const char* other) {
    return std::to_string(big) + one + std::to_string(small) + other;
  };
  if (seconds >= 86'400) return two(seconds / 86'400, " d ", seconds % 86'400 / 3'600, " h");
  if (seconds >= 3'600) return two(seconds / 3'600, " h ", seconds % 3'600 / 60, " min");
  return seconds >= 60 ? two(seconds / 60, " min ", seconds % 60, " s") : std::to_string(seconds) + " s";
}

using Lines = std::vector<std::string>;
void add_lines(Lines& lines, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    while (lines.back().ends_with(' ')) lines.back().pop_back();
    at = end + 1;
  }
}

void add_header(Lines& lines, const Top& top) {
  const HostStatus& status = top.status;
  std::string first = "toolhost " + printable(status.version) + "   up " + uptime_text(status.uptime) +
                      "   generation " + std::to_string(status.generation);
  if (!status.config_file.empty()) first += " of " + printable(status.config_file);
  lines.push_back(first);
  lines.push_back(counted(status.keys, "key") + "   " + counted(status.connections, "connection") + "   " +
                  counted(status.streams, "stream") + "   " + counted(status.sessions, "session") + "   " +
                  grouped(status.running_calls) + " running, " + grouped(status.queued_calls) + " queued");
  for (const auto& reason : status.readiness.reasons) lines.push_back("NOT READY: " + printable(reason));
  for (const auto& warning : status.readiness.warnings) lines.push_back("warning: " + printable(warning));
}

/// Numbers end under each other.
void align_right(std::vector<std::vector<std::string>>& rows, std::size_t from) {
  for (std::size_t column = from; column < rows.front().size(); ++column) {
    std::size_t width = 0;
    for (const auto& row : rows) width = std::max(width, character_count(row[column]));
    for (auto& row : rows) row[column].insert(0, width - character_count(row[column]), ' ');
  }
}

struct Table {
  const char* name;
  const char* detail;  // null: none
  bool has_p95;
  const std::vector<RecentCalls>& rows;
};

void add_table(Lines& lines, const Table& table, double seconds, std::size_t room) {
  std::vector<std::vector<std::string>> cells(1);
  const auto named = [&](std::vector<std::string>& row, std::string name, std::string detail) {
    row.push_back(std::move(name));
    if (table.detail != nullptr) row.push_back(std::move(detail));
  };
  named(cells[0], table.name, table.detail != nullptr ? table.detail : "");
  const std::size_t first_number = cells[0].size();
  for (const char* head : {"CALLS/S", "CALLS", "ERRORS", "REFUSED", "MEAN"}) cells[0].emplace_back(head);
  if (table.has_p95) cells[0].emplace_back("P95");

  const std::size_t shown = std::min(table.rows.size(), room);
  for (std::size_t i = 0; i < shown; ++i) {
    const RecentCalls& calls = table.rows[i];
    auto& row = cells.emplace_back();
    named(row, calls.name, calls.detail);
    row.push_back(with_format("%.1f", static_cast<double>(calls.calls) / seconds));
    row.push_back(grouped(calls.calls));
    row.push_back(grouped(calls.errors));
    row.push_back(grouped(calls.refusals));
    const auto run = static_cast<std::int64_t>(calls.calls - std::min(calls.calls, calls.refusals));
    row.push_back(duration_text(calls.time / std::max<std::int64_t>(run, 1)));
    if (table.has_p95) row.push_back(duration_text(calls.p95));
  }
  align_right(cells, first_number);
  lines.emplace_back();
  add_lines(lines, columns(cells));
  if (table.rows.empty()) lines.emplace_back("(no calls)");
  if (table.rows.size() > shown) lines.push_back("(and " + grouped(table.rows.size() - shown) + " more)");
}

std::string cut(const std::string& line, std::size_t width) {
  if (width == 0 || character_count(line) <= width) return line;
  std::size_t bytes = 0;
  for (std::size_t characters = 0; bytes < line.size(); ++bytes) {
    const bool begins_character = (static_cast<unsigned char>(line[bytes]) & 0xC0U) != 0x80;
    if (begins_character && ++characters > width) break;
  }
  return line.substr(0, bytes);
}

}  // namespace

std::string to_json(const HostStatus& status) {
  std::string out;
  JsonWriter json(out);
  write(json, status);
  return out;
}

std::string to_json(const Top& top) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("status");
  write(json, top.status);
  json.key("span_ms").integer(top.activity.span.count());
  write(json, "tenants", top.activity.tenants);
  write(json, "tools", top.activity.tools);
  write(json, "keys", top.activity.keys);
  json.end_object();
  return out;
}

Result<Top> top_from_json(std::string_view text) {
  const Error strange{Errc::kInternal, "the host's answer is not what this version of toolhost expects", ""};
  json::Document document;
  const auto root = document.parse(text);
  json::Value object;
  if (!root || json::find(*root, "status").get(object) != simdjson::SUCCESS) return strange;
  Reader all(*root);
  Reader said(object);
  Top top;
  HostStatus& status = top.status;
  status.version = said.text("version");
  status.config_file = said.text("config_file");
  status.generation = said.count("generation");
  status.uptime = std::chrono::seconds(said.number("uptime_s"));
  status.keys = said.count("keys");
  status.connections = said.count("connections");
  status.streams = said.count("streams");
  status.sessions = said.count("sessions");
  status.running_calls = said.count("running_calls");
  status.queued_calls = said.count("queued_calls");
  status.readiness = {.reasons = said.texts("reasons"), .warnings = said.texts("warnings")};
  top.activity.span = std::chrono::milliseconds(all.number("span_ms"));
  top.activity.tenants = all.rows("tenants");
  top.activity.tools = all.rows("tools");
  top.activity.keys = all.rows("keys");
  if (!said.is_whole() || !all.is_whole()) return strange;
  return top;
}

std::string to_text(const Top& top, TopBy by, std::size_t lines, std::size_t width) {
  const double seconds = std::max(static_cast<double>(top.activity.span.count()) / 1e3, 0.001);
  const Table tenants{"TENANT", nullptr, true, top.activity.tenants};
  const Table tools{"TOOL", "PLUGIN", true, top.activity.tools};
  const Table keys{"KEY", "TENANT", false, top.activity.keys};
  std::vector<const Table*> tables;
  if (by == TopBy::kAll || by == TopBy::kTenants) tables.push_back(&tenants);
  if (by == TopBy::kAll || by == TopBy::kTools) tables.push_back(&tools);
  if (by == TopBy::kAll || by == TopBy::kKeys) tables.push_back(&keys);

  Lines all;
  add_header(all, top);
  all.push_back("last " + with_format("%.0f s", seconds));
  std::size_t room = tables.size() > 1 ? kLinesOfTable : SIZE_MAX;
  if (lines > 0) {
    const std::size_t taken = all.size() + 3 * tables.size();  // an empty line, the head and "and more" of each
    room = lines > taken ? (lines - taken) / tables.size() : 1;
  }
  for (const Table* table : tables) add_table(all, *table, seconds, room);
  if (lines > 0 && all.size() > lines) all.resize(lines);
  std::string text;
  for (const auto& line : all) text += cut(line, width) + "\n";
  return text;
}

}  // namespace toolhost::app
