#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "plugin_runtime/plugin_host.hpp"

namespace toolhost::test_support {

/// What a tool answered, with the structured content as JSON.
class Answer {
 public:
  explicit Answer(plugin_runtime::ToolResult result);
  /// The result of a job.
  explicit Answer(std::string structured_json);

  [[nodiscard]] bool is_error() const noexcept { return result_.is_error; }
  [[nodiscard]] plugin_runtime::Outcome outcome() const noexcept { return result_.outcome; }
  /// All text blocks.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  /// The structured value at a JSON Pointer as text: strings plain, everything else as JSON; "" when it is absent.
  [[nodiscard]] std::string at(std::string_view pointer) const;
  [[nodiscard]] bool has(std::string_view pointer) const;
  /// The member `name` of each element of the array at `pointer`.
  [[nodiscard]] std::vector<std::string> each(std::string_view pointer, std::string_view name) const;
  [[nodiscard]] std::size_t size(std::string_view pointer) const;
  [[nodiscard]] const std::string& structured_json() const noexcept { return result_.structured_json; }

 private:
  plugin_runtime::ToolResult result_;
  std::string text_;
  std::unique_ptr<json::Document> document_;
};

/// `text` as a JSON string.
std::string json_string(std::string_view text);

/// The tickets plugin in the real runtime on a real database: one for the program. Each test works in tenants of its
/// own.
class TicketsTest : public testing::Test {
 protected:
  TicketsTest();

  /// A caller in a new tenant.
  CallerPtr new_tenant(const std::string& time_zone = "Europe/Berlin");
  /// Somebody else of the same tenant.
  static CallerPtr colleague(const CallerPtr& caller, const std::string& principal, Role role = Role::kAgent);
  /// The same caller in the same tenant, which now has these members.
  static CallerPtr with_members(const CallerPtr& caller, Members members);
  /// A caller in the one tenant whose settings have the categories Hardware, Software and Network.
  static CallerPtr in_tenant_with_categories();
  /// Runs a job of the plugin; throws what it refused with.
  static Answer job(const CallerPtr& caller, std::string_view name, const std::string& arguments);
  /// Why the job refused.
  static std::string job_refusal(const CallerPtr& caller, std::string_view name, const std::string& arguments);
  /// Runs a tool and waits for its answer, which must conform to the tool's output schema.
  static Answer call(const CallerPtr& caller, std::string_view tool, const std::string& arguments);
  /// Starts a tool; `on_answer` is called on another thread.
  static void start(const CallerPtr& caller, std::string_view tool, const std::string& arguments,
                    std::function<void(plugin_runtime::ToolResult)> on_answer);
  /// Starts a tool once for each of `arguments`, all at once, and waits for the answers, in the order of their ends.
  static std::vector<Answer> call_at_once(const CallerPtr& caller, std::string_view tool,
                                          const std::vector<std::string>& arguments);
  /// The tools as the host lists them.
  static plugin_runtime::RegistryPtr registry();
  /// Creates a ticket and returns its id.
  static std::string create(const CallerPtr& caller, const std::string& arguments);
  /// SQL as the superuser, with the plugin's schema in the search path; returns the first value.
  static std::string sql(const std::string& statement);

  CallerPtr ana;  ///< ana@example.com, in a tenant of this test
};

}  // namespace toolhost::test_support
