#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "storage/migrator.hpp"
#include "storage/tenant_connection.hpp"
#include "support/temp_postgres.hpp"

namespace toolhost::storage {

/// A plugin with one table, and a connection with its role: what most tests of this folder need.
inline constexpr const char* kNotes = "com.acme.notes";

inline const std::vector<Migration>& notes_migrations() {
  static const std::vector<Migration> kMigrations{
      {1, "create notes",
       "create table notes (tenant_id integer not null default toolhost.tenant_id(), "
       "id bigint generated always as identity, body text not null, n integer, primary key (tenant_id, id));"
       "create unique index on notes (tenant_id, n);"}};
  return kMigrations;
}

inline SqlValue text(std::string_view value) {
  return {.type = SqlValue::Type::kText, .text = value};
}
inline SqlValue integer(std::int64_t value) {
  return {.type = SqlValue::Type::kInteger, .integer = value};
}

class NotesTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto& postgres = test_support::TempPostgres::shared();
    postgres.fresh_database();
    acme_ = postgres.add_tenant("acme");
    globex_ = postgres.add_tenant("globex");
    test_support::NullEvents events;
    const auto migrated = migrate_plugin(postgres.address(), kNotes, notes_migrations(), {}, events);
    ASSERT_TRUE(migrated) << migrated.error().message;
  }

  void SetUp() override {
    postgres_.run_sql("truncate com_acme_notes.notes cascade");
    connection_ = connect();
  }

  std::unique_ptr<TenantConnection> connect() {
    return TenantConnection::create({.conninfo = postgres_.address().as_plugin(kNotes)});
  }

  /// One statement in a transaction of its own, as `tenant`.
  Result<std::int64_t> run_as(TenantId tenant, std::string_view sql, std::vector<SqlValue> parameters = {}) {
    connection_->begin({.tenant = tenant});
    return connection_->execute(sql, parameters, Finish::kCommit);
  }

  /// The first value of the first row, as a number; -1 when there is no row or it failed.
  std::int64_t number_as(TenantId tenant, std::string_view sql) {
    connection_->begin({.tenant = tenant, .read_only = true});
    auto rows = connection_->query(sql, {}, Finish::kCommit);
    if (!rows) {
      ADD_FAILURE() << sql << ": " << rows.error().message << " " << rows.error().detail;
      return -1;
    }
    const SqlValue* row = (*rows)->next();
    return row != nullptr ? row[0].integer : -1;
  }

  test_support::TempPostgres& postgres_ = test_support::TempPostgres::shared();
  test_support::NullEvents events_;
  static inline TenantId acme_{};
  static inline TenantId globex_{};
  std::unique_ptr<TenantConnection> connection_;
};

}  // namespace toolhost::storage
