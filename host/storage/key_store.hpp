#pragma once
#include <pqxx/pqxx>
#include <string>

#include "storage/directory_store.hpp"

namespace toolhost::storage {

/// What DirectoryStore does with API keys, each as part of the caller's transaction: with its record in the audit, and
/// undone with it when the result is an error. They throw what libpqxx throws.

Result<KeyRow> insert_key(pqxx::work& work, const NewKeyRow& key, const Actor& actor);
Result<std::vector<KeyRow>> select_keys(pqxx::work& work, std::optional<TenantId> tenant);
Result<KeyRow> delete_key_by_hash(pqxx::work& work, const KeyHash& hash, const Actor& actor);
Result<KeyRow> delete_key_by_prefix(pqxx::work& work, const std::string& prefix, const Actor& actor);
Result<KeyRow> set_key_disabled(pqxx::work& work, const std::string& prefix, bool disabled, const Actor& actor);
/// `key` names what is new: prefix, hash, pepper version; the rest is taken from the old key.
Result<KeyRow> rotate_key(pqxx::work& work, const std::string& prefix, NewKeyRow key, std::chrono::seconds overlap,
                          const Actor& actor);

}  // namespace toolhost::storage
