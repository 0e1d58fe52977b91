#include "storage/portal_keys.hpp"

#include <algorithm>
#include <utility>

#include "storage/key_rows.hpp"
#include "storage/key_store.hpp"

namespace toolhost::storage {
namespace {

constexpr int kMostOfAll = 10;   // times as many keys of a person, those that ended included
constexpr int kMostWorking = 2;  // times as many, those included that were replaced and go on for a while
constexpr int kDaysKept = 100;   // of uses, and looked at for errors

/// The same of a key that does not exist and of one that is not theirs.
Error no_such_key() {
  return error_of(Errc::kNotFound, "there is no such key");
}

/// "k" is a key of the scope, which is the statement's $1.
std::string within(const KeyScope& scope) {
  return std::holds_alternative<PersonId>(scope) ? "k.person_id = $1" : "k.tenant_id = $1";
}
std::int64_t id_of(const KeyScope& scope) {
  return std::visit([](auto id) { return std::int64_t{value(id)}; }, scope);
}

std::string select_keys(const KeyScope& scope) {
  return "select " + std::string(kKeyColumns) +
         ", floor(extract(epoch from k.created_at))::bigint, floor(extract(epoch from k.last_used_at))::bigint, "
         "(select r.prefix from api_keys r where r.key_id = k.replaced_by) "
         "from api_keys k join tenants t on t.id = k.tenant_id where " +
         within(scope);
}

PortalKey portal_key_from(const pqxx::row& row) {
  PortalKey key{.row = key_from(row), .created_at = time_from(row[kKeyColumnCount].as<std::int64_t>())};
  const auto used = row[kKeyColumnCount + 1], replaced = row[kKeyColumnCount + 2];
  if (!used.is_null()) key.last_used_at = time_from(used.as<std::int64_t>());
  if (!replaced.is_null()) key.replaced_by_prefix = replaced.as<std::string>();
  return key;
}

/// Kept from changing until the transaction ends.
Result<PortalKey> lock_key(pqxx::work& work, const KeyScope& scope, KeyId key) {
  const pqxx::result found =
      work.exec_params(select_keys(scope) + " and k.key_id = $2 for update of k", id_of(scope), value(key));
  if (found.empty()) return no_such_key();
  return portal_key_from(found[0]);
}

/// The person's e-mail address. Whoever makes keys of a person does it one after the other.
std::optional<std::string> lock_person(pqxx::work& work, PersonId person) {
  const pqxx::result found =
      work.exec_params("select email from people where person_id = $1 for no key update", value(person));
  if (found.empty()) return std::nullopt;
  return found[0][0].as<std::string>();
}

/// What becomes of the keys that work.
enum class NewKeyIs { kOneMore, kBesideTheOld, kInsteadOfTheOld };

/// Room for a key. One that takes another's place needs none among those that were not replaced.
Result<> check_room(pqxx::work& work, PersonId person, int most_keys, NewKeyIs what) {
  const pqxx::row count = work.exec_params1(
      "select count(*), count(*) filter (where replaced_by is null and (expires_at is null or expires_at > now())), "
      "count(*) filter (where (expires_at is null or expires_at > now()) and not disabled) "
      "from api_keys where person_id = $1",
      value(person));
  if (what == NewKeyIs::kOneMore && count[1].as<std::int64_t>() >= most_keys) {
    return error_of(Errc::kLimit, "You have " + count[1].as<std::string>() +
                                      " keys, which is as many as you may have. Delete one that you no longer need.");
  }
  if (what == NewKeyIs::kBesideTheOld && count[2].as<std::int64_t>() >= std::int64_t{kMostWorking} * most_keys) {
    return error_of(Errc::kLimit, count[2].as<std::string>() +
                                      " keys of yours work, those that you have replaced lately included: as many as "
                                      "may. Let the old key end at once, or delete keys that you no longer need.");
  }
  if (count[0].as<std::int64_t>() >= std::int64_t{kMostOfAll} * most_keys)
    return error_of(Errc::kLimit, "Too many keys that have ended are kept. Delete some of them first.");
  return boost::system::in_place_value;
}

Result<> take_once(pqxx::work& work, const std::optional<OnceToken>& token) {
  if (!token || use_once(work, *token)) return boost::system::in_place_value;
  return error_of(Errc::kConflict, "This form was sent already, or is too old. Begin again.");
}

bool has_namesake(pqxx::work& work, const KeyRow& key) {
  return !work.exec_params(
                  "select 1 from api_keys k join api_keys o on o.key_id <> k.key_id and o.tenant_id = k.tenant_id "
                  "and o.person_id is not distinct from k.person_id and o.owner = k.owner and lower(o.name) = "
                  "lower(k.name) where k.key_id = $1 and o.replaced_by is null "
                  "and (o.expires_at is null or o.expires_at > now()) limit 1",
                  value(key.id))
              .empty();
}

}  // namespace

bool use_once(pqxx::work& work, const OnceToken& token) {
  work.exec("delete from used_states where expires_at <= now()");
  return !work.exec_params(
                  "insert into used_states (state_hash, expires_at) select decode($1, 'hex'), to_timestamp($2::bigint) "
                  "where to_timestamp($2::bigint) > now() on conflict do nothing returning 1",
                  hex_of(token.hash), since_epoch(token.good_until))
              .empty();
}

Result<std::vector<PortalKey>> keys_of(pqxx::work& work, KeyScope scope) {
  std::vector<PortalKey> keys;
  for (const auto& row : work.exec_params(select_keys(scope) + " order by k.key_id desc", id_of(scope)))
    keys.push_back(portal_key_from(row));
  return keys;
}

Result<PortalKey> key_of(pqxx::work& work, KeyScope scope, KeyId key) {
  const pqxx::result found = work.exec_params(select_keys(scope) + " and k.key_id = $2", id_of(scope), value(key));
  if (found.empty()) return no_such_key();
  return portal_key_from(found[0]);
}

Result<ChangedKey> create_key_of(pqxx::work& work, const NewPortalKey& key, int most_keys, const Actor& actor) {
  auto name = clean_key_name(key.name);
  if (!name) return name.error();
  auto owner = lock_person(work, key.person);
  if (!owner) return error_of(Errc::kNotFound, "there is no such person");
  // First the token: whoever sends a form twice is told so, though the first key was the last that had room.
  if (const auto taken = take_once(work, key.once); !taken) return taken.error();
  if (const auto room = check_room(work, key.person, most_keys, NewKeyIs::kOneMore); !room) return room.error();
  const auto made = insert_key(work,
                               {.tenant = key.tenant,
                                .name = std::move(*name),
                                .owner = std::move(*owner),
                                .prefix = key.prefix,
                                .hash = key.hash,
                                .pepper_version = key.pepper_version,
                                .scopes = key.scopes,
                                .expires_at = key.expires_at,
                                .person = key.person},
                               actor);
  if (!made) return made.error();
  auto created = key_of(work, key.person, made->id);
  if (!created) return created.error();
  return ChangedKey{std::move(*created), has_namesake(work, *made)};
}

Result<ChangedKey> rename_key(pqxx::work& work, KeyScope scope, KeyId id, const std::string& name, const Actor& actor) {
  auto key = lock_key(work, scope, id);
  if (!key) return key.error();
  if (key->row.name != name) {
    work.exec_params("update api_keys k set name = $3 where k.key_id = $2 and " + within(scope), id_of(scope),
                     value(id), name);
    const auto before = std::exchange(key->row.name, name);
    record_key(work, "key_renamed", key->row, actor, {"previous_name", before});
  }
  const bool is_namesake = has_namesake(work, key->row);
  return ChangedKey{std::move(*key), is_namesake};
}

Result<PortalKey> delete_key_of(pqxx::work& work, KeyScope scope, KeyId id, const Actor& actor) {
  auto key = lock_key(work, scope, id);
  if (!key) return key;
  work.exec_params("delete from api_keys k where k.key_id = $2 and " + within(scope), id_of(scope), value(id));
  record_key(work, "key_deleted", key->row, actor);
  return key;
}

Result<PortalKey> replace_key_of(pqxx::work& work, PersonId person, KeyId id, const NewSecret& secret,
                                 std::chrono::seconds overlap, int most_keys, const Actor& actor) {
  if (std::find(kReplaceOverlaps.begin(), kReplaceOverlaps.end(), overlap) == kReplaceOverlaps.end())
    return error_of(Errc::kInvalidArgument, "Choose how long the old key goes on working.");
  auto owner = lock_person(work, person);
  if (!owner) return no_such_key();
  auto old = lock_key(work, person, id);
  if (!old) return old;
  if (const auto taken = take_once(work, secret.once); !taken) return taken.error();
  const auto what = overlap > std::chrono::seconds(0) ? NewKeyIs::kBesideTheOld : NewKeyIs::kInsteadOfTheOld;
  if (const auto room = check_room(work, person, most_keys, what); !room) return room.error();
  const auto made = replace_key(work, std::move(old->row),
                                {.owner = std::move(*owner),
                                 .prefix = secret.prefix,
                                 .hash = secret.hash,
                                 .pepper_version = secret.pepper_version},
                                overlap, actor);
  if (!made) return made.error();
  return key_of(work, person, made->id);
}

Result<std::vector<DayRow>> days_of(pqxx::work& work, KeyScope scope, std::optional<KeyId> key, int days) {
  if (key) {
    if (const auto found = key_of(work, scope, *key); !found) return found.error();
  }
  const pqxx::result found = work.exec_params(
      "select d.day - date '1970-01-01', d.tool, sum(d.calls)::bigint, sum(d.errors)::bigint "
      "from key_days d join api_keys k on k.key_id = d.key_id where " +
          within(scope) +
          " and ($2::bigint is null or k.key_id = $2::bigint) and d.day > current_date - $3::integer "
          "group by d.day, d.tool order by d.day, d.tool",
      id_of(scope), key ? std::optional(value(*key)) : std::nullopt, std::clamp(days, 1, kDaysKept));
  std::vector<DayRow> out;
  for (const auto& row : found) {
    out.push_back({std::chrono::sys_days(std::chrono::days(row[0].as<int>())), row[1].as<std::string>(),
                   row[2].as<std::int64_t>(), row[3].as<std::int64_t>()});
  }
  return out;
}

Result<std::vector<KeyError>> recent_errors(pqxx::work& work, KeyScope scope, KeyId id, std::size_t limit) {
  const auto key = key_of(work, scope, id);
  if (!key) return key.error();
  // A prefix is nearly, a prefix with its owner quite one key's. Arguments are left where they are.
  const pqxx::result found = work.exec_params(
      "select floor(extract(epoch from a.at))::bigint, coalesce(a.tool, ''), a.outcome, coalesce(a.reason, ''), "
      "coalesce((a.record::jsonb ->> 'count')::bigint, 1) from audit a "
      "where a.tenant_id = $1 and a.key_prefix = $2 and ($3 = '' or lower(a.principal) = lower($3)) "
      "and a.outcome <> 'ok' and a.outcome <> 'cancelled' and a.at > now() - $4::integer * interval '1 day' "
      "order by a.sequence desc limit $5::bigint",
      value(key->row.tenant_id), key->row.prefix, key->row.owner, kDaysKept, static_cast<std::int64_t>(limit));
  std::vector<KeyError> out;
  for (const auto& row : found) {
    out.push_back({time_from(row[0].as<std::int64_t>()), row[1].as<std::string>(), row[2].as<std::string>(),
                   row[3].as<std::string>(), row[4].as<std::int64_t>()});
  }
  return out;
}

}  // namespace toolhost::storage
