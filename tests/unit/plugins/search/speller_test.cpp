#include "speller.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <set>

#include "random_text.hpp"
#include "text.hpp"

namespace search {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

/// Words with the number of their documents, none of them internal.
Vocabulary vocabulary_of(const std::map<std::string, std::uint32_t>& words) {
  std::vector<Vocabulary::Entry> entries;
  for (const auto& [word, documents] : words) entries.push_back({word, documents, documents});
  return Vocabulary(entries);
}

std::map<std::string, unsigned> near(const Vocabulary& vocabulary, std::string_view word, unsigned most) {
  std::map<std::string, unsigned> found;
  vocabulary.near(word, most, [&](const Vocabulary::Entry& entry, unsigned distance) {
    EXPECT_TRUE(found.emplace(entry.word, distance).second) << entry.word;
  });
  return found;
}

std::optional<Correction> correct_in(const Vocabulary& vocabulary, std::string_view word, bool may_read_inside = true) {
  const Vocabulary* const all[] = {&vocabulary};
  return correct(all, word, may_read_inside);
}

std::string corrected(const Vocabulary& vocabulary, std::string_view word, bool may_read_inside = true) {
  const auto correction = correct_in(vocabulary, word, may_read_inside);
  return correction ? correction->word : "";
}

std::string suggested(const Vocabulary& vocabulary, std::string_view word, bool may_read_inside = true) {
  static const auto lexer = create_lexer("english");
  const Vocabulary* const all[] = {&vocabulary};
  const auto suggestion = suggest(all, word, may_read_inside, *lexer);
  return suggestion ? suggestion->word : "";
}

/// Pronounceable, so that many are near each other.
std::string random_word(RandomText& random, std::size_t syllables) {
  static constexpr std::string_view kFirst = "bcdfghjklmnprstvwz", kSecond = "aeiouy", kThird = "nrstlm";
  std::string word;
  for (; syllables > 0; --syllables) {
    word += kFirst[random.below(kFirst.size())];
    word += kSecond[random.below(kSecond.size())];
    if (random.below(2) == 0) word += kThird[random.below(kThird.size())];
  }
  return word;
}

TEST(Vocabulary, FindsItsWordsWithTheirCounts) {
  const std::vector<Vocabulary::Entry> entries = {{"drucker", 3, 5}, {"geheim", 0, 2}, {"принтер", 1, 1}};
  const Vocabulary vocabulary(entries);
  EXPECT_EQ(vocabulary.size(), 3u);
  EXPECT_TRUE(vocabulary.contains("принтер"));
  EXPECT_FALSE(vocabulary.contains("druck"));
  EXPECT_FALSE(Vocabulary().contains("drucker"));
  const auto secret = vocabulary.find("geheim");
  ASSERT_TRUE(secret);
  EXPECT_EQ(secret->documents_for(false), 0u);
  EXPECT_EQ(secret->documents_for(true), 2u);
}

TEST(Vocabulary, LeavesOutWhatNobodyIsToBeCorrectedTo) {
  const std::string long_word(41, 'a'), longest_word(40, 'a');
  const Vocabulary vocabulary = vocabulary_of({{"ab", 1},
                                               {"win10", 1},
                                               {"a_b_c", 1},
                                               {"ab\xFF", 1},
                                               {"never", 0},
                                               {"vpn", 1},
                                               {"हिन्दी", 1},
                                               {long_word, 1},
                                               {longest_word, 1}});
  EXPECT_EQ(vocabulary.size(), 3u);
  EXPECT_TRUE(vocabulary.contains("vpn"));
  EXPECT_TRUE(vocabulary.contains("हिन्दी"));
  EXPECT_TRUE(vocabulary.contains(longest_word));
}

TEST(Vocabulary, KnowsTheWordsOneEditAway) {
  const Vocabulary vocabulary = vocabulary_of(
      {{"jam", 1}, {"ram", 1}, {"jams", 1}, {"jma", 1}, {"jar", 1}, {"rams", 1}, {"maj", 1}, {"amm", 1}, {"beam", 1}});
  EXPECT_THAT(near(vocabulary, "jam", 1), ElementsAre(Pair("jams", 1), Pair("jar", 1), Pair("jma", 1), Pair("ram", 1)));
  EXPECT_THAT(near(vocabulary, "jam", 2), ElementsAre(Pair("amm", 2), Pair("beam", 2), Pair("jams", 1), Pair("jar", 1),
                                                      Pair("jma", 1), Pair("maj", 2), Pair("ram", 1), Pair("rams", 2)));
}

TEST(Vocabulary, CountsCharactersNotBytes) {
  const Vocabulary vocabulary = vocabulary_of({{"принтер", 1}, {"ελληνικα", 1}});
  EXPECT_THAT(near(vocabulary, "принтир", 1), ElementsAre(Pair("принтер", 1)));
  EXPECT_THAT(near(vocabulary, "прнитер", 1), ElementsAre(Pair("принтер", 1)));
  EXPECT_THAT(near(vocabulary, "ελλνικ", 2), ElementsAre(Pair("ελληνικα", 2)));
}

TEST(Vocabulary, IsNearNothingThatIsEmptyOrEndless) {
  const Vocabulary vocabulary = vocabulary_of({{"jam", 1}});
  EXPECT_THAT(near(vocabulary, "", 2), IsEmpty());
  EXPECT_THAT(near(vocabulary, std::string(1000, 'j'), 2), IsEmpty());
  EXPECT_THAT(near(vocabulary, "j", 2), ElementsAre(Pair("jam", 2)));
  EXPECT_THAT(near(Vocabulary(), "jam", 2), IsEmpty());
}

TEST(Vocabulary, FindsAllThatAreNear) {
  RandomText random;
  std::map<std::string, std::uint32_t> words;
  while (words.size() < 2000) {
    std::string word(3 + random.below(5), 'a');
    for (char& c : word) c = static_cast<char>('a' + random.below(4));
    words.emplace(word, 1);
  }
  const Vocabulary vocabulary = vocabulary_of(words);
  for (int i = 0; i < 60; ++i) {
    std::string asked(1 + random.below(10), 'a');
    for (char& c : asked) c = static_cast<char>('a' + random.below(5));
    for (const unsigned most : {1u, 2u}) {
      std::map<std::string, unsigned> expected;
      for (const auto& [word, documents] : words) {
        const std::size_t distance = helpdesk::edit_distance(asked, word);
        if (distance > 0 && distance <= most) expected.emplace(word, distance);
      }
      EXPECT_EQ(near(vocabulary, asked, most), expected) << asked << " " << most;
    }
  }
}

TEST(Vocabulary, AddsUpWhatIsMerged) {
  const std::vector<Vocabulary::Entry> first = {{"jam", 1, 2}, {"printer", 0xFFFFFFF0, 0xFFFFFFF0}};
  const std::vector<Vocabulary::Entry> second = {{"jam", 3, 3}, {"printer", 100, 100}, {"tray", 0, 1}};
  const Vocabulary a(first), b(second), none;
  const Vocabulary* const all[] = {&a, &none, &b};
  const Vocabulary merged = Vocabulary::merge(all);
  EXPECT_EQ(merged.size(), 3u);
  EXPECT_EQ(merged.find("jam")->documents, 4u);
  EXPECT_EQ(merged.find("jam")->documents_inside, 5u);
  EXPECT_EQ(merged.find("printer")->documents, 0xFFFFFFFF);
  EXPECT_EQ(merged.find("tray")->documents, 0u);
  EXPECT_EQ(Vocabulary::merge({}).size(), 0u);
}

TEST(Vocabulary, ComesBackFromItsBytes) {
  RandomText random;
  std::map<std::string, std::uint32_t> words = {{"принтер", 7}, {"принт", 1}, {std::string(40, 'z'), 0xFFFFFFFF}};
  for (int i = 0; i < 3000; ++i) words.emplace(random_word(random, 2 + random.below(4)), random.below(1000) + 1);
  const Vocabulary vocabulary = vocabulary_of(words);
  const std::string bytes = vocabulary.serialize();
  const auto again = Vocabulary::deserialize(bytes);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->size(), vocabulary.size());
  EXPECT_EQ(again->serialize(), bytes);
  for (const auto& [word, documents] : words) {
    const auto entry = again->find(word);
    ASSERT_EQ(entry.has_value(), vocabulary.contains(word)) << word;
    if (entry) {
      EXPECT_EQ(entry->documents, documents);
      EXPECT_EQ(entry->documents_inside, documents);
    }
  }
  EXPECT_EQ(near(*again, "принтир", 2), near(vocabulary, "принтир", 2));
  EXPECT_EQ(Vocabulary::deserialize(Vocabulary().serialize())->size(), 0u);
}

TEST(Vocabulary, RefusesDamagedBytes) {
  const std::string bytes = vocabulary_of({{"jam", 3}, {"jams", 300}, {"printer", 20}}).serialize();
  EXPECT_FALSE(Vocabulary::deserialize(""));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(Vocabulary::deserialize(bytes.substr(0, length))) << length;
  }
  EXPECT_FALSE(Vocabulary::deserialize(bytes + '\0'));
  for (std::size_t i = 0; i < bytes.size() * 8; ++i) {
    std::string damaged = bytes;
    damaged[i / 8] = static_cast<char>(damaged[i / 8] ^ (1 << i % 8));
    EXPECT_FALSE(Vocabulary::deserialize(damaged)) << i;
  }
}

TEST(Vocabulary, ReadsAnyBytesWithTheRightHash) {
  const auto with_hash = [](std::string bytes) {
    const std::uint64_t hash = helpdesk::hash64(bytes);
    for (int shift = 0; shift < 64; shift += 8) bytes += static_cast<char>(hash >> shift);
    return bytes;
  };
  const std::string good = vocabulary_of({{"jam", 3}, {"jams", 300}, {"printer", 20}, {"принтер", 1}}).serialize();
  RandomText random;
  std::size_t accepted = 0;
  for (int i = 0; i < 100'000; ++i) {
    std::string bytes = good.substr(0, good.size() - 8);
    if (i % 4 == 0) {
      bytes = "\x01" + random.of_bytes(40);
    } else {
      for (std::size_t edits = 1 + random.below(2); edits > 0; --edits) {
        bytes[random.below(bytes.size())] = static_cast<char>(random.below(256));
      }
    }
    const auto read = Vocabulary::deserialize(with_hash(bytes));
    if (!read) continue;
    ++accepted;
    const auto again = Vocabulary::deserialize(read->serialize());
    ASSERT_TRUE(again);
    ASSERT_EQ(again->size(), read->size());
  }
  EXPECT_GT(accepted, 0u);
}

TEST(Correct, TakesTheNearestThenTheMostFrequentThenTheFirst) {
  const Vocabulary vocabulary =
      vocabulary_of({{"connection", 2}, {"connexion", 9}, {"cart", 5}, {"card", 5}, {"care", 4}});
  EXPECT_EQ(corrected(vocabulary, "connectin"), "connection");
  EXPECT_EQ(corrected(vocabulary, "carx"), "card");
  const auto correction = correct_in(vocabulary, "conection");
  ASSERT_TRUE(correction);
  EXPECT_EQ(correction->documents, 2u);
  EXPECT_EQ(correction->distance, 1u);
}

TEST(Correct, AllowsTwoEditsFromNineCharactersOn) {
  const Vocabulary vocabulary = vocabulary_of({{"printers", 1}, {"connection", 1}});
  EXPECT_EQ(corrected(vocabulary, "prnitres"), "");
  EXPECT_EQ(corrected(vocabulary, "pritners"), "printers");
  EXPECT_EQ(corrected(vocabulary, "conectoin"), "connection");
  EXPECT_EQ(correct_in(vocabulary, "conectoin")->distance, 2u);
  EXPECT_EQ(corrected(vocabulary, "conetoin"), "");
}

TEST(Correct, LeavesShortWordsAndIdentifiersAlone) {
  const Vocabulary vocabulary = vocabulary_of({{"jam", 9}, {"error", 9}, {"jams", 1}});
  EXPECT_EQ(corrected(vocabulary, "jan"), "");
  EXPECT_EQ(corrected(vocabulary, "error5"), "");
  EXPECT_EQ(corrected(vocabulary, "jamx"), "jam");
  EXPECT_EQ(corrected(vocabulary, ""), "");
  EXPECT_EQ(correct({}, "printer", true), std::nullopt);
}

TEST(Correct, DoesNotMindThatAVocabularyStillHasTheWord) {
  EXPECT_EQ(corrected(vocabulary_of({{"prnter", 1}, {"printer", 9}}), "prnter"), "printer");
}

TEST(Correct, AddsUpVocabularies) {
  const Vocabulary old = vocabulary_of({{"card", 3}, {"cart", 4}}), recent = vocabulary_of({{"card", 2}});
  const Vocabulary* const all[] = {&old, &recent};
  const auto correction = correct(all, "carz", false);
  ASSERT_TRUE(correction);
  EXPECT_EQ(correction->word, "card");
  EXPECT_EQ(correction->documents, 5u);
}

TEST(Correct, ShowsNobodyWordsOfNotesThatTheyMayNotRead) {
  const std::vector<Vocabulary::Entry> entries = {{"lawsuit", 0, 5}, {"lawsuis", 1, 1}};
  const Vocabulary vocabulary(entries);
  EXPECT_EQ(corrected(vocabulary, "lawsuix", true), "lawsuit");
  EXPECT_EQ(corrected(vocabulary, "lawsuix", false), "lawsuis");
  EXPECT_EQ(corrected(vocabulary, "lawsuit", false), "lawsuis");
}

TEST(Suggest, NamesAMuchMoreFrequentNeighbour) {
  const Vocabulary vocabulary = vocabulary_of({{"prnter", 2}, {"printer", 40}, {"pointer", 500}});
  EXPECT_EQ(suggested(vocabulary, "prnter"), "printer");
  EXPECT_EQ(suggested(vocabulary, "printer"), "");
  EXPECT_EQ(suggested(vocabulary, "panter"), "");
  EXPECT_EQ(suggested(vocabulary_of({{"prnter", 2}, {"printer", 39}}), "prnter"), "");
  EXPECT_EQ(suggested(vocabulary_of({{"prnt", 1}, {"print", 100}}), "prnt"), "");
}

TEST(Suggest, SaysNothingOfAnotherFormOfTheSameWord) {
  EXPECT_EQ(suggested(vocabulary_of({{"printer", 100}, {"printers", 1}}), "printers"), "");
}

TEST(Suggest, CountsOnlyWhatTheReaderMayRead) {
  const std::vector<Vocabulary::Entry> entries = {
      {"lawsuit", 1, 50}, {"lawsuix", 1, 1}, {"merging", 0, 1}, {"merding", 50, 50}};
  const Vocabulary vocabulary(entries);
  EXPECT_EQ(suggested(vocabulary, "lawsuix", true), "lawsuit");
  EXPECT_EQ(suggested(vocabulary, "lawsuix", false), "");
  EXPECT_EQ(suggested(vocabulary, "merging", true), "merding");
  EXPECT_EQ(suggested(vocabulary, "merging", false), "");
}

TEST(Vocabulary, IsSearchedFast) {
  constexpr std::size_t kWords = 300'000;
  RandomText random;
  std::set<std::string> words;
  while (words.size() < kWords) words.insert(random_word(random, 2 + random.below(3)));
  std::vector<Vocabulary::Entry> entries;
  for (const std::string& word : words) entries.push_back({word, 1, 1});
  const Vocabulary vocabulary(entries);

  constexpr int kLookups = 20;
  for (const unsigned most : {1u, 2u}) {
    std::size_t found = 0;
    std::chrono::steady_clock::duration time{};
    for (int i = 0; i < kLookups; ++i) {
      const std::string asked = random_word(random, 3);
      const auto begin = std::chrono::steady_clock::now();
      vocabulary.near(asked, most, [&](const Vocabulary::Entry&, unsigned) { ++found; });
      time += std::chrono::steady_clock::now() - begin;
    }
    const double milliseconds = std::chrono::duration<double, std::milli>(time).count() / kLookups;
    std::printf("%zu words, %zu bytes, distance %u: %.2f ms, %zu found\n", vocabulary.size(), vocabulary.memory_bytes(),
                most, milliseconds, found / kLookups);
#ifdef NDEBUG
    EXPECT_LT(milliseconds, 50);
#endif
  }
}

}  // namespace
}  // namespace search
