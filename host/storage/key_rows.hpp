#pragma once
#include <cstdint>
#include <optional>
#include <pqxx/pqxx>
#include <string>
#include <string_view>

#include "storage/directory_store.hpp"

namespace toolhost::storage {

/// What all that reads or changes API keys shares. Whatever takes a transaction throws what libpqxx throws.

/// Of `api_keys k join tenants t`, for key_from(). An end is kept to the second.
inline constexpr const char* kKeyColumns =
    "k.key_id, k.tenant_id, t.name, t.time_zone, k.name, k.owner, k.prefix, encode(k.hash, 'hex'), k.pepper_version, "
    "to_char(k.created_at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), to_char(k.last_used_at, "
    "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), k.usage_count, k.scopes, floor(extract(epoch from "
    "k.expires_at))::bigint, k.disabled, k.replaced_by, k.person_id, "
    "(select p.issuer from people p where p.person_id = k.person_id), "
    "(select p.email_verified from people p where p.person_id = k.person_id)";
inline constexpr int kKeyColumnCount = 19;

KeyRow key_from(const pqxx::row& row);

/// Seconds since 1970 as a time: what neither this program nor PostgreSQL ends before.
std::chrono::system_clock::time_point time_from(std::int64_t since_epoch);
std::optional<std::int64_t> since_epoch(const std::optional<std::chrono::system_clock::time_point>& time);

std::string hex_of(const KeyHash& hash);

/// `change` is an insert, update or delete of api_keys without its "returning": the rows it leaves, as key_from() reads
/// them.
std::string returning_key(const std::string& change);

/// No row when there is no such tenant or the hash is taken.
pqxx::result insert_row(pqxx::work& work, const NewKeyRow& key);

/// What a record holds beside what that of every key does.
struct OtherField {
  std::string_view name, text;
};
/// Appends a record to the audit of the key's tenant.
void record_key(pqxx::work& work, std::string_view kind, const KeyRow& key, const Actor& actor, OtherField other = {});

/// Makes a key like `old`, which is locked, and lets that one end `overlap` from now; see DirectoryStore::rotate_key().
/// `key` names what is new.
Result<KeyRow> replace_key(pqxx::work& work, KeyRow old, NewKeyRow key, std::chrono::seconds overlap,
                           const Actor& actor);

}  // namespace toolhost::storage
