#include <toolhost/plugin.hpp>

#include <string>
#include <vector>

#include "hostile_sql_migrations.hpp"

/// Runs whatever SQL it is told to: what a plugin can reach when it tries everything.
namespace hostile {

using Text = toolhost::Nullable<std::string>;

struct Statement {
  std::string statement;
  std::vector<Text> parameters;
  bool last = false;
};
struct Statements {
  std::vector<std::string> statements;
};
struct Rows {
  std::vector<std::string> columns;
  std::vector<std::vector<Text>> rows;
};
struct AllRows {
  std::vector<Rows> results;
};
TH_FIELDS(Statement, field("statement", &Statement::statement, "One SQL statement"),
          field("parameters", &Statement::parameters, "$1, $2 ... as text").defaulted(),
          field("last", &Statement::last, "Commit in the same round trip").defaulted())
TH_FIELDS(Statements, field("statements", &Statements::statements, "Run one after another in one transaction"))
TH_FIELDS(Rows, field("columns", &Rows::columns), field("rows", &Rows::rows, "All values as text"))
TH_FIELDS(AllRows, field("results", &AllRows::results))

Text as_text(const toolhost::Row& row, std::size_t column) {
  switch (row.value(column).type) {
    case TH_V_NULL:
      return nullptr;
    case TH_V_BOOL:
      return std::string(row.boolean(column) ? "true" : "false");
    case TH_V_I64:
      return std::to_string(row.i64(column));
    case TH_V_F64:
      return std::to_string(row.f64(column));
    case TH_V_TIME:
      return toolhost::Time{row.time_us(column)}.str();
    case TH_V_UUID:
      return row.uuid(column).str();
    case TH_V_BYTES:
      return "(" + std::to_string(row.bytes(column).size()) + " bytes)";
    default:
      return std::string(row.text(column));
  }
}

Rows run(toolhost::Call& call, const std::string& sql, const toolhost::Values& values, bool last) {
  try {
    toolhost::Rows found = last ? call.query(toolhost::last, sql, values) : call.query(sql, values);
    Rows result;
    for (std::size_t i = 0; i < found.columns(); ++i) result.columns.emplace_back(found.column_name(i));
    while (const toolhost::Row row = found.next()) {
      auto& texts = result.rows.emplace_back();
      for (std::size_t i = 0; i < row.columns(); ++i) texts.push_back(as_text(row, i));
    }
    return result;
  } catch (const toolhost::SqlError& error) {
    // Tests read what happened: an internal error would hide the text from the client.
    throw toolhost::Error(
        error.status() == TH_E_INTERNAL ? TH_E_INVALID : error.status(),
        "SQLSTATE " + std::string(error.sqlstate()) + ": " + error.what() + " " + std::string(error.detail()));
  }
}

struct Hostile {
  Rows sql(toolhost::Call& call, const Statement& in) {
    toolhost::Values values;
    for (const Text& parameter : in.parameters) values.add(parameter);
    return run(call, in.statement, values, in.last);
  }
  AllRows sql_many(toolhost::Call& call, const Statements& in) {
    AllRows all;
    for (const std::string& statement : in.statements) all.results.push_back(run(call, statement, {}, false));
    return all;
  }
};

}  // namespace hostile

TH_PLUGIN(hostile::Hostile, "hostile", "Hostile SQL", "1.0.0", migrations(toolhost_migrations),
          tool<&hostile::Hostile::sql>("sql").description("Runs one statement."),
          tool<&hostile::Hostile::sql_many>("sql_many").description("Runs statements in one transaction."))
