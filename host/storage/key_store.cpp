#include "storage/key_store.hpp"

#include "storage/clean_text.hpp"
#include "storage/key_rows.hpp"

namespace toolhost::storage {
namespace {

constexpr std::size_t kMostScopes = 64;

/// The one key that begins so, kept from changing until the transaction ends. `cure`: how to name one of several.
Result<KeyRow> lock_key(pqxx::work& work, const std::string& prefix, const std::string& cure) {
  const pqxx::result found =
      work.exec_params("select " + std::string(kKeyColumns) +
                           " from api_keys k join tenants t on t.id = k.tenant_id where k.prefix = $1 order by "
                           "k.key_id for update of k",
                       prefix);
  if (found.empty()) {
    return error_of(Errc::kNotFound,
                    "there is no key that begins with \"" + prefix + "\"; list them with: toolhost key list");
  }
  if (found.size() == 1) return key_from(found[0]);
  std::string matches;
  for (const auto& row : found) {
    const KeyRow key = key_from(row);
    matches += (matches.empty() ? "" : ", ") + key.name + " (tenant " + key.tenant + ")";
  }
  return error_of(Errc::kConflict, "several keys begin with \"" + prefix + "\": " + matches + "; " + cure);
}

constexpr const char* kTellApartByDeleting =
    "only 'toolhost key delete' can tell them apart, when it is given the whole key";

}  // namespace

Result<KeyRow> insert_key(pqxx::work& work, const NewKeyRow& key, const Actor& actor) {
  if (key.name.empty() || count_characters(key.name) > 200)
    return error_of(Errc::kInvalidArgument, "a key's name has 1 to 200 characters");
  if (key.owner.size() > 320)
    return error_of(Errc::kInvalidArgument, "an owner's e-mail address has at most 320 characters");
  if (key.scopes.size() > kMostScopes)
    return error_of(Errc::kInvalidArgument, "a key has at most " + std::to_string(kMostScopes) + " scopes");
  const pqxx::result made = insert_row(work, key);
  if (made.empty()) {
    if (work.exec_params("select 1 from tenants where id = $1", value(key.tenant)).empty())
      return error_of(Errc::kNotFound, "there is no such tenant");
    return error_of(Errc::kConflict, "this key exists already");
  }
  KeyRow row = key_from(made[0]);
  record_key(work, "key_created", row, actor);
  return row;
}

Result<std::vector<KeyRow>> select_keys(pqxx::work& work, std::optional<TenantId> tenant) {
  const std::string sql =
      "select " + std::string(kKeyColumns) + " from api_keys k join tenants t on t.id = k.tenant_id ";
  const pqxx::result found = tenant ? work.exec_params(sql + "where k.tenant_id = $1 order by k.key_id", value(*tenant))
                                    : work.exec(sql + "order by k.key_id");
  std::vector<KeyRow> out;
  out.reserve(found.size());
  for (const auto& row : found) out.push_back(key_from(row));
  return out;
}

Result<KeyRow> delete_key_by_hash(pqxx::work& work, const KeyHash& hash, const Actor& actor) {
  const pqxx::result gone = work.exec_params(
      "delete from api_keys k using tenants t where t.id = k.tenant_id and k.hash = decode($1, 'hex') returning " +
          std::string(kKeyColumns),
      hex_of(hash));
  if (gone.empty()) return error_of(Errc::kNotFound, "there is no such key; list them with: toolhost key list");
  KeyRow row = key_from(gone[0]);
  record_key(work, "key_deleted", row, actor);
  return row;
}

Result<KeyRow> delete_key_by_prefix(pqxx::work& work, const std::string& prefix, const Actor& actor) {
  auto key = lock_key(work, prefix, "give the whole key");
  if (!key) return key;
  work.exec_params("delete from api_keys where key_id = $1", value(key->id));
  record_key(work, "key_deleted", *key, actor);
  return key;
}

Result<KeyRow> set_key_disabled(pqxx::work& work, const std::string& prefix, bool disabled, const Actor& actor) {
  auto key = lock_key(work, prefix, kTellApartByDeleting);
  if (!key || key->disabled == disabled) return key;
  work.exec_params("update api_keys set disabled = $2 where key_id = $1", value(key->id), disabled);
  key->disabled = disabled;
  record_key(work, disabled ? "key_disabled" : "key_enabled", *key, actor);
  return key;
}

Result<KeyRow> rotate_key(pqxx::work& work, const std::string& prefix, NewKeyRow key, std::chrono::seconds overlap,
                          const Actor& actor) {
  auto old = lock_key(work, prefix, kTellApartByDeleting);
  if (!old) return old;
  return replace_key(work, std::move(*old), std::move(key), overlap, actor);
}

}  // namespace toolhost::storage
