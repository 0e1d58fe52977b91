#pragma once
#include <string>
#include <string_view>

#include "base/json_writer.hpp"
#include "protocol/mcp_version.hpp"

namespace toolhost::protocol {

/// Content as plugins make it, written for a revision: blocks that it does not know become text, members that it does
/// not know are left out. Nothing is parsed for revisions that know all of it.

/// Content may be spread over lines; a raw line break in valid JSON is always insignificant white space.
void put_on_one_line(std::string& json);

void write_text_block(JsonWriter& json, std::string_view text);
/// The blocks of an array, without its brackets; false when there are none.
bool write_blocks(JsonWriter& json, std::string_view array_json, Revision revision);
/// The array of prompts/get: {"role", "content": one block}.
void write_messages(JsonWriter& json, std::string_view array_json, Revision revision);
/// The array of resources/read: {"uri", "mimeType", "text" or "blob"}.
void write_contents(JsonWriter& json, std::string_view array_json, Revision revision);

}  // namespace toolhost::protocol
