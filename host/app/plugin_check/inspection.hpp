#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "plugin_runtime/elf_card.hpp"

namespace toolhost::app {

/// What a plugin file says by its bytes alone; nothing of it has run.
struct Inspection {
  std::filesystem::path file;  ///< absolute
  std::string sha256;
  std::uint64_t bytes = 0;
  plugin_runtime::ElfCard card;
  std::string glibc_floor;            ///< "2.34": the oldest glibc that it runs on; empty: any
  std::string libstdcxx_floor;        ///< "3.4.30", of GLIBCXX; empty: any, or it brings its own
  std::vector<std::string> problems;  ///< why a host on this machine would not load it as it is, with cures
};

/// kInvalidArgument, with reason and cure, when the file cannot be read, is no shared object of this machine, is
/// damaged or carries no identity card.
Result<Inspection> inspect_plugin(const std::filesystem::path& file);

/// For people: a name and a value on each line.
std::string as_text(const Inspection& inspection);
/// One object for programs. `definition_json`: what the file answered when it was loaded, an object; may be empty.
std::string as_json(const Inspection& inspection, std::string_view definition_json);
/// What such a definition offers, for people.
std::string definition_text(std::string_view definition_json);

}  // namespace toolhost::app
