#include "storage/use_store.hpp"

#include <algorithm>
#include <string>

#include "storage/libpq.hpp"

namespace toolhost::storage {
namespace {

template <class T, class Get>
std::string array_of(const std::vector<T>& items, Get get) {
  std::string out = "{";
  for (const T& item : items) {
    if (out.size() > 1) out += ',';
    out += std::to_string(get(item));
  }
  return out + "}";
}

void add_counts(pqxx::work& work, const std::vector<KeyUse>& uses) {
  using Micros = std::chrono::duration<std::int64_t, std::micro>;
  const std::string ids = array_of(uses, [](const KeyUse& use) { return value(use.id); });
  // Locked in one order, so that two hosts that count the same keys cannot block each other for good.
  work.exec_params(
      "with u as (select id, sum(calls) as calls, max(at) as at from unnest($1::bigint[], $2::bigint[], "
      "$3::bigint[]) v (id, calls, at) group by id), "
      "locked as (select key_id from api_keys where key_id = any ($1::bigint[]) order by key_id for update) "
      "update api_keys k set usage_count = k.usage_count + u.calls, "
      "last_used_at = greatest(k.last_used_at, to_timestamp(u.at / 1e6)) from u join locked l on l.key_id = u.id "
      "where k.key_id = u.id",
      ids, array_of(uses, [](const KeyUse& use) { return use.calls; }), array_of(uses, [](const KeyUse& use) {
        return std::chrono::duration_cast<Micros>(use.last_used.time_since_epoch()).count();
      }));
}

/// The keys are locked by now, which keeps two hosts from waiting for each other here.
void add_days(pqxx::work& work, const std::vector<KeyUse>& uses) {
  std::vector<std::int64_t> keys;
  std::vector<ToolUse> days;
  std::vector<std::string> tools;
  for (const auto& use : uses) {
    keys.insert(keys.end(), use.tools.size(), value(use.id));
    days.insert(days.end(), use.tools.begin(), use.tools.end());
  }
  if (days.empty()) return;
  for (const auto& use : days) tools.push_back(use.tool);
  work.exec_params(
      "insert into key_days (key_id, day, tool, calls, errors) "
      "select k.key_id, date '1970-01-01' + u.day, u.tool, sum(u.calls), sum(u.errors) "
      "from unnest($1::bigint[], $2::integer[], $3::text[], $4::bigint[], $5::bigint[]) u (id, day, tool, calls, "
      "errors) join api_keys k on k.key_id = u.id group by k.key_id, u.day, u.tool "
      "on conflict (key_id, day, tool) do update "
      "set calls = key_days.calls + excluded.calls, errors = key_days.errors + excluded.errors",
      array_of(keys, [](std::int64_t key) { return key; }),
      array_of(days, [](const ToolUse& use) { return use.day.time_since_epoch().count(); }), text_array(tools),
      array_of(days, [](const ToolUse& use) { return use.calls; }),
      array_of(days, [](const ToolUse& use) { return use.errors; }));
}

}  // namespace

void add_uses(pqxx::work& work, const std::vector<KeyUse>& uses) {
  add_counts(work, uses);
  add_days(work, uses);
}

void remove_old_days(pqxx::work& work) {
  work.exec("delete from key_days where day <= current_date - 100");
}

std::chrono::sys_days latest_day(const std::vector<KeyUse>& uses) noexcept {
  std::chrono::sys_days latest{};
  for (const auto& use : uses)
    for (const auto& tool : use.tools) latest = std::max(latest, tool.day);
  return latest;
}

}  // namespace toolhost::storage
