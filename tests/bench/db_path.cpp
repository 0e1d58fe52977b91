// The database path of a tool call, one statement in a tenant's transaction: libpqxx (begin, enter, statement, commit:
// four round trips) against TenantConnection (one), on the same server in the same run.
//   db_path [SECONDS]     default 3; prints transactions per second
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <pqxx/pqxx>
#include <thread>

#include "storage/migrator.hpp"
#include "storage/tenant_connection.hpp"
#include "support/temp_postgres.hpp"

namespace {

using namespace toolhost;

constexpr const char* kPlugin = "bench.notes";
constexpr const char* kRead = "select body, n from notes where id = $1";
constexpr const char* kWrite = "insert into notes (body, n) values ($1, $2) returning id";
const std::string kBody(300, 'x');

/// One transaction; made for each thread.
using Transaction = std::function<void()>;

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "db_path: %s\n", why.c_str());
  std::exit(1);
}

Transaction with_libpqxx(const storage::DatabaseAddress& address, TenantId tenant, bool is_write) {
  auto connection = std::make_shared<pqxx::connection>(address.as_plugin(kPlugin));
  connection->prepare("statement", is_write ? kWrite : kRead);
  return [connection, tenant, is_write] {
    pqxx::work work(*connection);
    work.exec("set local app.tenant_id = " + std::to_string(value(tenant)));
    if (is_write) {
      work.exec_prepared("statement", kBody, 7);
    } else if (work.exec_prepared("statement", 1).size() != 1) {
      fail("no row");
    }
    work.commit();
  };
}

Transaction with_tenant_connection(const storage::DatabaseAddress& address, TenantId tenant, bool is_write) {
  using storage::SqlValue;
  std::shared_ptr<storage::TenantConnection> connection =
      storage::TenantConnection::create({.conninfo = address.as_plugin(kPlugin)});
  return [connection, tenant, is_write] {
    connection->begin(
        {.tenant = tenant, .read_only = !is_write, .deadline = Deadline::after(std::chrono::seconds(30))});
    const SqlValue write[] = {{.type = SqlValue::Type::kText, .text = kBody},
                              {.type = SqlValue::Type::kInteger, .integer = 7}};
    const SqlValue read[] = {{.type = SqlValue::Type::kInteger, .integer = 1}};
    auto rows = is_write ? connection->query(kWrite, write, storage::Finish::kCommit)
                         : connection->query(kRead, read, storage::Finish::kCommit);
    if (!rows || (*rows)->next() == nullptr) fail(rows ? "no row" : rows.error().detail);
  };
}

double per_second(int threads, std::chrono::milliseconds time, const std::function<Transaction()>& make) {
  std::atomic<bool> is_over{false};
  std::atomic<long> count{0};
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back([&, transaction = make()] {
      long done = 0;
      for (; !is_over; ++done) transaction();
      count += done;
    });
  }
  std::this_thread::sleep_for(time);
  is_over = true;
  for (std::thread& worker : workers) worker.join();
  return static_cast<double>(count) * 1000 / static_cast<double>(time.count());
}

}  // namespace

int main(int argc, char** argv) {
  const std::chrono::milliseconds time(argc > 1 ? std::atoi(argv[1]) * 1000 : 3000);
  test_support::TempPostgres postgres;
  postgres.run_sql("alter system reset fsync");
  postgres.run_sql("select pg_reload_conf()");
  const TenantId tenant = postgres.add_tenant("bench");
  test_support::NullEvents events;
  const std::vector<storage::Migration> migrations{{1, "create notes",
                                                    "create table notes (tenant_id integer not null default "
                                                    "toolhost.tenant_id(), id bigint generated always as identity, "
                                                    "body text, n integer, primary key (tenant_id, id))"}};
  if (auto migrated = storage::migrate_plugin(postgres.address(), kPlugin, migrations, {}, events); !migrated)
    fail(migrated.error().message);
  with_tenant_connection(postgres.address(), tenant, true)();

  std::printf("%-8s %8s %12s %18s %7s\n", "", "threads", "libpqxx/s", "TenantConnection/s", "ratio");
  for (const bool is_write : {false, true}) {
    for (const int threads : {1, 8}) {
      const double pqxx = per_second(threads, time, [&] { return with_libpqxx(postgres.address(), tenant, is_write); });
      const double ours =
          per_second(threads, time, [&] { return with_tenant_connection(postgres.address(), tenant, is_write); });
      std::printf("%-8s %8d %12.0f %18.0f %7.2f\n", is_write ? "insert" : "select", threads, pqxx, ours, ours / pqxx);
    }
  }
}
