#include "access/api_key.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <set>

namespace toolhost::access {
namespace {

// Its checksum was computed with Python's zlib.crc32 and divmod, not with the code under test.
constexpr std::string_view kValidKey = "hdsk_0123456789ABCDEFGHIJKLMNOP2IuTDr";

TEST(GenerateKey, HasTheDocumentedForm) {
  const Secret pepper(std::string(32, 'p'));
  const auto key = generate_key(pepper);
  const auto text = key.text.reveal();
  EXPECT_EQ(text.size(), 37U);
  EXPECT_EQ(text.substr(0, 5), "hdsk_");
  EXPECT_TRUE(std::all_of(text.begin() + 5, text.end(), [](unsigned char c) { return std::isalnum(c) != 0; }));
  EXPECT_EQ(key.prefix, text.substr(0, 11));
  EXPECT_EQ(public_prefix(text), key.prefix);
  EXPECT_EQ(public_prefix("hdsk_"), "hdsk_");
  EXPECT_EQ(describe_malformed_key(text), "");
  EXPECT_EQ(key.hash, hash_key(pepper, text));
}

TEST(GenerateKey, UsesEveryCharacterAboutEquallyOften) {
  const Secret pepper(std::string(32, 'p'));
  constexpr int kKeys = 2000;
  std::array<int, 256> seen{};
  std::set<std::string> distinct;
  for (int i = 0; i < kKeys; ++i) {
    const auto key = generate_key(pepper);
    const auto random = key.text.reveal().substr(5, 26);
    distinct.emplace(random);
    for (const unsigned char c : random) ++seen[c];
  }
  EXPECT_EQ(distinct.size(), static_cast<std::size_t>(kKeys));
  const double expected = kKeys * 26 / 62.0;  // standard deviation about 29: ten of them never happen by chance
  int characters = 0;
  for (const int count : seen) {
    if (count == 0) continue;
    ++characters;
    EXPECT_NEAR(count, expected, 290);
  }
  EXPECT_EQ(characters, 62);
}

TEST(DescribeMalformedKey, AcceptsAKeyWithARightChecksum) {
  EXPECT_EQ(describe_malformed_key(kValidKey), "");
}

TEST(DescribeMalformedKey, SaysWhatIsWrong) {
  const std::string valid(kValidKey);
  EXPECT_EQ(describe_malformed_key(""), "does not start with hdsk_");
  EXPECT_EQ(describe_malformed_key("sk-live-0123456789"), "does not start with hdsk_");
  EXPECT_EQ(describe_malformed_key(valid.substr(0, 31)), "31 of 37 characters");
  EXPECT_EQ(describe_malformed_key(valid + " "), "38 of 37 characters");
  std::string odd = valid;
  odd[10] = '-';
  EXPECT_EQ(describe_malformed_key(odd), "holds a character that is neither a letter nor a digit");
  EXPECT_EQ(describe_malformed_key(std::string("hdsk_") + std::string(32, '\0')),
            "holds a character that is neither a letter nor a digit");
}

TEST(DescribeMalformedKey, NoticesEverySingleWrongCharacter) {
  for (std::size_t at = 5; at < kValidKey.size(); ++at) {
    std::string typo(kValidKey);
    typo[at] = typo[at] == 'x' ? 'y' : 'x';
    EXPECT_EQ(describe_malformed_key(typo), "checksum does not match") << typo;
  }
}

TEST(PresentedKey, PrefersXApiKey) {
  EXPECT_EQ(*presented_key("hdsk_a", ""), "hdsk_a");
  EXPECT_EQ(*presented_key("hdsk_a", "Bearer hdsk_b"), "hdsk_a");
}

TEST(PresentedKey, TakesBearerWhateverItsCase) {
  for (const auto* const field : {"Bearer hdsk_b", "bearer hdsk_b", "BEARER   hdsk_b"}) {
    EXPECT_EQ(*presented_key("", field), "hdsk_b") << field;
  }
}

TEST(PresentedKey, TellsAMissingKeyFromAWrongScheme) {
  const auto missing = presented_key("", "");
  EXPECT_EQ(missing.error().code, Errc::kUnauthenticated);
  EXPECT_EQ(missing.error().message, "No API key: send it as X-API-Key or Authorization: Bearer");
  for (const auto* const field : {"Basic aGRzaw==", "Bearer", "Bearer ", "hdsk_b", "Bearerhdsk_b x"}) {
    const auto wrong = presented_key("", field);
    ASSERT_FALSE(wrong) << field;
    EXPECT_EQ(wrong.error().code, Errc::kUnauthenticated);
    EXPECT_EQ(wrong.error().message, "Invalid API key");
  }
}

}  // namespace
}  // namespace toolhost::access
