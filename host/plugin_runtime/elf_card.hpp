#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace toolhost::plugin_runtime {

/// What a plugin file says about itself, read from its bytes alone. Nothing here has been executed, and nothing is
/// trusted beyond being well-formed: the definition that the entry point returns is held against it later.
struct ElfCard {
  std::uint32_t abi_major = 0, abi_minor = 0, abi_minor_required = 0;
  std::string id, version, built_with;
  std::vector<std::string> exports;  ///< dynamic symbols that the file defines and others could bind to
  std::vector<std::string> needed;   ///< DT_NEEDED, in file order
  std::string search_path;           ///< DT_RPATH or DT_RUNPATH; empty when there is none
  bool executable_stack = false;     ///< the loader would make every thread's stack executable
  bool text_relocations = false;     ///< the loader would have to write into code
  std::vector<std::string> imports;  ///< dynamic symbols that others must define; sorted
  /// Versions that it asks of its libraries, such as "GLIBC_2.34" and "GLIBCXX_3.4.30", in file order.
  std::vector<std::string> needed_versions;
  std::uint64_t end_functions = 0;  ///< entries of DT_FINI_ARRAY; a C compiler's start files bring one
};

/// The highest of the versions with this prefix, without it: "2.34" for "GLIBC_". Empty when there is none; versions
/// that are no dotted numbers (GLIBC_PRIVATE) do not count.
std::string highest_version(const ElfCard& card, std::string_view prefix);

/// Compares dotted numbers such as "2.9" and "2.34" by their parts.
bool is_older_version(std::string_view left, std::string_view right) noexcept;

/// Parses an ELF64 shared object and the identity card in its section ".toolhost_card" (PLUGIN-ABI: "card before
/// code"). Every offset is checked against `file` before it is followed, so hostile bytes end in an error, never in a
/// read outside. Exports and needed libraries are taken from PT_DYNAMIC, which is what the dynamic loader reads.
/// kInvalidArgument, with what is wrong and the cure, when the file is truncated, no shared object of this machine, or
/// carries no card.
Result<ElfCard> read_elf_card(std::string_view file);

}  // namespace toolhost::plugin_runtime
