#pragma once
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "plugin_runtime/plugin_host.hpp"

namespace toolhost::plugin_runtime {

/// A call of a job on behalf of `caller`, still without on_done; no deadline but the job's own. kInvalidArgument when
/// `arguments` is no JSON object.
Result<ToolCallPtr> make_job_call(RegistryPtr registry, const Tool& job, CallerPtr caller, std::string_view arguments);

/// What a job came to: its structured result as JSON, {} when it gave none, or the text with which it refused.
Result<std::string> job_answer(ToolResult&& result);

/// True when a result of a job says "more": true.
bool wants_more(std::string_view answer);

}  // namespace toolhost::plugin_runtime
