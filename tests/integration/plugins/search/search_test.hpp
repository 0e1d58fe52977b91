#pragma once
#include "support/served_plugins.hpp"

namespace toolhost::test_support {

/// Tickets, tasks and search in the real runtime on a real database.
class SearchTest : public ServedPluginsTest {
 protected:
  /// Creates one and returns its id.
  static std::string create_ticket(const CallerPtr& caller, const std::string& title, const std::string& more = "");
  static std::string create_task(const CallerPtr& caller, const std::string& title);
  /// Ids of the hits, best first. `more`: further arguments, each with a comma before it.
  static std::vector<std::string> find(const CallerPtr& caller, const std::string& query, const std::string& more = "");
  static Answer search(const CallerPtr& caller, const std::string& query, const std::string& more = "");
  /// The same person with another role.
  static CallerPtr as(const CallerPtr& caller, Role role);
};

}  // namespace toolhost::test_support
