#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <toolhost/plugin.h>

#include "base/json_schema.hpp"
#include "base/result.hpp"
#include "plugin_runtime/elf_card.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "storage/migrator.hpp"

namespace toolhost::plugin_runtime {

/// One tool as its plugin declared it, checked.
struct ToolDefinition {
  Tool tool;
  th_handler handle = nullptr;
  void* user = nullptr;
};

/// One resource or template as its plugin declared it, checked.
struct ResourceDefinition {
  Resource resource;
  th_handler read = nullptr, complete = nullptr;
  void* user = nullptr;
};

/// One prompt as its plugin declared it, checked.
struct PromptDefinition {
  Prompt prompt;
  th_handler get = nullptr, complete = nullptr;
  void* user = nullptr;
};

/// One job as its plugin declared it, checked.
struct JobDefinition {
  ToolDefinition definition;
  std::chrono::milliseconds interval{0};  ///< 0: no schedule
  bool after_writes = false;
};

/// A view of another plugin that this one wants to read, or, with the plugin "*", of every plugin that exports that
/// name.
struct ReadDeclaration {
  std::string plugin, view;
  bool optional = false;
};

/// What a plugin declared, checked and copied; nothing in it points into the plugin but its functions.
struct PluginDefinition {
  std::string id, name, version, vendor;
  std::uint32_t abi_minor = 0;
  std::vector<std::string> services;  ///< as written, "?" included
  std::vector<ToolDefinition> tools;
  std::vector<JobDefinition> jobs;
  std::vector<ResourceDefinition> resources;
  std::vector<PromptDefinition> prompts;
  std::vector<storage::Migration> migrations;
  std::vector<std::string> shared_tables;
  std::vector<std::string> exports;  ///< names of views
  std::vector<ReadDeclaration> reads;
  std::optional<JsonSchema> config_schema;
  decltype(th_plugin_def::create) create = nullptr;
  decltype(th_plugin_def::quiesce) quiesce = nullptr;
  decltype(th_plugin_def::destroy) destroy = nullptr;

  /// Its tables, and what it reads of others, are all that a plugin reaches in the database: without any it has none,
  /// and no role to connect as.
  [[nodiscard]] bool has_database() const noexcept { return !migrations.empty() || !reads.empty(); }
};

/// True for [a-z][a-z0-9_]*(\.[a-z0-9_]+)* of at most 47 bytes: an id names a role, a schema and a file.
bool is_plugin_id(std::string_view id) noexcept;

/// Adopts a definition by the rule for growing structs (plugin.h R4): of each struct the known part is copied, a
/// shorter one is filled with zeros, bytes beyond what this host knows must be zero. Every string is bounded, checked
/// for NULL and UTF-8; schemas are compiled; required services must be offered. kInvalidArgument names the field (and
/// the tool), the reason and the cure.
Result<PluginDefinition> adopt_definition(const th_plugin_def* definition, const ElfCard& card,
                                          std::chrono::milliseconds default_timeout);

/// Of adopt_definition(): the resources, templates and prompts.
Result<> adopt_resources(PluginDefinition& adopted, const th_plugin_def& source,
                         std::chrono::milliseconds default_timeout);
Result<> adopt_prompts(PluginDefinition& adopted, const th_plugin_def& source,
                       std::chrono::milliseconds default_timeout);

}  // namespace toolhost::plugin_runtime
