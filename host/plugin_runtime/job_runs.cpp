#include "plugin_runtime/job_runs.hpp"

#include "plugin_runtime/host_services.hpp"

namespace toolhost::plugin_runtime {
namespace {

std::string new_request_id() {
  const auto id = host_api().new_uuid(nullptr);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < sizeof(id.b); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kHex[id.b[i] >> 4];
    text += kHex[id.b[i] & 15];
  }
  return text;
}

Errc code_of(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::kToolError:
    case Outcome::kInvalidArguments:
      return Errc::kInvalidArgument;
    case Outcome::kTimeout:
      return Errc::kTimeout;
    case Outcome::kCancelled:
      return Errc::kCancelled;
    case Outcome::kUnavailable:
      return Errc::kUnavailable;
    case Outcome::kLimit:
      return Errc::kLimit;
    case Outcome::kNotFound:
      return Errc::kNotFound;
    case Outcome::kOk:
    case Outcome::kInputRequired:
    case Outcome::kStateUsed:
    case Outcome::kInternal:
      return Errc::kInternal;
  }
  return Errc::kInternal;
}

/// The text blocks of a result.
std::string first_text_of(std::string_view content_json) {
  const auto document = json::acquire_document();
  const auto content = document->parse(content_json);
  std::string text;
  json::Array blocks;
  if (!content || content->get(blocks) != simdjson::SUCCESS) return text;
  for (const auto& block : blocks) {
    std::string_view part;
    if (json::find(block, "text").get(part) != simdjson::SUCCESS) continue;
    if (!text.empty()) text += '\n';
    text += part;
  }
  return text;
}

}  // namespace

Result<ToolCallPtr> make_job_call(RegistryPtr registry, const Tool& job, CallerPtr caller, std::string_view arguments) {
  auto call = std::make_shared<ToolCall>();
  call->document = json::acquire_document();
  const auto root = call->document->parse(arguments);
  if (!root) return Error{root.error().code, "the arguments of a job are JSON: " + root.error().message, {}};
  if (!root->is_object()) return Error{Errc::kInvalidArgument, "the arguments of a job are a JSON object", {}};
  call->registry = std::move(registry);
  call->tool = &job;
  call->caller = std::move(caller);
  call->arguments = *root;
  call->request_id = new_request_id();
  return call;
}

Result<std::string> job_answer(ToolResult&& result) {
  if (!result.is_error) return result.structured_json.empty() ? "{}" : std::move(result.structured_json);
  return Error{code_of(result.outcome), first_text_of(result.content_json), std::move(result.detail)};
}

bool wants_more(std::string_view answer) {
  const auto document = json::acquire_document();
  const auto root = document->parse(answer);
  bool more = false;
  return root && json::find(*root, "more").get(more) == simdjson::SUCCESS && more;
}

}  // namespace toolhost::plugin_runtime
