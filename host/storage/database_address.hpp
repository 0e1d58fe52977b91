#pragma once
#include <string>
#include <string_view>

namespace toolhost::storage {

/// How to reach the one database, as each of the roles that use it. Copyable value.
///
///   admin        applies migrations, creates roles; the embedded superuser, or the user of `database.url`
///   host         toolhost_app: the host's own tables (tenants, keys); owns nothing, cannot bypass row-level security
///   plugin       toolhost_plugin_<id>: the tables of one plugin, under forced row-level security; owns nothing
///
/// Embedded: each role logs in by itself over the private socket. With a URL: the URL's user connects and `-c role=`
/// makes it the role, so one login that may create roles is all that a managed server has to give.
class DatabaseAddress {
 public:
  static DatabaseAddress embedded(std::string socket_directory);
  static DatabaseAddress external(std::string url);

  /// libpq connection strings.
  [[nodiscard]] std::string as_admin() const;
  [[nodiscard]] std::string as_host() const;
  [[nodiscard]] std::string as_plugin(std::string_view plugin_id) const;
  /// The same database with names looked for in this schema, too, after the plugin's own and before PostgreSQL's: its
  /// functions stand in for those of the same name. `schema` needs no quotes.
  [[nodiscard]] DatabaseAddress with_stand_ins(std::string schema) const;
  /// What follows the plugin's schema in its search path; nearly always nothing.
  [[nodiscard]] std::string rest_of_search_path() const;
  /// For `toolhost db url`: a postgresql:// URI of the admin that psql and pg_dump take.
  [[nodiscard]] std::string url() const;
  [[nodiscard]] bool is_embedded() const noexcept { return embedded_; }

 private:
  bool embedded_ = false;
  std::string base_;
  std::string stand_ins_;  // a schema; empty: none
};

/// True for a postgresql:// URL that libpq understands. (Its own message about one that it does not would show the
/// password.)
bool is_database_url(std::string_view url);

/// "com.acme.tickets" -> "com_acme_tickets": the plugin's schema; its role is "toolhost_plugin_" and this.
std::string schema_of_plugin(std::string_view plugin_id);

}  // namespace toolhost::storage
