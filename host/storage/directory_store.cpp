#include "storage/directory_store.hpp"

#include <algorithm>
#include <pqxx/pqxx>

#include "observability/audit_record.hpp"
#include "storage/audit_append.hpp"
#include "storage/key_store.hpp"
#include "storage/libpq.hpp"

namespace toolhost::storage {
namespace {

constexpr const char* kTenantColumns =
    "t.id, t.name, t.title, t.time_zone, to_char(t.created_at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";

Error error_of(Errc code, std::string message, std::string detail = {}) {
  return Error{code, std::move(message), std::move(detail)};
}

TenantRow tenant_from(const pqxx::row& row) {
  return {TenantId{row[0].as<std::int32_t>()}, row[1].as<std::string>(), row[2].as<std::string>(),
          row[3].as<std::string>(), row[4].as<std::string>()};
}

void record_creation(pqxx::work& work, const TenantRow& tenant, const Actor& actor) {
  std::string text;
  observability::AuditRecord record(text, "tenant_created");
  record.field("tenant", tenant.name).field("actor", actor.name).field("title", tenant.title);
  record.field("time_zone", tenant.time_zone).end();
  append_audit(work, value(tenant.id), {text});
}

/// PostgreSQL's list is the truth. It is read from files, which takes a tenth of a second: not for UTC, nor for a zone
/// that a tenant has.
Result<> check_time_zone(pqxx::work& work, const std::string& time_zone) {
  if (time_zone == "UTC" || !work.exec_params("select 1 from tenants where time_zone = $1 limit 1", time_zone).empty())
    return boost::system::in_place_value;
  const auto found = work.exec_params(
      "select 1 from pg_timezone_names where name = $1 and name !~ '^(posix|right/|localtime)' and "
      // PostgreSQL takes an abbreviation before a zone of that name, and it knows no summer time.
      "(name in ('UTC', 'GMT') or not exists (select 1 from pg_timezone_abbrevs where abbrev = name))",
      time_zone);
  if (!found.empty()) return boost::system::in_place_value;
  return error_of(Errc::kInvalidArgument,
                  "\"" + time_zone + "\" is no IANA time zone; write one such as Europe/Berlin or UTC");
}

bool is_tenant_name(std::string_view name) {
  const auto is_letter_or_digit = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= 63 && is_letter_or_digit(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return is_letter_or_digit(c) || c == '-'; });
}

template <class T, class Get>
std::string array_of(const std::vector<T>& items, Get get) {
  std::string out = "{";
  for (const T& item : items) {
    if (out.size() > 1) out += ',';
    out += std::to_string(get(item));
  }
  return out + "}";
}

class Store final : public DirectoryStore {
 public:
  explicit Store(const DatabaseAddress& address) : conninfo_(address.as_host()) {
    append_conninfo(conninfo_, "connect_timeout", "5");
  }

  Result<TenantRow> create_tenant(std::string name, std::string title, std::string time_zone,
                                  const Actor& actor) override {
    if (!is_tenant_name(name)) {
      return error_of(
          Errc::kInvalidArgument,
          "\"" + name + "\" is no tenant name: use 1 to 63 of a-z, 0-9 and -, beginning with a letter or digit");
    }
    if (title.empty() || title.size() > 200)
      return error_of(Errc::kInvalidArgument, "a tenant's title has 1 to 200 characters");
    return run([&](pqxx::work& work) -> Result<TenantRow> {
      if (const auto known = check_time_zone(work, time_zone); !known) return known.error();
      const pqxx::result made = work.exec_params(
          "insert into tenants as t (name, title, time_zone) values ($1, $2, $3) "
          "on conflict (name) do nothing returning " +
              std::string(kTenantColumns),
          name, title, time_zone);
      if (made.empty()) return error_of(Errc::kConflict, "there is a tenant \"" + name + "\" already");
      const TenantRow tenant = tenant_from(made[0]);
      record_creation(work, tenant, actor);
      return tenant;
    });
  }

  Result<> update_tenant(const std::string& name, const std::string& title, const std::string& time_zone) override {
    return run([&](pqxx::work& work) -> Result<> {
      if (const auto known = check_time_zone(work, time_zone); !known) return known.error();
      work.exec_params(
          "update tenants set title = $2, time_zone = $3 where name = $1 and (title, time_zone) is distinct from ($2, "
          "$3)",
          name, title, time_zone);
      return boost::system::in_place_value;
    });
  }

  Result<std::vector<TenantRow>> tenants() override {
    return run([&](pqxx::work& work) -> Result<std::vector<TenantRow>> {
      std::vector<TenantRow> out;
      for (const auto& row : work.exec("select " + std::string(kTenantColumns) + " from tenants t order by t.name"))
        out.push_back(tenant_from(row));
      return out;
    });
  }

  Result<TenantRow> tenant(std::string_view name) override {
    return run([&](pqxx::work& work) -> Result<TenantRow> {
      const pqxx::result found = work.exec_params(
          "select " + std::string(kTenantColumns) + " from tenants t where t.name = $1", std::string(name));
      if (!found.empty()) return tenant_from(found[0]);
      const pqxx::result names = work.exec(
          "select coalesce(string_agg(name, ', ' order by name), '') from (select name from tenants order by name "
          "limit 20) t");
      const auto known = names[0][0].as<std::string>();
      return error_of(Errc::kNotFound, "there is no tenant \"" + std::string(name) + "\"; " +
                                           (known.empty() ? "there is none yet" : "there is: " + known) +
                                           "; create it with: toolhost tenant create NAME");
    });
  }

  Result<KeyRow> insert_key(const NewKeyRow& key, const Actor& actor) override {
    return run([&](pqxx::work& work) { return storage::insert_key(work, key, actor); });
  }

  Result<std::vector<KeyRow>> keys(std::optional<TenantId> tenant) override {
    return run([&](pqxx::work& work) { return select_keys(work, tenant); });
  }

  Result<KeyRow> delete_key_by_hash(const KeyHash& hash, const Actor& actor) override {
    return run([&](pqxx::work& work) { return storage::delete_key_by_hash(work, hash, actor); });
  }

  Result<KeyRow> delete_key_by_prefix(std::string_view prefix, const Actor& actor) override {
    return run([&](pqxx::work& work) { return storage::delete_key_by_prefix(work, std::string(prefix), actor); });
  }

  Result<KeyRow> set_key_disabled(std::string_view prefix, bool disabled, const Actor& actor) override {
    return run([&](pqxx::work& work) { return storage::set_key_disabled(work, std::string(prefix), disabled, actor); });
  }

  Result<KeyRow> rotate_key(std::string_view prefix, std::string new_prefix, const KeyHash& hash, int pepper_version,
                            std::chrono::seconds overlap, const Actor& actor) override {
    NewKeyRow key;
    key.prefix = std::move(new_prefix);
    key.hash = hash;
    key.pepper_version = pepper_version;
    return run([&](pqxx::work& work) { return storage::rotate_key(work, std::string(prefix), key, overlap, actor); });
  }

  Result<> record_uses(const std::vector<KeyUse>& uses) override {
    if (uses.empty()) return {};
    return run([&](pqxx::work& work) -> Result<> {
      using Micros = std::chrono::duration<std::int64_t, std::micro>;
      const std::string ids = array_of(uses, [](const KeyUse& use) { return value(use.id); });
      // Locked in one order, so that two hosts that count the same keys cannot block each other for good.
      work.exec_params(
          "with u as (select id, sum(calls) as calls, max(at) as at from unnest($1::bigint[], $2::bigint[], "
          "$3::bigint[]) v (id, calls, at) group by id), "
          "locked as (select key_id from api_keys where key_id = any ($1::bigint[]) order by key_id for update) "
          "update api_keys k set usage_count = k.usage_count + u.calls, "
          "last_used_at = greatest(k.last_used_at, to_timestamp(u.at / 1e6)) from u join locked l on l.key_id = u.id "
          "where k.key_id = u.id",
          ids, array_of(uses, [](const KeyUse& use) { return use.calls; }), array_of(uses, [](const KeyUse& use) {
            return std::chrono::duration_cast<Micros>(use.last_used.time_since_epoch()).count();
          }));
      return {};
    });
  }

 private:
  // One transaction, committed when `job` succeeds. Whatever libpqxx throws becomes an Error here.
  template <class Job>
  std::invoke_result_t<Job, pqxx::work&> run(Job job) {
    try {
      if (connection_ == nullptr) connection_ = std::make_unique<pqxx::connection>(conninfo_);
      pqxx::work work(*connection_);
      auto result = job(work);
      if (result) work.commit();
      return result;
    } catch (const pqxx::sql_error& error) {
      const std::string state = error.sqlstate();
      const std::string detail = state + " " + one_line(error.what());
      if (state.starts_with("57P") || state.starts_with("08") || state.empty()) return lost(detail);
      if (state == "40P01" || state == "40001")
        return error_of(Errc::kRetry, "another change got in the way; try again", detail);
      if (state.starts_with("22"))
        return error_of(Errc::kInvalidArgument, "a value has a form that the database cannot store", detail);
      return error_of(Errc::kInternal, "the database refused a statement", detail);
    } catch (const std::exception& error) {
      return lost(one_line(error.what()));
    }
  }

  Error lost(std::string detail) {
    connection_.reset();
    return error_of(Errc::kUnavailable, "the database is not available right now", std::move(detail));
  }

  std::string conninfo_;
  std::unique_ptr<pqxx::connection> connection_;
};

}  // namespace

std::unique_ptr<DirectoryStore> DirectoryStore::create(const DatabaseAddress& address) {
  return std::make_unique<Store>(address);
}

}  // namespace toolhost::storage
