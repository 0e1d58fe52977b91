#include "app/plugin_reload.hpp"

#include "app/commands/console.hpp"
#include "base/json.hpp"
#include "base/json_writer.hpp"

namespace toolhost::app {
namespace {

using plugin_runtime::PluginReplacement;

Error not_understood() {
  return {Errc::kInternal, "the host's answer is not understood; is it of another version?", ""};
}

std::string text_of(const json::Value& object, std::string_view name) {
  return std::string(json::text_in(object, name).value_or(""));
}

std::vector<std::string> texts_of(const json::Value& object, std::string_view name) {
  std::vector<std::string> texts;
  json::Array array;
  if (json::find(object, name).get(array) != simdjson::SUCCESS) return texts;
  for (const auto& element : array) {
    std::string_view text;
    if (element.get(text) == simdjson::SUCCESS) texts.emplace_back(text);
  }
  return texts;
}

std::size_t count_of(const json::Value& object, std::string_view name) {
  return static_cast<std::size_t>(json::integer_in(object, name).value_or(0));
}

std::string was_or_would(const PluginReloadReport& report) {
  const auto& replaced = report.replaced;
  const auto what = replaced.id + " " + replaced.version;
  const auto& before = replaced.version_before;
  if (replaced.same_file)
    return report.dry_run ? what + " is what serves already; a reload would make a new instance of it"
                          : "a new instance of " + what + " serves; the file is the same";
  if (before.empty()) return what + (report.dry_run ? " would serve" : " serves");
  return what + (report.dry_run ? " would take the place of " : " serves in the place of ") + before;
}

}  // namespace

std::string to_json(const PluginReloadReport& report) {
  const auto& replaced = report.replaced;
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("id", replaced.id).key("dry_run").boolean(report.dry_run);
  json.member("version_before", replaced.version_before).member("version", replaced.version);
  json.member("sha256", replaced.sha256).member("offers_sha256", replaced.offers_sha256);
  json.key("same_file").boolean(replaced.same_file).member("changes", replaced.changes).member("with", replaced.with);
  json.key("running").unsigned_integer(replaced.running).key("generation").unsigned_integer(replaced.generation);
  json.key("versions").unsigned_integer(replaced.versions);
  json.key("mapped_bytes").unsigned_integer(replaced.mapped_bytes);
  std::vector<std::string> problems;
  for (const auto& problem : report.problems) problems.push_back(to_string(problem));
  json.member("problems", problems).end_object();
  return out;
}

Result<PluginReloadReport> plugin_reload_report_from_json(std::string_view text) {
  json::Document document;
  const auto root = document.parse(text);
  if (!root || !json::text_in(*root, "offers_sha256")) return not_understood();
  PluginReloadReport report;
  (void)json::find(*root, "dry_run").get(report.dry_run);
  auto& replaced = report.replaced;
  replaced.id = text_of(*root, "id");
  replaced.version_before = text_of(*root, "version_before");
  replaced.version = text_of(*root, "version");
  replaced.sha256 = text_of(*root, "sha256");
  replaced.offers_sha256 = text_of(*root, "offers_sha256");
  (void)json::find(*root, "same_file").get(replaced.same_file);
  replaced.changes = texts_of(*root, "changes");
  replaced.with = texts_of(*root, "with");
  replaced.running = count_of(*root, "running");
  replaced.generation = count_of(*root, "generation");
  replaced.versions = count_of(*root, "versions");
  replaced.mapped_bytes = count_of(*root, "mapped_bytes");
  for (auto& problem : texts_of(*root, "problems")) report.problems.push_back({.message = std::move(problem)});
  return report;
}

std::string to_text(const PluginReloadReport& report) {
  const auto& replaced = report.replaced;
  std::string text = was_or_would(report);
  if (!report.dry_run) text += " (generation " + std::to_string(replaced.generation) + ")";
  text += "\n";
  for (const auto& change : replaced.changes) text += "  " + printable(change) + "\n";
  if (replaced.changes.empty() && !replaced.version_before.empty() && !replaced.same_file)
    text += "  it offers what it offered before\n";
  if (report.dry_run) return text + "offers_sha256: " + replaced.offers_sha256 + "\n";
  for (const auto& id : replaced.with)
    text += id + " has a new instance, too, since the views that it may read have changed\n";
  if (replaced.running > 0)
    text += counted(replaced.running, "call") + " of the instance before still " +
            (replaced.running == 1 ? "runs\n" : "run\n");
  return text + counted(replaced.versions, "version") + " of it in memory, " + grouped(replaced.mapped_bytes >> 10) +
         " KiB of files; what was replaced stays mapped until the host is restarted\n";
}

Result<RunningPlugin> running_plugin(const plugin_runtime::PluginHost& plugins, std::string_view id) {
  std::string ids;
  for (const auto& info : plugins.plugins()) {
    ids += (ids.empty() ? "" : ", ") + info.id;
    if (info.id != id) continue;
    RunningPlugin plugin{.id = info.id, .file = info.file};
    const auto offers = plugins.offers(id);
    if (offers == nullptr) return plugin;
    plugin.version = info.version;
    plugin.sha256 = info.sha256;
    plugin.offers = *offers;
    return plugin;
  }
  return Error{Errc::kNotFound, "there is no plugin " + std::string(id) + (ids.empty() ? "" : "; there is: " + ids),
               ""};
}

std::string to_json(const RunningPlugin& plugin) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("id", plugin.id).member("version", plugin.version).member("file", plugin.file);
  json.member("sha256", plugin.sha256).key("offers").begin_object();
  for (const auto& [name, offer] : plugin.offers) json.key(name).raw(offer);
  json.end_object().member("pinned_id", plugin.pins.id).member("extra_needed", plugin.pins.extra_needed);
  json.key("require_signature").boolean(plugin.trust.require_signature).key("trusted_keys").begin_array();
  for (const auto& [name, file] : plugin.trust.keys)
    json.begin_object().member("name", name).member("file", file.string()).end_object();
  json.end_array().end_object();
  return out;
}

Result<RunningPlugin> running_plugin_from_json(std::string_view text) {
  json::Document document;
  const auto root = document.parse(text);
  json::Object offers;
  json::Array keys;
  RunningPlugin plugin;
  if (!root || json::find(*root, "offers").get(offers) != simdjson::SUCCESS ||
      json::find(*root, "trusted_keys").get(keys) != simdjson::SUCCESS ||
      json::find(*root, "require_signature").get(plugin.trust.require_signature) != simdjson::SUCCESS)
    return not_understood();
  plugin.id = text_of(*root, "id");
  plugin.version = text_of(*root, "version");
  plugin.file = text_of(*root, "file");
  plugin.sha256 = text_of(*root, "sha256");
  plugin.pins.id = text_of(*root, "pinned_id");
  plugin.pins.extra_needed = texts_of(*root, "extra_needed");
  for (const auto& key : keys)
    plugin.trust.keys.push_back({.name = text_of(key, "name"), .file = text_of(key, "file")});
  for (const auto& [name, offer] : offers) plugin.offers[std::string(name)] = json::to_text(offer);
  return plugin;
}

}  // namespace toolhost::app
