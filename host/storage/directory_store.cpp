#include "storage/directory_store.hpp"

#include <algorithm>
#include <pqxx/pqxx>

#include "storage/libpq.hpp"

namespace toolhost::storage {
namespace {

constexpr const char* kTenantColumns =
    "t.id, t.name, t.title, t.time_zone, to_char(t.created_at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";
constexpr const char* kKeyColumns =
    "k.key_id, k.tenant_id, t.name, t.time_zone, k.name, k.owner, k.prefix, encode(k.hash, 'hex'), k.pepper_version, "
    "to_char(k.created_at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), to_char(k.last_used_at, "
    "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), k.usage_count";

Error error_of(Errc code, std::string message, std::string detail = {}) {
  return Error{code, std::move(message), std::move(detail)};
}

TenantRow tenant_from(const pqxx::row& row) {
  return {TenantId{row[0].as<std::int32_t>()}, row[1].as<std::string>(), row[2].as<std::string>(),
          row[3].as<std::string>(), row[4].as<std::string>()};
}

KeyRow key_from(const pqxx::row& row) {
  KeyRow key;
  key.id = KeyId{row[0].as<std::int64_t>()};
  key.tenant_id = TenantId{row[1].as<std::int32_t>()};
  key.tenant = row[2].as<std::string>();
  key.tenant_time_zone = row[3].as<std::string>();
  key.name = row[4].as<std::string>();
  key.owner = row[5].as<std::string>();
  key.prefix = row[6].as<std::string>();
  const auto hex = row[7].as<std::string>();
  for (std::size_t i = 0; i < key.hash.size() && 2 * i + 1 < hex.size(); ++i) {
    key.hash[i] = static_cast<std::uint8_t>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
  }
  key.pepper_version = row[8].as<int>();
  key.created_at = row[9].as<std::string>();
  if (!row[10].is_null()) key.last_used_at = row[10].as<std::string>();
  key.usage_count = row[11].as<std::int64_t>();
  return key;
}

std::string hex_of(const KeyHash& hash) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (const std::uint8_t byte : hash) {
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
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

  Result<TenantRow> create_tenant(std::string name, std::string title, std::string time_zone) override {
    if (!is_tenant_name(name)) {
      return error_of(
          Errc::kInvalidArgument,
          "\"" + name + "\" is no tenant name: use 1 to 63 of a-z, 0-9 and -, beginning with a letter or digit");
    }
    if (title.empty() || title.size() > 200)
      return error_of(Errc::kInvalidArgument, "a tenant's title has 1 to 200 characters");
    return run([&](pqxx::work& work) -> Result<TenantRow> {
      if (work.exec_params(
                  "select 1 from pg_timezone_names where name = $1 and name !~ '^(posix|right/|localtime)' and "
                  // PostgreSQL takes an abbreviation before a zone of that name, and it knows no summer time.
                  "(name in ('UTC', 'GMT') or not exists (select 1 from pg_timezone_abbrevs where abbrev = name))",
                  time_zone)
              .empty()) {
        return error_of(Errc::kInvalidArgument,
                        "\"" + time_zone + "\" is no IANA time zone; write one such as Europe/Berlin or UTC");
      }
      const pqxx::result made = work.exec_params(
          "insert into tenants as t (name, title, time_zone) values ($1, $2, $3) "
          "on conflict (name) do nothing returning " +
              std::string(kTenantColumns),
          name, title, time_zone);
      if (made.empty()) return error_of(Errc::kConflict, "there is a tenant \"" + name + "\" already");
      return tenant_from(made[0]);
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

  Result<KeyRow> insert_key(TenantId tenant, std::string name, std::string owner, std::string prefix,
                            const KeyHash& hash, int pepper_version) override {
    if (name.empty() || name.size() > 200)
      return error_of(Errc::kInvalidArgument, "a key's name has 1 to 200 characters");
    if (owner.size() > 320)
      return error_of(Errc::kInvalidArgument, "an owner's e-mail address has at most 320 characters");
    return run([&](pqxx::work& work) -> Result<KeyRow> {
      const pqxx::result made = work.exec_params(
          "with k as (insert into api_keys (tenant_id, name, owner, prefix, hash, pepper_version) "
          "select id, $2, $3, $4, decode($5, 'hex'), $6 from tenants where id = $1 on conflict (hash) do nothing "
          "returning *) "
          "select " +
              std::string(kKeyColumns) + " from k join tenants t on t.id = k.tenant_id",
          value(tenant), name, owner, prefix, hex_of(hash), pepper_version);
      if (!made.empty()) return key_from(made[0]);
      if (work.exec_params("select 1 from tenants where id = $1", value(tenant)).empty())
        return error_of(Errc::kNotFound, "there is no such tenant");
      return error_of(Errc::kConflict, "this key exists already");
    });
  }

  Result<std::vector<KeyRow>> keys(std::optional<TenantId> tenant) override {
    return run([&](pqxx::work& work) -> Result<std::vector<KeyRow>> {
      const std::string sql =
          "select " + std::string(kKeyColumns) + " from api_keys k join tenants t on t.id = k.tenant_id ";
      const pqxx::result found =
          tenant ? work.exec_params(sql + "where k.tenant_id = $1 order by k.key_id", value(*tenant))
                 : work.exec(sql + "order by k.key_id");
      std::vector<KeyRow> out;
      out.reserve(found.size());
      for (const auto& row : found) out.push_back(key_from(row));
      return out;
    });
  }

  Result<KeyRow> delete_key_by_hash(const KeyHash& hash) override {
    return run([&](pqxx::work& work) -> Result<KeyRow> {
      const pqxx::result gone = work.exec_params(
          "delete from api_keys k using tenants t where t.id = k.tenant_id and k.hash = decode($1, 'hex') returning " +
              std::string(kKeyColumns),
          hex_of(hash));
      if (gone.empty()) return error_of(Errc::kNotFound, "there is no such key; list them with: toolhost key list");
      return key_from(gone[0]);
    });
  }

  Result<KeyRow> delete_key_by_prefix(std::string_view prefix) override {
    return run([&](pqxx::work& work) -> Result<KeyRow> {
      const pqxx::result found = work.exec_params(
          "select t.name, k.name, k.key_id from api_keys k join tenants t on t.id = k.tenant_id "
          "where k.prefix = $1 order by k.key_id for update of k",
          std::string(prefix));
      if (found.empty()) {
        return error_of(Errc::kNotFound, "there is no key that begins with \"" + std::string(prefix) +
                                             "\"; list them with: toolhost key list");
      }
      if (found.size() > 1) {
        std::string matches;
        for (const auto& row : found) {
          matches +=
              (matches.empty() ? "" : ", ") + row[1].as<std::string>() + " (tenant " + row[0].as<std::string>() + ")";
        }
        return error_of(Errc::kConflict,
                        "several keys begin with \"" + std::string(prefix) + "\": " + matches + "; give the whole key");
      }
      const pqxx::result gone = work.exec_params(
          "delete from api_keys k using tenants t where t.id = k.tenant_id and k.key_id = $1 returning " +
              std::string(kKeyColumns),
          found[0][2].as<std::int64_t>());
      return key_from(gone[0]);
    });
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
