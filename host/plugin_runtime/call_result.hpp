#pragma once
#include <string>
#include <string_view>

#include "plugin_runtime/host_services.hpp"

namespace toolhost::plugin_runtime {

/// What one attempt of a call came to (PLUGIN-ABI 2.5), before its transaction is ended.
struct Judgement {
  enum class Verdict { kCommit, kRollback, kRerun };
  Verdict verdict = Verdict::kRollback;
  ToolResult result;                  ///< for kRerun: the answer when it cannot be run again
  const char* broken_rule = nullptr;  ///< the plugin broke its contract; result.detail says how
};

/// Judges a handler that returned `status`, after leave(). Checks the structured content against the output schema.
/// Moves the content out of `call`.
Judgement judge(th_call& call, th_status status);

/// The answer when ending the transaction failed although the handler had succeeded.
Judgement judge_commit_failure(th_call& call, const Error& error, std::string_view sqlstate);

/// Answers of the host itself.
ToolResult invalid_arguments(const Tool& tool, const json::Value& arguments);
ToolResult refusal(Outcome outcome, std::string_view text, std::string detail = {});
ToolResult timed_out(const ToolCall& call, bool was_running);

}  // namespace toolhost::plugin_runtime
