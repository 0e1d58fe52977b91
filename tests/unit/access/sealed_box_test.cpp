#include "access/sealed_box.hpp"

#include <gtest/gtest.h>

namespace toolhost::access {
namespace {

const Secret& key() {
  static const Secret secret(std::string(32, 'k'));
  return secret;
}

TEST(SealedBox, OpensWhatItSealed) {
  const SealedBox box(key(), "sign-in");
  for (const std::string& text :
       {std::string(), std::string("verifier"), std::string("\0\xff\n", 3), std::string(4096, 'x')}) {
    const auto sealed = box.seal(text);
    EXPECT_EQ(sealed.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
              std::string::npos);
    EXPECT_EQ(box.open(sealed), text);
  }
}

TEST(SealedBox, ShowsNothingAndIsNeverTheSame) {
  const SealedBox box(key(), "sign-in");
  const std::string text(64, 'x');
  EXPECT_NE(box.seal(text), box.seal(text));
  EXPECT_EQ(box.seal(text).find("eHh4"), std::string::npos);
}

TEST(SealedBox, OpensNothingOfAnotherPurposeOrKey) {
  const auto sealed = SealedBox(key(), "sign-in").seal("verifier");
  EXPECT_FALSE(SealedBox(key(), "session").open(sealed));
  EXPECT_FALSE(SealedBox(Secret(std::string(32, 'q')), "sign-in").open(sealed));
}

TEST(SealedBox, OpensNothingThatWasAltered) {
  const SealedBox box(key(), "sign-in");
  const auto sealed = box.seal("verifier");
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    EXPECT_FALSE(box.open(sealed.substr(0, i)));
    for (const char other : {'A', 'b', '_', '=', '\0', '\x80'}) {
      if (sealed[i] == other) continue;
      auto altered = sealed;
      altered[i] = other;
      EXPECT_FALSE(box.open(altered)) << i;
    }
  }
  EXPECT_FALSE(box.open(sealed + "A"));
  EXPECT_FALSE(box.open(std::string(1'000'000, 'A')));
}

}  // namespace
}  // namespace toolhost::access
