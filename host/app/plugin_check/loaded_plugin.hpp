#pragma once
#include "app/plugin_check/check.hpp"
#include "base/result.hpp"
#include "plugin_runtime/plugin_definition.hpp"
#include "plugin_runtime/plugin_library.hpp"

namespace toolhost::app {

/// The file as a host reads it. kInvalidArgument when it would not load it.
Result<plugin_runtime::CheckedFile> checked_file(const CheckJob& job);

/// Maps the file into this process for good; its constructors run, under the step "load".
Result<plugin_runtime::PluginImage*> map_plugin(const CheckJob& job, const plugin_runtime::CheckedFile& file,
                                                ChildReport& report);

/// What its entry point answers, under the step "entry"; `log`: what it has logged there.
Result<const th_plugin_def*> enter_plugin(plugin_runtime::PluginImage& image, const plugin_runtime::CheckedFile& file,
                                          ChildReport& report);

/// All of these.
struct EnteredPlugin {
  plugin_runtime::CheckedFile file;
  const th_plugin_def* definition = nullptr;
};
Result<EnteredPlugin> load_and_enter(const CheckJob& job, ChildReport& report);

/// A definition as one JSON object: what it offers and needs, schemas included.
std::string definition_json(const plugin_runtime::PluginDefinition& definition);

/// How far a file comes, and what it says there.
struct Survey {
  Needs reached = Needs::kNothing;
  std::string problem;                         ///< why it came no further
  std::vector<std::string> optional_services;  ///< from kDefinition on
  std::string definition_json;                 ///< of kAccepted
};
/// In a child: what the parent reads with read_survey().
std::string survey(const CheckJob& job, ChildReport& report);
/// What a child has found, or came to before it died.
Survey read_survey(const ChildEnd& end, const ChildLimits& limits);

}  // namespace toolhost::app
