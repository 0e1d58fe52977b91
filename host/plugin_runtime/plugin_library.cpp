#include "plugin_runtime/plugin_library.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/dll/shared_library.hpp>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>

#include "plugin_runtime/black_box.hpp"
#include "plugin_runtime/plugin_definition.hpp"
#include "plugin_runtime/regular_file.hpp"

namespace toolhost::plugin_runtime {
namespace {

namespace fs = std::filesystem;

constexpr const char *kEntrySymbol = "toolhost_plugin_v1", *kCardSymbol = "toolhost_card_v1";

// The C and C++ run time, under every name that a compiler links, and the stemmers, which keep no state. What else a
// plugin needs it carries inside: a library of the system could differ from the one it was built with, or be shared,
// with its state, by two plugins.
constexpr std::array<std::string_view, 11> kAllowedLibraries{
    "libc.so.6",  "libm.so.6",  "libstdc++.so.6",        "libgcc_s.so.1",  "ld-linux-x86-64.so.2", "libpthread.so.0",
    "libdl.so.2", "librt.so.1", "ld-linux-aarch64.so.1", "libatomic.so.1", "libstemmer.so.0d"};
// ICU, of which the host has a copy open anyway. Its data is larger than most plugins, and its symbols carry its
// version.
constexpr std::array<std::string_view, 3> kAllowedVersions{"libicuuc.so.", "libicui18n.so.", "libicudata.so."};

Error refusal(const fs::path& file, const std::string& reason) {
  return file_refusal(file, reason);
}

std::string needs_abi(const ElfCard& card, std::uint32_t minor) {
  const auto needed = std::to_string(card.abi_major) + "." + std::to_string(minor);
  const auto offered = std::to_string(TH_ABI_MAJOR) + "." + std::to_string(TH_ABI_MINOR);
  return card.id + " " + card.version + " needs plugin ABI " + needed + ", this host offers " + offered +
         " (upgrade the host or use " + card.id + (card.abi_major < TH_ABI_MAJOR ? " > " : " < ") + card.version + ")";
}

bool may_load(std::string_view library) {
  if (std::find(kAllowedLibraries.begin(), kAllowedLibraries.end(), library) != kAllowedLibraries.end()) return true;
  // Digits alone: with a slash it would be a path.
  return std::any_of(kAllowedVersions.begin(), kAllowedVersions.end(), [&](std::string_view name) {
    return library.starts_with(name) && library.size() > name.size() &&
           library.find_first_not_of("0123456789", name.size()) == std::string_view::npos;
  });
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(fd, bytes.data(), bytes.size());
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

/// A path names one content for ever: the loader compares names before files, so the same path would give back old
/// code.
Result<fs::path> store_copy(const CheckedFile& file, const fs::path& store) {
  const auto failed = [&](const fs::path& path) {
    return Error{Errc::kUnavailable,
                 file.path.string() + ": cannot be copied to " + path.string() + " (" + system_error() +
                     "); make the store directory writable for this host",
                 {}};
  };
  std::error_code error;
  for (const auto& directory : {store, store / file.sha256}) {
    fs::create_directories(directory.parent_path(), error);
    if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return failed(directory);
    struct stat status{};
    if (stat(directory.c_str(), &status) != 0) return failed(directory);
    if (auto checked = check_writers(file.path, directory, status); !checked) return checked.error();
  }
  auto path = fs::absolute(store) / file.sha256 / (file.card.id + ".so");
  if (const auto stored = read_regular_file(path, kPluginFile, true); stored && sha256_of(*stored) == file.sha256)
    return path;

  auto temporary = path.string() + ".XXXXXX";
  const FileDescriptor fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.is_open()) return failed(path);
  if (!write_all(fd.get(), file.bytes) || fchmod(fd.get(), 0444) != 0 || fsync(fd.get()) != 0 ||
      rename(temporary.c_str(), path.c_str()) != 0) {
    const auto result = failed(path);
    unlink(temporary.c_str());
    return result;
  }
  const FileDescriptor directory(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.is_open()) fsync(directory.get());
  return path;
}

void find_export_problems(const ElfCard& card, std::vector<FileProblem>& problems) {
  constexpr const char* kRule = "exports-only-entry";
  for (const char* symbol : {kEntrySymbol, kCardSymbol})
    if (!std::binary_search(card.exports.begin(), card.exports.end(), symbol))
      problems.push_back({kRule, std::string("does not export ") + symbol +
                                     "; write TH_PLUGIN(...) in it and link it with toolhost_plugin.map"});
  for (const auto& symbol : card.exports) {
    if (symbol == kEntrySymbol || symbol == kCardSymbol) continue;
    problems.push_back({kRule, "exports the stray symbol '" + symbol +
                                   "', which other code in this process could bind to; link it with "
                                   "toolhost_plugin.map (toolhost_add_plugin() does)"});
    return;
  }
}

}  // namespace

std::vector<FileProblem> file_problems(const ElfCard& card, const std::vector<std::string>& extra_needed) {
  std::vector<FileProblem> problems;
  const auto add = [&](const char* rule, std::string reason) { problems.push_back({rule, std::move(reason)}); };
  if (!is_plugin_id(card.id))
    add("card-id",
        "its id '" + card.id + "' is none; use lower-case letters, digits, '_' and '.', starting with a letter");
  if (card.abi_major != TH_ABI_MAJOR || card.abi_minor_required > TH_ABI_MINOR)
    add("card-abi", needs_abi(card, card.abi_minor_required));
  find_export_problems(card, problems);
  for (const auto& library : card.needed)
    if (!may_load(library) && std::find(extra_needed.begin(), extra_needed.end(), library) == extra_needed.end())
      add("needed-allowlist", "needs the library " + library +
                                  ", which plugins may not load; link it statically, or, if you trust this plugin with "
                                  "it, name it in 'extra_needed' of its entry of 'plugins'");
  if (!card.search_path.empty())
    add("no-rpath", "carries the library search path '" + card.search_path +
                        "' (RPATH or RUNPATH); link it without, or run: patchelf --remove-rpath");
  if (card.executable_stack)
    add("no-execstack",
        "asks for an executable stack; link it with -Wl,-z,noexecstack and mark assembler files with .note.GNU-stack");
  if (card.text_relocations) add("no-text-relocations", "has relocations in its code; compile all of it with -fPIC");
  if (const auto floor = highest_version(card, "GLIBC_"); is_older_version(gnu_get_libc_version(), floor))
    add("glibc-floor", "needs glibc " + floor + ", this machine has " + gnu_get_libc_version() +
                           "; build it on the oldest system that it is to run on");
  return problems;
}

Result<PluginFile> read_plugin_file(const fs::path& file) {
  std::error_code error;
  PluginFile read{.path = fs::absolute(file, error).lexically_normal(), .bytes = {}, .sha256 = {}};
  auto bytes = read_regular_file(read.path, kPluginFile, false);
  if (!bytes) return bytes.error();
  read.sha256 = sha256_of(*bytes);
  read.bytes = std::move(*bytes);
  return read;
}

namespace {

Result<CheckedFile> check_file(const fs::path& file, const PluginPins& pins, const PluginTrust& trust,
                               bool check_owner) {
  std::error_code error;
  CheckedFile checked{.path = fs::absolute(file, error).lexically_normal()};
  auto bytes = read_regular_file(checked.path, kPluginFile, check_owner);
  if (!bytes) return bytes.error();
  checked.sha256 = sha256_of(*bytes);
  // Before anything else looks at the bytes.
  auto signer = check_trust(checked.path, checked.sha256, pins, trust);
  if (!signer) return signer.error();
  checked.signed_by = std::move(*signer);
  auto card = read_elf_card(*bytes);
  if (!card) return refusal(checked.path, card.error().message);
  if (!pins.id.empty() && card->id != pins.id)
    return refusal(checked.path, "is the plugin " + card->id + ", and the configuration wants " + pins.id +
                                     " there; put the right file there, or correct 'id' of its entry of 'plugins'");
  if (const auto problems = file_problems(*card, pins.extra_needed); !problems.empty())
    return refusal(checked.path, problems.front().reason);
  checked.size = bytes->size();
  checked.bytes = std::move(*bytes);
  checked.card = std::move(*card);
  return checked;
}

}  // namespace

Result<CheckedFile> check_plugin_file(const fs::path& file, const PluginPins& pins, const PluginTrust& trust) {
  return check_file(file, pins, trust, true);
}

Result<CheckedFile> inspect_file(const fs::path& file) {
  return check_file(file, {}, {}, false);
}

struct PluginImage::Registry {
  std::mutex loading;  // held while code of plugins runs, so for as long as they like; locked first
  std::mutex mutex;    // held for a moment; guards what follows
  std::map<std::string, PluginImage*, std::less<>> images;  // by sha256

  [[nodiscard]] Mapped mapped(std::string_view id) {
    Mapped all;
    const std::lock_guard lock(mutex);
    for (const auto& [sha256, image] : images) {
      if (image->id_ != id) continue;
      ++all.versions;
      all.bytes += image->bytes_;
    }
    return all;
  }
  [[nodiscard]] PluginImage* find(const std::string& sha256) {
    const std::lock_guard lock(mutex);
    const auto found = images.find(sha256);
    return found == images.end() ? nullptr : found->second;
  }
  void add(const std::string& sha256, PluginImage* image) {
    const std::lock_guard lock(mutex);
    images.emplace(sha256, image);
  }
};

PluginImage::Registry& PluginImage::registry() {
  // Images outlive everything, static destructors included.
  static auto* const images = new Registry;
  return *images;
}

PluginImage::Mapped PluginImage::mapped(std::string_view id) {
  return registry().mapped(id);
}

Result<PluginImage*> PluginImage::load(const CheckedFile& file, const fs::path& store) {
  auto& images = registry();
  const std::lock_guard loading(images.loading);
  auto* const known = images.find(file.sha256);
  if (known != nullptr && file.bytes.empty()) return known;
  if (known == nullptr && images.mapped(file.card.id).versions >= kMaxVersions)
    return refusal(file.path, "this process has loaded " + std::to_string(kMaxVersions) + " versions of " +
                                  file.card.id + ", and none can be unloaded; restart the host to load another");
  const auto stored = store_copy(file, store);
  if (!stored) return stored.error();
  if (known != nullptr) return known;

  // NODELETE and the leaked handle say the same thing twice: a thread or a destructor of the plugin may run at any time
  // until the process ends, so its code must never go away.
  constexpr auto kMode = static_cast<boost::dll::load_mode::type>(boost::dll::load_mode::rtld_now |
                                                                  boost::dll::load_mode::rtld_local | RTLD_NODELETE);
  const BlackBoxScope scope(file.card.id, "(load)", file.sha256);
  try {
    // The throwing forms carry the text of dlerror(); the error codes lose it.
    auto* const library = new boost::dll::shared_library(*stored, kMode);
    auto& entry = library->get<th_status(const th_host_api*, th_host*, const th_plugin_def**)>(kEntrySymbol);
    auto* const image = new PluginImage(file, library, &entry);
    images.add(file.sha256, image);
    return image;
  } catch (const std::exception& error) {
    return refusal(file.path, std::string("cannot be loaded (") + error.what() +
                                  "); link it with -Wl,-z,defs to find undefined symbols at build time");
  }
}

Result<const th_plugin_def*> PluginImage::definition(const th_host_api& api, th_host* host) {
  const std::lock_guard loading(registry().loading);
  if (!entered_) {
    entered_ = true;
    entry_status_ = entry_(&api, host, &definition_);
  }
  if (entry_status_ != TH_OK)
    return Error{Errc::kInvalidArgument,
                 "its entry point answered " + std::to_string(entry_status_) +
                     "; the plugin's log lines before this one say why",
                 {}};
  if (definition_ == nullptr)
    return Error{
        Errc::kInvalidArgument, "its entry point answered TH_OK but gave no definition; set *out before returning", {}};
  return definition_;
}

}  // namespace toolhost::plugin_runtime
