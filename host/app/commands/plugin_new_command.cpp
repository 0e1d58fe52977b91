#include "app/commands/plugin_new_command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <system_error>
#include <utility>

#include "app/commands/command_context.hpp"
#include "app/commands/console.hpp"
#include "app/commands/plugin_templates.hpp"
#include "base/similar_name.hpp"

namespace toolhost::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxIdBytes = 47, kMaxNameBytes = 100;
constexpr const char* kCrate = "share/toolhost-plugin/rust";
constexpr const char* kPackage = "share/cmake/toolhost-plugin/toolhost-plugin-config.cmake";

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

Result<> check_id(const std::string& id) {
  const auto refuse = [&](const std::string& why) {
    return Error{Errc::kInvalidArgument,
                 "'" + printable(id) + "' cannot be a plugin's id: " + why +
                     ". An id is words of a-z, 0-9 and _ with dots between them, e.g. acme.stock; it begins with a "
                     "letter and has at most " +
                     std::to_string(kMaxIdBytes) + " bytes",
                 {}};
  };
  if (id.empty()) return refuse("it is empty");
  if (id.size() > kMaxIdBytes) return refuse("it has " + std::to_string(id.size()) + " bytes");
  const auto wrong = std::ranges::find_if(id, [](char c) { return !is_word(c) && c != '.'; });
  if (wrong != id.end()) {
    const auto is_ascii = static_cast<unsigned char>(*wrong) < 0x80;
    return refuse(is_ascii ? "it has the character '" + printable(std::string(1, *wrong)) + "'"
                           : "it has a character that is no ASCII");
  }
  if (id.front() < 'a' || id.front() > 'z') return refuse("it does not begin with a letter");
  if (id.back() == '.' || id.find("..") != std::string::npos) return refuse("nothing stands beside one of its dots");
  return {};
}

/// It stands inside string literals of three languages, YAML and Markdown.
Result<> check_name(const std::string& name) {
  const bool plain = std::ranges::all_of(name, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view(" -.,&()'+/").find(c) != std::string_view::npos || static_cast<unsigned char>(c) >= 0x80;
  });
  if (plain && name == printable(name) && name.size() <= kMaxNameBytes) return {};
  return Error{Errc::kInvalidArgument,
               "'" + printable(name) +
                   "' cannot be the name: letters, digits, spaces and -.,&()'+/ can stand in it, and "
                   "at most " +
                   std::to_string(kMaxNameBytes) + " bytes",
               {}};
}

/// It stands in Cargo.toml and in a shell's quotes.
Result<> check_prefix(const fs::path& prefix) {
  const auto text = prefix.string();
  if (text.find_first_of("\"\\$`") == std::string::npos && text == printable(text)) return {};
  return Error{Errc::kInvalidArgument,
               "the directory " + printable(text) +
                   " has characters that cannot stand in Cargo.toml; install the package where the path has none of "
                   "\" \\ $ ` and no control characters",
               {}};
}

Result<> check_language(const std::string& language) {
  std::vector<std::string> known;
  for (const auto& file : plugin_templates())
    if (known.empty() || known.back() != file.language) known.emplace_back(file.language);
  if (std::ranges::find(known, language) != known.end()) return {};
  std::string text = "there is no template for the language '" + printable(language) + "'; ";
  if (const auto near = similar_name(language, known)) text += "did you mean '" + std::string(*near) + "'? ";
  text += "Languages:";
  for (const auto& name : known) text += " " + name;
  return Error{Errc::kInvalidArgument, std::move(text), {}};
}

/// "acme.stock" with '_' for '.': what names files, targets and tools.
std::string identifier_of(std::string id) {
  std::ranges::replace(id, '.', '_');
  return id;
}

/// "AcmeStock".
std::string class_of(const std::string& id) {
  std::string made;
  bool begins = true;
  for (const char c : id) {
    if (c == '.' || c == '_') {
      begins = true;
      continue;
    }
    made += begins ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    begins = false;
  }
  return made;
}

/// "Acme stock".
std::string name_of(const std::string& id) {
  std::string made = id;
  std::ranges::replace(made, '.', ' ');
  std::ranges::replace(made, '_', ' ');
  made.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(made.front())));
  return made;
}

/// What the templates, which are plugins themselves, are called, and what stands there instead.
using Replacements = std::array<std::pair<std::string_view, std::string>, 5>;

std::string replaced(std::string_view text, const Replacements& replacements) {
  std::string made;
  for (std::size_t at = 0; at < text.size();) {
    const auto found =
        std::ranges::find_if(replacements, [&](const auto& entry) { return text.substr(at).starts_with(entry.first); });
    if (found == replacements.end()) {
      made += text[at++];
    } else {
      made += found->second;
      at += found->first.size();
    }
  }
  return made;
}

std::string last_part(const std::string& id) {
  return id.substr(id.rfind('.') + 1);
}

/// As a word of a shell's command.
std::string shell_word(const std::string& text) {
  const bool is_plain = std::ranges::all_of(text, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("_./-+@:,").find(c) != std::string_view::npos;
  });
  if (is_plain) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

/// $TOOLHOST_PREFIX, else where this program is installed.
fs::path default_prefix() {
  if (const char* named = std::getenv("TOOLHOST_PREFIX"); named != nullptr && *named != '\0') return named;
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).parent_path().parent_path();
}

Error cannot_write(const fs::path& path, const std::string& why) {
  return {Errc::kInternal, path.string() + " cannot be written: " + why, {}};
}

int make_plugin(const NewPlugin& plugin) {
  const auto directory = write_new_plugin(plugin);
  if (!directory) return fail(directory.error());
  std::error_code ignored;
  const bool has_package = fs::exists(plugin.prefix / kPackage, ignored);
  const bool is_rust = plugin.language == "rust";
  const std::string file =
      is_rust ? "target/release/lib" + identifier_of(plugin.id) + "_plugin.so" : "build/" + plugin.id + ".so";
  const std::string prefix = has_package ? plugin.prefix.string() : "PREFIX";
  std::cout << "The plugin " << plugin.id << " is in " << printable(directory->string()) << ". Next:\n\n"
            << "  cd " << printable(shell_word(directory->string())) << "\n  "
            << (is_rust
                    ? "cargo build --release"
                    : "cmake -B build -DCMAKE_PREFIX_PATH=" + printable(shell_word(prefix)) + " && cmake --build build")
            << "\n  toolhost plugin validate " << file << "\n  toolhost plugin test " << file << " tests/cases.yaml\n"
            << "  toolhost serve --config toolhost.yaml\n";
  if (!has_package && !is_rust) {
    std::cout << "\nPREFIX is where the package toolhost-plugin is installed; it is not beside this program. From a "
                 "checkout of Toolhost:\n  cmake --install build/release --prefix PREFIX\n";
  }
  return kExitOk;
}

}  // namespace

Result<std::vector<NewFile>> new_plugin_files(const NewPlugin& plugin) {
  if (auto checked = check_language(plugin.language); !checked) return checked.error();
  if (auto checked = check_id(plugin.id); !checked) return checked.error();
  if (auto checked = check_name(plugin.name); !checked) return checked.error();
  if (plugin.language == "rust")
    if (auto checked = check_prefix(plugin.prefix); !checked) return checked.error();
  const Replacements replacements{{
      {"example.hello", plugin.id},
      {"example_hello", identifier_of(plugin.id)},
      {"ExampleHello", class_of(plugin.id)},
      {"Example hello", plugin.name.empty() ? name_of(plugin.id) : plugin.name},
      {"../../rust", (plugin.prefix / kCrate).string()},
  }};
  std::vector<NewFile> files;
  for (const auto& file : plugin_templates()) {
    if (file.language != plugin.language) continue;
    files.push_back({replaced(file.path, replacements), replaced(file.text, replacements)});
  }
  return files;
}

Result<fs::path> write_new_plugin(const NewPlugin& plugin) {
  const auto files = new_plugin_files(plugin);
  if (!files) return files.error();
  std::error_code error;
  if (plugin.language == "rust" && !fs::exists(plugin.prefix / kCrate / "Cargo.toml", error)) {
    return Error{
        Errc::kNotFound,
        "the crate toolhost-plugin is not in " + printable((plugin.prefix / kCrate).string()) +
            "; install it from a checkout of Toolhost (cmake --install build/release --prefix PREFIX) and name "
            "it with --prefix PREFIX",
        {}};
  }
  const fs::path directory = plugin.directory.empty() ? fs::path(last_part(plugin.id)) : plugin.directory;
  const auto status = fs::status(directory, error);
  if (fs::exists(status)) {
    if (!fs::is_directory(status))
      return Error{Errc::kConflict, printable(directory.string()) + " is no directory; name another with --dir", {}};
    const bool is_empty = fs::is_empty(directory, error);
    if (error) return cannot_write(directory, error.message());
    if (!is_empty)
      return Error{Errc::kConflict,
                   printable(directory.string()) + " is not empty, and nothing is overwritten; name another with --dir",
                   {}};
  }
  for (const auto& file : *files) {
    const auto path = directory / file.path;
    fs::create_directories(path.parent_path(), error);
    if (error) return cannot_write(path.parent_path(), error.message());
    std::ofstream out(path, std::ios::binary);
    out << file.text;
    if (!out.flush()) return cannot_write(path, std::generic_category().message(errno));
  }
  return directory;
}

void add_plugin_new_command(CLI::App& plugin, int& exit_code) {
  const auto options = std::make_shared<NewPlugin>();
  options->prefix = default_prefix();
  auto* command = plugin.add_subcommand("new", "Write the source of a new plugin, with tests and a build that works");
  command->add_option("ID", options->id, "What the plugin is called by hosts and others, e.g. acme.stock")->required();
  command->add_option("--lang", options->language, "cpp, c or rust")->required()->type_name("LANGUAGE");
  command->add_option("--dir", options->directory, "Where to write; must be empty (default: the last word of ID)")
      ->type_name("DIR");
  command->add_option("--name", options->name, "What people read (default: made from ID)")->type_name("TEXT");
  command
      ->add_option(
          "--prefix", options->prefix,
          "Where the package toolhost-plugin is installed (default: $TOOLHOST_PREFIX, else beside this program)")
      ->type_name("DIR");
  command->footer(
      "The directory holds source, build file, cases for 'toolhost plugin test', a host's configuration for\n"
      "development, a CI file and a README. Needs no running host and no database.");
  command->callback([options, &exit_code] {
    options->prefix = absolute_path(options->prefix).lexically_normal();
    exit_code = make_plugin(*options);
  });
}

}  // namespace toolhost::app
