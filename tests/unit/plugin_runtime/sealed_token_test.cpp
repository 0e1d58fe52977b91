#include "plugin_runtime/sealed_token.hpp"

#include <gtest/gtest.h>

namespace toolhost::plugin_runtime {
namespace {

const Secret& key() {
  static const Secret secret(std::string(32, 'k'));
  return secret;
}

TEST(TokenSealer, OpensWhatItSealed) {
  const TokenSealer sealer(key(), "tickets");
  for (const std::string& data :
       {std::string(), std::string("page=2"), std::string("\0\xff\n", 3), std::string(4096, 'x')}) {
    const auto token = sealer.seal(TenantId{7}, data);
    EXPECT_EQ(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
              std::string::npos);
    EXPECT_EQ(sealer.open(TenantId{7}, token), data);
  }
}

TEST(TokenSealer, RefusesTokensOfAnotherTenantPluginOrKey) {
  const TokenSealer sealer(key(), "tickets");
  const auto token = sealer.seal(TenantId{7}, "page=2");
  EXPECT_FALSE(sealer.open(TenantId{8}, token));
  EXPECT_FALSE(TokenSealer(key(), "tasks").open(TenantId{7}, token));
  EXPECT_FALSE(TokenSealer(Secret(std::string(32, 'q')), "tickets").open(TenantId{7}, token));
}

TEST(TokenSealer, RefusesEveryAlteration) {
  const TokenSealer sealer(key(), "tickets");
  const auto token = sealer.seal(TenantId{7}, "page=2");
  for (std::size_t i = 0; i < token.size(); ++i) {
    EXPECT_FALSE(sealer.open(TenantId{7}, token.substr(0, i)));
    for (const char other : {'A', 'b', '_', '=', '\0', '\x80'}) {
      if (token[i] == other) continue;
      auto altered = token;
      altered[i] = other;
      EXPECT_FALSE(sealer.open(TenantId{7}, altered)) << i;
    }
  }
  EXPECT_FALSE(sealer.open(TenantId{7}, token + "A"));
}

}  // namespace
}  // namespace toolhost::plugin_runtime
