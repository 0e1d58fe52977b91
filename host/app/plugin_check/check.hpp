#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/plugin_check/child_process.hpp"

namespace toolhost::app {

/// What one check works on. The file is a copy that nobody else writes.
struct CheckJob {
  std::string check;
  std::filesystem::path file;
  std::filesystem::path store;                 ///< where images are kept; shared by the checks of one run
  std::string database_url;                    ///< of the run's scratch database; empty for checks that need none
  std::uint64_t seed = 0;                      ///< of everything random
  std::string settings_json;                   ///< the plugin's settings; may be empty
  std::vector<std::filesystem::path> with;     ///< plugins that are loaded beside it
  std::vector<std::string> optional_services;  ///< ids that its definition lists with '?'
};

struct Finding {
  enum class Verdict { kPassed, kFailed, kSkipped };
  Verdict verdict = Verdict::kPassed;
  std::string text;  ///< what was found; of a failure with the cure
};
inline Finding passed(std::string text = {}) {
  return {Finding::Verdict::kPassed, std::move(text)};
}
inline Finding failed(std::string text) {
  return {Finding::Verdict::kFailed, std::move(text)};
}
inline Finding skipped(std::string text) {
  return {Finding::Verdict::kSkipped, std::move(text)};
}

/// How far a file must come before a check can say anything.
enum class Needs {
  kNothing,
  kCard,        ///< its card can be read
  kFile,        ///< a host would load the file
  kLoaded,      ///< its constructors return
  kDefinition,  ///< its entry point gives a definition
  kAccepted,    ///< the host accepts that
};

struct Check {
  std::string_view id;      ///< kebab-case; never changes
  std::string_view proves;  ///< one line
  std::string_view cure;    ///< what to do when it fails; one line
  Needs needs = Needs::kNothing;
  bool needs_host = false;      ///< runs in a host with the scratch database
  std::string_view only_after;  ///< says nothing when that check has failed; may be empty
  ChildLimits limits = {};
  /// Runs in a child process of its own, whose end it may cause.
  Finding (*run)(const CheckJob& job, ChildReport& report) = nullptr;
};

/// All checks in the order in which they run.
std::span<const Check> all_checks() noexcept;

// By family, as the table has them.
Finding check_card_present(const CheckJob& job, ChildReport& report);
Finding check_card_abi(const CheckJob& job, ChildReport& report);
Finding check_card_id(const CheckJob& job, ChildReport& report);
Finding check_exports(const CheckJob& job, ChildReport& report);
Finding check_needed(const CheckJob& job, ChildReport& report);
Finding check_rpath(const CheckJob& job, ChildReport& report);
Finding check_execstack(const CheckJob& job, ChildReport& report);
Finding check_text_relocations(const CheckJob& job, ChildReport& report);
Finding check_glibc_floor(const CheckJob& job, ChildReport& report);
Finding check_static_destructors(const CheckJob& job, ChildReport& report);

Finding check_load_now(const CheckJob& job, ChildReport& report);
Finding check_load_time(const CheckJob& job, ChildReport& report);
Finding check_threads_at_load(const CheckJob& job, ChildReport& report);
Finding check_entry(const CheckJob& job, ChildReport& report);

Finding check_definition_structs(const CheckJob& job, ChildReport& report);
Finding check_definition_card(const CheckJob& job, ChildReport& report);
Finding check_definition_names(const CheckJob& job, ChildReport& report);
Finding check_definition_handlers(const CheckJob& job, ChildReport& report);
Finding check_definition_flags(const CheckJob& job, ChildReport& report);
Finding check_definition_services(const CheckJob& job, ChildReport& report);
Finding check_definition_accepted(const CheckJob& job, ChildReport& report);
Finding check_definition_stable(const CheckJob& job, ChildReport& report);
Finding check_schema_json(const CheckJob& job, ChildReport& report);
Finding check_schema_depth(const CheckJob& job, ChildReport& report);
Finding check_schema_object(const CheckJob& job, ChildReport& report);
Finding check_schema_refs(const CheckJob& job, ChildReport& report);
Finding check_schema_usable(const CheckJob& job, ChildReport& report);

Finding check_create_and_destroy(const CheckJob& job, ChildReport& report);
Finding check_handlers_answer(const CheckJob& job, ChildReport& report);
Finding check_handler_fuzz(const CheckJob& job, ChildReport& report);
Finding check_handler_cancel(const CheckJob& job, ChildReport& report);
Finding check_handler_deadline(const CheckJob& job, ChildReport& report);
Finding check_handler_concurrent(const CheckJob& job, ChildReport& report);
Finding check_output_schema(const CheckJob& job, ChildReport& report);
Finding check_result_bounded(const CheckJob& job, ChildReport& report);
Finding check_log_bounded(const CheckJob& job, ChildReport& report);
Finding check_read_only(const CheckJob& job, ChildReport& report);
Finding check_statements(const CheckJob& job, ChildReport& report);
Finding check_without_optional(const CheckJob& job, ChildReport& report);
Finding check_oldest_host(const CheckJob& job, ChildReport& report);
Finding check_leak(const CheckJob& job, ChildReport& report);
Finding check_quiesce(const CheckJob& job, ChildReport& report);
Finding check_process_state(const CheckJob& job, ChildReport& report);

}  // namespace toolhost::app
