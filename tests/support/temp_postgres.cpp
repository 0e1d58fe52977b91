#include "support/temp_postgres.hpp"

#include <cstdio>
#include <cstdlib>

#include "storage/libpq.hpp"
#include "storage/migrator.hpp"

// libpqxx 6.4 loses one PGresult when a connection breaks under a statement, which tests provoke.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libpqxx-6";
}

namespace toolhost::test_support {
namespace {

NullEvents no_events;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "TempPostgres: %s\n", why.c_str());
  std::abort();
}

std::string run_in(const storage::DatabaseAddress& address, const char* database, const std::string& sql) {
  std::string conninfo = address.as_admin();
  storage::append_conninfo(conninfo, "dbname", database);
  const storage::PgConnectionPtr connection(PQconnectdb(conninfo.c_str()));
  const storage::PgResultPtr result(PQexec(connection.get(), sql.c_str()));
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) give_up(sql + ": " + PQerrorMessage(connection.get()));
  return PQntuples(result.get()) > 0 ? PQgetvalue(result.get(), 0, 0) : "";
}

}  // namespace

TempPostgres& TempPostgres::shared() {
  static TempPostgres postgres;
  return postgres;
}

TempPostgres::TempPostgres() {
  std::string name = "/tmp/toolhost-test-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) give_up("cannot create a directory in /tmp");
  directory_ = name;
  auto server = storage::EmbeddedPostgres::open({.data_directory = directory_}, no_events);
  if (!server) give_up(server.error().message);
  server_ = std::move(*server);
  // Nothing here has to survive a power cut, and waiting for the disk would dominate the tests.
  run_in(address(), "postgres", "alter system set fsync = off");
  run_in(address(), "postgres", "select pg_reload_conf()");
  if (auto migrated = storage::migrate_host(address(), no_events); !migrated) give_up(migrated.error().message);
  run_in(address(), "postgres", "create database toolhost_pristine template toolhost");
}

TempPostgres::~TempPostgres() {
  server_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

const storage::DatabaseAddress& TempPostgres::fresh_database() {
  run_in(address(), "postgres", "drop database if exists toolhost with (force)");
  run_in(address(), "postgres", "create database toolhost template toolhost_pristine");
  // Rights on a database are not copied with it.
  if (auto migrated = storage::migrate_host(address(), no_events); !migrated) give_up(migrated.error().message);
  return address();
}

TenantId TempPostgres::add_tenant(const std::string& name) {
  return TenantId{std::atoi(run_sql("insert into toolhost.tenants (name, title, time_zone) values ('" + name + "', '" +
                                    name + "', 'UTC') returning id")
                                .c_str())};
}

std::string TempPostgres::run_sql(const std::string& sql) {
  return run_in(address(), "toolhost", sql);
}

}  // namespace toolhost::test_support
