#pragma once
#include <libpq-fe.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace toolhost::storage {

struct FreePgConnection {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};
using PgConnectionPtr = std::unique_ptr<PGconn, FreePgConnection>;

struct FreePgResult {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using PgResultPtr = std::unique_ptr<PGresult, FreePgResult>;

/// Appends ` key='value'` in libpq's connection string syntax.
void append_conninfo(std::string& conninfo, std::string_view key, std::string_view value);

/// libpq's messages end in a newline and may hold several lines; these are joined.
std::string one_line(std::string_view message);

/// A text[] in PostgreSQL's own syntax.
std::string text_array(std::span<const std::string> items);

}  // namespace toolhost::storage
