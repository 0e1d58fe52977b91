#include "plugin_runtime/elf_card.hpp"

#include <elf.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>

#include <toolhost/plugin.h>

namespace toolhost::plugin_runtime {
namespace {

#if defined(__x86_64__)
constexpr Elf64_Half kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr Elf64_Half kMachine = EM_AARCH64;
#else
#error "the plugin loader knows x86-64 and AArch64"
#endif

// Far above what a linker emits; they bound the work that a hostile file can cause.
constexpr std::size_t kMaxSymbols = 1 << 20;
constexpr std::size_t kMaxDynamicEntries = 4096;
constexpr std::size_t kMaxNeededVersions = 4096;
constexpr std::size_t kMaxSymbolNameBytes = 64 * 1024 * 1024;  // of all together: names may share their bytes

Error malformed(std::string what) {
  return {Errc::kInvalidArgument,
          what + "; the file is damaged or was copied only in part: copy it again or rebuild it",
          {}};
}

template <class T>
std::optional<T> read_at(std::string_view bytes, std::uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

std::optional<std::string_view> slice(std::string_view bytes, std::uint64_t offset, std::uint64_t size) {
  if (offset > bytes.size() || bytes.size() - offset < size) return std::nullopt;
  return bytes.substr(offset, size);
}

/// A NUL-terminated string inside a string table.
std::optional<std::string_view> text_at(std::string_view table, std::uint64_t offset) {
  if (offset >= table.size()) return std::nullopt;
  const auto end = table.find('\0', offset);
  if (end == std::string_view::npos) return std::nullopt;
  return table.substr(offset, end - offset);
}

/// A fixed field of the card: text up to the first NUL, which must be there.
std::optional<std::string> card_text(const char* field, std::size_t size) {
  const auto* end = static_cast<const char*>(std::memchr(field, '\0', size));
  if (end == nullptr) return std::nullopt;
  if (!std::all_of(field, end, [](char c) { return c >= 0x20 && c < 0x7f; })) return std::nullopt;
  return std::string(field, end);
}

class ElfReader {
 public:
  explicit ElfReader(std::string_view file) : file_(file) {}

  Result<ElfCard> read() {
    if (auto read = read_header(); !read) return read.error();
    if (auto read = read_segments(); !read) return read.error();
    if (auto read = read_card(); !read) return read.error();
    if (auto read = read_dynamic(); !read) return read.error();
    if (auto read = read_symbols(); !read) return read.error();
    if (auto read = read_needed_versions(); !read) return read.error();
    return std::move(card_);
  }

 private:
  Result<> read_header() {
    const auto header = read_at<Elf64_Ehdr>(file_, 0);
    if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
      return Error{Errc::kInvalidArgument, "it is not an ELF shared object; build it with toolhost_add_plugin()", {}};
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
        header->e_machine != kMachine)
      return Error{
          Errc::kInvalidArgument, "it is built for another machine; build it for the architecture of this host", {}};
    if (header->e_type != ET_DYN)
      return Error{Errc::kInvalidArgument, "it is an ELF file but no shared object; link it with -shared", {}};
    if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_shentsize != sizeof(Elf64_Shdr))
      return malformed("its ELF header is inconsistent");
    header_ = *header;
    return {};
  }

  Result<> read_segments() {
    // A file without PT_GNU_STACK gets an executable stack from glibc.
    card_.executable_stack = true;
    for (unsigned i = 0; i < header_.e_phnum; ++i) {
      const auto segment = read_at<Elf64_Phdr>(file_, header_.e_phoff + i * sizeof(Elf64_Phdr));
      if (!segment) return malformed("its program headers reach past its end");
      if (segment->p_type == PT_GNU_STACK) card_.executable_stack = (segment->p_flags & PF_X) != 0;
      if (segment->p_type != PT_LOAD && segment->p_type != PT_DYNAMIC) continue;
      const auto bytes = slice(file_, segment->p_offset, segment->p_filesz);
      if (!bytes || segment->p_memsz < segment->p_filesz) return malformed("a segment reaches past its end");
      if (segment->p_type == PT_LOAD)
        loaded_.push_back(*segment);
      else
        dynamic_ = *bytes;
    }
    if (loaded_.empty() || dynamic_.empty()) return malformed("it has no dynamic section");
    return {};
  }

  Result<> read_card() {
    const auto names_header = section(header_.e_shstrndx);
    const auto names = names_header ? slice(file_, names_header->sh_offset, names_header->sh_size) : std::nullopt;
    if (!names) return malformed("its section headers reach past its end");
    for (unsigned i = 0; i < header_.e_shnum; ++i) {
      const auto header = section(i);
      if (!header) return malformed("its section headers reach past its end");
      if (text_at(*names, header->sh_name) != std::string_view(".toolhost_card")) continue;
      if (header->sh_type != SHT_PROGBITS) return malformed("its section .toolhost_card holds no data");
      const auto card = read_at<th_card>(file_, header->sh_offset);
      if (!card || header->sh_size < sizeof(th_card)) return malformed("its identity card is truncated");
      return adopt(*card);
    }
    return Error{Errc::kInvalidArgument,
                 "it carries no identity card (section .toolhost_card), so it is no toolhost plugin; write "
                 "TH_PLUGIN(...) once in the "
                 "plugin and link without --strip-all --gc-sections removing it",
                 {}};
  }

  Result<> adopt(const th_card& card) {
    static_assert(sizeof(th_card) == 128);
    if (std::memcmp(card.magic, "THCARD1\0", sizeof(card.magic)) != 0)
      return malformed("its identity card has no magic number");
    if (card.card_size < sizeof(th_card)) return malformed("its identity card states a size that is too small");
    const auto id = card_text(card.id, sizeof(card.id));
    const auto version = card_text(card.version, sizeof(card.version));
    const auto built_with = card_text(card.built_with, sizeof(card.built_with));
    if (!id || !version || !built_with || id->empty())
      return malformed("its identity card holds text that is empty or not printable ASCII");
    card_.abi_major = card.abi_major;
    card_.abi_minor = card.abi_minor;
    card_.abi_minor_required = card.abi_minor_required;
    card_.id = *id;
    card_.version = *version;
    card_.built_with = *built_with;
    return {};
  }

  Result<> read_dynamic() {
    std::vector<std::uint64_t> needed;
    std::vector<std::uint64_t> paths;
    std::uint64_t strings_address = 0, strings_size = 0;
    for (std::size_t i = 0; i < kMaxDynamicEntries; ++i) {
      const auto entry = read_at<Elf64_Dyn>(dynamic_, i * sizeof(Elf64_Dyn));
      if (!entry) return malformed("its dynamic section has no end");
      const auto value = entry->d_un.d_val;
      if (entry->d_tag == DT_NULL) break;
      if (entry->d_tag == DT_NEEDED) needed.push_back(value);
      if (entry->d_tag == DT_RPATH || entry->d_tag == DT_RUNPATH) paths.push_back(value);
      if (entry->d_tag == DT_STRTAB) strings_address = value;
      if (entry->d_tag == DT_STRSZ) strings_size = value;
      if (entry->d_tag == DT_SYMTAB) symbols_address_ = value;
      if (entry->d_tag == DT_HASH) hash_address_ = value;
      if (entry->d_tag == DT_GNU_HASH) gnu_hash_address_ = value;
      if (entry->d_tag == DT_VERNEED) versions_address_ = value;
      if (entry->d_tag == DT_VERNEEDNUM) versions_count_ = value;
      if (entry->d_tag == DT_FINI_ARRAYSZ) card_.end_functions = value / sizeof(Elf64_Addr);
      if (entry->d_tag == DT_TEXTREL || (entry->d_tag == DT_FLAGS && (value & DF_TEXTREL) != 0))
        card_.text_relocations = true;
    }
    const auto strings = slice(from_address(strings_address), 0, strings_size);
    if (!strings) return malformed("its dynamic string table reaches past its end");
    strings_ = *strings;
    for (const auto offset : needed) {
      const auto name = text_at(strings_, offset);
      if (!name) return malformed("the name of a needed library reaches past its end");
      card_.needed.emplace_back(*name);
    }
    for (const auto offset : paths) {
      const auto path = text_at(strings_, offset);
      if (!path) return malformed("a library search path reaches past its end");
      // An empty RUNPATH still makes the loader search the working directory.
      card_.search_path = path->empty() ? "(empty)" : std::string(*path);
    }
    return {};
  }

  Result<> read_symbols() {
    const auto count = symbol_count();
    const auto symbols = from_address(symbols_address_);
    if (!count || *count > kMaxSymbols || symbols.size() / sizeof(Elf64_Sym) < *count)
      return malformed("its dynamic symbol table reaches past its end");
    std::size_t name_bytes = 0;
    for (std::uint64_t i = 1; i < *count; ++i) {
      const auto symbol = *read_at<Elf64_Sym>(symbols, i * sizeof(Elf64_Sym));
      const auto binding = ELF64_ST_BIND(symbol.st_info);
      if (binding == STB_LOCAL) continue;
      const auto name = text_at(strings_, symbol.st_name);
      if (!name) return malformed("the name of a dynamic symbol reaches past its end");
      name_bytes += name->size();
      if (name_bytes > kMaxSymbolNameBytes) return malformed("the names of its dynamic symbols are too long");
      (symbol.st_shndx == SHN_UNDEF ? card_.imports : card_.exports).emplace_back(*name);
    }
    std::sort(card_.exports.begin(), card_.exports.end());
    std::sort(card_.imports.begin(), card_.imports.end());
    return {};
  }

  /// PT_DYNAMIC leads to one record for each library, each of which leads to one for each version.
  Result<> read_needed_versions() {
    if (versions_address_ == 0) return {};
    const auto table = from_address(versions_address_);
    std::uint64_t at = 0;
    for (std::uint64_t i = 0; i < versions_count_; ++i) {
      const auto library = read_at<Elf64_Verneed>(table, at);
      if (!library) return malformed("its table of needed versions reaches past its end");
      std::uint64_t version_at = at + library->vn_aux;
      for (unsigned n = 0; n < library->vn_cnt; ++n) {
        const auto version = read_at<Elf64_Vernaux>(table, version_at);
        const auto name = version ? text_at(strings_, version->vna_name) : std::nullopt;
        if (!name || card_.needed_versions.size() >= kMaxNeededVersions)
          return malformed("its table of needed versions reaches past its end");
        card_.needed_versions.emplace_back(*name);
        if (version->vna_next == 0) break;
        version_at += version->vna_next;
      }
      if (library->vn_next == 0) break;
      at += library->vn_next;
    }
    return {};
  }

  /// The table states no length of its own: it is the reach of the hash tables, through which dlsym() sees it.
  std::optional<std::uint64_t> symbol_count() const {
    if (hash_address_ != 0) {
      const auto chains = read_at<std::uint32_t>(from_address(hash_address_), sizeof(std::uint32_t));
      if (!chains) return std::nullopt;
      if (gnu_hash_address_ == 0) return *chains;
    }
    if (gnu_hash_address_ == 0) return std::nullopt;
    const auto table = from_address(gnu_hash_address_);
    const auto buckets = read_at<std::uint32_t>(table, 0), first = read_at<std::uint32_t>(table, 4),
               words = read_at<std::uint32_t>(table, 8);
    if (!buckets || !first || !words) return std::nullopt;
    const std::uint64_t buckets_at = 16 + std::uint64_t{*words} * 8,
                        chains_at = buckets_at + std::uint64_t{*buckets} * 4;
    if (chains_at > table.size()) return std::nullopt;
    std::uint64_t last = 0;
    for (std::uint64_t i = 0; i < *buckets; ++i)
      last = std::max<std::uint64_t>(last, *read_at<std::uint32_t>(table, buckets_at + i * 4));
    if (last < *first) return *first;
    // The chain of the last bucket ends with an entry whose lowest bit is set.
    for (;; ++last) {
      const auto entry = read_at<std::uint32_t>(table, chains_at + (last - *first) * 4);
      if (!entry) return std::nullopt;
      if ((*entry & 1) != 0) return last + 1;
    }
  }

  std::optional<Elf64_Shdr> section(unsigned index) const {
    if (index >= header_.e_shnum || header_.e_shoff > file_.size()) return std::nullopt;
    return read_at<Elf64_Shdr>(file_, header_.e_shoff + index * sizeof(Elf64_Shdr));
  }

  /// The bytes from a virtual address to the end of its segment; empty when no segment of the file holds it.
  std::string_view from_address(std::uint64_t address) const {
    for (const auto& segment : loaded_) {
      if (address < segment.p_vaddr || address - segment.p_vaddr >= segment.p_filesz) continue;
      const auto skip = address - segment.p_vaddr;
      return file_.substr(segment.p_offset + skip, segment.p_filesz - skip);
    }
    return {};
  }

  std::string_view file_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Phdr> loaded_;
  std::string_view dynamic_, strings_;
  std::uint64_t symbols_address_ = 0, hash_address_ = 0, gnu_hash_address_ = 0;
  std::uint64_t versions_address_ = 0, versions_count_ = 0;
  ElfCard card_;
};

/// The number at the front of dotted numbers, which is taken off them; nothing when there is none.
std::optional<std::uint64_t> take_number(std::string_view& version) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(version.data(), version.data() + version.size(), number);
  if (error != std::errc()) return std::nullopt;
  version.remove_prefix(static_cast<std::size_t>(end - version.data()));
  if (version.starts_with('.')) version.remove_prefix(1);
  return number;
}

}  // namespace

bool is_older_version(std::string_view left, std::string_view right) noexcept {
  while (true) {
    const auto of_left = take_number(left), of_right = take_number(right);
    if (of_left != of_right || !of_left) return of_left < of_right;
  }
}

std::string highest_version(const ElfCard& card, std::string_view prefix) {
  std::string highest;
  for (const auto& needed : card.needed_versions) {
    if (!needed.starts_with(prefix)) continue;
    const auto version = needed.substr(prefix.size());
    if (version.find_first_not_of("0123456789.") == std::string::npos && is_older_version(highest, version))
      highest = version;
  }
  return highest;
}

Result<ElfCard> read_elf_card(std::string_view file) {
  return ElfReader(file).read();
}

}  // namespace toolhost::plugin_runtime
