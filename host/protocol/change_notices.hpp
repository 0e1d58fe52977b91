#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/json_writer.hpp"
#include "protocol/mcp_messages.hpp"

namespace toolhost::protocol {

/// The lists that may change; as in CatalogChange::lists.
inline constexpr std::uint32_t kToolsList = 1, kResourcesList = 2, kPromptsList = 4;

/// What clients of the legacy era are told of a list that has changed.
inline constexpr std::array<std::pair<std::uint32_t, std::string_view>, 3> kListsChanged{
    {{kToolsList, kToolsChanged},
     {kResourcesList, R"({"jsonrpc":"2.0","method":"notifications/resources/list_changed"})"},
     {kPromptsList, R"({"jsonrpc":"2.0","method":"notifications/prompts/list_changed"})"}}};

/// The same of a resource that they have subscribed to.
inline std::string encode_resource_updated(std::string_view uri) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("jsonrpc", "2.0").member("method", "notifications/resources/updated");
  json.key("params").begin_object().member("uri", uri).end_object().end_object();
  return out;
}

}  // namespace toolhost::protocol
