#include "app/plugin_test/golden_file.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <system_error>

#include "app/plugin_test/expected_value.hpp"
#include "base/json.hpp"
#include "base/json_writer.hpp"

namespace toolhost::app {

namespace fs = std::filesystem;

Result<GoldenFile> GoldenFile::load(const fs::path& cases) {
  GoldenFile golden(fs::path(cases).replace_extension(".golden.json"));
  std::error_code ignored;
  if (!fs::exists(golden.path_, ignored)) return golden;
  std::ifstream in(golden.path_, std::ios::binary);
  golden.stored_.assign(std::istreambuf_iterator<char>(in), {});
  const auto refused = [&](const std::string& why) {
    return Error{Errc::kInvalidArgument,
                 golden.path_.string() + ": " + why + "; correct it, or remove it and run with --update",
                 {}};
  };
  if (!in) return refused("cannot be read");
  json::Document document;
  const auto root = document.parse(golden.stored_);
  if (!root) return refused("is no JSON: " + root.error().message);
  json::Object all, steps;
  if (root->get(all) != simdjson::SUCCESS) return refused("must hold an object of cases");
  for (const auto& of : all) {
    if (of.value.get(steps) != simdjson::SUCCESS) return refused("must hold an object of steps for each case");
    for (const auto& step : steps)
      golden.cases_[std::string(of.key)][std::string(step.key)] = json::to_text(step.value);
  }
  return golden;
}

std::string_view GoldenFile::find(const std::string& case_name, const std::string& step) const {
  const auto of = cases_.find(case_name);
  if (of == cases_.end()) return {};
  const auto found = of->second.find(step);
  return found == of->second.end() ? std::string_view() : std::string_view(found->second);
}

void GoldenFile::set(const std::string& case_name, const std::string& step, std::string json) {
  cases_[case_name][step] = std::move(json);
}

void GoldenFile::keep_only(const std::map<std::string, std::vector<std::string>>& asked) {
  for (auto of = cases_.begin(); of != cases_.end();) {
    const auto found = asked.find(of->first);
    std::erase_if(of->second, [&](const auto& step) {
      return found == asked.end() || std::ranges::count(found->second, step.first) == 0;
    });
    of = of->second.empty() ? cases_.erase(of) : std::next(of);
  }
}

Result<std::string> GoldenFile::text() const {
  std::string compact;
  JsonWriter json(compact);
  json.begin_object();
  for (const auto& [name, steps] : cases_) {
    json.key(name).begin_object();
    for (const auto& [step, answer] : steps) json.key(step).raw(answer);
    json.end_object();
  }
  json.end_object();
  json::Document document;
  const auto root = document.parse(compact);
  if (!root) return root.error();
  return on_lines(*root) + "\n";
}

Result<> GoldenFile::save() {
  std::error_code code;
  if (cases_.empty()) {
    fs::remove(path_, code);
    return {};
  }
  auto text = this->text();
  if (!text) return text.error();
  if (*text == stored_) return {};
  auto draft = path_;
  draft += ".new";
  {
    std::ofstream out(draft, std::ios::binary | std::ios::trunc);
    out << *text;
    if (!out.flush())
      return Error{Errc::kUnavailable, "cannot write " + draft.string() + "; check the directory's permissions", {}};
  }
  fs::rename(draft, path_, code);
  if (code) return Error{Errc::kUnavailable, "cannot write " + path_.string() + ": " + code.message(), {}};
  stored_ = std::move(*text);
  return {};
}

}  // namespace toolhost::app
