#pragma once
#include <pqxx/pqxx>
#include <string>

#include "storage/portal_store.hpp"

namespace toolhost::storage {

/// What PortalStore does with API keys, each as part of the caller's transaction: with its record in the audit, and
/// undone with it when the result is an error. They throw what libpqxx throws.

Result<std::vector<PortalKey>> keys_of(pqxx::work& work, KeyScope scope);
Result<PortalKey> key_of(pqxx::work& work, KeyScope scope, KeyId key);
Result<ChangedKey> create_key_of(pqxx::work& work, const NewPortalKey& key, int most_keys, const Actor& actor);
/// `name` is clean.
Result<ChangedKey> rename_key(pqxx::work& work, KeyScope scope, KeyId key, const std::string& name, const Actor& actor);
Result<PortalKey> delete_key_of(pqxx::work& work, KeyScope scope, KeyId key, const Actor& actor);
Result<PortalKey> replace_key_of(pqxx::work& work, PersonId person, KeyId key, const NewSecret& secret,
                                 std::chrono::seconds overlap, int most_keys, const Actor& actor);

/// Of one key, or without one of all in the scope.
Result<std::vector<DayRow>> days_of(pqxx::work& work, KeyScope scope, std::optional<KeyId> key, int days);
Result<std::vector<KeyError>> recent_errors(pqxx::work& work, KeyScope scope, KeyId key, std::size_t limit);

/// Whether it was good and nobody has used it.
bool use_once(pqxx::work& work, const OnceToken& token);

}  // namespace toolhost::storage
