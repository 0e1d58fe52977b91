#include <array>
#include <cmath>

#include <openssl/evp.h>

#include "base/json_writer.hpp"
#include "plugin_runtime/growable.hpp"
#include "plugin_runtime/service_tables.hpp"

// Content of every kind: blocks of tools, contents of resources, messages of prompts, values of completions.

namespace toolhost::plugin_runtime::services {
namespace {

using Kind = ToolCall::Kind;

constexpr std::size_t kContentBytes = 184;  // of th_content in minor 1
static_assert(sizeof(th_content) >= kContentBytes);

/// The fields of th_content that a kind may have.
enum Field : unsigned {
  kText = 1U << 0,
  kBytes = 1U << 1,
  kMimeType = 1U << 2,
  kUri = 1U << 3,
  kName = 1U << 4,
  kTitle = 1U << 5,
  kDescription = 1U << 6,
  kSize = 1U << 7,
  kIcons = 1U << 8,
};

struct KindRules {
  const char* name;
  unsigned needed, allowed;
};
constexpr std::array<KindRules, 5> kKinds{
    {{"TH_C_TEXT", 0, kText},
     {"TH_C_IMAGE", kBytes | kMimeType, kBytes | kMimeType},
     {"TH_C_AUDIO", kBytes | kMimeType, kBytes | kMimeType},
     {"TH_C_LINK", kUri | kName, kUri | kName | kTitle | kDescription | kMimeType | kSize | kIcons},
     {"TH_C_RESOURCE", 0, kUri | kText | kBytes | kMimeType}}};

unsigned fields_of(const th_content& block) noexcept {
  const auto bit = [](const th_str& text, Field field) { return text.len > 0 ? field : 0U; };
  return bit(block.text, kText) | bit(block.bytes, kBytes) | bit(block.mime_type, kMimeType) | bit(block.uri, kUri) |
         bit(block.name, kName) | bit(block.title, kTitle) | bit(block.description, kDescription) |
         (block.size > 0 ? kSize : 0U) | bit(block.icons_json, kIcons);
}

bool is_mime_type(std::string_view text) noexcept {
  const auto slash = text.find('/');
  return slash != std::string_view::npos && slash > 0 && slash + 1 < text.size() && text.size() <= 255 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

th_status check_block(th_call& call, const th_content& block) {
  const auto refuse = [&](const std::string& reason) { return fail_with(call, TH_E_INVALID, "th_content: " + reason); };
  if (block.kind >= kKinds.size()) return refuse("the kind is not TH_C_*");
  const auto& rules = kKinds[block.kind];
  const bool is_resource = block.kind == TH_C_RESOURCE;
  if ((block.flags & ~(is_resource ? TH_C_IS_BYTES : 0U)) != 0 || block.reserved != 0)
    return refuse("flags or reserved hold bits that a " + std::string(rules.name) + " does not have");
  const auto present = fields_of(block);
  if ((present & ~rules.allowed) != 0)
    return refuse("a field is set that a " + std::string(rules.name) + " does not have");
  if ((rules.needed & ~present) != 0) return refuse("a " + std::string(rules.name) + " lacks a field that it needs");
  if (is_resource) {
    if ((present & kUri) == 0 && call.kind() != Kind::kRead) return refuse("a TH_C_RESOURCE needs its uri");
    const bool is_bytes = (block.flags & TH_C_IS_BYTES) != 0;
    if ((present & (is_bytes ? kText : kBytes)) != 0) return refuse("a TH_C_RESOURCE has text or bytes, not both");
  }
  for (const auto& text : {block.text, block.mime_type, block.uri, block.name, block.title, block.description})
    if (!is_utf8(view(text))) return refuse("a text is not UTF-8");
  if (block.uri.len > 0 && !is_absolute_uri(view(block.uri))) return refuse("the uri is not absolute");
  if (block.mime_type.len > 0 && !is_mime_type(view(block.mime_type))) return refuse("the mime_type is none");
  return TH_OK;
}

std::size_t base64_size(std::size_t bytes) noexcept {
  return (bytes + 2) / 3 * 4;
}

/// RFC 4648 section 4, with padding.
std::string base64(std::string_view bytes) {
  std::string text(base64_size(bytes.size()) + 1, '\0');  // and the NUL that the function writes
  // In steps that fit the function's int.
  constexpr std::size_t kStep = 3 << 20;
  std::size_t written = 0;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(kStep, bytes.size()))) {
    const auto step = bytes.substr(0, kStep);
    written += static_cast<std::size_t>(EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()) + written,
                                                        reinterpret_cast<const unsigned char*>(step.data()),
                                                        static_cast<int>(step.size())));
  }
  text.resize(written);
  return text;
}

void write_text_member(JsonWriter& json, std::string_view name, th_str text) {
  if (text.len > 0) json.member(name, view(text));
}

/// Writes a member that the plugin gave as JSON text; false when it is not what it should be.
bool write_json_member(JsonWriter& json, std::string_view name, th_str text, bool is_array) {
  if (text.len == 0) return true;
  auto document = json::acquire_document();
  const auto root = document->parse(view(text));
  if (!root || (is_array ? !root->is_array() : !root->is_object())) return false;
  json.key(name).raw(json::to_text(*root));
  return true;
}

/// The object "resource" of a block, which is also one of the "contents" of a resource; its members are left open.
void write_resource_members(JsonWriter& json, const th_content& block, std::string_view uri) {
  json.member("uri", uri);
  write_text_member(json, "mimeType", block.mime_type);
  if ((block.flags & TH_C_IS_BYTES) != 0)
    json.member("blob", base64(view(block.bytes)));
  else
    json.member("text", view(block.text));
}

/// Everything but the annotations and _meta.
bool write_block_members(JsonWriter& json, const th_content& block) {
  switch (block.kind) {
    case TH_C_TEXT:
      json.member("type", "text").member("text", view(block.text));
      return true;
    case TH_C_IMAGE:
    case TH_C_AUDIO:
      json.member("type", block.kind == TH_C_IMAGE ? "image" : "audio").member("data", base64(view(block.bytes)));
      write_text_member(json, "mimeType", block.mime_type);
      return true;
    case TH_C_LINK:
      json.member("type", "resource_link");
      write_text_member(json, "uri", block.uri);
      write_text_member(json, "name", block.name);
      write_text_member(json, "title", block.title);
      write_text_member(json, "description", block.description);
      write_text_member(json, "mimeType", block.mime_type);
      if (block.size > 0) json.key("size").integer(block.size);
      return write_json_member(json, "icons", block.icons_json, true);
    default:
      json.member("type", "resource").key("resource").begin_object();
      write_resource_members(json, block, view(block.uri));
      json.end_object();
      return true;
  }
}

bool write_block(JsonWriter& json, const th_content& block) {
  json.begin_object();
  const bool is_good = write_block_members(json, block) &&
                       write_json_member(json, "annotations", block.annotations_json, false) &&
                       write_json_member(json, "_meta", block.meta_json, false);
  json.end_object();
  return is_good;
}

/// One of the contents of a resource, whose URI may be left out.
bool write_contents(JsonWriter& json, const th_content& block, std::string_view target) {
  json.begin_object();
  write_resource_members(json, block, block.uri.len > 0 ? view(block.uri) : target);
  const bool is_good = write_json_member(json, "_meta", block.meta_json, false);
  json.end_object();
  return is_good;
}

/// Appends one element to the content through `write`, or leaves the content as it was.
template <class Write>
th_status append(th_call& call, const th_content* source, Write write) {
  const auto block = copy_growable(source, kContentBytes, "th_content");
  if (!block) return fail_with(call, TH_E_INVALID, block.error().message);
  if (const auto status = check_block(call, *block); status != TH_OK) return status;
  const auto more = block->text.len + base64_size(block->bytes.len);
  if (call.result_bytes() + more > call.start.max_result_bytes) return result_too_large(call);
  const auto size = call.content.size();
  if (size > 1) call.content += ',';
  JsonWriter json(call.content);
  const bool is_good = write(json, *block);
  if (is_good && call.result_bytes() <= call.start.max_result_bytes) return TH_OK;
  call.content.resize(size);
  if (is_good) return result_too_large(call);
  return fail_with(call, TH_E_INVALID,
                   "th_content: annotations_json, meta_json or icons_json is not what it should be");
}

th_status other_handler(th_call& call, std::string_view wanted) {
  return fail_with(call, TH_E_MISUSE, "this is for the handler of a " + std::string(wanted));
}

// ---- toolhost.prompt/1

th_status prompt_description(th_call* call, th_str text) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (call->kind() != Kind::kPrompt) return other_handler(*call, "prompt");
  if (!is_utf8(view(text))) return fail_with(*call, TH_E_INVALID, "the text is not UTF-8");
  call->description.clear();
  if (call->result_bytes() + text.len > call->start.max_result_bytes) return result_too_large(*call);
  call->description = view(text);
  return TH_OK;
}

th_status prompt_message(th_call* call, int32_t role, const th_content* block) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (call->kind() != Kind::kPrompt) return other_handler(*call, "prompt");
  if (role != TH_ROLE_USER && role != TH_ROLE_ASSISTANT) return fail_with(*call, TH_E_INVALID, "role is not TH_ROLE_*");
  return append(*call, block, [role](JsonWriter& json, const th_content& checked) {
    json.begin_object().member("role", role == TH_ROLE_USER ? "user" : "assistant").key("content");
    const bool is_good = write_block(json, checked);
    json.end_object();
    return is_good;
  });
}

// ---- toolhost.complete/1

th_status complete_value(th_call* call, th_str value) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (call->kind() != Kind::kComplete) return other_handler(*call, "completion");
  if (!is_utf8(view(value))) return fail_with(*call, TH_E_INVALID, "the value is not UTF-8");
  auto& completion = call->completion;
  if (completion.count >= TH_COMPLETE_MAX_VALUES) {
    ++completion.count;
    return TH_OK;
  }
  if (call->result_bytes() + value.len > call->start.max_result_bytes) return result_too_large(*call);
  if (completion.count++ > 0) completion.values += ',';
  append_json_string(completion.values, view(value));
  return TH_OK;
}

th_status complete_total(th_call* call, int64_t count) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (call->kind() != Kind::kComplete) return other_handler(*call, "completion");
  if (count < 0) return fail_with(*call, TH_E_INVALID, "a total is not negative");
  call->completion.total = count;
  return TH_OK;
}

}  // namespace

th_status call_content(th_call* call, const th_content* block) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  switch (call->kind()) {
    case Kind::kTool:
      return append(*call, block, write_block);
    case Kind::kRead:
      return append(*call, block, [call](JsonWriter& json, const th_content& checked) {
        return checked.kind == TH_C_RESOURCE && write_contents(json, checked, call->start.call->target);
      });
    case Kind::kPrompt:
    case Kind::kComplete:
      break;
  }
  return fail_with(*call, TH_E_MISUSE, "prompts push messages, and completions values, by services of their own");
}

constexpr th_prompt_api prompt_table{sizeof(th_prompt_api), 0, prompt_description, prompt_message};
constexpr th_complete_api complete_table{sizeof(th_complete_api), 0, complete_value, complete_total};

}  // namespace toolhost::plugin_runtime::services
