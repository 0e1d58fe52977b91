#include <algorithm>
#include <set>

#include "base/json_writer.hpp"
#include "plugin_runtime/definition_fields.hpp"
#include "plugin_runtime/growable.hpp"
#include "plugin_runtime/plugin_definition.hpp"

// Resources, templates and prompts as a plugin declares them.

namespace toolhost::plugin_runtime {
namespace {

/// Sizes of the structs in minor 1, which brought them.
constexpr std::size_t kResourceBytes = 112, kArgumentBytes = 32, kPromptBytes = 88;
static_assert(sizeof(th_resource_def) >= kResourceBytes && sizeof(th_prompt_argument) >= kArgumentBytes &&
              sizeof(th_prompt_def) >= kPromptBytes);

constexpr std::size_t kMaxUriBytes = 2'048;

/// What a handler of a resource, prompt or completion is called as: a tool that only reads.
Result<Tool> callable(std::string name, const std::string& plugin, const std::string& schema, bool non_blocking,
                      std::chrono::milliseconds timeout) {
  auto compiled = JsonSchema::compile(schema);
  if (!compiled) return compiled.error();
  return Tool{.name = std::move(name),
              .plugin = plugin,
              .input_schema_json = schema,
              .input_schema = std::move(*compiled),
              .read_only = true,
              .idempotent = true,
              .non_blocking = non_blocking,
              .timeout = timeout};
}

/// The texts that resources and prompts share.
template <class Offer, class Source>
Result<> adopt_texts(Offer& offer, const Source& source, const std::string& what) {
  auto title = text_of(source.title, kMaxNameBytes, what + "title", false);
  if (!title) return title.error();
  auto description = text_of(source.description, kMaxDescriptionBytes, what + "description", false);
  if (!description) return description.error();
  auto icons = json_of(source.icons_json, JsonKind::kArray, what + "icons_json");
  if (!icons) return icons.error();
  auto meta = json_of(source.meta_json, JsonKind::kObject, what + "meta_json");
  if (!meta) return meta.error();
  offer.title = std::move(*title);
  offer.description = std::move(*description);
  offer.icons_json = std::move(*icons);
  offer.meta_json = std::move(*meta);
  return {};
}

Result<std::string> adopt_name(const char* source, const std::string& what) {
  auto name = text_of(source, kMaxNameBytes, what + ".name");
  if (name && !is_tool_name(*name))
    return refusal(what + ".name is '" + *name + "', but a name is 1 to 64 of A-Z a-z 0-9 _ -; people read the title");
  return name;
}

Result<> adopt_uri(Resource& resource, const th_resource_def& source, const std::string& what) {
  auto uri = text_of(source.uri, kMaxUriBytes, what + "uri");
  if (!uri) return uri.error();
  if ((source.flags & TH_RESOURCE_TEMPLATE) != 0) {
    auto parsed = UriTemplate::parse(*uri);
    if (!parsed) return refusal(what + "the template '" + *uri + "': " + parsed.error().message);
    resource.uri_template = std::move(*parsed);
  } else if (!is_absolute_uri(*uri)) {
    return refusal(what + "uri is '" + *uri +
                   "', but it must be absolute, as in notes:/all; with {variables} it needs TH_RESOURCE_TEMPLATE");
  }
  resource.uri = std::move(*uri);
  return {};
}

Result<ResourceDefinition> adopt_resource(const th_resource_def* raw, std::size_t index, const std::string& plugin,
                                          std::chrono::milliseconds default_timeout) {
  const auto position = "resources[" + std::to_string(index) + "]";
  const auto source = copy_growable(raw, kResourceBytes, position);
  if (!source) return source.error();
  auto name = adopt_name(source->name, position);
  if (!name) return name.error();
  const auto what = "resource " + *name + ": ";
  if ((source->flags & ~(TH_RESOURCE_TEMPLATE | TH_RESOURCE_NONBLOCKING)) != 0 || source->reserved != 0)
    return refusal(what + "flags or reserved hold bits that this host does not know; upgrade the host, or clear them");
  if (source->read == nullptr) return refusal(what + "read is NULL");
  if (source->complete != nullptr && (source->flags & TH_RESOURCE_TEMPLATE) == 0)
    return refusal(what + "complete is for templates; drop it");
  const std::chrono::milliseconds timeout(source->timeout_ms);
  const auto make = [&] {
    return callable("resource:" + *name, plugin, R"({"type":"object"})", (source->flags & TH_RESOURCE_NONBLOCKING) != 0,
                    timeout.count() == 0 ? default_timeout : timeout);
  };
  ResourceDefinition made{
      .resource = {.read = *make()}, .read = source->read, .complete = source->complete, .user = source->user};
  auto& resource = made.resource;
  if (auto adopted = adopt_uri(resource, *source, what); !adopted) return adopted.error();
  if (auto adopted = adopt_texts(resource, *source, what); !adopted) return adopted.error();
  auto mime_type = text_of(source->mime_type, kMaxNameBytes, what + "mime_type", false);
  if (!mime_type) return mime_type.error();
  auto annotations = json_of(source->annotations_json, JsonKind::kObject, what + "annotations_json");
  if (!annotations) return annotations.error();
  resource.mime_type = std::move(*mime_type);
  resource.annotations_json = std::move(*annotations);
  if (source->size > 0) resource.size = source->size;
  if (source->complete != nullptr) resource.complete = *make();
  resource.name = std::move(*name);
  return made;
}

Result<std::vector<PromptArgument>> adopt_arguments(const th_prompt_argument* const* raw, const std::string& what) {
  const auto count = length_of(raw, what + "arguments");
  if (!count) return count.error();
  std::vector<PromptArgument> arguments;
  for (std::size_t i = 0; i < *count; ++i) {
    const auto position = what + "arguments[" + std::to_string(i) + "]";
    const auto source = copy_growable(raw[i], kArgumentBytes, position);
    if (!source) return source.error();
    if (source->required > 1) return refusal(position + ".required is neither 0 nor 1");
    auto name = text_of(source->name, kMaxNameBytes, position + ".name");
    if (!name) return name.error();
    auto title = text_of(source->title, kMaxNameBytes, position + ".title", false);
    if (!title) return title.error();
    auto description = text_of(source->description, kMaxDescriptionBytes, position + ".description", false);
    if (!description) return description.error();
    const auto is_same = [&](const PromptArgument& other) { return other.name == *name; };
    if (std::any_of(arguments.begin(), arguments.end(), is_same))
      return refusal(what + "it declares the argument " + *name + " twice; rename one of them");
    arguments.push_back({.name = std::move(*name),
                         .title = std::move(*title),
                         .description = std::move(*description),
                         .required = source->required == 1});
  }
  return arguments;
}

/// Strings, and no others than declared.
std::string schema_of(const std::vector<PromptArgument>& arguments) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().member("type", "object").key("properties").begin_object();
  for (const auto& argument : arguments) json.key(argument.name).raw(R"({"type":"string"})");
  json.end_object().key("required").begin_array();
  for (const auto& argument : arguments)
    if (argument.required) json.string(argument.name);
  json.end_array().key("additionalProperties").boolean(false).end_object();
  return text;
}

Result<PromptDefinition> adopt_prompt(const th_prompt_def* raw, std::size_t index, const std::string& plugin,
                                      std::chrono::milliseconds default_timeout) {
  const auto position = "prompts[" + std::to_string(index) + "]";
  const auto source = copy_growable(raw, kPromptBytes, position);
  if (!source) return source.error();
  auto name = adopt_name(source->name, position);
  if (!name) return name.error();
  const auto what = "prompt " + *name + ": ";
  if ((source->flags & ~TH_PROMPT_NONBLOCKING) != 0 || source->reserved != 0)
    return refusal(what + "flags or reserved hold bits that this host does not know; upgrade the host, or clear them");
  if (source->get == nullptr) return refusal(what + "get is NULL");
  auto arguments = adopt_arguments(source->arguments, what);
  if (!arguments) return arguments.error();
  const std::chrono::milliseconds timeout(source->timeout_ms);
  const auto make = [&](const std::string& schema) {
    return callable("prompt:" + *name, plugin, schema, (source->flags & TH_PROMPT_NONBLOCKING) != 0,
                    timeout.count() == 0 ? default_timeout : timeout);
  };
  auto get = make(schema_of(*arguments));
  if (!get) return refusal(what + get.error().message);
  PromptDefinition made{.prompt = {.arguments = std::move(*arguments), .get = std::move(*get)},
                        .get = source->get,
                        .complete = source->complete,
                        .user = source->user};
  auto& prompt = made.prompt;
  if (auto adopted = adopt_texts(prompt, *source, what); !adopted) return adopted.error();
  if (source->complete != nullptr) prompt.complete = *make(R"({"type":"object"})");
  prompt.name = std::move(*name);
  return made;
}

}  // namespace

Result<> adopt_resources(PluginDefinition& adopted, const th_plugin_def& source,
                         std::chrono::milliseconds default_timeout) {
  const auto count = length_of(source.resources, "resources");
  if (!count) return count.error();
  std::set<std::string> names, uris;
  for (std::size_t i = 0; i < *count; ++i) {
    auto resource = adopt_resource(source.resources[i], i, adopted.id, default_timeout);
    if (!resource) return resource.error();
    if (!names.insert(resource->resource.name).second)
      return refusal("it declares the resource " + resource->resource.name + " twice; rename one of them");
    if (!uris.insert(resource->resource.uri).second)
      return refusal("two of its resources have the URI " + resource->resource.uri + "; change one of them");
    adopted.resources.push_back(std::move(*resource));
  }
  return {};
}

Result<> adopt_prompts(PluginDefinition& adopted, const th_plugin_def& source,
                       std::chrono::milliseconds default_timeout) {
  const auto count = length_of(source.prompts, "prompts");
  if (!count) return count.error();
  std::set<std::string> names;
  for (std::size_t i = 0; i < *count; ++i) {
    auto prompt = adopt_prompt(source.prompts[i], i, adopted.id, default_timeout);
    if (!prompt) return prompt.error();
    if (!names.insert(prompt->prompt.name).second)
      return refusal("it declares the prompt " + prompt->prompt.name + " twice; rename one of them");
    adopted.prompts.push_back(std::move(*prompt));
  }
  return {};
}

}  // namespace toolhost::plugin_runtime
