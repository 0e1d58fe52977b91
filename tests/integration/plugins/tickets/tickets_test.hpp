#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "support/served_plugins.hpp"

namespace toolhost::test_support {

/// The tickets plugin beside the tasks plugin.
class TicketsTest : public ServedPluginsTest {
 protected:
  /// The same caller in the same tenant, which now has these members; they are sorted by name.
  static CallerPtr with_members(const CallerPtr& caller, Members members);
  /// A caller in the one tenant whose settings have the categories Hardware, Software and Network.
  static CallerPtr in_tenant_with_categories();
  /// Runs a job of the plugin. A refusal fails the test.
  static Answer job(const CallerPtr& caller, std::string_view name, const std::string& arguments) {
    return Answer(run_job(caller, "tickets", name, arguments));
  }
  /// Why the job refused.
  static std::string job_refusal(const CallerPtr& caller, std::string_view name, const std::string& arguments) {
    return refused_job(caller, "tickets", name, arguments);
  }
  /// Runs a tool once for each of `arguments`, all at once; the answers in their order.
  static std::vector<Answer> call_at_once(const CallerPtr& caller, std::string_view tool,
                                          const std::vector<std::string>& arguments);
  /// Creates a ticket and returns its id.
  static std::string create(const CallerPtr& caller, const std::string& arguments);
  static std::string sql(const std::string& statement) { return ServedPluginsTest::sql("tickets", statement); }
};

}  // namespace toolhost::test_support
