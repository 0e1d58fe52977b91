#pragma once
#include <string_view>

#include "plugin_runtime/client_port.hpp"

namespace toolhost::plugin_runtime {

/// Whether a client's result answers a question of this kind: its members are there, and what a person has filled in
/// conforms to the form. Both texts are JSON objects. Pure.
bool is_answer(AskKind kind, std::string_view params_json, std::string_view answer_json);

}  // namespace toolhost::plugin_runtime
