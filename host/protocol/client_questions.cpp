#include "protocol/client_questions.hpp"

#include "base/json.hpp"
#include "base/json_writer.hpp"

namespace toolhost::protocol {
namespace {

using plugin_runtime::AskKind;
using plugin_runtime::Question;

std::string_view method_of(AskKind kind) noexcept {
  switch (kind) {
    case AskKind::kForm:
    case AskKind::kUrl:
      return "elicitation/create";
    case AskKind::kSampling:
      return "sampling/createMessage";
    case AskKind::kRoots:
      return "roots/list";
  }
  return {};
}

struct Wire {
  Revision revision;
  const ClientCapabilities& capabilities;
};

/// Whether a member of the plugin's params may be sent. The mode of an elicitation is ours to say.
bool is_sent(std::string_view name, AskKind kind, const Wire& wire) noexcept {
  if (kind == AskKind::kForm || kind == AskKind::kUrl) return name != "mode" && name != "elicitationId";
  if (kind != AskKind::kSampling) return true;
  if (name == "tools" || name == "toolChoice") return wire.capabilities.sampling_tools;
  // Before 2025-11-25 there was nothing to declare.
  return name != "includeContext" || wire.revision < Revision::k2025_11_25 || wire.capabilities.sampling_context;
}

void write_params(JsonWriter& json, const Question& question, const Wire& wire, std::string_view elicitation_id) {
  const bool is_url = question.kind == AskKind::kUrl;
  json.begin_object();
  if ((is_url || question.kind == AskKind::kForm) && wire.revision >= Revision::k2025_11_25)
    json.member("mode", is_url ? "url" : "form");
  const auto document = json::acquire_document();
  const auto root = document->parse(question.params_json);
  json::Object params;
  if (root && root->get(params) == simdjson::SUCCESS) {
    for (const auto& [name, value] : params)
      if (is_sent(name, question.kind, wire)) json.key(name).raw(json::to_text(value));
  }
  if (is_url && wire.revision == Revision::k2025_11_25) json.member("elicitationId", elicitation_id);
  json.end_object();
}

}  // namespace

std::string encode_question(const Question& question, Revision revision, const ClientCapabilities& capabilities,
                            std::string_view elicitation_id) {
  std::string out;
  JsonWriter json(out);
  json.key("method").string(method_of(question.kind)).key("params");
  write_params(json, question, {revision, capabilities}, elicitation_id);
  return out;
}

}  // namespace toolhost::protocol
