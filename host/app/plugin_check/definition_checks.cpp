// What the entry point gave, read as the structs of plugin.h, before the host takes a copy of it.
#include <algorithm>
#include <cstring>
#include <set>

#include "app/plugin_check/check.hpp"
#include "app/plugin_check/loaded_plugin.hpp"
#include "base/json.hpp"
#include "observability/log.hpp"
#include "plugin_runtime/definition_fields.hpp"
#include "plugin_runtime/growable.hpp"
#include "plugin_runtime/host_services.hpp"

namespace toolhost::app {
namespace {

using plugin_runtime::copy_growable;
using plugin_runtime::kMaxNameBytes;
using plugin_runtime::length_of;

/// Sizes in the minor that brought them.
constexpr std::size_t kPluginBytes = 112, kToolBytes = 80, kMigrationBytes = 24, kResourceBytes = 112,
                      kPromptBytes = 88;

constexpr std::uint32_t kToolFlags = TH_TOOL_READ_ONLY | TH_TOOL_DESTRUCTIVE | TH_TOOL_IDEMPOTENT | TH_TOOL_OPEN_WORLD |
                                     TH_TOOL_NONBLOCKING | TH_TOOL_JOB | TH_TOOL_AFTER_WRITES;
constexpr std::size_t kMaxSchemaDepth = 32;

/// Copies of the structs, as far as this host knows them.
struct Structs {
  th_plugin_def plugin{};
  std::vector<th_tool_def> tools;
  std::vector<th_migration> migrations;
  std::vector<th_resource_def> resources;
  std::vector<th_prompt_def> prompts;
};

template <class T>
Result<> copy_all(const T* const* elements, std::size_t oldest_bytes, const std::string& what, std::vector<T>& to) {
  const auto count = length_of(elements, what);
  if (!count) return count.error();
  for (std::size_t i = 0; i < *count; ++i) {
    const auto copied = copy_growable(elements[i], oldest_bytes, what + "[" + std::to_string(i) + "]");
    if (!copied) return copied.error();
    to.push_back(*copied);
  }
  return {};
}

Result<Structs> copy_structs(const th_plugin_def* raw) {
  Structs structs;
  const auto plugin = copy_growable(raw, kPluginBytes, "the definition");
  if (!plugin) return plugin.error();
  structs.plugin = *plugin;
  if (auto copied = copy_all(plugin->tools, kToolBytes, "tools", structs.tools); !copied) return copied.error();
  if (auto copied = copy_all(plugin->migrations, kMigrationBytes, "migrations", structs.migrations); !copied)
    return copied.error();
  if (auto copied = copy_all(plugin->resources, kResourceBytes, "resources", structs.resources); !copied)
    return copied.error();
  if (auto copied = copy_all(plugin->prompts, kPromptBytes, "prompts", structs.prompts); !copied) return copied.error();
  return structs;
}

/// Loads, copies, and leaves the judgement to `judge(structs, card)`.
template <class Judge>
Finding with_structs(const CheckJob& job, ChildReport& report, Judge judge) {
  const auto entered = load_and_enter(job, report);
  if (!entered) return skipped(entered.error().message);
  report.begin_step("definition");
  const auto structs = copy_structs(entered->definition);
  if (!structs) return skipped("its structs cannot be read; see definition-structs");
  return judge(*structs, entered->file.card);
}

std::string as_list(const std::vector<std::string>& problems) {
  constexpr std::size_t kShown = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(problems.size(), kShown); ++i) text += (i == 0 ? "" : "; ") + problems[i];
  if (problems.size() > kShown) text += "; and " + std::to_string(problems.size() - kShown) + " more";
  return text;
}

Finding unless(const std::vector<std::string>& problems) {
  return problems.empty() ? passed() : failed(as_list(problems));
}

/// How a tool is called in messages: by its name if it has one that can be read.
std::string tool_label(const th_tool_def& tool, std::size_t index) {
  const auto name = plugin_runtime::text_of(tool.name, kMaxNameBytes, "");
  return name && plugin_runtime::is_tool_name(*name) ? *name : "tools[" + std::to_string(index) + "]";
}

/// Notes what is wrong with the names of one kind of thing.
template <class T>
void check_names(const std::vector<T>& things, const std::string& what, std::vector<std::string>& problems) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < things.size(); ++i) {
    const auto place = what + "[" + std::to_string(i) + "]";
    const auto name = plugin_runtime::text_of(things[i].name, kMaxNameBytes, place + ".name");
    if (!name) {
      problems.push_back(name.error().message);
      continue;
    }
    if (!plugin_runtime::is_tool_name(*name))
      problems.push_back(place + ".name is '" + *name + "', but a name is 1 to 64 of A-Z a-z 0-9 _ -");
    if (!names.insert(*name).second) problems.push_back("the name " + *name + " is there twice in " + what);
    for (const auto& [text, field] : {std::pair{things[i].title, ".title"}, {things[i].description, ".description"}}) {
      const auto read = plugin_runtime::text_of(text, plugin_runtime::kMaxDescriptionBytes, place + field, false);
      if (!read) problems.push_back(read.error().message);
    }
  }
}

struct Schema {
  std::string what, text;
};

/// Those that can be read as text; the others are a matter of definition-names.
std::vector<Schema> schemas_of(const Structs& structs) {
  std::vector<Schema> schemas;
  const auto add = [&](const char* text, const std::string& what) {
    const auto read = plugin_runtime::text_of(text, SIZE_MAX - 1, what, false);
    if (read && !read->empty()) schemas.push_back({what, *read});
  };
  for (std::size_t i = 0; i < structs.tools.size(); ++i) {
    const auto label = tool_label(structs.tools[i], i);
    add(structs.tools[i].input_schema, label + ": input_schema");
    add(structs.tools[i].output_schema, label + ": output_schema");
  }
  add(structs.plugin.config_schema, "config_schema");
  return schemas;
}

/// Brackets that are open at a time, outside of strings; needs no well-formed text and no stack.
std::size_t depth_of(std::string_view text) {
  std::size_t depth = 0, deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') deepest = std::max(deepest, ++depth);
    if ((c == '}' || c == ']') && depth > 0) --depth;
  }
  return deepest;
}

/// "$ref" and its kin that lead outside the schema.
void find_remote_references(const json::Value& value, std::vector<std::string>& found) {
  if (value.is_array()) {
    for (const auto element : value.get_array().value()) find_remote_references(element, found);
    return;
  }
  if (!value.is_object()) return;
  for (const auto [key, member] : value.get_object().value()) {
    const bool refers = key == "$ref" || key == "$dynamicRef";
    if (refers && member.is_string() && !std::string_view(member).starts_with('#'))
      found.emplace_back(std::string_view(member));
    find_remote_references(member, found);
  }
}

/// Notes for each schema what `judge(schema, problems)` has against it.
template <class Judge>
Finding each_schema(const CheckJob& job, ChildReport& report, Judge judge) {
  return with_structs(job, report, [&](const Structs& structs, const auto&) {
    const auto schemas = schemas_of(structs);
    if (schemas.empty()) return skipped("it has no schema that can be read");
    std::vector<std::string> problems;
    for (const auto& schema : schemas) {
      report.begin_step(schema.what);
      judge(schema, problems);
    }
    return unless(problems);
  });
}

/// As each_schema(), for those that are JSON.
template <class Judge>
Finding each_parsed_schema(const CheckJob& job, ChildReport& report, Judge judge) {
  return each_schema(job, report, [&](const Schema& schema, std::vector<std::string>& problems) {
    json::Document document;
    if (const auto root = document.parse(schema.text)) judge(schema, *root, problems);
  });
}

}  // namespace

Finding check_definition_structs(const CheckJob& job, ChildReport& report) {
  const auto entered = load_and_enter(job, report);
  if (!entered) return skipped(entered.error().message);
  report.begin_step("definition");
  const auto structs = copy_structs(entered->definition);
  return structs ? passed() : failed(structs.error().message);
}

Finding check_definition_card(const CheckJob& job, ChildReport& report) {
  return with_structs(job, report, [](const Structs& structs, const plugin_runtime::ElfCard& card) {
    std::vector<std::string> problems;
    const auto compare = [&](const char* what, const std::string& in_card, const std::string& in_definition) {
      if (in_card != in_definition)
        problems.push_back(std::string("its card says ") + what + " '" + in_card + "', its definition '" +
                           in_definition + "'");
    };
    const auto text = [](const char* of) {
      const auto read = plugin_runtime::text_of(of, kMaxNameBytes, "");
      return read ? *read : std::string("(none)");
    };
    compare("id", card.id, text(structs.plugin.id));
    compare("version", card.version, text(structs.plugin.version));
    compare("ABI minor", std::to_string(card.abi_minor), std::to_string(structs.plugin.abi_minor));
    compare("required minor", std::to_string(card.abi_minor_required),
            std::to_string(structs.plugin.abi_minor_required));
    return unless(problems);
  });
}

Finding check_definition_names(const CheckJob& job, ChildReport& report) {
  return with_structs(job, report, [](const Structs& structs, const auto&) {
    std::vector<std::string> problems;
    for (const auto& [text, what, is_required] : {std::tuple{structs.plugin.id, "id", true},
                                                  {structs.plugin.name, "name", true},
                                                  {structs.plugin.version, "version", true},
                                                  {structs.plugin.vendor, "vendor", false}}) {
      const auto read = plugin_runtime::text_of(text, kMaxNameBytes, what, is_required);
      if (!read) problems.push_back(read.error().message);
    }
    check_names(structs.tools, "tools", problems);
    check_names(structs.resources, "resources", problems);
    check_names(structs.prompts, "prompts", problems);
    for (std::size_t i = 0; i < structs.tools.size(); ++i) {
      const auto& tool = structs.tools[i];
      const auto label = tool_label(tool, i);
      const bool is_job = (tool.flags & TH_TOOL_JOB) != 0;
      if (!is_job && (tool.description == nullptr || *tool.description == '\0'))
        problems.push_back(label + " has no description; no model can know what it is for");
      const auto schema = plugin_runtime::text_of(tool.input_schema, SIZE_MAX - 1, label + ": input_schema");
      if (!schema) problems.push_back(schema.error().message);
    }
    return unless(problems);
  });
}

Finding check_definition_handlers(const CheckJob& job, ChildReport& report) {
  return with_structs(job, report, [](const Structs& structs, const auto&) {
    std::vector<std::string> problems;
    for (std::size_t i = 0; i < structs.tools.size(); ++i)
      if (structs.tools[i].handle == nullptr) problems.push_back(tool_label(structs.tools[i], i) + ".handle is NULL");
    for (std::size_t i = 0; i < structs.resources.size(); ++i)
      if (structs.resources[i].read == nullptr) problems.push_back("resources[" + std::to_string(i) + "].read is NULL");
    for (std::size_t i = 0; i < structs.prompts.size(); ++i)
      if (structs.prompts[i].get == nullptr) problems.push_back("prompts[" + std::to_string(i) + "].get is NULL");
    if (structs.plugin.destroy != nullptr && structs.plugin.create == nullptr)
      problems.emplace_back("it has destroy() without create()");
    return unless(problems);
  });
}

Finding check_definition_flags(const CheckJob& job, ChildReport& report) {
  return with_structs(job, report, [](const Structs& structs, const auto&) {
    std::vector<std::string> problems;
    if (structs.plugin.flags != 0) problems.emplace_back("the definition's flags hold bits that nobody knows");
    for (std::size_t i = 0; i < structs.tools.size(); ++i) {
      const auto& tool = structs.tools[i];
      const auto label = tool_label(tool, i);
      const auto has = [&](std::uint32_t flag) { return (tool.flags & flag) != 0; };
      if ((tool.flags & ~kToolFlags) != 0) problems.push_back(label + ": flags hold bits that nobody knows");
      if (tool.reserved != 0 || tool.reserved_job != 0) problems.push_back(label + ": a reserved field is not 0");
      if (has(TH_TOOL_READ_ONLY) && has(TH_TOOL_DESTRUCTIVE))
        problems.push_back(label + ": a tool that only reads destroys nothing; drop one of the two flags");
      if (!has(TH_TOOL_JOB) && (has(TH_TOOL_AFTER_WRITES) || tool.interval_ms != 0))
        problems.push_back(label + ": TH_TOOL_AFTER_WRITES and interval_ms are for jobs");
      if (has(TH_TOOL_JOB) && has(TH_TOOL_NONBLOCKING)) problems.push_back(label + ": a job cannot be non-blocking");
    }
    for (const auto& resource : structs.resources)
      if ((resource.flags & ~(TH_RESOURCE_TEMPLATE | TH_RESOURCE_NONBLOCKING)) != 0 || resource.reserved != 0)
        problems.emplace_back("a resource has flags that nobody knows, or a reserved field that is not 0");
    for (const auto& prompt : structs.prompts)
      if ((prompt.flags & ~TH_PROMPT_NONBLOCKING) != 0 || prompt.reserved != 0)
        problems.emplace_back("a prompt has flags that nobody knows, or a reserved field that is not 0");
    return unless(problems);
  });
}

Finding check_definition_services(const CheckJob& job, ChildReport& report) {
  return with_structs(job, report, [](const Structs& structs, const auto&) {
    const auto services = plugin_runtime::texts_of(structs.plugin.services, "services");
    if (!services) return failed(services.error().message);
    std::vector<std::string> problems;
    std::set<std::string> ids;
    std::string listed;
    for (const auto& service : *services) {
      const bool is_optional = service.front() == '?';
      const auto id = service.substr(is_optional ? 1 : 0);
      if (!ids.insert(id).second) problems.push_back("the service " + id + " is listed twice");
      if (!is_optional && plugin_runtime::find_service(id) == nullptr)
        problems.push_back("it requires the service " + id + ", which this host does not offer");
      listed += (listed.empty() ? "" : ", ") + service;
    }
    return problems.empty() ? passed(listed) : failed(as_list(problems));
  });
}

Finding check_definition_accepted(const CheckJob& job, ChildReport& report) {
  const auto entered = load_and_enter(job, report);
  if (!entered) return skipped(entered.error().message);
  report.begin_step("definition");
  const auto adopted =
      plugin_runtime::adopt_definition(entered->definition, entered->file.card, std::chrono::seconds(30));
  if (!adopted) return failed(adopted.error().message);
  if (adopted->tools.empty() && adopted->jobs.empty() && adopted->resources.empty() && adopted->prompts.empty() &&
      adopted->exports.empty())
    return failed("it offers nothing: no tool, job, resource, prompt or view; a NULL ends each list");
  return passed(std::to_string(adopted->tools.size()) + " tools, " + std::to_string(adopted->jobs.size()) + " jobs, " +
                std::to_string(adopted->resources.size()) + " resources, " + std::to_string(adopted->prompts.size()) +
                " prompts");
}

Finding check_definition_stable(const CheckJob& job, ChildReport& report) {
  const auto entered = load_and_enter(job, report);
  if (!entered) return skipped(entered.error().message);
  const auto take = [&] {
    return plugin_runtime::adopt_definition(entered->definition, entered->file.card, std::chrono::seconds(30));
  };
  report.begin_step("definition");
  const auto before = take();
  if (!before) return skipped(before.error().message);
  const auto text = definition_json(*before);
  // A plugin that is disabled and enabled again is not entered anew: what its entry gave must still hold.
  for (int round = 0; round < 2 && before->create != nullptr; ++round) {
    static auto* const events = new std::deque<std::unique_ptr<observability::EventSink>>;
    static auto* const hosts = new std::deque<th_host>;
    events->push_back(observability::create_fan_out({}));
    auto& host = hosts->emplace_back(before->id, Secret(std::string(32, 's')), observability::Severity::kCritical,
                                     *events->back());
    if (!host.set_settings(job.settings_json)) break;
    report.begin_step("create");
    void* instance = nullptr;
    if (before->create(&host, &instance) != TH_OK) break;
    const auto until = std::chrono::system_clock::now() + std::chrono::seconds(2);
    report.begin_step("quiesce");
    const auto until_us = std::chrono::duration_cast<std::chrono::microseconds>(until.time_since_epoch()).count();
    if (before->quiesce != nullptr && before->quiesce(instance, until_us) != TH_OK) break;
    report.begin_step("destroy");
    if (before->destroy != nullptr) before->destroy(instance);
  }
  report.begin_step("definition, again");
  const auto after = take();
  if (!after) return failed("after create() and destroy() it is no definition any more: " + after.error().message);
  if (definition_json(*after) != text) return failed("create() or destroy() changed what the entry point had given");
  return passed();
}

Finding check_schema_json(const CheckJob& job, ChildReport& report) {
  return each_schema(job, report, [](const Schema& schema, std::vector<std::string>& problems) {
    if (depth_of(schema.text) > kMaxSchemaDepth) return;  // schema-depth says so
    json::Document document;
    if (const auto root = document.parse(schema.text); !root)
      problems.push_back(schema.what + ": " + root.error().message);
  });
}

Finding check_schema_depth(const CheckJob& job, ChildReport& report) {
  return each_schema(job, report, [](const Schema& schema, std::vector<std::string>& problems) {
    const auto depth = depth_of(schema.text);
    if (depth > kMaxSchemaDepth)
      problems.push_back(schema.what + " is nested " + std::to_string(depth) + " deep; at most " +
                         std::to_string(kMaxSchemaDepth));
    if (schema.text.size() > plugin_runtime::kMaxSchemaBytes)
      problems.push_back(schema.what + " has " + std::to_string(schema.text.size()) + " bytes; at most " +
                         std::to_string(plugin_runtime::kMaxSchemaBytes));
  });
}

Finding check_schema_object(const CheckJob& job, ChildReport& report) {
  return each_parsed_schema(job, report,
                            [](const Schema& schema, const json::Value& root, std::vector<std::string>& problems) {
                              if (json::text_in(root, "type").value_or("") != "object")
                                problems.push_back(schema.what + " does not say \"type\": \"object\" at the top");
                            });
}

Finding check_schema_refs(const CheckJob& job, ChildReport& report) {
  return each_parsed_schema(job, report,
                            [](const Schema& schema, const json::Value& root, std::vector<std::string>& problems) {
                              std::vector<std::string> found;
                              find_remote_references(root, found);
                              for (const auto& reference : found)
                                problems.push_back(schema.what + " refers to " + reference);
                            });
}

Finding check_schema_usable(const CheckJob& job, ChildReport& report) {
  return each_schema(job, report, [](const Schema& schema, std::vector<std::string>& problems) {
    if (const auto compiled = JsonSchema::compile(schema.text); !compiled)
      problems.push_back(schema.what + ": " + compiled.error().message);
  });
}

}  // namespace toolhost::app
