#include "plugin_runtime/client_answer.hpp"

#include "base/json.hpp"
#include "base/json_schema.hpp"

namespace toolhost::plugin_runtime {
namespace {

/// What was filled in against "requestedSchema". A schema that is none asks for nothing.
bool conforms(std::string_view params_json, const json::Value& content) {
  const auto document = json::acquire_document();
  const auto params = document->parse(params_json);
  json::Value requested;
  if (!params || json::find(*params, "requestedSchema").get(requested) != simdjson::SUCCESS) return true;
  const auto schema = JsonSchema::compile(json::to_text(requested));
  return !schema || schema->accepts(content);
}

bool is_filled_in(std::string_view params_json, const json::Value& answer) {
  json::Value content;
  if (json::find(answer, "content").get(content) == simdjson::SUCCESS && !content.is_null())
    return content.is_object() && conforms(params_json, content);
  const auto nothing = json::acquire_document();
  return conforms(params_json, nothing->parse("{}").value());
}

}  // namespace

bool is_answer(AskKind kind, std::string_view params_json, std::string_view answer_json) {
  const auto document = json::acquire_document();
  const auto answer = document->parse(answer_json);
  if (!answer || !answer->is_object()) return false;
  json::Value member;
  switch (kind) {
    case AskKind::kForm:
    case AskKind::kUrl: {
      const auto action = json::text_in(*answer, "action").value_or("");
      if (action == "decline" || action == "cancel") return true;
      return action == "accept" && (kind == AskKind::kUrl || is_filled_in(params_json, *answer));
    }
    case AskKind::kSampling:
      return !json::text_in(*answer, "role").value_or("").empty() &&
             json::find(*answer, "content").error() == simdjson::SUCCESS;
    case AskKind::kRoots:
      return json::find(*answer, "roots").get(member) == simdjson::SUCCESS && member.is_array();
  }
  return false;
}

}  // namespace toolhost::plugin_runtime
