#include "protocol/content_blocks.hpp"

#include <algorithm>

#include "base/json.hpp"

namespace toolhost::protocol {
namespace {

/// Whether there can be something that the revision does not know; words in a text only cost time.
bool may_hold_unknown(std::string_view content_json, Revision revision) noexcept {
  const auto holds = [&](std::string_view word) { return content_json.find(word) != std::string_view::npos; };
  if (revision >= Revision::k2025_11_25) return false;
  if (holds("\"icons\"")) return true;
  if (revision >= Revision::k2025_06_18) return false;
  if (holds("\"resource_link\"") || holds("\"_meta\"") || holds("\"lastModified\"")) return true;
  return revision < Revision::k2025_03_26 && holds("\"audio\"");
}

/// The object without one of its members; any other value as it is.
void write_without(JsonWriter& json, const json::Value& value, std::string_view unknown) {
  json::Object object;
  if (value.get(object) != simdjson::SUCCESS) {
    json.raw(json::to_text(value));
    return;
  }
  json.begin_object();
  for (const auto& [name, member] : object)
    if (name != unknown) json.key(name).raw(json::to_text(member));
  json.end_object();
}

void write_known_members(JsonWriter& json, const json::Object& block, std::string_view type, Revision revision) {
  const bool is_old = revision < Revision::k2025_06_18;
  json.begin_object();
  for (const auto& [name, member] : block) {
    if (name == "_meta" && is_old) continue;
    if (name == "icons" && type == "resource_link" && revision < Revision::k2025_11_25) continue;
    json.key(name);
    if (name == "annotations" && is_old)
      write_without(json, member, "lastModified");
    else if (name == "resource" && is_old)
      write_without(json, member, "_meta");
    else
      json.raw(json::to_text(member));
  }
  json.end_object();
}

void write_known_block(JsonWriter& json, const json::Value& block, Revision revision) {
  const auto type = json::text_in(block, "type").value_or("");
  json::Object members;
  if (type == "resource_link" && revision < Revision::k2025_06_18) {
    const auto name = json::text_in(block, "name").value_or("");
    write_text_block(
        json, std::string(name) + (name.empty() ? "" : ": ") + std::string(json::text_in(block, "uri").value_or("")));
  } else if (type == "audio" && revision < Revision::k2025_03_26) {
    write_text_block(json, "(audio, which this protocol revision cannot carry)");
  } else if (block.get(members) == simdjson::SUCCESS) {
    write_known_members(json, members, type, revision);
  } else {
    json.raw(json::to_text(block));
  }
}

void write_known_message(JsonWriter& json, const json::Value& message, Revision revision) {
  json::Object members;
  if (message.get(members) != simdjson::SUCCESS) return;
  json.begin_object();
  for (const auto& [name, member] : members) {
    json.key(name);
    if (name == "content")
      write_known_block(json, member, revision);
    else
      json.raw(json::to_text(member));
  }
  json.end_object();
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

/// The elements, each by `write` when the revision may not know all of them; false when there are none.
template <class Write>
bool write_elements(JsonWriter& json, std::string_view array_json, Revision revision, Write write) {
  const auto inside = inside_of_array(array_json);
  if (inside.empty()) return false;
  if (!may_hold_unknown(inside, revision)) {
    json.raw(inside);
    return true;
  }
  const auto document = json::acquire_document();
  const auto root = document->parse(array_json);
  json::Array elements;
  if (!root || root->get(elements) != simdjson::SUCCESS) return false;
  for (const auto& element : elements) write(json, element, revision);
  return true;
}

}  // namespace

void put_on_one_line(std::string& json) {
  std::replace_if(json.begin(), json.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
}

void write_text_block(JsonWriter& json, std::string_view text) {
  json.begin_object().member("type", "text").member("text", text).end_object();
}

bool write_blocks(JsonWriter& json, std::string_view array_json, Revision revision) {
  return write_elements(json, array_json, revision, write_known_block);
}

void write_messages(JsonWriter& json, std::string_view array_json, Revision revision) {
  json.begin_array();
  write_elements(json, array_json, revision, write_known_message);
  json.end_array();
}

void write_contents(JsonWriter& json, std::string_view array_json, Revision revision) {
  json.begin_array();
  write_elements(json, array_json, revision, [](JsonWriter& out, const json::Value& contents, Revision its_revision) {
    if (its_revision < Revision::k2025_06_18)
      write_without(out, contents, "_meta");
    else
      out.raw(json::to_text(contents));
  });
  json.end_array();
}

}  // namespace toolhost::protocol
