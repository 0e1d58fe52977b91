#include "protocol/mcp_messages.hpp"

#include "base/json_writer.hpp"
#include "protocol/content_blocks.hpp"

namespace toolhost::protocol {
namespace {

constexpr std::string_view kServerInfo = "io.modelcontextprotocol/serverInfo";

void write_server_info(JsonWriter& json, const ServerIdentity& server, Revision revision) {
  json.begin_object().member("name", server.name);
  if (revision >= Revision::k2025_06_18 && !server.title.empty()) json.member("title", server.title);
  json.member("version", server.version).end_object();
}

void write_capability(JsonWriter& json, std::string_view name, bool has_subscriptions) {
  json.key(name).begin_object();
  if (has_subscriptions) json.key("subscribe").boolean(true);
  json.key("listChanged").boolean(true).end_object();
}

void write_capabilities(JsonWriter& json, const ServerCapabilities& capabilities, Revision revision) {
  json.begin_object();
  write_capability(json, "tools", false);
  if (capabilities.resources) write_capability(json, "resources", true);
  if (capabilities.prompts) write_capability(json, "prompts", false);
  if (capabilities.completions && revision >= Revision::k2025_03_26)
    json.key("completions").begin_object().end_object();
  if (capabilities.logging) json.key("logging").begin_object().end_object();
  json.end_object();
}

}  // namespace

void end_result(JsonWriter& json, const ResultStyle& style, ResultEnd end) {
  if (!is_modern(style.revision)) return;
  json.member("resultType", end == ResultEnd::kInputRequired ? "input_required" : "complete");
  if (end == ResultEnd::kCacheable) json.key("ttlMs").integer(style.ttl.count()).member("cacheScope", "private");
  if (style.server == nullptr) return;
  json.key("_meta").begin_object().key(kServerInfo);
  write_server_info(json, *style.server, style.revision);
  json.end_object();
}

ListingFamily listing_family(Revision revision) noexcept {
  if (revision < Revision::k2025_03_26) return ListingFamily::kPlain;
  if (revision < Revision::k2025_06_18) return ListingFamily::kAnnotated;
  return revision < Revision::k2025_11_25 ? ListingFamily::kTitled : ListingFamily::kIconed;
}

std::string encode_initialize_result(const ServerIdentity& server, Revision revision,
                                     const ServerCapabilities& capabilities) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("protocolVersion", to_string(revision)).key("capabilities");
  write_capabilities(json, capabilities, revision);
  json.key("serverInfo");
  write_server_info(json, server, revision);
  if (!server.instructions.empty()) json.member("instructions", server.instructions);
  json.end_object();
  return out;
}

std::string encode_discover_result(const ResultStyle& style, const ServerCapabilities& capabilities) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("supportedVersions").begin_array().string(to_string(style.revision)).end_array();
  json.key("capabilities");
  write_capabilities(json, capabilities, style.revision);
  if (style.server != nullptr && !style.server->instructions.empty())
    json.member("instructions", style.server->instructions);
  end_result(json, style, ResultEnd::kCacheable);
  json.end_object();
  return out;
}

std::string encode_tool(const ToolDescription& tool, ListingFamily family) {
  const bool has_titles = family >= ListingFamily::kTitled;
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("name", tool.name);
  if (has_titles && !tool.title.empty()) json.member("title", tool.title);
  json.member("description", tool.description).key("inputSchema").raw(tool.input_schema_json);
  if (has_titles && !tool.output_schema_json.empty()) {
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
  if (has_titles && !tool.meta_json.empty()) json.key("_meta").raw(tool.meta_json);
  if (family >= ListingFamily::kIconed && !tool.icons_json.empty()) json.key("icons").raw(tool.icons_json);
  json.end_object();
  put_on_one_line(out);
  return out;
}

std::string encode_page(std::string_view name, std::span<const std::string* const> items,
                        const std::optional<std::string>& next_cursor, const ResultStyle& style) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key(name).begin_array();
  for (const auto* item : items) json.raw(*item);
  json.end_array();
  if (next_cursor) json.member("nextCursor", *next_cursor);
  end_result(json, style, ResultEnd::kCacheable);
  json.end_object();
  return out;
}

std::string encode_empty_result(const ResultStyle& style) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  end_result(json, style);
  json.end_object();
  return out;
}

std::string encode_call_result(std::string_view content_json, std::string_view structured_json, bool is_error,
                               const ResultStyle& style) {
  const bool knows_structure = style.revision >= Revision::k2025_06_18;
  std::string out;
  out.reserve(content_json.size() + structured_json.size() * 2 + (is_modern(style.revision) ? 256 : 64));
  JsonWriter json(out);
  json.begin_object().key("content").begin_array();
  const bool has_blocks = write_blocks(json, content_json, style.revision);
  // A model reads content, and some clients show it nothing else: structure alone would look like an empty answer.
  if (!structured_json.empty() && (!knows_structure || !has_blocks)) write_text_block(json, structured_json);
  json.end_array();
  if (!structured_json.empty() && knows_structure) json.key("structuredContent").raw(structured_json);
  if (is_error) json.key("isError").boolean(true);
  end_result(json, style);
  json.end_object();
  put_on_one_line(out);
  return out;
}

}  // namespace toolhost::protocol
