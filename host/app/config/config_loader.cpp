#include "app/config/config_loader.hpp"

#include <algorithm>
#include <fstream>
#include <set>
#include <tuple>

#include "app/commands/console.hpp"
#include "app/config/host_sections.hpp"
#include "app/config/tenant_sections.hpp"
#include "app/config/tenant_settings.hpp"

namespace toolhost::app {
namespace {

namespace fs = std::filesystem;

/// Puts what the files say into one configuration.
class Loader {
 public:
  explicit Loader(LoadedConfig& loaded) : loaded_(loaded), config_(loaded.config) {}

  void read_host(const std::string& yaml, const std::string& name) {
    read(yaml, name, [&](Section& root) {
      read_host_file(root, config_,
                     [&](Section& section, ReadTenant tenant) { take(section, std::move(tenant), nullptr); });
      needs_tenant_dir_ = config_.tenant_dir != "tenants";
      config_.places = root.problems().take_places();
    });
  }

  /// `shown` is the directory as problems name it.
  void read_tenants(const fs::path& directory, const fs::path& shown) {
    std::error_code error;
    if (!fs::exists(directory, error)) {
      if (needs_tenant_dir_)
        loaded_.problems.push_back(
            {.file = shown.string(), .message = "'tenant_dir' names this directory, which does not exist"});
      return;
    }
    config_.has_tenant_dir = true;
    std::set<std::string> names;  // in their order
    for (auto entry = fs::directory_iterator(directory, error); !error && entry != fs::directory_iterator();
         entry.increment(error)) {
      const auto name = entry->path().filename();
      const bool is_yaml = name.extension() == ".yaml" || name.extension() == ".yml";
      std::error_code ignored;
      const bool is_hidden = name.string().starts_with('.');  // an editor's, or a mount's own
      if (is_yaml && !is_hidden && !entry->is_directory(ignored)) names.insert(name.string());
    }
    if (error) {
      loaded_.problems.push_back(
          {.file = shown.string(), .message = "cannot be read as a directory of tenants (" + error.message() + ")"});
      return;
    }
    for (const auto& name : names) read_tenant_file(directory / name, (shown / name).string());
  }

  /// The whole text of a file that is no larger than any configuration; a problem otherwise.
  std::optional<std::string> text_of(const fs::path& file, const std::string& name) {
    const auto refuse = [&](const char* message) {
      loaded_.problems.push_back({.file = name, .message = message});
      return std::nullopt;
    };
    config_.files.push_back(name);
    std::error_code ignored;
    const auto kind = fs::status(file, ignored).type();
    if (kind == fs::file_type::directory) return refuse("is a directory; name the file in it");
    if (kind == fs::file_type::fifo || kind == fs::file_type::socket)
      return refuse("is a pipe or a socket; only a file can be read again when it changes");
    std::ifstream in(file, std::ios::binary);
    std::string text(kMaxConfigBytes + 1, '\0');
    if (in) in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (in.bad() || (in.gcount() == 0 && !in.eof()))
      return refuse("cannot be read; check the path and its permissions");
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMaxConfigBytes) return refuse("is larger than 1 MiB, which no configuration is");
    return text;
  }

 private:
  template <class Read>
  void read(const std::string& yaml, const std::string& name, Read read_root) {
    Problems problems(name);
    try {
      const auto documents = YAML::LoadAll(yaml);
      if (documents.size() > 1) problems.add(documents[1], "a second document begins here; keep one in a file");
      const YAML::Node root = documents.empty() ? YAML::Node() : documents.front();
      if (!has_runaway_alias(root, problems)) {
        Section section({.node = root}, problems);
        read_root(section);
      }
    } catch (const YAML::Exception& error) {
      problems.add(error.mark, "this is not YAML: " + error.msg);
    }
    for (auto& problem : problems.take()) loaded_.problems.push_back(std::move(problem));
  }

  void read_tenant_file(const fs::path& file, const std::string& name) {
    const auto text = text_of(file, name);
    if (!text) return;
    const std::string stem = file.stem().string();
    read(*text, name, [&](Section& root) {
      ReadTenant tenant;
      read_tenant(root, tenant, config_);
      take(root, std::move(tenant), &stem);
    });
  }

  /// `stem` is the name of the tenant's own file, null for an entry of `tenants`.
  void take(Section& section, ReadTenant tenant, const std::string* stem) {
    const std::string& name = tenant.config.name;
    if (name.empty()) {
      // A file of comments only is no mapping, and would otherwise be silent.
      if (stem != nullptr && section.node().IsNull())
        section.add("", "a tenant's file holds its keys; write at least 'name: " + *stem + "'");
      return;
    }
    if (stem != nullptr && name != *stem)
      section.add("name", "the tenant " + in_quotes(name) + " is looked for in " + in_quotes(name + ".yaml") +
                              "; rename the file, or write 'name: " + *stem + "'");
    if (const auto [first, is_new] = places_.emplace(name, tenant.config.place.text()); !is_new)
      return section.add("name", "tenant " + in_quotes(name) + " is listed twice, here and at " + first->second +
                                     "; keep one of them");
    for (auto& settings : tenant.settings) {
      settings.tenant = name;
      config_.tenant_settings.push_back(std::move(settings));
    }
    config_.policy.tenants.emplace(name, std::move(tenant.policy));
    config_.tenants.push_back(std::move(tenant.config));
  }

  LoadedConfig& loaded_;
  HostConfig& config_;
  bool needs_tenant_dir_ = false;              // the default need not exist
  std::map<std::string, std::string> places_;  // of tenants by name
};

void finish(LoadedConfig& loaded) {
  for (auto& problem : lay_tenant_settings(loaded.config)) loaded.problems.push_back(std::move(problem));
  sort_by_place(loaded.problems, loaded.config.files);
}

}  // namespace

std::string to_string(const ConfigProblem& problem) {
  std::string text = printable(problem.file);
  if (problem.line > 0) text += ":" + std::to_string(problem.line);
  if (problem.line > 0 && problem.column > 0) text += ":" + std::to_string(problem.column);
  return text + ": " + problem.message;
}

void sort_by_place(std::vector<ConfigProblem>& problems, const std::vector<std::string>& files) {
  const auto file = [&](const ConfigProblem& problem) {
    return std::find(files.begin(), files.end(), problem.file) - files.begin();
  };
  std::sort(problems.begin(), problems.end(), [&](const auto& a, const auto& b) {
    return std::tuple(file(a), a.line, a.column, a.message) < std::tuple(file(b), b.line, b.column, b.message);
  });
}

LoadedConfig parse_config(std::string_view yaml, const std::string& name) {
  LoadedConfig loaded{default_config(), {}};
  loaded.config.files.push_back(name);
  Loader(loaded).read_host(std::string(yaml), name);
  loaded.config.tenant_dir.clear();
  finish(loaded);
  return loaded;
}

LoadedConfig load_config(const fs::path& file) {
  LoadedConfig loaded{default_config(), {}};
  loaded.config.file = absolute_path(file);
  Loader loader(loaded);
  const auto yaml = loader.text_of(loaded.config.file, file.string());
  if (!yaml) return loaded;
  loader.read_host(*yaml, file.string());
  auto& directory = loaded.config.tenant_dir;
  if (directory.empty()) {  // the file is no YAML, or no mapping
    finish(loaded);
    return loaded;
  }
  const auto shown = file.parent_path() / directory;
  directory = (loaded.config.file.parent_path() / directory).lexically_normal();
  loader.read_tenants(directory, shown);
  finish(loaded);
  return loaded;
}

std::vector<fs::path> watched_paths(const LoadedConfig& loaded) {
  std::vector<fs::path> paths{loaded.config.file};
  if (!loaded.config.tenant_dir.empty()) paths.push_back(loaded.config.tenant_dir);
  return paths;
}

}  // namespace toolhost::app
