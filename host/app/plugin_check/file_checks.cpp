// By the bytes of the file alone: nothing of it runs.
#include <algorithm>

#include "app/plugin_check/check.hpp"
#include "plugin_runtime/plugin_library.hpp"

namespace toolhost::app {
namespace {

using plugin_runtime::ElfCard;

// Debian 12, the oldest system that the host itself is built for.
constexpr std::string_view kGlibcFloor = "2.36", kLibstdcxxFloor = "3.4.30";

Result<ElfCard> card_of(const CheckJob& job) {
  const auto read = plugin_runtime::read_plugin_file(job.file);
  if (!read) return read.error();
  return plugin_runtime::read_elf_card(read->bytes);
}

/// What the loader has against the file under this rule.
Finding by_rule(const CheckJob& job, std::string_view rule, std::string (*found)(const ElfCard& card)) {
  const auto card = card_of(job);
  if (!card) return skipped(card.error().message);
  std::string reasons;
  for (const auto& problem : plugin_runtime::file_problems(*card))
    if (rule == problem.rule) reasons += (reasons.empty() ? "" : "; ") + problem.reason;
  return reasons.empty() ? passed(found(*card)) : failed(reasons);
}

std::string nothing(const ElfCard&) {
  return {};
}

}  // namespace

Finding check_card_present(const CheckJob& job, ChildReport&) {
  const auto card = card_of(job);
  if (!card) return failed(card.error().message);
  if (card->version.empty()) return failed("its card has no version; write one as the second argument of TH_CARD");
  return passed(card->id + " " + card->version + ", built with " + card->built_with);
}

Finding check_card_abi(const CheckJob& job, ChildReport&) {
  return by_rule(job, "card-abi", [](const ElfCard& card) {
    const auto major = std::to_string(card.abi_major) + '.';
    return "knows " + major + std::to_string(card.abi_minor) + ", requires " + major +
           std::to_string(card.abi_minor_required);
  });
}

Finding check_card_id(const CheckJob& job, ChildReport&) {
  return by_rule(job, "card-id", [](const ElfCard& card) { return card.id; });
}

Finding check_exports(const CheckJob& job, ChildReport&) {
  return by_rule(job, "exports-only-entry", nothing);
}

Finding check_needed(const CheckJob& job, ChildReport&) {
  return by_rule(job, "needed-allowlist", [](const ElfCard& card) {
    std::string names;
    for (const auto& library : card.needed) names += (names.empty() ? "" : ", ") + library;
    return names;
  });
}

Finding check_rpath(const CheckJob& job, ChildReport&) {
  return by_rule(job, "no-rpath", nothing);
}

Finding check_execstack(const CheckJob& job, ChildReport&) {
  return by_rule(job, "no-execstack", nothing);
}

Finding check_text_relocations(const CheckJob& job, ChildReport&) {
  return by_rule(job, "no-text-relocations", nothing);
}

Finding check_glibc_floor(const CheckJob& job, ChildReport&) {
  const auto card = card_of(job);
  if (!card) return skipped(card.error().message);
  struct Floor {
    std::string_view prefix, newest, library;
  };
  std::string found;
  for (const auto& floor : {Floor{"GLIBC_", kGlibcFloor, "glibc"}, Floor{"GLIBCXX_", kLibstdcxxFloor, "libstdc++"}}) {
    const auto needed = plugin_runtime::highest_version(*card, floor.prefix);
    if (plugin_runtime::is_older_version(floor.newest, needed))
      return failed("it needs " + std::string(floor.prefix) + needed +
                    ", but the oldest system that a host runs on has " + std::string(floor.newest) + " of " +
                    std::string(floor.library));
    if (!needed.empty()) found += (found.empty() ? "" : ", ") + std::string(floor.prefix) + needed;
  }
  return passed(found.empty() ? "any" : found);
}

Finding check_static_destructors(const CheckJob& job, ChildReport&) {
  const auto file = plugin_runtime::read_plugin_file(job.file);
  if (!file) return skipped(file.error().message);
  const auto card = plugin_runtime::read_elf_card(file->bytes);
  if (!card) return skipped(card.error().message);
  // The start files of gcc and clang bring one entry, which calls what __cxa_atexit() was given.
  if (card->end_functions > 1)
    return failed("it has " + std::to_string(card->end_functions - 1) +
                  " functions that run when the process ends (attribute destructor)");
  for (const char* symbol : {"__cxa_atexit", "on_exit", "__cxa_at_quick_exit"}) {
    if (!std::binary_search(card->imports.begin(), card->imports.end(), symbol)) continue;
    const auto& needed = card->needed;
    const bool has_shared_runtime = std::find(needed.begin(), needed.end(), "libstdc++.so.6") != needed.end();
    // The name of a type that only a C++ run time defines.
    if (!has_shared_runtime && file->bytes.find("St9bad_alloc") != std::string::npos)
      return skipped("it carries a C++ run time, whose own destructors cannot be told from the plugin's");
    return failed("it calls " + std::string(symbol) +
                  "(): a static object has a destructor, or atexit() is used; that runs when the process ends, under "
                  "threads that may still use what it destroys");
  }
  return passed();
}

}  // namespace toolhost::app
