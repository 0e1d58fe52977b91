#pragma once
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/database_address.hpp"
#include "storage/directory_store.hpp"

namespace toolhost::storage {

/// SHA-256 of what only a browser has.
using SecretHash = std::array<std::uint8_t, 32>;
using Moment = std::chrono::system_clock::time_point;

/// Who signs in, as the issuer says (OpenID Connect Core 1.0, section 5.1).
struct NewPerson {
  std::string issuer, subject;  ///< together they are the person; all else may change
  std::string email, name;
  std::string hosted_domain;  ///< the organisation that the issuer keeps the account for; empty: none
  bool email_verified = false;
};
struct PersonRow {
  PersonId id{};
  std::string issuer, subject, email, name, hosted_domain;
  bool email_verified = false;
  Moment created_at, last_sign_in_at;
};

struct SessionRow {
  std::int64_t number = 0;  ///< names it to its owner; no secret
  Moment created_at, last_seen_at, expires_at;
  std::chrono::seconds idle{0};  ///< since last_seen_at, by the clock of the database
  std::string user_agent, address;
};
struct SignedInRow {
  PersonRow person;
  SessionRow session;
};

/// A tenant that somebody belongs to who signs in.
struct EnteredTenant {
  TenantId id{};
  std::string name;
};

/// Whose keys a statement reaches: a person's own, or all of a tenant, for its administrators. Any other key is not
/// found, as one that does not exist.
using KeyScope = std::variant<PersonId, TenantId>;

struct PortalKey {
  KeyRow row;
  Moment created_at;
  std::optional<Moment> last_used_at;
  std::string replaced_by_prefix;  ///< empty when no key took its place, or that one is deleted
};

/// What a form may do only once. Its hash is remembered until then; the form must be refused afterwards by whoever
/// reads it.
struct OnceToken {
  SecretHash hash{};
  Moment good_until;
};

/// A key that a person makes. The owner becomes the person's e-mail address.
struct NewPortalKey {
  PersonId person{};
  TenantId tenant{};
  std::string name;  ///< clean_key_name() is applied
  std::string prefix;
  KeyHash hash{};
  int pepper_version = 1;
  std::vector<std::string> scopes;
  std::optional<Moment> expires_at;
  std::optional<OnceToken> once;  ///< taken with the key, or not at all
};

/// A key that takes another's place; it has the other's name, tenant, scopes and span of life.
struct NewSecret {
  std::string prefix;
  KeyHash hash{};
  int pepper_version = 1;
  std::optional<OnceToken> once;
};

struct ChangedKey {
  PortalKey key;
  bool has_namesake = false;  ///< the same owner has another key of that name in the tenant that has not ended
};

/// Calls of a tool on one day (UTC).
struct DayRow {
  std::chrono::sys_days day;
  std::string tool;  ///< empty: of no tool, or of one that the key may not know
  std::int64_t calls = 0, errors = 0;
};

/// A call or request that was refused or failed, as the audit has it.
struct KeyError {
  Moment at;
  std::string tool;  ///< empty when it was a request, not a call
  std::string outcome, reason;
  std::int64_t count = 1;  ///< of refusals that share a record
};

/// 1 to 60 characters, none of them hidden (utf8.hpp), as they are read: runs of blanks are one space, those around it
/// and what is invisible are gone. kInvalidArgument says what is wrong, in words for a form.
Result<std::string> clean_key_name(std::string_view name);

/// How long the key that is replaced may go on: not at all, an hour, a day, a week.
inline constexpr std::array<std::chrono::seconds, 4> kReplaceOverlaps{std::chrono::seconds(0), std::chrono::hours(1),
                                                                      std::chrono::hours(24), std::chrono::days(7)};

/// What the portal keeps and changes, through libpqxx as the host role. What changes a key is recorded in its tenant's
/// audit by the same transaction. One object is one connection and belongs to one thread at a time; a connection that
/// was lost meanwhile is replaced, kUnavailable when that fails.
class PortalStore {
 public:
  /// Of keys that have not ended and were not replaced, a person has at most `keys_per_person`; with those that were
  /// replaced and still work, twice that; of all, ten times that.
  /// `limit` of each call: borrowed; null: none.
  static std::unique_ptr<PortalStore> create(const DatabaseAddress& address, int keys_per_person = 20,
                                             JobLimit* limit = nullptr);
  virtual ~PortalStore() = default;

  // ---- people and sessions

  /// The person with this issuer and subject, made or brought up to date; signed in now. The address becomes the owner
  /// of all their keys, recorded for each, so that none keeps the rights of one that is not theirs any more.
  virtual Result<PersonRow> upsert_person(const NewPerson& person) = 0;
  /// What the issuer says of somebody who is not let in. Nothing becomes of a stranger; a person who is known is
  /// brought up to date as by upsert_person(). Without a verified address the one that is known stays in doubt until
  /// there is one: their sessions end here, and their keys are let in by nobody. Whether they are known.
  virtual Result<bool> update_person(const NewPerson& person) = 0;
  /// Lasts 7 days, and 12 hours without touch_session(). Removes sessions that have ended, of anybody, and the person's
  /// oldest beyond 50. What a browser calls itself is cut to 300 characters.
  virtual Result<SessionRow> create_session(const SecretHash& id, PersonId person, std::string_view user_agent,
                                            std::string_view address) = 0;
  /// Puts it into the audit of each of these tenants that the actor signed in.
  virtual Result<> record_sign_in(const Actor& actor, const std::vector<EnteredTenant>& tenants,
                                  std::string_view user_agent, std::string_view address) = 0;
  /// kNotFound when there is none or it has ended.
  virtual Result<SignedInRow> find_session(const SecretHash& id) = 0;
  /// The person is there now. One that has ended does not come back.
  virtual Result<> touch_session(const SecretHash& id) = 0;
  /// Those that have not ended, seen last first.
  virtual Result<std::vector<SessionRow>> sessions_of(PersonId person) = 0;
  /// Whether there was one.
  virtual Result<bool> end_session(const SecretHash& id) = 0;
  virtual Result<bool> end_session_of(PersonId person, std::int64_t number) = 0;
  /// How many ended.
  virtual Result<std::int64_t> end_sessions_of(PersonId person) = 0;
  /// True for exactly one who asks with this hash, as long as it is good. Forgets those that are not any more.
  virtual Result<bool> use_state(const OnceToken& state) = 0;

  // ---- keys

  /// Newest first.
  virtual Result<std::vector<PortalKey>> keys_of(KeyScope scope) = 0;
  virtual Result<PortalKey> key_of(KeyScope scope, KeyId key) = 0;
  /// kInvalidArgument for the name, kLimit for too many keys, kConflict when the form's token was used before or is no
  /// longer good, kNotFound without the person or the tenant.
  virtual Result<ChangedKey> create_key_of(const NewPortalKey& key, const Actor& actor) = 0;
  virtual Result<ChangedKey> rename_key(KeyScope scope, KeyId key, std::string_view name, const Actor& actor) = 0;
  /// For good, on every host within a second. What was deleted.
  virtual Result<PortalKey> delete_key_of(KeyScope scope, KeyId key, const Actor& actor) = 0;
  /// As DirectoryStore::rotate_key(); `overlap` is one of kReplaceOverlaps; kLimit when too many keys would work. Only
  /// for the person's own keys: who makes a key can act as its owner, which becomes the person's e-mail address of
  /// today. kConflict also when the form's token was used before. The new key.
  virtual Result<PortalKey> replace_key_of(PersonId person, KeyId key, const NewSecret& secret,
                                           std::chrono::seconds overlap, const Actor& actor) = 0;

  // ---- activity

  /// The last `days` days (100 are kept), today's among them, oldest first, in each by tool; days and tools without
  /// calls are not there.
  virtual Result<std::vector<DayRow>> days_of(KeyScope scope, KeyId key, int days) = 0;
  /// The same of all keys of the scope together.
  virtual Result<std::vector<DayRow>> days_of_all(KeyScope scope, int days) = 0;
  /// Newest first, of the last 100 days at most. Lags a second behind.
  virtual Result<std::vector<KeyError>> recent_errors(KeyScope scope, KeyId key, std::size_t limit) = 0;
};

}  // namespace toolhost::storage
