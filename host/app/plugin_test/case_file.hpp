#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/config/config_loader.hpp"
#include "app/plugin_test/expected_value.hpp"
#include "base/caller.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "plugin_runtime/time_source.hpp"

namespace toolhost::app {

/// One thing that a case does. The texts are as the file has them: names of captures stand for their values.
struct TestStep {
  enum class Kind { kCall, kRead, kPrompt, kComplete, kJob, kAdvance };
  Kind kind = Kind::kCall;
  std::string name;              ///< of the tool, prompt, job; a URI; of kComplete a prompt's name or a template's text
  std::string arguments = "{}";  ///< JSON; of kComplete as ScratchHost::Request has them
  std::string plugin;            ///< of kJob; empty: whichever has it
  std::string tenant;            ///< empty: the case's own
  std::string person;            ///< empty: someone@example.com of the role
  std::optional<Role> role;      ///< nothing: the one that the person has as a member
  std::chrono::microseconds advance{0};
  bool can_be_asked = false;
  std::map<std::string, std::string, std::less<>> answers;  ///< by the question's key: JSON

  /// What the answer has to be; nothing: what the golden file has.
  struct Expected {
    std::string members;   ///< a JSON object: members of the answer, each to be matched as a whole
    std::string contains;  ///< JSON, of the structured content; empty: nothing
    std::string error;     ///< a text that the answer has to fail with; empty: it may not fail
    SourcePlace place;
  };
  std::optional<Expected> expected;
  std::map<std::string, std::string> captures;  ///< JSON pointers into the answer, by name
  ConfigPlace place;

  /// "call create_ticket", "advance 5m".
  [[nodiscard]] std::string title() const;
};

struct TestCase {
  std::string name;    ///< unique in its file
  std::string tenant;  ///< of its own: made of the name
  std::vector<TestStep> steps;
  ConfigPlace place;
};

/// What a file of cases says.
struct TestFile {
  struct Plugin {
    std::filesystem::path file;  ///< as it can be opened from here
    std::string settings = "{}";
    ConfigPlace place;
  };
  std::vector<Plugin> plugins;  ///< beside the tested one
  std::string settings = "{}";  ///< of the tested one, JSON
  SettingsPlaces settings_places;
  plugin_runtime::SteppedTime::Moment clock{};
  std::uint64_t seed = 1;
  std::string time_zone = "UTC";
  Members members;  ///< of every tenant
  std::vector<TestCase> cases;

  /// Of a step: as ScratchHost knows it.
  [[nodiscard]] static std::string tenant_of(const TestCase& of, const TestStep& step);
};

struct LoadedTestFile {
  TestFile file;
  std::vector<ConfigProblem> problems;  ///< all that is wrong, in the order of the file; empty: usable
};
/// Reads a file of cases; plugin-api/README.md says what may stand in it.
LoadedTestFile load_test_file(const std::filesystem::path& file);
/// The same for a text; `directory` is what plugin files are relative to.
LoadedTestFile parse_test_file(const std::string& yaml, const std::string& name,
                               const std::filesystem::path& directory = {});

}  // namespace toolhost::app
