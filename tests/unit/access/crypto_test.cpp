#include "access/crypto.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "access/api_key.hpp"

namespace toolhost::access {
namespace {

std::string hex(const Hmac::Digest& digest) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const auto byte : digest) text.append({kDigits[byte >> 4], kDigits[byte & 15]});
  return text;
}

// RFC 4231, test cases 1, 2 and 6.
struct Vector {
  std::string key, data, digest;
};
const std::vector<Vector>& vectors() {
  static const std::vector<Vector> list{
      {std::string(20, '\x0b'), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"}};
  return list;
}

TEST(Hmac, AgreesWithRfc4231) {
  for (const auto& [key, data, digest] : vectors()) EXPECT_EQ(hex(Hmac(Secret(key)).digest({data})), digest);
}

TEST(Hmac, DigestsTheConcatenationOfItsParts) {
  const Hmac hmac(Secret("Jefe"));
  EXPECT_EQ(hmac.digest({"what do ya ", "", "want for nothing?"}), hmac.digest({"what do ya want for nothing?"}));
}

TEST(Hmac, KeepsTheKeysOfManyObjectsApart) {
  // More objects than a thread caches contexts for.
  std::vector<std::unique_ptr<Hmac>> objects;
  std::vector<Hmac::Digest> digests;
  for (int i = 0; i < 9; ++i) {
    objects.push_back(std::make_unique<Hmac>(Secret("key " + std::to_string(i))));
    digests.push_back(objects.back()->digest({"text"}));
  }
  for (std::size_t i = 0; i < objects.size(); ++i) {
    EXPECT_EQ(objects[i]->digest({"text"}), digests[i]);
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(digests[i], digests[j]);
  }
}

TEST(Hmac, ServesManyThreadsAtATime) {
  const auto& [key, data, digest] = vectors()[1];
  const Hmac hmac{Secret(key)};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, &text = data, &expected = digest] {
      for (int i = 0; i < 500; ++i) wrong += hex(hmac.digest({text})) != expected;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Sha256, AgreesWithFips180) {
  EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(HashKey, IsTheHmacOfTheKey) {
  const auto& [key, data, digest] = vectors()[1];
  EXPECT_EQ(hex(hash_key(Secret(key), data)), digest);
}

TEST(EqualInConstantTime, ComparesLengthAndBytes) {
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_in_constant_time("abc", "ab"));
}

}  // namespace
}  // namespace toolhost::access
