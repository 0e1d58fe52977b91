#include "protocol/encode_results.hpp"

#include "base/json_writer.hpp"
#include "protocol/content_blocks.hpp"
#include "protocol/method_params.hpp"

namespace toolhost::protocol {
namespace {

void write_if(JsonWriter& json, std::string_view name, std::string_view text) {
  if (!text.empty()) json.member(name, text);
}

void write_json_if(JsonWriter& json, std::string_view name, std::string_view value) {
  if (!value.empty()) json.key(name).raw(value);
}

/// The members that everything in a list has, of those that its family knows.
void write_icons_and_meta(JsonWriter& json, std::string_view icons, std::string_view meta, ListingFamily family) {
  if (family >= ListingFamily::kIconed) write_json_if(json, "icons", icons);
  if (family >= ListingFamily::kTitled) write_json_if(json, "_meta", meta);
}

void write_argument(JsonWriter& json, const plugin_runtime::PromptArgument& argument, ListingFamily family) {
  json.begin_object().member("name", argument.name);
  if (family >= ListingFamily::kTitled) write_if(json, "title", argument.title);
  write_if(json, "description", argument.description);
  json.key("required").boolean(argument.required).end_object();
}

}  // namespace

std::string encode_resource(const plugin_runtime::Resource& resource, ListingFamily family) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member(resource.uri_template ? "uriTemplate" : "uri", resource.uri).member("name", resource.name);
  if (family >= ListingFamily::kTitled) write_if(json, "title", resource.title);
  write_if(json, "description", resource.description);
  write_if(json, "mimeType", resource.mime_type);
  if (resource.size && !resource.uri_template) json.key("size").integer(*resource.size);
  write_json_if(json, "annotations", resource.annotations_json);
  write_icons_and_meta(json, resource.icons_json, resource.meta_json, family);
  json.end_object();
  put_on_one_line(out);
  return out;
}

std::string encode_prompt(const plugin_runtime::Prompt& prompt, ListingFamily family) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("name", prompt.name);
  if (family >= ListingFamily::kTitled) write_if(json, "title", prompt.title);
  write_if(json, "description", prompt.description);
  if (!prompt.arguments.empty()) {
    json.key("arguments").begin_array();
    for (const auto& argument : prompt.arguments) write_argument(json, argument, family);
    json.end_array();
  }
  write_icons_and_meta(json, prompt.icons_json, prompt.meta_json, family);
  json.end_object();
  put_on_one_line(out);
  return out;
}

std::string encode_read_result(std::string_view contents_json, const ResultStyle& style) {
  std::string out;
  out.reserve(contents_json.size() + 256);
  JsonWriter json(out);
  json.begin_object().key("contents");
  write_contents(json, contents_json, style.revision);
  end_result(json, style, ResultEnd::kCacheable);
  json.end_object();
  put_on_one_line(out);
  return out;
}

std::string encode_prompt_result(std::string_view description, std::string_view messages_json,
                                 const ResultStyle& style) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  write_if(json, "description", description);
  json.key("messages");
  write_messages(json, messages_json, style.revision);
  end_result(json, style);
  json.end_object();
  put_on_one_line(out);
  return out;
}

std::string encode_completion_result(std::string_view completion_json, const ResultStyle& style) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("completion").raw(completion_json);
  end_result(json, style);
  json.end_object();
  put_on_one_line(out);
  return out;
}

std::string encode_input_required(std::span<const InputRequest> requests, std::string_view state,
                                  const ResultStyle& style) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  if (!requests.empty()) {
    json.key("inputRequests").begin_object();
    for (const auto& request : requests) json.key(request.key).raw('{' + request.inside + '}');
    json.end_object();
  }
  write_if(json, "requestState", state);
  end_result(json, style, ResultEnd::kInputRequired);
  json.end_object();
  put_on_one_line(out);
  return out;
}

RpcError resource_not_found(std::string id, std::string_view uri, Revision revision) {
  std::string data;
  JsonWriter(data).begin_object().member("uri", uri).end_object();
  const auto code = is_modern(revision) ? RpcCode::kInvalidParams : RpcCode::kResourceNotFound;
  return {code, "Resource not found: " + std::string(uri.substr(0, kLongestQuote)), std::move(id), std::move(data)};
}

}  // namespace toolhost::protocol
