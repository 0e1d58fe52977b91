#include "plugin_runtime/elf_card.hpp"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <random>

namespace toolhost::plugin_runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string plugin_bytes(const std::string& name) {
  std::ifstream file(std::string(TOOLHOST_TEST_PLUGINS) + "/" + name + ".so", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Memory of exactly the file's size, so that AddressSanitizer sees a read past its end.
Result<ElfCard> read_exactly(std::string_view bytes) {
  const auto exact = std::make_unique<char[]>(std::max<std::size_t>(bytes.size(), 1));
  std::memcpy(exact.get(), bytes.data(), bytes.size());
  return read_elf_card({exact.get(), bytes.size()});
}

TEST(ElfCard, ReadsWhatAPluginSaysAboutItself) {
  for (const auto& [name, id] : {std::pair{"c99", "c99_greeter"}, std::pair{"echo", "echo"}}) {
    const auto card = read_exactly(plugin_bytes(name));
    ASSERT_TRUE(card) << card.error().message;
    EXPECT_EQ(card->id, id);
    EXPECT_EQ(card->version, "1.0.0");
    EXPECT_EQ(card->abi_major, 1U);
    EXPECT_THAT(card->built_with, HasSubstr("clang"));
    EXPECT_THAT(card->exports, ElementsAre("toolhost_card_v1", "toolhost_plugin_v1"));
    EXPECT_THAT(card->needed, testing::Contains("libc.so.6"));
    EXPECT_EQ(card->search_path, "");
    EXPECT_FALSE(card->executable_stack);
    EXPECT_FALSE(card->text_relocations);
    EXPECT_GE(card->end_functions, 1U);  // a sanitizer adds its own
    EXPECT_THAT(card->imports, testing::Contains("__cxa_finalize"));
  }
}

TEST(ElfCard, ReadsWhichVersionsOfItsLibrariesAPluginNeeds) {
  const auto c99 = read_exactly(plugin_bytes("c99"));
  ASSERT_TRUE(c99) << c99.error().message;
  EXPECT_THAT(c99->needed_versions, testing::Contains("GLIBC_2.2.5"));
  EXPECT_EQ(highest_version(*c99, "GLIBCXX_"), "");
  const auto echo = read_exactly(plugin_bytes("echo"));
  ASSERT_TRUE(echo) << echo.error().message;
  EXPECT_THAT(highest_version(*echo, "GLIBC_"), testing::StartsWith("2."));
  EXPECT_THAT(highest_version(*echo, "GLIBCXX_"), testing::StartsWith("3.4."));
}

TEST(ElfCard, ComparesVersionsByTheirParts) {
  EXPECT_TRUE(is_older_version("2.9", "2.34"));
  EXPECT_TRUE(is_older_version("2.2.5", "2.3"));
  EXPECT_TRUE(is_older_version("2.2", "2.2.5"));
  EXPECT_TRUE(is_older_version("", "2.2.5"));
  EXPECT_FALSE(is_older_version("2.34", "2.34"));
  EXPECT_FALSE(is_older_version("3.4.30", "3.4.9"));
}

TEST(ElfCard, RefusesAFileThatIsCutAnywhere) {
  const auto bytes = plugin_bytes("c99");
  ASSERT_FALSE(bytes.empty());
  for (std::size_t size = 0; size < bytes.size(); size += 512) {
    const auto card = read_exactly(std::string_view(bytes).substr(0, size));
    ASSERT_FALSE(card) << "cut to " << size << " of " << bytes.size() << " bytes";
    EXPECT_FALSE(card.error().message.empty());
  }
  EXPECT_FALSE(read_exactly(std::string_view(bytes).substr(0, bytes.size() - 1)));
}

TEST(ElfCard, SurvivesFlippedBytes) {
  const auto bytes = plugin_bytes("c99");
  std::mt19937 random(20260728);
  // The tables that lead to everything else: headers, dynamic section and card lie where the file begins and ends.
  std::size_t readable = 0;
  for (int round = 0; round < 20'000; ++round) {
    auto altered = bytes;
    for (int i = 0; i < 3; ++i) {
      const auto zone = random() % 3;
      const std::size_t at = zone == 0   ? random() % 1024
                             : zone == 1 ? bytes.size() - 1 - random() % 2048
                                         : random() % bytes.size();
      altered[at] = static_cast<char>(random());
    }
    if (read_exactly(altered)) ++readable;
  }
  EXPECT_GT(readable, 0U) << "most bytes are not the reader's business";
}

TEST(ElfCard, SurvivesEveryValueInHeadersAndDynamicSection) {
  const auto bytes = plugin_bytes("c99");
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  std::size_t dynamic = 0, dynamic_size = 0;
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, bytes.data() + header.e_phoff + i * sizeof(segment), sizeof(segment));
    if (segment.p_type != PT_DYNAMIC) continue;
    dynamic = segment.p_offset;
    dynamic_size = segment.p_filesz;
  }
  ASSERT_GT(dynamic_size, 0U);
  const std::size_t head = header.e_phoff + header.e_phnum * sizeof(Elf64_Phdr);
  const auto overwrite = [&](std::size_t at) {
    for (const std::uint64_t value :
         {0ULL, 1ULL, 0x7fULL, 0xffffffffULL, ~0ULL, ~0ULL - 63, static_cast<unsigned long long>(bytes.size()),
          static_cast<unsigned long long>(bytes.size() - 1)}) {
      auto altered = bytes;
      std::memcpy(altered.data() + at, &value, std::min(sizeof(value), bytes.size() - at));
      // Whatever it answers, it has not read outside: AddressSanitizer watches.
      const auto card = read_exactly(altered);
      if (!card) EXPECT_FALSE(card.error().message.empty());
    }
  };
  for (std::size_t at = 0; at < head; at += 4) overwrite(at);
  for (std::size_t at = dynamic; at < dynamic + dynamic_size; at += 8) overwrite(at);
  for (std::size_t at = header.e_shoff; at < bytes.size(); at += 8) overwrite(at);
}

TEST(ElfCard, SaysWhatIsWrongAndTheCure) {
  EXPECT_THAT(read_exactly("#!/bin/sh\n").error().message, HasSubstr("not an ELF shared object; build it with"));
  auto bytes = plugin_bytes("c99");
  bytes[18] = 3;  // e_machine: i386
  EXPECT_THAT(read_exactly(bytes).error().message, HasSubstr("another machine"));
  bytes = plugin_bytes("c99");
  bytes[16] = ET_EXEC;
  EXPECT_THAT(read_exactly(bytes).error().message, HasSubstr("link it with -shared"));
  EXPECT_THAT(read_exactly(plugin_bytes("no_card")).error().message, HasSubstr("carries no identity card"));
}

}  // namespace
}  // namespace toolhost::plugin_runtime
