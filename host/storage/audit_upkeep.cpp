#include "storage/audit_upkeep.hpp"

#include "observability/audit_record.hpp"
#include "storage/libpq.hpp"

namespace toolhost::storage {

using observability::HostNotice;
using observability::Severity;

void AuditUpkeep::seal_chains(pqxx::connection& connection, std::chrono::seconds every) {
  attempt("chains of the audit cannot be sealed", [&] {
    pqxx::work work(connection);
    const pqxx::result due = work.exec_params(
        "select h.tenant_id, h.sequence, encode(h.hash, 'hex') from toolhost.audit_heads h where h.sequence > 0 "
        "and not exists (select from toolhost.audit_checkpoints c where c.tenant_id = h.tenant_id "
        "and (c.sequence >= h.sequence or c.sealed_at > now() - make_interval(secs => $1))) order by h.tenant_id",
        every.count());
    work.commit();
    seal_each(connection, due, false);
  });
}

void AuditUpkeep::make_partitions(pqxx::connection& connection) {
  attempt("partitions of the audit cannot be made", [&] {
    pqxx::work work(connection);
    work.exec("select toolhost.audit_make_partitions(now(), now() + interval '2 months')");
    work.commit();
  });
}

void AuditUpkeep::drop_old(pqxx::connection& connection, std::chrono::hours retention) {
  attempt("old months of the audit cannot be dropped", [&] {
    pqxx::work reading(connection);
    const pqxx::result beginnings = reading.exec_params(
        "select h.tenant_id, a.sequence, encode(a.hash, 'hex') from toolhost.audit_heads h cross join lateral "
        "(select b.sequence, b.hash from toolhost.audit b where b.tenant_id = h.tenant_id "
        "and b.at < date_trunc('month', now() - make_interval(hours => $1)) order by b.sequence desc limit 1) a "
        "where not exists (select from toolhost.audit_checkpoints c where c.tenant_id = h.tenant_id "
        "and c.sequence = a.sequence and c.begins) order by h.tenant_id",
        retention.count());
    reading.commit();
    seal_each(connection, beginnings, true);

    pqxx::work work(connection);
    const pqxx::result dropped =
        work.exec_params("select toolhost.audit_drop_before(now() - make_interval(hours => $1))", retention.count());
    work.commit();
    for (const auto& row : dropped) {
      events_.emit(HostNotice{
          Severity::kInfo, "audit",
          "dropped " + row[0].as<std::string>() + ": older than " + std::to_string(retention.count() / 24) + " days"});
    }
  });
}

void AuditUpkeep::attempt(const std::string& what, const std::function<void()>& job) {
  try {
    job();
    refused_.erase(what);
  } catch (const pqxx::sql_error& error) {
    const std::string& state = error.sqlstate();
    if (state.empty() || state.starts_with("08") || state.starts_with("57P")) throw;
    if (state == "55P03") return;  // somebody reads what is to be dropped: the next time again
    const std::string why = one_line(error.what());
    std::string& told = refused_[what];
    if (told == why) return;
    told = why;
    events_.emit(HostNotice{Severity::kError, "audit", what + ": " + why});
  }
}

// Rows of tenant, sequence and hash.
void AuditUpkeep::seal_each(pqxx::connection& connection, const pqxx::result& rows, bool begins) {
  for (const auto& row : rows) {
    const std::string chain = row[0].as<std::int32_t>() == 0 ? "the host" : "tenant " + row[0].as<std::string>();
    attempt("the chain of " + chain + " cannot be sealed", [&] { seal(connection, row, begins); });
  }
}

void AuditUpkeep::seal(pqxx::connection& connection, const pqxx::row& row, bool begins) {
  AuditCheckpoint checkpoint{.tenant_id = row[0].as<std::int32_t>(),
                             .sequence = row[1].as<std::int64_t>(),
                             .begins = begins,
                             .hash = from_hex(row[2].c_str())};
  observability::append_micros(checkpoint.sealed_at, std::chrono::system_clock::now());
  checkpoint.mac = seal_.mac_of(checkpoint);
  pqxx::work work(connection);
  work.exec_params("select toolhost.audit_seal($1, $2, decode($3, 'hex'), $4::timestamptz, decode($5, 'hex'), $6)",
                   checkpoint.tenant_id, checkpoint.sequence, to_hex(checkpoint.hash), checkpoint.sealed_at,
                   to_hex(checkpoint.mac), checkpoint.begins);
  work.commit();
  events_.emit(HostNotice{Severity::kInfo, "audit", text_of(checkpoint)});
}

}  // namespace toolhost::storage
