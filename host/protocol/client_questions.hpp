#pragma once
#include <string>
#include <string_view>

#include "plugin_runtime/client_port.hpp"
#include "protocol/envelope.hpp"
#include "protocol/mcp_version.hpp"

namespace toolhost::protocol {

/// What a client is asked, as its revision writes it: `"method":...,"params":...`, the inside of a request or of one of
/// inputRequests. What the client has not declared for sampling is left out of its params. `elicitation_id` names an
/// elicitation by URL where the revision wants it named (2025-11-25). Pure.
std::string encode_question(const plugin_runtime::Question& question, Revision revision,
                            const ClientCapabilities& capabilities, std::string_view elicitation_id = {});

}  // namespace toolhost::protocol
