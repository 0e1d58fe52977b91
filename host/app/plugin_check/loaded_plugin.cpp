#include "app/plugin_check/loaded_plugin.hpp"

#include "base/json.hpp"
#include "base/json_writer.hpp"
#include "plugin_runtime/black_box.hpp"
#include "plugin_runtime/growable.hpp"
#include "plugin_runtime/host_services.hpp"

namespace toolhost::app {
namespace {

using plugin_runtime::PluginDefinition;
using plugin_runtime::Tool;

constexpr auto kDefaultTimeout = std::chrono::seconds(30);

/// What a plugin logs while it is entered is why it refuses.
class EntryLog final : public observability::EventSink {
 public:
  void emit(const observability::Event& event) noexcept override {
    const auto* report = std::get_if<observability::PluginReported>(&event);
    if (report == nullptr || report->incident != observability::PluginIncident::kLog) return;
    const std::lock_guard lock(mutex_);
    last_ = report->detail;
  }
  [[nodiscard]] std::string last() {
    const std::lock_guard lock(mutex_);
    return last_;
  }

 private:
  std::mutex mutex_;
  std::string last_;
};

EntryLog& entry_log() {
  // A plugin may keep the host that its entry got, and its threads may use that at any time.
  static auto* const log = new EntryLog;
  return *log;
}

void write_tool(JsonWriter& json, const Tool& tool) {
  json.begin_object().member("name", tool.name).member("title", tool.title).member("description", tool.description);
  json.key("input_schema").raw(tool.input_schema_json);
  if (!tool.output_schema_json.empty()) json.key("output_schema").raw(tool.output_schema_json);
  json.key("read_only").boolean(tool.read_only).key("destructive").boolean(tool.destructive);
  json.key("idempotent").boolean(tool.idempotent).key("open_world").boolean(tool.open_world);
  json.key("non_blocking").boolean(tool.non_blocking).key("timeout_ms").integer(tool.timeout.count());
  json.end_object();
}

std::vector<std::string> optional_services(const th_plugin_def& raw) {
  std::vector<std::string> optional;
  for (const char* const* service = raw.services; service != nullptr && *service != nullptr; ++service)
    if (**service == '?') optional.emplace_back(*service + 1);
  return optional;
}

const char* word_of(Needs stage) noexcept {
  switch (stage) {
    case Needs::kNothing:
      return "nothing";
    case Needs::kCard:
      return "card";
    case Needs::kFile:
      return "file";
    case Needs::kLoaded:
      return "loaded";
    case Needs::kDefinition:
      return "definition";
    case Needs::kAccepted:
      return "accepted";
  }
  return "nothing";
}

constexpr std::array kStages{Needs::kNothing, Needs::kCard,       Needs::kFile,
                             Needs::kLoaded,  Needs::kDefinition, Needs::kAccepted};

std::string write_survey(const Survey& survey) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("reached", word_of(survey.reached)).member("problem", survey.problem);
  json.member("optional_services", survey.optional_services);
  if (!survey.definition_json.empty()) json.key("definition").raw(survey.definition_json);
  json.end_object();
  return out;
}

Survey take_survey(const CheckJob& job, ChildReport& report) {
  Survey survey;
  const auto stopped = [&](const Error& error) {
    survey.problem = error.message;
    return survey;
  };
  report.begin_step("file");
  const auto bytes = plugin_runtime::read_plugin_file(job.file);
  if (!bytes) return stopped(bytes.error());
  const auto card = plugin_runtime::read_elf_card(bytes->bytes);
  if (!card) return stopped(card.error());
  survey.reached = Needs::kCard;
  const auto file = checked_file(job);
  if (!file) return stopped(file.error());
  survey.reached = Needs::kFile;
  const auto image = map_plugin(job, *file, report);
  if (!image) return stopped(image.error());
  survey.reached = Needs::kLoaded;
  const auto raw = enter_plugin(**image, *file, report);
  if (!raw) return stopped(raw.error());
  survey.reached = Needs::kDefinition;
  report.begin_step("definition");
  auto adopted = plugin_runtime::adopt_definition(*raw, file->card, kDefaultTimeout);
  if (!adopted) return stopped(adopted.error());
  survey.reached = Needs::kAccepted;
  survey.optional_services = optional_services(**raw);
  survey.definition_json = definition_json(*adopted);
  return survey;
}

}  // namespace

Result<plugin_runtime::CheckedFile> checked_file(const CheckJob& job) {
  return plugin_runtime::inspect_file(job.file);
}

Result<plugin_runtime::PluginImage*> map_plugin(const CheckJob& job, const plugin_runtime::CheckedFile& file,
                                                ChildReport& report) {
  report.begin_step("load");
  return plugin_runtime::PluginImage::load(file, job.store);
}

Result<const th_plugin_def*> enter_plugin(plugin_runtime::PluginImage& image, const plugin_runtime::CheckedFile& file,
                                          ChildReport& report) {
  report.begin_step("entry");
  static auto* const hosts = new std::deque<th_host>;
  auto& host =
      hosts->emplace_back(file.card.id, Secret(std::string(32, 's')), observability::Severity::kInfo, entry_log());
  const plugin_runtime::BlackBoxScope scope(file.card.id, "(entry)", file.sha256);
  auto definition = image.definition(plugin_runtime::host_api(), &host);
  if (definition) return definition;
  auto error = definition.error();
  if (const auto last = entry_log().last(); !last.empty()) error.message += "; it logged: " + last;
  return error;
}

Result<EnteredPlugin> load_and_enter(const CheckJob& job, ChildReport& report) {
  auto file = checked_file(job);
  if (!file) return file.error();
  const auto image = map_plugin(job, *file, report);
  if (!image) return image.error();
  const auto definition = enter_plugin(**image, *file, report);
  if (!definition) return definition.error();
  return EnteredPlugin{.file = std::move(*file), .definition = *definition};
}

std::string definition_json(const PluginDefinition& definition) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("id", definition.id).member("name", definition.name);
  json.member("version", definition.version).member("vendor", definition.vendor);
  json.member("services", definition.services);
  json.key("tools").begin_array();
  for (const auto& tool : definition.tools) write_tool(json, tool.tool);
  json.end_array().key("jobs").begin_array();
  for (const auto& job : definition.jobs) write_tool(json, job.definition.tool);
  json.end_array().key("resources").begin_array();
  for (const auto& [resource, read, complete, user] : definition.resources)
    json.begin_object().member("name", resource.name).member("uri", resource.uri).end_object();
  json.end_array().key("prompts").begin_array();
  for (const auto& [prompt, get, complete, user] : definition.prompts)
    json.begin_object().member("name", prompt.name).member("description", prompt.description).end_object();
  json.end_array().key("migrations").begin_array();
  for (const auto& migration : definition.migrations) {
    json.begin_object().key("version").integer(migration.version);
    json.member("name", migration.name).end_object();
  }
  json.end_array().member("shared_tables", definition.shared_tables).member("exports", definition.exports);
  json.key("reads").begin_array();
  for (const auto& read : definition.reads) json.string((read.optional ? "?" : "") + read.plugin + '.' + read.view);
  json.end_array().key("takes_settings").boolean(definition.config_schema.has_value()).end_object();
  return out;
}

std::string survey(const CheckJob& job, ChildReport& report) {
  return write_survey(take_survey(job, report));
}

Survey read_survey(const ChildEnd& end, const ChildLimits& limits) {
  Survey survey;
  json::Document document;
  const auto root = document.parse(end.report);
  if (!root) {
    // The step is what it had begun, so what came before that is done.
    if (end.step == "load") survey.reached = Needs::kFile;
    if (end.step == "entry") survey.reached = Needs::kLoaded;
    if (end.step == "definition") survey.reached = Needs::kDefinition;
    survey.problem = "the process ended with " + cause_text(end, limits) + " in the step '" + end.step + "'";
    return survey;
  }
  const auto reached = json::text_in(*root, "reached").value_or("");
  for (const auto stage : kStages)
    if (reached == word_of(stage)) survey.reached = stage;
  survey.problem = json::text_in(*root, "problem").value_or("");
  json::Array services;
  if (json::find(*root, "optional_services").get(services) == simdjson::SUCCESS)
    for (const auto service : services)
      if (service.is_string()) survey.optional_services.emplace_back(std::string_view(service));
  json::Value definition;
  if (json::find(*root, "definition").get(definition) == simdjson::SUCCESS)
    survey.definition_json = json::to_text(definition);
  return survey;
}

}  // namespace toolhost::app
