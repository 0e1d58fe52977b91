#include "storage/portal_people.hpp"

#include <algorithm>
#include <utility>

#include "observability/audit_record.hpp"
#include "storage/audit_append.hpp"
#include "storage/clean_text.hpp"
#include "storage/key_rows.hpp"

namespace toolhost::storage {
namespace {

constexpr std::size_t kLongestPersonName = 200, kLongestDomain = 253, kLongestUserAgent = 300, kLongestAddress = 100;
constexpr int kMostSessions = 50;

// OWASP ASVS 5.0, 7.3: an end for whoever went away, and one for everybody.
constexpr const char* kIsLive = "s.expires_at > now() and s.last_seen_at > now() - interval '12 hours'";

constexpr const char* kPersonColumns =
    "p.person_id, p.issuer, p.subject, p.email, p.name, p.email_verified, floor(extract(epoch from "
    "p.created_at))::bigint, floor(extract(epoch from p.last_sign_in_at))::bigint, p.hosted_domain";
constexpr int kPersonColumnCount = 9;
constexpr const char* kSessionColumns =
    "s.number, floor(extract(epoch from s.created_at))::bigint, floor(extract(epoch from s.last_seen_at))::bigint, "
    "floor(extract(epoch from s.expires_at))::bigint, floor(extract(epoch from now() - s.last_seen_at))::bigint, "
    "s.user_agent, s.address";

PersonRow person_from(const pqxx::row& row) {
  return {.id = PersonId{row[0].as<std::int64_t>()},
          .issuer = row[1].as<std::string>(),
          .subject = row[2].as<std::string>(),
          .email = row[3].as<std::string>(),
          .name = row[4].as<std::string>(),
          .hosted_domain = row[8].as<std::string>(),
          .email_verified = row[5].as<bool>(),
          .created_at = time_from(row[6].as<std::int64_t>()),
          .last_sign_in_at = time_from(row[7].as<std::int64_t>())};
}

/// The columns from `at` on.
SessionRow session_from(const pqxx::row& row, int at = 0) {
  return {.number = row[at].as<std::int64_t>(),
          .created_at = time_from(row[at + 1].as<std::int64_t>()),
          .last_seen_at = time_from(row[at + 2].as<std::int64_t>()),
          .expires_at = time_from(row[at + 3].as<std::int64_t>()),
          .idle = std::chrono::seconds(row[at + 4].as<std::int64_t>()),
          .user_agent = row[at + 5].as<std::string>(),
          .address = row[at + 6].as<std::string>()};
}

/// As the table wants them; what else is no address is the issuer's business.
bool is_whole(const NewPerson& person) {
  const auto fits = [](const std::string& text, std::size_t least, std::size_t most) {
    return text.size() >= least && text.size() <= most && clean_text(text, most) == text;
  };
  return fits(person.issuer, 1, 500) && fits(person.subject, 1, 255) && fits(person.email, 3, 320);
}

/// Gives the person's keys the address for an owner. Chains of the audit are locked in one order.
void pass_keys_on(pqxx::work& work, PersonId person, const std::string& email) {
  const Actor actor{"portal:" + email};
  const pqxx::result found = work.exec_params("select " + std::string(kKeyColumns) +
                                                  " from api_keys k join tenants t on t.id = k.tenant_id "
                                                  "where k.person_id = $1 and k.owner <> $2 "
                                                  "order by k.tenant_id, k.key_id for update of k",
                                              value(person), email);
  if (found.empty()) return;
  work.exec_params("update api_keys set owner = $2 where person_id = $1 and owner <> $2", value(person), email);
  for (const auto& row : found) {
    KeyRow key = key_from(row);
    const auto before = std::exchange(key.owner, email);
    record_key(work, "key_owner_changed", key, actor, {"previous_owner", before});
  }
}

/// The person's address is nobody's until the issuer vouches for it again.
void doubt_address(pqxx::work& work, PersonId person) {
  end_sessions_of(work, person);
  if (work.exec_params("update people set email_verified = false where person_id = $1 and email_verified",
                       value(person))
          .affected_rows() == 0)
    return;
  for (const auto& row : work.exec_params("select " + std::string(kKeyColumns) +
                                              " from api_keys k join tenants t on t.id = k.tenant_id "
                                              "where k.person_id = $1 order by k.tenant_id, k.key_id",
                                          value(person))) {
    const KeyRow key = key_from(row);
    record_key(work, "key_owner_doubted", key, {"portal:" + key.owner});
  }
}

}  // namespace

Result<PersonRow> upsert_person(pqxx::work& work, const NewPerson& person) {
  if (!is_whole(person))
    return Error{Errc::kInvalidArgument, "The sign-in names nobody who can be known here.", "issuer, sub or email"};
  const pqxx::row row = work.exec_params1(
      "insert into people as p (issuer, subject, email, name, email_verified, hosted_domain) values ($1, $2, $3, $4, "
      "$5, $6) "
      "on conflict (issuer, subject) do update set email = excluded.email, name = excluded.name, "
      "email_verified = excluded.email_verified, hosted_domain = excluded.hosted_domain, last_sign_in_at = now() "
      "returning " +
          std::string(kPersonColumns),
      person.issuer, person.subject, person.email, clean_text(person.name, kLongestPersonName), person.email_verified,
      clean_text(person.hosted_domain, kLongestDomain));
  auto known = person_from(row);
  pass_keys_on(work, known.id, known.email);
  return known;
}

Result<bool> update_person(pqxx::work& work, const NewPerson& person) {
  const pqxx::result found =
      work.exec_params("select person_id from people where issuer = $1 and subject = $2 for no key update",
                       person.issuer, person.subject);
  if (found.empty()) return false;
  if (!person.email_verified) {
    doubt_address(work, PersonId{found[0][0].as<std::int64_t>()});
    return true;
  }
  const auto updated = upsert_person(work, person);
  if (!updated) return updated.error();
  return true;
}

Result<SessionRow> create_session(pqxx::work& work, const SecretHash& id, PersonId person, std::string_view user_agent,
                                  std::string_view address) {
  work.exec("delete from portal_sessions s where not (" + std::string(kIsLive) + ")");
  const pqxx::result made = work.exec_params(
      "insert into portal_sessions as s (id_hash, person_id, expires_at, user_agent, address) "
      "select decode($1, 'hex'), person_id, now() + interval '7 days', $3, $4 from people where person_id = $2 "
      "on conflict (id_hash) do nothing returning " +
          std::string(kSessionColumns),
      hex_of(id), value(person), clean_text(user_agent, kLongestUserAgent), clean_text(address, kLongestAddress));
  if (made.empty()) return Error{Errc::kNotFound, "there is no such person", ""};
  work.exec_params(
      "delete from portal_sessions where person_id = $1 and number not in "
      "(select number from portal_sessions where person_id = $1 order by number desc limit $2)",
      value(person), kMostSessions);
  return session_from(made[0]);
}

void record_sign_in(pqxx::work& work, const Actor& actor, const std::vector<EnteredTenant>& tenants,
                    std::string_view user_agent, std::string_view address) {
  // Chains are locked in one order, so that two who sign in do not wait for each other.
  auto sorted = tenants;
  std::ranges::sort(sorted, {}, &EnteredTenant::id);
  for (const auto& tenant : sorted) {
    std::string text;
    observability::AuditRecord(text, "signed_in")
        .field("tenant", tenant.name)
        .field("actor", actor.name)
        .field("remote", clean_text(address, kLongestAddress))
        .field("user_agent", clean_text(user_agent, kLongestUserAgent))
        .end();
    append_audit(work, value(tenant.id), {text});
  }
}

Result<SignedInRow> find_session(pqxx::work& work, const SecretHash& id) {
  const pqxx::result found = work.exec_params("select " + std::string(kPersonColumns) + ", " + kSessionColumns +
                                                  " from portal_sessions s join people p on p.person_id = s.person_id "
                                                  "where s.id_hash = decode($1, 'hex') and " +
                                                  kIsLive,
                                              hex_of(id));
  if (found.empty()) return Error{Errc::kNotFound, "there is no such session", ""};
  return SignedInRow{person_from(found[0]), session_from(found[0], kPersonColumnCount)};
}

void touch_session(pqxx::work& work, const SecretHash& id) {
  work.exec_params("update portal_sessions s set last_seen_at = now() where s.id_hash = decode($1, 'hex') and " +
                       std::string(kIsLive),
                   hex_of(id));
}

Result<std::vector<SessionRow>> sessions_of(pqxx::work& work, PersonId person) {
  std::vector<SessionRow> sessions;
  for (const auto& row : work.exec_params("select " + std::string(kSessionColumns) +
                                              " from portal_sessions s where s.person_id = $1 and " + kIsLive +
                                              " order by s.last_seen_at desc, s.number desc",
                                          value(person)))
    sessions.push_back(session_from(row));
  return sessions;
}

bool end_session(pqxx::work& work, const SecretHash& id) {
  return work.exec_params("delete from portal_sessions where id_hash = decode($1, 'hex')", hex_of(id)).affected_rows() >
         0;
}

bool end_session_of(pqxx::work& work, PersonId person, std::int64_t number) {
  return work.exec_params("delete from portal_sessions where person_id = $1 and number = $2", value(person), number)
             .affected_rows() > 0;
}

std::int64_t end_sessions_of(pqxx::work& work, PersonId person) {
  return static_cast<std::int64_t>(
      work.exec_params("delete from portal_sessions where person_id = $1", value(person)).affected_rows());
}

}  // namespace toolhost::storage
