#pragma once
#include <string>
#include <string_view>

#include "support/served_plugins.hpp"

namespace toolhost::test_support {

/// The tasks plugin beside the tickets plugin.
class TasksTest : public ServedPluginsTest {
 protected:
  /// Creates a task and returns its id.
  static std::string create(const CallerPtr& caller, const std::string& arguments);
  static std::string create_ticket(const CallerPtr& caller, const std::string& title);
  /// Runs a tool that has to succeed. `more`: further arguments beside the id, `"note":"x"`.
  static Answer change(const CallerPtr& caller, std::string_view tool, const std::string& id,
                       const std::string& more = "");
  /// The text of a tool that has to be refused.
  static std::string refused(const CallerPtr& caller, std::string_view tool, const std::string& arguments);
  /// A column of a task.
  static std::string column(const std::string& id, const std::string& name);
  static std::string sql(const std::string& statement) { return ServedPluginsTest::sql("tasks", statement); }
  /// The same as the plugin's role, in a caller's tenant.
  static std::string sql_in(const CallerPtr& caller, const std::string& statement);
};

}  // namespace toolhost::test_support
