#include "plugin_runtime/black_box.hpp"
#include "plugin_runtime/host_services.hpp"
#include "plugin_runtime/plugin_definition.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "plugin_runtime/plugin_library.hpp"
#include "plugin_runtime/plugin_offers.hpp"

namespace toolhost::plugin_runtime {
namespace {

class NoEvents final : public observability::EventSink {
 public:
  void emit(const observability::Event&) noexcept override {}
};

/// What an entry point is given. It runs once in the life of the process, and whoever keeps the pointer may use it at
/// any time, so it is never freed.
th_host& describing_host(const std::string& plugin) {
  static auto* const events = new NoEvents;
  static auto* const mutex = new std::mutex;
  static auto* const hosts = new std::deque<th_host>;  // not lost, so that a checker for leaks finds those that are
  constexpr std::size_t kKeyBytes = 32;
  const std::lock_guard lock(*mutex);
  return hosts->emplace_back(plugin, Secret(std::string(kKeyBytes, '\0')), observability::Severity::kCritical, *events);
}

}  // namespace

Result<PluginDescription> describe_plugin_file(const std::filesystem::path& file, const std::filesystem::path& store,
                                               const PluginPins& pins, const PluginTrust& trust) {
  const auto checked = check_plugin_file(file, pins, trust);
  if (!checked) return checked.error();
  const auto refused = [&](const Error& error) {
    const bool is_named = error.message.starts_with(checked->path.string());
    return Error{error.code, is_named ? error.message : checked->path.string() + ": " + error.message, error.detail};
  };
  const auto image = PluginImage::load(*checked, store);
  if (!image) return refused(image.error());
  const BlackBoxScope scope(checked->card.id, "(entry)", checked->sha256);
  const auto raw = (*image)->definition(host_api(), &describing_host(checked->card.id));
  if (!raw) return refused(raw.error());
  auto adopted = adopt_definition(*raw, checked->card, PluginHostConfig().default_timeout);
  if (!adopted) return refused(adopted.error());
  PluginDescription description{.id = adopted->id,
                                .version = adopted->version,
                                .sha256 = checked->sha256,
                                .offers = offers_of(*adopted),
                                .tools = {},
                                .settings_schema = nullptr};
  for (const auto& tool : adopted->tools) description.tools.push_back(tool.tool.name);
  for (const auto& offered : adopted->resources) description.tools.push_back(offered.resource.read.name);
  for (const auto& offered : adopted->prompts) description.tools.push_back(offered.prompt.get.name);
  if (adopted->config_schema)
    description.settings_schema = std::make_shared<const JsonSchema>(std::move(*adopted->config_schema));
  return description;
}

std::vector<SettingsProblem> check_plugin_settings(const JsonSchema* schema, std::string_view settings_json) {
  json::Document document;
  const auto root = document.parse(settings_json.empty() ? "{}" : settings_json);
  if (!root) return {{.pointer = {}, .message = root.error().message}};
  json::Object object;
  if (root->get(object) != simdjson::SUCCESS) return {{.pointer = {}, .message = "settings must be a JSON object"}};
  if (schema == nullptr && object.size() > 0) return {{.pointer = {}, .message = "it takes no settings; remove them"}};
  std::vector<SettingsProblem> problems;
  if (schema == nullptr) return problems;
  for (auto& violation : schema->violations(*root))
    problems.push_back({.pointer = std::move(violation.path), .message = std::move(violation.message)});
  return problems;
}

}  // namespace toolhost::plugin_runtime
