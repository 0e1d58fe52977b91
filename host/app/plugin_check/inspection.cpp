#include "app/plugin_check/inspection.hpp"

#include "app/commands/console.hpp"
#include "base/json.hpp"
#include "base/json_writer.hpp"
#include "plugin_runtime/plugin_library.hpp"

namespace toolhost::app {
namespace {

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const auto& text : texts) out += (out.empty() ? "" : ", ") + text;
  return out.empty() ? "none" : out;
}

std::string abi_of(const plugin_runtime::ElfCard& card) {
  const auto major = std::to_string(card.abi_major) + '.';
  return major + std::to_string(card.abi_minor) + ", requires " + major + std::to_string(card.abi_minor_required);
}

}  // namespace

Result<Inspection> inspect_plugin(const std::filesystem::path& file) {
  const auto read = plugin_runtime::read_plugin_file(file);
  if (!read) return read.error();
  auto card = plugin_runtime::read_elf_card(read->bytes);
  if (!card) return Error{card.error().code, read->path.string() + ": " + card.error().message, card.error().detail};
  Inspection inspection{.file = read->path,
                        .sha256 = read->sha256,
                        .bytes = read->bytes.size(),
                        .card = std::move(*card),
                        .glibc_floor = {},
                        .libstdcxx_floor = {},
                        .problems = {}};
  inspection.glibc_floor = plugin_runtime::highest_version(inspection.card, "GLIBC_");
  inspection.libstdcxx_floor = plugin_runtime::highest_version(inspection.card, "GLIBCXX_");
  for (auto& problem : plugin_runtime::file_problems(inspection.card))
    inspection.problems.push_back(std::move(problem.reason));
  // Who may write the file is said by the loader alone, and before everything else.
  const auto loadable = plugin_runtime::check_plugin_file(file, {}, {});
  if (loadable) return inspection;
  const auto& message = loadable.error().message;
  if (inspection.problems.empty() || !message.ends_with(inspection.problems.front()))
    inspection.problems.insert(inspection.problems.begin(), message);
  return inspection;
}

std::string as_text(const Inspection& inspection) {
  const auto& card = inspection.card;
  std::vector<std::vector<std::string>> rows{
      {"file", inspection.file.string()},
      {"id", card.id},
      {"version", card.version},
      {"plugin ABI", abi_of(card)},
      {"built with", card.built_with},
      {"sha256", inspection.sha256},
      {"size", grouped(inspection.bytes) + " bytes"},
      {"exports", joined(card.exports)},
      {"needed libraries", joined(card.needed)},
      {"search path", card.search_path.empty() ? "none" : card.search_path},
      {"oldest glibc", inspection.glibc_floor.empty() ? "any" : inspection.glibc_floor},
      {"oldest libstdc++", inspection.libstdcxx_floor.empty() ? "any" : "GLIBCXX_" + inspection.libstdcxx_floor},
      {"would be loaded", inspection.problems.empty() ? "yes" : "no"}};
  for (const auto& problem : inspection.problems) rows.push_back({"", problem});
  return columns(rows);
}

std::string as_json(const Inspection& inspection, std::string_view definition_json) {
  const auto& card = inspection.card;
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("file", inspection.file.string()).member("id", card.id).member("version", card.version);
  json.key("abi").begin_object().key("major").unsigned_integer(card.abi_major);
  json.key("minor").unsigned_integer(card.abi_minor);
  json.key("minor_required").unsigned_integer(card.abi_minor_required).end_object();
  json.member("built_with", card.built_with).member("sha256", inspection.sha256);
  json.key("bytes").unsigned_integer(inspection.bytes);
  json.member("exports", card.exports).member("needed", card.needed).member("search_path", card.search_path);
  json.key("executable_stack").boolean(card.executable_stack);
  json.key("text_relocations").boolean(card.text_relocations);
  json.member("glibc_floor", inspection.glibc_floor).member("glibcxx_floor", inspection.libstdcxx_floor);
  json.key("would_load").boolean(inspection.problems.empty()).member("problems", inspection.problems);
  if (!definition_json.empty()) json.key("definition").raw(definition_json);
  json.end_object();
  return out;
}

std::string definition_text(std::string_view definition_json) {
  json::Document document;
  const auto root = document.parse(definition_json);
  if (!root) return {};
  const auto names = [&](std::string_view key) {
    std::vector<std::string> found;
    json::Array elements;
    if (json::find(*root, key).get(elements) == simdjson::SUCCESS)
      for (const auto element : elements)
        found.emplace_back(element.is_string() ? std::string(std::string_view(element))
                                               : std::string(json::text_in(element, "name").value_or("")));
    return joined(found);
  };
  return columns({{"services", names("services")},
                  {"tools", names("tools")},
                  {"jobs", names("jobs")},
                  {"resources", names("resources")},
                  {"prompts", names("prompts")},
                  {"migrations", names("migrations")},
                  {"exports views", names("exports")},
                  {"reads views", names("reads")}});
}

}  // namespace toolhost::app
