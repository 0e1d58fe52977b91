#include <toolhost/plugin.hpp>

#include "reader_migrations.hpp"

/// Reads what others export, and tries what they do not.
struct Reader {
  struct Query {
    std::string sql;
  };
  struct Found {
    std::vector<std::string> texts;
  };
  explicit Reader(toolhost::Host& host) {
    for (const auto& view : host.readable_views()) views.texts.push_back(view.plugin + " " + view.sql_name);
  }

  Found list_views(toolhost::Call&) { return views; }
  /// The first column of what a statement gives.
  Found read(toolhost::Call& call, const Query& in) {
    try {
      Found found;
      auto rows = call.query(in.sql);
      while (const toolhost::Row row = rows.next()) found.texts.emplace_back(row.text(0));
      return found;
    } catch (const toolhost::SqlError& error) {
      throw toolhost::Error(TH_E_INVALID,
                            "SQLSTATE " + std::string(error.sqlstate()) + ": " + std::string(error.detail()));
    }
  }
  Found views;
};
TH_FIELDS(Reader::Query, field("sql", &Reader::Query::sql))
TH_FIELDS(Reader::Found, field("texts", &Reader::Found::texts))

TH_PLUGIN(Reader, "com.acme.reader", "Reader", "1.0.0", migrations(toolhost_migrations), exports("titles"),
          reads("library.titles", "?absent.things", "*.titles"),
          tool<&Reader::list_views>("list_views").description("Lists what it may read.").read_only(),
          tool<&Reader::read>("read").description("Runs one statement."))
