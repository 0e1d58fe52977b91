#pragma once
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <toolhost/plugin.h>

#include "base/result.hpp"
#include "plugin_runtime/elf_card.hpp"
#include "plugin_runtime/plugin_trust.hpp"

namespace toolhost::plugin_runtime {

/// A file that passed every check that can be made without running it.
struct CheckedFile {
  std::filesystem::path path;  ///< absolute
  std::string bytes;           ///< what was checked, and what will be stored and loaded; may go once it is mapped
  std::size_t size = 0;        ///< of the file in bytes
  std::string sha256;          ///< lower-case hex
  std::string signed_by;       ///< name of the trusted key that signed these bytes; empty: none
  ElfCard card;
};

/// Reads a plugin file and makes every refusal that its bytes and permissions allow: who may write the file and its
/// directory, hash and signature that the configuration demands, card, ABI version, exports, needed libraries, search
/// path, stack, relocations. Messages name file, reason and cure.
Result<CheckedFile> check_plugin_file(const std::filesystem::path& file, const PluginPins& pins,
                                      const PluginTrust& trust);
/// The same for a file that will not be loaded, whatever a configuration demands and whoever can write it.
Result<CheckedFile> inspect_file(const std::filesystem::path& file);

/// Why a file would not be loaded.
struct FileProblem {
  const char* rule;    ///< "card-abi", "card-id", "exports-only-entry", "needed-allowlist", "no-rpath", ...
  std::string reason;  ///< with the cure
};
/// All that check_plugin_file() has against what a card says; the first is the one that it refuses with.
/// `extra_needed`: as PluginPins has it.
std::vector<FileProblem> file_problems(const ElfCard& card, const std::vector<std::string>& extra_needed = {});

/// The bytes of a regular file of at most 256 MiB, and their SHA-256 in lower-case hex; nothing of them is judged.
struct PluginFile {
  std::filesystem::path path;  ///< absolute
  std::string bytes, sha256;
};
Result<PluginFile> read_plugin_file(const std::filesystem::path& file);

/// One mapped plugin image. There is one per content, it is never unmapped and lives as long as the process.
class PluginImage {
 public:
  /// Of one plugin: more versions than this are refused, since each stays mapped until the process ends.
  static constexpr std::size_t kMaxVersions = 64;
  /// What the process holds of one plugin, retired versions included.
  struct Mapped {
    std::size_t versions = 0;
    std::size_t bytes = 0;  ///< of their files
  };
  static Mapped mapped(std::string_view id);

  /// Stores a private copy as `store`/<sha256>/<id>.so (0444), maps it with RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE and
  /// finds the entry. The same content is mapped once per process, from whichever store came first. Runs the plugin's
  /// constructors.
  static Result<PluginImage*> load(const CheckedFile& file, const std::filesystem::path& store);

  /// The definition; runs the entry point the first time. `host` is for logging during the entry. kInvalidArgument when
  /// the plugin refuses.
  Result<const th_plugin_def*> definition(const th_host_api& api, th_host* host);

  PluginImage(const PluginImage&) = delete;
  PluginImage& operator=(const PluginImage&) = delete;

 private:
  struct Registry;
  PluginImage(const CheckedFile& file, const void* library, th_plugin_entry entry)
      : id_(file.card.id), bytes_(file.size), library_(library), entry_(entry) {}
  static Registry& registry();
  const std::string id_;
  const std::size_t bytes_;
  [[maybe_unused]] const void* library_;  // never closed; kept so that leak checkers see that it is held
  th_plugin_entry entry_;
  const th_plugin_def* definition_ = nullptr;
  bool entered_ = false;
  th_status entry_status_ = TH_OK;
};

}  // namespace toolhost::plugin_runtime
