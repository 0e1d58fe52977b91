#include "plugin_runtime/plugin_definition.hpp"

#include <algorithm>
#include <cstring>
#include <set>

#include "base/json.hpp"
#include "plugin_runtime/definition_fields.hpp"
#include "plugin_runtime/growable.hpp"
#include "plugin_runtime/host_services.hpp"

namespace toolhost::plugin_runtime {
namespace {

constexpr std::size_t kMaxSqlBytes = 4 * 1024 * 1024;

constexpr std::chrono::minutes kDefaultJobTimeout{10};

constexpr std::uint32_t kKnownToolFlags = TH_TOOL_READ_ONLY | TH_TOOL_DESTRUCTIVE | TH_TOOL_IDEMPOTENT |
                                          TH_TOOL_OPEN_WORLD | TH_TOOL_NONBLOCKING | TH_TOOL_JOB |
                                          TH_TOOL_AFTER_WRITES | TH_TOOL_SERIAL;

/// Sizes of the structs in minor 0: what the oldest plugin has.
constexpr std::size_t kPluginBytes = 112, kToolBytes = 80, kMigrationBytes = 24;
static_assert(sizeof(th_plugin_def) >= kPluginBytes && sizeof(th_tool_def) >= kToolBytes &&
              sizeof(th_migration) >= kMigrationBytes);

/// What only a job may have, and what no job may have.
Result<> check_job(const th_tool_def& source, const std::string& what) {
  const auto has = [&](std::uint32_t flag) { return (source.flags & flag) != 0; };
  if (source.reserved_job != 0) return refusal(what + "reserved_job is not 0; clear it");
  if (!has(TH_TOOL_JOB)) {
    if (has(TH_TOOL_AFTER_WRITES))
      return refusal(what + "TH_TOOL_AFTER_WRITES is for jobs; add TH_TOOL_JOB, or drop it");
    if (source.interval_ms != 0) return refusal(what + "interval_ms is for jobs; add TH_TOOL_JOB, or set it to 0");
    return {};
  }
  if (has(TH_TOOL_NONBLOCKING))
    return refusal(what + "a job runs on a worker and may wait; drop the flag TH_TOOL_NONBLOCKING");
  return {};
}

/// What bounds its calls must not contradict itself.
Result<> check_limits(const th_tool_def& source, const std::string& what) {
  const bool is_serial = (source.flags & TH_TOOL_SERIAL) != 0;
  if (source.reserved_limits != 0) return refusal(what + "reserved_limits is not 0; clear it");
  if (is_serial && source.max_concurrency > 1)
    return refusal(what + "TH_TOOL_SERIAL runs one call at a time, but max_concurrency is " +
                   std::to_string(source.max_concurrency) + "; drop one of the two");
  if ((is_serial || source.max_concurrency > 0) && (source.flags & TH_TOOL_NONBLOCKING) != 0)
    return refusal(what + "a call that runs where it arrives cannot wait for its turn; drop TH_TOOL_NONBLOCKING, or " +
                   (is_serial ? "TH_TOOL_SERIAL" : "max_concurrency"));
  return {};
}

Result<ToolDefinition> adopt_tool(const th_tool_def* source, std::size_t index, const std::string& plugin,
                                  std::chrono::milliseconds default_timeout, th_tool_def& known) {
  const auto position = "tools[" + std::to_string(index) + "]";
  const auto copied = copy_growable(source, kToolBytes, position);
  if (!copied) return copied.error();
  known = *copied;
  auto name = text_of(copied->name, kMaxNameBytes, position + ".name");
  if (!name) return name.error();
  if (!is_tool_name(*name))
    return refusal(position + ".name is '" + *name +
                   "', but a tool name is 1 to 64 of A-Z a-z 0-9 _ -; rename the tool");
  const bool is_job = (copied->flags & TH_TOOL_JOB) != 0;
  const auto what = (is_job ? "job " : "tool ") + *name + ": ";
  if ((copied->flags & ~kKnownToolFlags) != 0)
    return refusal(what + "flags hold bits that this host does not know; upgrade the host, or clear them");
  if (copied->handle == nullptr) return refusal(what + "handle is NULL");
  if (auto checked = check_job(*copied, what); !checked) return checked.error();
  if (auto checked = check_limits(*copied, what); !checked) return checked.error();

  auto title = text_of(copied->title, kMaxNameBytes, what + "title", false);
  if (!title) return title.error();
  // No model reads a job's.
  auto description = text_of(copied->description, kMaxDescriptionBytes, what + "description", !is_job);
  if (!description) return description.error();
  auto input_text = text_of(copied->input_schema, kMaxSchemaBytes, what + "input_schema");
  if (!input_text) return input_text.error();
  auto input = object_schema(*input_text, what + "input_schema");
  if (!input) return input.error();
  auto output_text = text_of(copied->output_schema, kMaxSchemaBytes, what + "output_schema", false);
  if (!output_text) return output_text.error();
  std::optional<JsonSchema> output;
  if (!output_text->empty()) {
    auto compiled = object_schema(*output_text, what + "output_schema");
    if (!compiled) return compiled.error();
    output = std::move(*compiled);
  }
  auto meta = json_of(copied->meta_json, JsonKind::kObject, what + "meta_json");
  if (!meta) return meta.error();
  auto icons = json_of(copied->icons_json, JsonKind::kArray, what + "icons_json");
  if (!icons) return icons.error();
  json::Document input_document;
  const auto input_root = input_document.parse(*input_text).value();
  auto headers = header_members(input_root);
  if (!headers) return refusal(what + "input_schema: " + headers.error().message);

  const auto has = [&](std::uint32_t flag) { return (copied->flags & flag) != 0; };
  const std::chrono::milliseconds timeout(copied->timeout_ms);
  if (is_job) default_timeout = kDefaultJobTimeout;
  return ToolDefinition{.tool = Tool{.name = std::move(*name),
                                     .title = std::move(*title),
                                     .description = std::move(*description),
                                     .plugin = plugin,
                                     .input_schema_json = std::move(*input_text),
                                     .output_schema_json = std::move(*output_text),
                                     .meta_json = std::move(*meta),
                                     .icons_json = std::move(*icons),
                                     .input_schema = std::move(*input),
                                     .output_schema = std::move(output),
                                     .read_only = has(TH_TOOL_READ_ONLY),
                                     .destructive = has(TH_TOOL_DESTRUCTIVE),
                                     .idempotent = has(TH_TOOL_IDEMPOTENT),
                                     .open_world = has(TH_TOOL_OPEN_WORLD),
                                     .non_blocking = has(TH_TOOL_NONBLOCKING),
                                     .max_concurrency = has(TH_TOOL_SERIAL) ? 1 : copied->max_concurrency,
                                     .timeout = timeout.count() == 0 ? default_timeout : timeout,
                                     .sensitive = SensitiveMembers(input_root),
                                     .headers = std::move(*headers)},
                        .handle = copied->handle,
                        .user = copied->user};
}

Result<storage::Migration> adopt_migration(const th_migration* source, std::size_t index) {
  const auto what = "migrations[" + std::to_string(index) + "]";
  const auto copied = copy_growable(source, kMigrationBytes, what);
  if (!copied) return copied.error();
  auto name = text_of(copied->name, kMaxNameBytes, what + ".name");
  if (!name) return name.error();
  auto sql = text_of(copied->sql, kMaxSqlBytes, what + ".sql");
  if (!sql) return sql.error();
  if (copied->version == 0 || copied->version > 1'000'000'000)
    return refusal(what + ".version is out of range; number migrations from 1");
  return storage::Migration{static_cast<int>(copied->version), std::move(*name), std::move(*sql)};
}

Result<> adopt_tools(PluginDefinition& adopted, const th_plugin_def& source,
                     std::chrono::milliseconds default_timeout) {
  const auto count = length_of(source.tools, "tools");
  if (!count) return count.error();
  std::set<std::string> names;
  for (std::size_t i = 0; i < *count; ++i) {
    th_tool_def known{};
    auto tool = adopt_tool(source.tools[i], i, adopted.id, default_timeout, known);
    if (!tool) return tool.error();
    if (!names.insert(tool->tool.name).second)
      return refusal("it declares the tool " + tool->tool.name + " twice; rename one of them");
    if ((known.flags & TH_TOOL_JOB) == 0) {
      adopted.tools.push_back(std::move(*tool));
      continue;
    }
    adopted.jobs.push_back({.definition = std::move(*tool),
                            .interval = std::chrono::milliseconds(known.interval_ms),
                            .after_writes = (known.flags & TH_TOOL_AFTER_WRITES) != 0});
  }
  return {};
}

Result<> adopt_migrations(PluginDefinition& adopted, const th_plugin_def& source) {
  const auto count = length_of(source.migrations, "migrations");
  if (!count) return count.error();
  for (std::size_t i = 0; i < *count; ++i) {
    auto migration = adopt_migration(source.migrations[i], i);
    if (!migration) return migration.error();
    adopted.migrations.push_back(std::move(*migration));
  }
  auto tables = texts_of(source.shared_tables, "shared_tables");
  if (!tables) return tables.error();
  adopted.shared_tables = std::move(*tables);
  return {};
}

/// A name that PostgreSQL takes without quotes: what people write in statements.
bool is_view_name(std::string_view name) {
  return !name.empty() && name.size() <= 63 && (name.front() < '0' || name.front() > '9') &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

Result<> adopt_exports(PluginDefinition& adopted, const th_plugin_def& source) {
  auto exports = texts_of(source.exports, "exports");
  if (!exports) return exports.error();
  std::set<std::string_view> names;
  for (const auto& view : *exports) {
    if (!is_view_name(view))
      return refusal("exports names '" + view + "', but a view is named with a-z 0-9 _ and without its schema");
    if (!names.insert(view).second) return refusal("exports names '" + view + "' twice; name it once");
  }
  if (!exports->empty() && adopted.migrations.empty())
    return refusal("it exports the view " + exports->front() +
                   ", but has no migrations that could create it; add them, or leave the view out of exports");
  adopted.exports = std::move(*exports);
  return {};
}

Result<> adopt_reads(PluginDefinition& adopted, const th_plugin_def& source) {
  const auto reads = texts_of(source.reads, "reads");
  if (!reads) return reads.error();
  std::set<std::string> names;
  for (const auto& written : *reads) {
    ReadDeclaration read;
    read.optional = written.starts_with('?');
    const auto name = written.substr(read.optional ? 1 : 0);
    // Ids hold dots, names of views do not.
    const auto dot = name.rfind('.');
    if (dot != std::string::npos) {
      read.plugin = name.substr(0, dot);
      read.view = name.substr(dot + 1);
    }
    if ((read.plugin != "*" && !is_plugin_id(read.plugin)) || !is_view_name(read.view))
      return refusal("reads names '" + written +
                     "', but what a plugin reads is written plugin.view, ?plugin.view or *.view");
    if (!names.insert(name).second) return refusal("reads names '" + name + "' twice; name it once");
    adopted.reads.push_back(std::move(read));
  }
  return {};
}

Result<> adopt_services(PluginDefinition& adopted, const th_plugin_def& source) {
  auto services = texts_of(source.services, "services");
  if (!services) return services.error();
  for (const auto& service : *services) {
    if (service.front() == '?' || find_service(service) != nullptr) continue;
    return refusal("it requires the service " + service +
                   ", which this host does not offer; upgrade the host, or list it as '?" + service +
                   "' and do without");
  }
  adopted.services = std::move(*services);
  return {};
}

}  // namespace

bool is_plugin_id(std::string_view id) noexcept {
  if (id.empty() || id.size() > 47 || id.back() == '.' || id.front() < 'a' || id.front() > 'z') return false;
  return id.find("..") == std::string_view::npos && std::all_of(id.begin(), id.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
         });
}

Result<PluginDefinition> adopt_definition(const th_plugin_def* definition, const ElfCard& card,
                                          std::chrono::milliseconds default_timeout) {
  const auto copied = copy_growable(definition, kPluginBytes, "its definition");
  if (!copied) return copied.error();
  PluginDefinition adopted;
  struct Field {
    const char* text;
    const char* what;
    bool required;
    std::string PluginDefinition::* to;
  };
  for (const Field& field : {Field{copied->id, "id", true, &PluginDefinition::id},
                             Field{copied->name, "name", true, &PluginDefinition::name},
                             Field{copied->version, "version", true, &PluginDefinition::version},
                             Field{copied->vendor, "vendor", false, &PluginDefinition::vendor}}) {
    auto text = text_of(field.text, kMaxNameBytes, field.what, field.required);
    if (!text) return text.error();
    adopted.*field.to = std::move(*text);
  }
  if (adopted.id != card.id || adopted.version != card.version)
    return refusal("its card says " + card.id + " " + card.version + ", but its definition says " + adopted.id + " " +
                   adopted.version + "; write both with the same macro");
  if (copied->abi_minor_required > TH_ABI_MINOR)
    return refusal("its definition needs plugin ABI 1." + std::to_string(copied->abi_minor_required) +
                   ", this host offers 1." + std::to_string(TH_ABI_MINOR) + "; upgrade the host");
  if (copied->flags != 0)
    return refusal("flags hold bits that this host does not know; upgrade the host, or clear them");
  adopted.abi_minor = copied->abi_minor;

  if (auto services = adopt_services(adopted, *copied); !services) return services.error();
  auto schema_text = text_of(copied->config_schema, kMaxSchemaBytes, "config_schema", false);
  if (!schema_text) return schema_text.error();
  if (!schema_text->empty()) {
    auto schema = object_schema(*schema_text, "config_schema");
    if (!schema) return schema.error();
    adopted.config_schema = std::move(*schema);
  }
  if (auto tools = adopt_tools(adopted, *copied, default_timeout); !tools) return tools.error();
  if (auto offers = adopt_resources(adopted, *copied, default_timeout); !offers) return offers.error();
  if (auto offers = adopt_prompts(adopted, *copied, default_timeout); !offers) return offers.error();
  if (auto migrations = adopt_migrations(adopted, *copied); !migrations) return migrations.error();
  if (auto exports = adopt_exports(adopted, *copied); !exports) return exports.error();
  if (auto reads = adopt_reads(adopted, *copied); !reads) return reads.error();
  adopted.create = copied->create;
  adopted.quiesce = copied->quiesce;
  adopted.destroy = copied->destroy;
  return adopted;
}

}  // namespace toolhost::plugin_runtime
