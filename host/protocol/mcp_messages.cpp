#include "protocol/mcp_messages.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/json_writer.hpp"

namespace toolhost::protocol {
namespace {

/// JSON from a plugin may be spread over lines; a raw line break in valid JSON is always insignificant white space.
void put_on_one_line(std::string& json) {
  std::replace_if(json.begin(), json.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
}

std::string_view text_member(const json::Value& object, std::string_view name) noexcept {
  json::Value member;
  std::string_view text;
  if (json::find(object, name).get(member) == simdjson::SUCCESS && member.get(text) == simdjson::SUCCESS) return text;
  return {};
}

void write_text_block(JsonWriter& json, std::string_view text) {
  json.begin_object().member("type", "text").member("text", text).end_object();
}

/// The blocks of `content_json`, with those that `revision` does not know as text.
void write_known_blocks(JsonWriter& json, std::string_view content_json, Revision revision) {
  const auto document = json::acquire_document();
  const auto root = document->parse(content_json);
  json::Array blocks;
  if (!root || root->get(blocks) != simdjson::SUCCESS) return;
  for (const auto& block : blocks) {
    const auto type = text_member(block, "type");
    if (type == "resource_link" && revision < Revision::k2025_06_18) {
      const auto name = text_member(block, "name");
      write_text_block(json, std::string(name) + (name.empty() ? "" : ": ") + std::string(text_member(block, "uri")));
    } else if (type == "audio" && revision < Revision::k2025_03_26) {
      write_text_block(json, "(audio, which this protocol revision cannot carry)");
    } else {
      json.raw(json::to_text(block));
    }
  }
}

bool may_hold_unknown_blocks(std::string_view content_json, Revision revision) noexcept {
  if (revision >= Revision::k2025_06_18) return false;
  return content_json.find("resource_link") != std::string_view::npos ||
         (revision < Revision::k2025_03_26 && content_json.find("audio") != std::string_view::npos);
}

/// What stands between the brackets of a JSON array.
std::string_view inside_of_array(std::string_view array_json) noexcept {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto open = array_json.find('[');
  const auto close = array_json.rfind(']');
  if (open == std::string_view::npos || close == std::string_view::npos) return {};
  const auto inside = array_json.substr(open + 1, close - open - 1);
  const auto first = inside.find_first_not_of(kSpace);
  return first == std::string_view::npos ? std::string_view() : inside.substr(first);
}

}  // namespace

ListingFamily listing_family(Revision revision) noexcept {
  if (revision < Revision::k2025_03_26) return ListingFamily::kPlain;
  return revision < Revision::k2025_06_18 ? ListingFamily::kAnnotated : ListingFamily::kTitled;
}

std::string encode_initialize_result(const ServerIdentity& server, Revision revision) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("protocolVersion", to_string(revision));
  json.key("capabilities").begin_object().key("tools").begin_object();
  json.key("listChanged").boolean(true).end_object().end_object();
  json.key("serverInfo").begin_object().member("name", server.name);
  if (revision >= Revision::k2025_06_18 && !server.title.empty()) json.member("title", server.title);
  json.member("version", server.version).end_object();
  if (!server.instructions.empty()) json.member("instructions", server.instructions);
  json.end_object();
  return out;
}

std::string encode_tool(const ToolDescription& tool, ListingFamily family) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("name", tool.name);
  if (family == ListingFamily::kTitled && !tool.title.empty()) json.member("title", tool.title);
  json.member("description", tool.description).key("inputSchema").raw(tool.input_schema_json);
  if (family == ListingFamily::kTitled && !tool.output_schema_json.empty()) {
    json.key("outputSchema").raw(tool.output_schema_json);
  }
  if (family != ListingFamily::kPlain) {
    json.key("annotations").begin_object();
    // The only place that 2025-03-26 has for a title.
    if (family == ListingFamily::kAnnotated && !tool.title.empty()) json.member("title", tool.title);
    json.key("readOnlyHint").boolean(tool.read_only).key("destructiveHint").boolean(tool.destructive);
    json.key("idempotentHint").boolean(tool.idempotent).key("openWorldHint").boolean(tool.open_world);
    json.end_object();
  }
  if (family == ListingFamily::kTitled && !tool.meta_json.empty()) json.key("_meta").raw(tool.meta_json);
  json.end_object();
  put_on_one_line(out);
  return out;
}

std::string encode_tools_page(std::span<const std::string* const> tools,
                              const std::optional<std::string>& next_cursor) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("tools").begin_array();
  for (const auto* tool : tools) json.raw(*tool);
  json.end_array();
  if (next_cursor) json.member("nextCursor", *next_cursor);
  json.end_object();
  return out;
}

std::string encode_call_result(std::string_view content_json, std::string_view structured_json, bool is_error,
                               Revision revision) {
  const bool knows_structure = revision >= Revision::k2025_06_18;
  std::string out;
  out.reserve(content_json.size() + structured_json.size() * 2 + 64);
  JsonWriter json(out);
  json.begin_object().key("content").begin_array();
  const auto blocks = inside_of_array(content_json);
  if (may_hold_unknown_blocks(blocks, revision)) {
    write_known_blocks(json, content_json, revision);
  } else if (!blocks.empty()) {
    json.raw(blocks);
  }
  // A model reads content, and some clients show it nothing else: structure alone would look like an empty answer.
  if (!structured_json.empty() && (!knows_structure || blocks.empty())) write_text_block(json, structured_json);
  json.end_array();
  if (!structured_json.empty() && knows_structure) json.key("structuredContent").raw(structured_json);
  if (is_error) json.key("isError").boolean(true);
  json.end_object();
  put_on_one_line(out);
  return out;
}

}  // namespace toolhost::protocol
