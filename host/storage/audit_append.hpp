#pragma once
#include <cstdint>
#include <pqxx/pqxx>
#include <string>
#include <vector>

namespace toolhost::storage {

/// Appends records (observability::AuditRecord writes them) to the audit of a tenant, 0 for the host itself, as part of
/// the caller's transaction, which holds the tenant's chain from here to its end. Throws what libpqxx throws.
void append_audit(pqxx::transaction_base& work, std::int32_t tenant, const std::vector<std::string>& records);
/// The same, of records that are lines already.
void append_audit_lines(pqxx::transaction_base& work, std::int32_t tenant, const std::string& lines);

}  // namespace toolhost::storage
