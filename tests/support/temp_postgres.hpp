#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "observability/events.hpp"
#include "storage/embedded_postgres.hpp"

namespace toolhost::test_support {

/// A real PostgreSQL of the test program's own: the embedded server in a temporary directory, started at first use (0.8
/// s) and removed when the program ends. Use it from the main thread.
class TempPostgres {
 public:
  /// The one server of this program, its database `toolhost` migrated with the host's own schema. Tests of one program
  /// share the database: give each test tenants of its own, or begin it with fresh_database().
  static TempPostgres& shared();

  TempPostgres();
  TempPostgres(const TempPostgres&) = delete;
  TempPostgres& operator=(const TempPostgres&) = delete;
  ~TempPostgres();

  [[nodiscard]] const storage::DatabaseAddress& address() const noexcept { return server_->address(); }
  /// Replaces the database by a new copy of the migrated one (about 50 ms). Connections to the old one are ended by the
  /// server.
  const storage::DatabaseAddress& fresh_database();
  /// Inserts a tenant and returns its id.
  TenantId add_tenant(const std::string& name);
  /// Runs SQL as the superuser; returns the first column of the first row, or empty. Fails the program when the SQL
  /// fails.
  std::string run_sql(const std::string& sql);

  [[nodiscard]] storage::EmbeddedPostgres& server() noexcept { return *server_; }
  [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }

 private:
  std::filesystem::path directory_;
  std::unique_ptr<storage::EmbeddedPostgres> server_;
};

/// Forgets every event.
class NullEvents final : public observability::EventSink {
 public:
  void emit(const observability::Event&) noexcept override {}
};

}  // namespace toolhost::test_support
