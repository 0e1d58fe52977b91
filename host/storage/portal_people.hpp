#pragma once
#include <pqxx/pqxx>

#include "storage/portal_store.hpp"

namespace toolhost::storage {

/// What PortalStore does with people and their sessions, each as part of the caller's transaction. They throw what
/// libpqxx throws.

Result<PersonRow> upsert_person(pqxx::work& work, const NewPerson& person);
Result<bool> update_person(pqxx::work& work, const NewPerson& person);
Result<SessionRow> create_session(pqxx::work& work, const SecretHash& id, PersonId person, std::string_view user_agent,
                                  std::string_view address);
void record_sign_in(pqxx::work& work, const Actor& actor, const std::vector<EnteredTenant>& tenants,
                    std::string_view user_agent, std::string_view address);
Result<SignedInRow> find_session(pqxx::work& work, const SecretHash& id);
void touch_session(pqxx::work& work, const SecretHash& id);
Result<std::vector<SessionRow>> sessions_of(pqxx::work& work, PersonId person);
bool end_session(pqxx::work& work, const SecretHash& id);
bool end_session_of(pqxx::work& work, PersonId person, std::int64_t number);
std::int64_t end_sessions_of(pqxx::work& work, PersonId person);

}  // namespace toolhost::storage
