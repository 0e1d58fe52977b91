#include "storage/audit_append.hpp"

namespace toolhost::storage {

void append_audit(pqxx::transaction_base& work, std::int32_t tenant, const std::vector<std::string>& records) {
  if (records.empty()) return;
  std::string lines;
  for (const std::string& record : records) {
    if (!lines.empty()) lines += '\n';
    lines += record;
  }
  append_audit_lines(work, tenant, lines);
}

void append_audit_lines(pqxx::transaction_base& work, std::int32_t tenant, const std::string& lines) {
  // A record is one line: no other form of an array is as quick to write and to read.
  work.exec_params("select toolhost.audit_append($1, string_to_array($2, E'\\n'))", tenant, lines);
}

}  // namespace toolhost::storage
