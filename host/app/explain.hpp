#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/gatekeeper.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "plugin_runtime/plugin_host.hpp"

namespace toolhost::app {

struct ExplainQuery {
  std::string key;                       ///< a whole key, its prefix, or the beginning of its prefix
  std::string tool;                      ///< a name
  std::optional<std::string> arguments;  ///< JSON text of an object; nothing: only whether the tool is listed
};

/// Why one key may, or may not, call one tool.
struct Explanation {
  std::string key, name, tenant, owner, role;  ///< key: its prefix
  std::string tool;
  bool allowed = false;
  std::string reason;   ///< access::to_string(Reason)
  std::string place;    ///< "FILE:LINE" of what decided; may be empty
  std::string message;  ///< what decided, in a sentence
  std::string did_you_mean;
  access::Trace steps;
  std::vector<std::string> tools;  ///< what tools/list shows this key
};

/// What is enough to find a key: its prefix or the beginning of it, of a whole key as well. kInvalidArgument for what
/// cannot be one.
Result<std::string> beginning_of_key(std::string_view given);
/// A JSON object, as it is in `document`; kInvalidArgument for anything else.
Result<json::Value> parse_arguments(std::string_view text, json::Document& document);

/// The key that `given` stands for. kInvalidArgument when it cannot be the beginning of one, kNotFound, or kConflict
/// with all that begin so.
Result<const access::KnownKey*> find_key(const std::vector<access::KnownKey>& keys, std::string_view given);

/// Asks what a call would be asked, in the same order, and goes on behind the first refusal. Takes nothing from any
/// limit. Errors as of find_key(), and kInvalidArgument for arguments that are no JSON object.
Result<Explanation> explain(const std::vector<access::KnownKey>& keys, const access::Policy& policy,
                            const plugin_runtime::ToolRegistry& registry, const ExplainQuery& query,
                            std::chrono::system_clock::time_point now);

/// One JSON object.
std::string to_json(const Explanation& explanation);
/// For people; ends with a line end. `is_live`: the limits are those of a running host.
std::string to_text(const Explanation& explanation, bool is_live);
/// What to_json() wrote; kInternal when it is something else.
Result<Explanation> explanation_from_json(std::string_view text);

}  // namespace toolhost::app
