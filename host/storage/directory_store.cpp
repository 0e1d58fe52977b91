#include "storage/directory_store.hpp"

#include <algorithm>
#include <pqxx/pqxx>

#include "observability/audit_record.hpp"
#include "storage/audit_append.hpp"
#include "storage/host_connection.hpp"
#include "storage/key_store.hpp"
#include "storage/use_store.hpp"

namespace toolhost::storage {
namespace {

constexpr const char* kTenantColumns =
    "t.id, t.name, t.title, t.time_zone, to_char(t.created_at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";

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

class SqlDirectoryStore final : public DirectoryStore {
 public:
  SqlDirectoryStore(const DatabaseAddress& address, JobLimit* limit)
      : connection_(address, limit), is_limited_(limit != nullptr) {}

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
    const auto day = latest_day(uses);
    const bool is_new_day = day > swept_;
    const auto written = run([&](pqxx::work& work) -> Result<> {
      add_uses(work, uses);
      if (is_new_day) remove_old_days(work);
      return {};
    });
    if (written && is_new_day) swept_ = day;
    return written;
  }

 private:
  template <class Job>
  std::invoke_result_t<Job, pqxx::work&> run(Job&& job) {
    return is_limited_ ? connection_.run_anew(std::forward<Job>(job)) : connection_.run(std::forward<Job>(job));
  }

  HostConnection connection_;
  const bool is_limited_;          // then somebody waits for a page, and a lost connection is no reason for none
  std::chrono::sys_days swept_{};  // the day on which days that are too old were removed last
};

}  // namespace

std::unique_ptr<DirectoryStore> DirectoryStore::create(const DatabaseAddress& address, JobLimit* limit) {
  return std::make_unique<SqlDirectoryStore>(address, limit);
}

}  // namespace toolhost::storage
