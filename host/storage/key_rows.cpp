#include "storage/key_rows.hpp"

#include <algorithm>

#include "base/hex.hpp"
#include "base/json_writer.hpp"
#include "base/utc_text.hpp"
#include "observability/audit_record.hpp"
#include "storage/audit_append.hpp"
#include "storage/libpq.hpp"

namespace toolhost::storage {
namespace {

using std::chrono::seconds;

constexpr seconds kLongestOverlap = std::chrono::days(366);

std::vector<std::string> texts_from(const pqxx::field& field) {
  std::vector<std::string> out;
  auto parser = field.as_array();
  for (auto next = parser.get_next(); next.first != pqxx::array_parser::juncture::done; next = parser.get_next())
    if (next.first == pqxx::array_parser::juncture::string_value) out.push_back(std::move(next.second));
  return out;
}

}  // namespace

// The clock of this program ends before that of PostgreSQL.
std::chrono::system_clock::time_point time_from(std::int64_t since_epoch) {
  constexpr auto kLast =
      std::chrono::floor<seconds>(std::chrono::system_clock::time_point::max()).time_since_epoch().count();
  return std::chrono::system_clock::time_point(seconds(std::clamp<std::int64_t>(since_epoch, 0, kLast)));
}

std::optional<std::int64_t> since_epoch(const std::optional<std::chrono::system_clock::time_point>& time) {
  if (!time) return std::nullopt;
  return std::chrono::floor<seconds>(*time).time_since_epoch().count();
}

KeyRow key_from(const pqxx::row& row) {
  KeyRow key;
  key.id = KeyId{row[0].as<std::int64_t>()};
  key.tenant_id = TenantId{row[1].as<std::int32_t>()};
  key.tenant = row[2].as<std::string>();
  key.tenant_time_zone = row[3].as<std::string>();
  key.name = row[4].as<std::string>();
  key.owner = row[5].as<std::string>();
  key.prefix = row[6].as<std::string>();
  const auto hex = row[7].as<std::string>();
  for (std::size_t i = 0; i < key.hash.size() && 2 * i + 1 < hex.size(); ++i) {
    key.hash[i] = static_cast<std::uint8_t>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
  }
  key.pepper_version = row[8].as<int>();
  key.created_at = row[9].as<std::string>();
  if (!row[10].is_null()) key.last_used_at = row[10].as<std::string>();
  key.usage_count = row[11].as<std::int64_t>();
  key.scopes = texts_from(row[12]);
  if (!row[13].is_null()) key.expires_at = time_from(row[13].as<std::int64_t>());
  key.disabled = row[14].as<bool>();
  if (!row[15].is_null()) key.replaced_by = KeyId{row[15].as<std::int64_t>()};
  if (!row[16].is_null()) key.person = PersonId{row[16].as<std::int64_t>()};
  key.is_of_trial = row[17].as<std::string>({}) == kLocalIssuer;
  key.is_owner_doubted = !row[18].as<bool>(true);
  return key;
}

std::string hex_of(const KeyHash& hash) {
  return to_hex({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

std::string returning_key(const std::string& change) {
  return "with k as (" + change + " returning *) select " + kKeyColumns +
         " from k join tenants t on t.id = k.tenant_id";
}

pqxx::result insert_row(pqxx::work& work, const NewKeyRow& key) {
  return work.exec_params(
      returning_key("insert into api_keys (tenant_id, name, owner, prefix, hash, pepper_version, scopes, expires_at, "
                    "person_id) select id, $2, $3, $4, decode($5, 'hex'), $6, $7::text[], to_timestamp($8::bigint), "
                    "$9::bigint from tenants where id = $1 on conflict (hash) do nothing"),
      value(key.tenant), key.name, key.owner, key.prefix, hex_of(key.hash), key.pepper_version, text_array(key.scopes),
      since_epoch(key.expires_at), key.person ? std::optional(value(*key.person)) : std::nullopt);
}

void record_key(pqxx::work& work, std::string_view kind, const KeyRow& key, const Actor& actor, OtherField other) {
  std::string text, scopes, expires_at;
  observability::AuditRecord out(text, kind);
  out.field("tenant", key.tenant).field("actor", actor.name).field("key", key.prefix).field("name", key.name);
  out.field("owner", key.owner);
  if (!other.name.empty()) out.field(other.name, other.text);
  if (key.expires_at) observability::append_micros(expires_at, *key.expires_at);
  out.field("expires_at", expires_at);
  if (!key.scopes.empty()) {
    JsonWriter json(scopes);
    json.begin_array();
    for (const auto& scope : key.scopes) json.string(scope);
    json.end_array();
  }
  out.json("scopes", scopes);
  out.end();
  append_audit(work, value(key.tenant_id), {text});
}

Result<KeyRow> replace_key(pqxx::work& work, KeyRow old, NewKeyRow key, seconds overlap, const Actor& actor) {
  if (overlap < seconds(0) || overlap > kLongestOverlap)
    return error_of(Errc::kInvalidArgument, "the two keys can work side by side for at most 366 days");
  if (old.replaced_by) {
    const pqxx::result next =
        work.exec_params("select prefix from api_keys where key_id = $1", value(*old.replaced_by));
    return error_of(Errc::kConflict, "the key \"" + old.name + "\" was replaced already" +
                                         (next.empty() ? " by one that is deleted"
                                                       : "; rotate " + next[0][0].as<std::string>() + " instead"));
  }
  if (old.disabled) {
    return error_of(Errc::kConflict, "the key \"" + old.name +
                                         "\" is disabled, and the new one would not be; enable it first, or delete it");
  }
  key.tenant = old.tenant_id;
  key.name = old.name;
  if (key.owner.empty()) key.owner = old.owner;
  key.scopes = old.scopes;
  key.person = old.person;
  // By the clock of the database, as the times of every key. An end keeps its whole second through any number of
  // rotations, and an overlap is never shorter than was said.
  const pqxx::row times = work.exec_params1(
      "select expires_at <= now(), floor(extract(epoch from now() + (expires_at - date_trunc('second', "
      "created_at))))::bigint, "
      "case when $2::bigint = 0 then floor(extract(epoch from least(expires_at, now()))) "
      "else ceil(extract(epoch from least(expires_at, now() + $2::bigint * interval '1 second'))) end::bigint "
      "from api_keys where key_id = $1",
      value(old.id), overlap.count());
  if (times[0].as<bool>(false)) {
    return error_of(Errc::kConflict, "the key \"" + old.name + "\" expired at " +
                                         utc_text(*old.expires_at, "%Y-%m-%dT%H:%M:%SZ") + "; make a new one");
  }
  if (!times[1].is_null()) key.expires_at = time_from(times[1].as<std::int64_t>());
  old.expires_at = time_from(times[2].as<std::int64_t>());

  const pqxx::result made = insert_row(work, key);
  if (made.empty()) return error_of(Errc::kConflict, "this key exists already");
  KeyRow row = key_from(made[0]);
  work.exec_params("update api_keys set replaced_by = $2, expires_at = to_timestamp($3::bigint) where key_id = $1",
                   value(old.id), value(row.id), since_epoch(old.expires_at));
  record_key(work, "key_created", row, actor, {"replaces", old.prefix});
  record_key(work, "key_rotated", old, actor, {"replaced_by", row.prefix});
  return row;
}

}  // namespace toolhost::storage
