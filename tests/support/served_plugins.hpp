#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "plugin_runtime/plugin_host.hpp"

namespace toolhost::test_support {

/// The plugins that a test program serves, in order. Each program that uses this header defines it.
std::vector<plugin_runtime::PluginSpec> served_plugins();

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

/// served_plugins() in the real runtime on a real database: one for the program. Each test works in tenants of its own.
class ServedPluginsTest : public testing::Test {
 protected:
  ServedPluginsTest();

  /// A caller in a new tenant.
  static CallerPtr new_tenant(const std::string& time_zone = "Europe/Berlin", std::vector<Member> members = {});
  /// Somebody else of the same tenant.
  static CallerPtr colleague(const CallerPtr& caller, const std::string& principal, Role role = Role::kAgent);
  /// Runs a tool and waits for its answer.
  static Answer call(const CallerPtr& caller, std::string_view tool, const std::string& arguments);
  /// The same call from so many threads at once, `arguments` made for each; all answers.
  static std::vector<Answer> call_at_once(int threads, const CallerPtr& caller, std::string_view tool,
                                          const std::function<std::string(int)>& arguments);
  /// Starts a tool; `on_answer` is called on another thread.
  static void start(const CallerPtr& caller, std::string_view tool, const std::string& arguments,
                    std::function<void(plugin_runtime::ToolResult)> on_answer);
  /// The tools as the host lists them.
  static plugin_runtime::RegistryPtr registry();
  /// Runs a job until it wants no more; its last result. A refusal fails the test.
  static std::string run_job(const CallerPtr& caller, std::string_view plugin, std::string_view job,
                             const std::string& arguments = "{}");
  /// Why a job refused.
  static std::string refused_job(const CallerPtr& caller, std::string_view plugin, std::string_view job,
                                 const std::string& arguments);
  /// SQL as the superuser, with a plugin's schema in the search path; returns the first value.
  static std::string sql(const std::string& schema, const std::string& statement);

  CallerPtr ana;  ///< ana@example.com, in a tenant of this test
};

}  // namespace toolhost::test_support
