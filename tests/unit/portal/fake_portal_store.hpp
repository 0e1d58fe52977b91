#pragma once
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "storage/portal_store.hpp"

namespace toolhost::portal {

/// People, sessions and used states in memory, by a clock that stands still until it is moved; keys as a test puts
/// them. What the database must guard is tested with the database.
class FakePortalStore final : public storage::PortalStore {
 public:
  using Moment = storage::Moment;

  Result<storage::PersonRow> upsert_person(const storage::NewPerson& person) override {
    if (failure) return *failure;
    for (auto& known : people) {
      if (known.issuer != person.issuer || known.subject != person.subject) continue;
      known.email = person.email;
      known.name = person.name;
      known.hosted_domain = person.hosted_domain;
      known.last_sign_in_at = now;
      return known;
    }
    people.push_back({.id = PersonId{static_cast<std::int64_t>(people.size()) + 1},
                      .issuer = person.issuer,
                      .subject = person.subject,
                      .email = person.email,
                      .name = person.name,
                      .hosted_domain = person.hosted_domain,
                      .email_verified = person.email_verified,
                      .created_at = now,
                      .last_sign_in_at = now});
    return people.back();
  }
  Result<bool> update_person(const storage::NewPerson& person) override {
    if (failure) return *failure;
    const bool is_known = std::ranges::any_of(
        people, [&](const auto& known) { return known.issuer == person.issuer && known.subject == person.subject; });
    if (is_known) std::ignore = upsert_person(person);
    return is_known;
  }
  Result<storage::SessionRow> create_session(const storage::SecretHash& id, PersonId person,
                                             std::string_view user_agent, std::string_view address) override {
    if (failure) return *failure;
    storage::SessionRow row{.number = ++last_number,
                            .created_at = now,
                            .last_seen_at = now,
                            .expires_at = now + std::chrono::days(7),
                            .user_agent = std::string(user_agent),
                            .address = std::string(address)};
    sessions[id] = {person, row};
    return row;
  }
  Result<> record_sign_in(const storage::Actor& actor, const std::vector<storage::EnteredTenant>& /*tenants*/,
                          std::string_view /*user_agent*/, std::string_view /*address*/) override {
    if (failure) return *failure;
    actors.push_back(actor.name);
    return boost::system::in_place_value;
  }
  Result<storage::SignedInRow> find_session(const storage::SecretHash& id) override {
    if (failure) return *failure;
    const auto found = sessions.find(id);
    if (found == sessions.end()) return not_found();
    auto session = found->second.second;
    session.idle = std::chrono::duration_cast<std::chrono::seconds>(now - session.last_seen_at);
    return storage::SignedInRow{people.at(static_cast<std::size_t>(value(found->second.first)) - 1), session};
  }
  Result<> touch_session(const storage::SecretHash& id) override {
    ++touches;
    if (failure) return *failure;
    if (const auto found = sessions.find(id); found != sessions.end()) found->second.second.last_seen_at = now;
    return boost::system::in_place_value;
  }
  Result<std::vector<storage::SessionRow>> sessions_of(PersonId person) override {
    if (failure) return *failure;
    std::vector<storage::SessionRow> rows;
    for (const auto& [id, session] : sessions)
      if (session.first == person) rows.push_back(session.second);
    return rows;
  }
  Result<bool> end_session(const storage::SecretHash& id) override {
    if (failure) return *failure;
    return sessions.erase(id) > 0;
  }
  Result<bool> end_session_of(PersonId person, std::int64_t number) override {
    return std::erase_if(sessions, [&](const auto& session) {
             return session.second.first == person && session.second.second.number == number;
           }) > 0;
  }
  Result<std::int64_t> end_sessions_of(PersonId person) override {
    return static_cast<std::int64_t>(
        std::erase_if(sessions, [&](const auto& session) { return session.second.first == person; }));
  }
  Result<bool> use_state(const storage::OnceToken& state) override {
    if (failure) return *failure;
    return state.good_until > now && used.insert(state.hash).second;
  }

  Result<std::vector<storage::PortalKey>> keys_of(storage::KeyScope scope) override {
    if (failure) return *failure;
    std::vector<storage::PortalKey> found;
    for (const auto& key : keys)
      if (is_within(key, scope)) found.push_back(key);
    return found;
  }
  Result<storage::PortalKey> key_of(storage::KeyScope scope, KeyId id) override {
    if (failure) return *failure;
    const auto found = find(scope, id);
    if (found == keys.end()) return not_found();
    return *found;
  }
  Result<storage::ChangedKey> create_key_of(const storage::NewPortalKey& key, const storage::Actor& actor) override {
    if (failure) return *failure;
    auto name = storage::clean_key_name(key.name);
    if (!name) return name.error();
    if (key.once && !used.insert(key.once->hash).second) return Error{Errc::kConflict, "sent already", ""};
    storage::PortalKey made{.created_at = now};
    made.row.id = KeyId{static_cast<std::int64_t>(keys.size()) + 1};
    made.row.tenant_id = key.tenant;
    made.row.name = *name;
    made.row.prefix = key.prefix;
    made.row.hash = key.hash;
    made.row.scopes = key.scopes;
    made.row.expires_at = key.expires_at;
    made.row.person = key.person;
    const bool has_namesake = std::any_of(keys.begin(), keys.end(), [&](const auto& other) {
      return other.row.person == key.person && other.row.name == *name;
    });
    keys.push_back(made);
    actors.push_back(actor.name);
    return storage::ChangedKey{made, has_namesake};
  }
  Result<storage::ChangedKey> rename_key(storage::KeyScope scope, KeyId id, std::string_view name,
                                         const storage::Actor& actor) override {
    auto clean = storage::clean_key_name(name);
    if (!clean) return clean.error();
    const auto found = find(scope, id);
    if (found == keys.end()) return not_found();
    found->row.name = *clean;
    actors.push_back(actor.name);
    return storage::ChangedKey{*found, false};
  }
  Result<storage::PortalKey> delete_key_of(storage::KeyScope scope, KeyId id, const storage::Actor& actor) override {
    const auto found = find(scope, id);
    if (found == keys.end()) return not_found();
    const auto gone = *found;
    keys.erase(found);
    actors.push_back(actor.name);
    return gone;
  }
  Result<storage::PortalKey> replace_key_of(PersonId person, KeyId id, const storage::NewSecret& secret,
                                            std::chrono::seconds overlap, const storage::Actor& actor) override {
    const auto found = find(person, id);
    if (found == keys.end()) return not_found();
    if (secret.once && !used.insert(secret.once->hash).second) return Error{Errc::kConflict, "sent already", ""};
    auto made = *found;
    made.row.id = KeyId{static_cast<std::int64_t>(keys.size()) + 1};
    made.row.prefix = secret.prefix;
    made.row.hash = secret.hash;
    found->row.replaced_by = made.row.id;
    found->row.expires_at = now + overlap;
    found->replaced_by_prefix = secret.prefix;
    keys.push_back(made);
    actors.push_back(actor.name);
    return made;
  }

  Result<std::vector<storage::DayRow>> days_of(storage::KeyScope scope, KeyId id, int /*days*/) override {
    if (find(scope, id) == keys.end()) return not_found();
    return days;
  }
  Result<std::vector<storage::DayRow>> days_of_all(storage::KeyScope /*scope*/, int /*days*/) override { return days; }
  Result<std::vector<storage::KeyError>> recent_errors(storage::KeyScope scope, KeyId id, std::size_t limit) override {
    if (find(scope, id) == keys.end()) return not_found();
    auto found = errors;
    found.resize(std::min(found.size(), limit));
    return found;
  }

  Moment now{std::chrono::seconds(1'800'000'000)};
  std::optional<Error> failure;  ///< of everything
  std::vector<storage::PersonRow> people;
  std::map<storage::SecretHash, std::pair<PersonId, storage::SessionRow>> sessions;
  std::set<storage::SecretHash> used;
  std::vector<storage::PortalKey> keys;
  std::vector<storage::DayRow> days;
  std::vector<storage::KeyError> errors;
  std::vector<std::string> actors;  ///< of each change of a key
  int touches = 0;
  std::int64_t last_number = 0;

 private:
  static Error not_found() { return {Errc::kNotFound, "there is no such key", ""}; }
  static bool is_within(const storage::PortalKey& key, const storage::KeyScope& scope) {
    if (const auto* person = std::get_if<PersonId>(&scope)) return key.row.person == *person;
    return key.row.tenant_id == std::get<TenantId>(scope);
  }
  std::vector<storage::PortalKey>::iterator find(const storage::KeyScope& scope, KeyId id) {
    return std::find_if(keys.begin(), keys.end(),
                        [&](const auto& key) { return key.row.id == id && is_within(key, scope); });
  }
};

}  // namespace toolhost::portal
