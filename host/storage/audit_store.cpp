#include "storage/audit_store.hpp"

#include <algorithm>
#include <map>
#include <pqxx/pqxx>

#include "storage/chain_verifier.hpp"
#include "storage/libpq.hpp"

namespace toolhost::storage {
namespace {

constexpr const char* kRowColumns =
    "tenant_id, sequence, to_char(at, 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), record, encode(hash, 'hex')";
constexpr int kFetched = 2'000;  // rows at a time

AuditRow row_from(const pqxx::row& row) {
  return {row[0].as<std::int32_t>(), row[1].as<std::int64_t>(), row[2].c_str(), row[3].c_str(), row[4].c_str()};
}

ChainRow chain_row_from(const pqxx::row& row) {
  ChainRow out{.sequence = row[1].as<std::int64_t>(),
               .at_us = row[2].as<std::int64_t>(),
               .record = row[3].c_str(),
               .hash = from_hex(row[4].c_str())};
  for (std::size_t at = 0; at < out.columns.size(); ++at) {
    const auto field = row[static_cast<int>(5 + at)];
    if (!field.is_null()) out.columns[at] = field.c_str();
  }
  return out;
}

/// The conditions of a filter, as SQL that starts with "where" or is empty. Texts are quoted, never parameters: a
/// cursor takes none.
std::string conditions(pqxx::transaction_base& work, const AuditFilter& filter, std::optional<std::int64_t> before) {
  std::string sql;
  const auto add = [&](const std::string& condition) { sql += (sql.empty() ? " where " : " and ") + condition; };
  const auto equals = [&](const char* column, const std::string& text) {
    if (!text.empty()) add(std::string(column) + " = " + work.quote(text));
  };
  if (filter.tenant) add("tenant_id = " + std::to_string(value(*filter.tenant)));
  equals("kind", filter.kind);
  equals("tool", filter.tool);
  equals("key_prefix", filter.key_prefix);
  equals("principal", filter.principal);
  equals("outcome", filter.outcome);
  equals("reason", filter.reason);
  if (!filter.since.empty()) add("at >= " + work.quote(filter.since) + "::timestamptz");
  if (!filter.until.empty()) add("at < " + work.quote(filter.until) + "::timestamptz");
  if (before) add("sequence < " + std::to_string(*before));
  return sql;
}

/// Hands the rows of a query to `take`, a few at a time; it returns false to end.
void stream(pqxx::transaction_base& work, const std::string& query, const std::function<bool(const pqxx::row&)>& take) {
  work.exec("declare audit_rows no scroll cursor for " + query);
  for (;;) {
    const pqxx::result rows = work.exec("fetch " + std::to_string(kFetched) + " from audit_rows");
    if (rows.empty()) return;
    for (const auto& row : rows) {
      if (!take(row)) return;
    }
  }
}

class Store final : public AuditStore {
 public:
  Store(const DatabaseAddress& address, const Secret& seal) : conninfo_(address.as_host()), seal_(seal) {
    append_conninfo(conninfo_, "connect_timeout", "5");
  }

  Result<std::vector<AuditRow>> list(const AuditFilter& filter, std::size_t limit,
                                     std::optional<std::int64_t> before) override {
    return run([&](Snapshot& work) -> Result<std::vector<AuditRow>> {
      const std::string order = filter.tenant ? "sequence desc" : "at desc, tenant_id, sequence desc";
      std::vector<AuditRow> out;
      for (const auto& row :
           work.exec("select " + std::string(kRowColumns) + " from toolhost.audit" + conditions(work, filter, before) +
                     " order by " + order + " limit " + std::to_string(limit)))
        out.push_back(row_from(row));
      return out;
    });
  }

  Result<> for_each(const AuditFilter& filter, const std::function<Result<>(const AuditRow&)>& write) override {
    return run([&](Snapshot& work) -> Result<> {
      Result<> written = boost::system::in_place_value;
      stream(work,
             "select " + std::string(kRowColumns) + " from toolhost.audit" + conditions(work, filter, std::nullopt) +
                 " order by tenant_id, sequence",
             [&](const pqxx::row& row) {
               written = write(row_from(row));
               return written.has_value();
             });
      return written;
    });
  }

  Result<AuditVerdict> verify(std::optional<TenantId> tenant,
                              const std::function<void(std::uint64_t, std::uint64_t)>& on_progress,
                              const std::vector<AuditCheckpoint>& kept) override {
    return run([&](Snapshot& work) -> Result<AuditVerdict> {
      const std::string where = tenant ? " where tenant_id = " + std::to_string(value(*tenant)) : "";
      auto chains = load_chains(work, where);
      for (const auto& checkpoint : kept) {
        if (!tenant || value(*tenant) == checkpoint.tenant_id) chains[checkpoint.tenant_id].add(checkpoint);
      }
      std::uint64_t all = 0;
      for (const auto& [id, chain] : chains) all += chain.rows();

      AuditVerdict verdict;
      std::optional<ChainVerifier> verifier;
      std::optional<std::int32_t> current;
      stream(work,
             "select tenant_id, sequence, (extract(epoch from at) * 1000000)::bigint, record, encode(hash, 'hex'), "
             "kind, tool, key_prefix, principal, outcome, reason from toolhost.audit" +
                 where + " order by tenant_id, sequence",
             [&](const pqxx::row& row) {
               const auto id = row[0].as<std::int32_t>();
               if (current != id) {
                 if (verifier) verifier->finish();
                 begin(verifier, id, chains, verdict);
                 current = id;
               }
               verifier->add(chain_row_from(row));
               if (on_progress && verdict.rows % kFetched == 0) on_progress(verdict.rows, std::max(all, verdict.rows));
               return true;
             });
      if (verifier) verifier->finish();
      while (!chains.empty()) {  // those without a row
        begin(verifier, chains.begin()->first, chains, verdict);
        verifier->finish();
      }
      if (on_progress) on_progress(verdict.rows, verdict.rows);
      return verdict;
    });
  }

 private:
  // One snapshot for all statements: what is appended meanwhile is not seen.
  using Snapshot = pqxx::transaction<pqxx::repeatable_read, pqxx::read_only>;

  struct Chain {
    std::optional<ChainHead> head;
    std::vector<AuditCheckpoint> checkpoints;

    /// One that is there already is not there twice.
    void add(const AuditCheckpoint& checkpoint) {
      const auto is_same = [&](const AuditCheckpoint& other) { return other.mac == checkpoint.mac; };
      if (std::none_of(checkpoints.begin(), checkpoints.end(), is_same)) checkpoints.push_back(checkpoint);
    }
    /// About how many rows it has.
    [[nodiscard]] std::uint64_t rows() const {
      std::int64_t first = 0;
      for (const auto& checkpoint : checkpoints) first = std::max(first, checkpoint.begins ? checkpoint.sequence : 0);
      return head ? static_cast<std::uint64_t>(std::max<std::int64_t>(head->sequence - first, 0)) : 0;
    }
  };

  static std::map<std::int32_t, Chain> load_chains(Snapshot& work, const std::string& where) {
    std::map<std::int32_t, Chain> chains;
    for (const auto& row : work.exec("select tenant_id from (select 0 as tenant_id union all select id from "
                                     "toolhost.tenants) t" +
                                     where)) {
      chains[row[0].as<std::int32_t>()];
    }
    for (const auto& row :
         work.exec("select tenant_id, sequence, encode(hash, 'hex') from toolhost.audit_heads" + where)) {
      chains[row[0].as<std::int32_t>()].head = ChainHead{row[1].as<std::int64_t>(), from_hex(row[2].c_str())};
    }
    for (const auto& row : work.exec("select tenant_id, sequence, begins, encode(hash, 'hex'), "
                                     "to_char(sealed_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), encode(mac, 'hex') from "
                                     "toolhost.audit_checkpoints" +
                                     where + " order by tenant_id, sequence")) {
      chains[row[0].as<std::int32_t>()].checkpoints.push_back({row[0].as<std::int32_t>(), row[1].as<std::int64_t>(),
                                                               row[2].as<bool>(), from_hex(row[3].c_str()),
                                                               row[4].c_str(), from_hex(row[5].c_str())});
    }
    return chains;
  }

  void begin(std::optional<ChainVerifier>& verifier, std::int32_t id, std::map<std::int32_t, Chain>& chains,
             AuditVerdict& verdict) const {
    Chain chain = std::move(chains[id]);
    chains.erase(id);
    verifier.emplace(id, std::move(chain.head), std::move(chain.checkpoints), seal_, verdict);
  }

  template <class Job>
  std::invoke_result_t<Job, Snapshot&> run(Job job) {
    const auto failed = [](Errc code, std::string message, std::string detail) {
      return Error{code, std::move(message), std::move(detail)};
    };
    try {
      if (connection_ == nullptr) connection_ = std::make_unique<pqxx::connection>(conninfo_);
      Snapshot work(*connection_);
      return job(work);
    } catch (const pqxx::sql_error& error) {
      const std::string state = error.sqlstate();
      const std::string detail = state + " " + one_line(error.what());
      if (state.starts_with("22"))
        return failed(Errc::kInvalidArgument, "a time must look like 2026-01-31 or 2026-01-31T09:30:00Z", detail);
      if (!state.starts_with("57P") && !state.starts_with("08") && !state.empty())
        return failed(Errc::kInternal, "the database refused a statement", detail);
      connection_.reset();
      return failed(Errc::kUnavailable, "the database is not available right now", detail);
    } catch (const std::exception& error) {
      connection_.reset();
      return failed(Errc::kUnavailable, "the database is not available right now", one_line(error.what()));
    }
  }

  std::string conninfo_;
  const CheckpointSeal seal_;
  std::unique_ptr<pqxx::connection> connection_;
};

}  // namespace

std::unique_ptr<AuditStore> AuditStore::create(const DatabaseAddress& address, const Secret& seal) {
  return std::make_unique<Store>(address, seal);
}

}  // namespace toolhost::storage
