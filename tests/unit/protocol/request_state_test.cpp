#include <gtest/gtest.h>

#include "base/base64url.hpp"
#include "protocol/request_state.hpp"

namespace toolhost::protocol {
namespace {

using namespace std::chrono_literals;

class State : public testing::Test {
 protected:
  static json::Value parse(json::Document& document, std::string_view text) { return document.parse(text).value(); }

  json::Document document_;
  const Secret key_{std::string(32, 's')};
  const RequestState states_{key_, 600s};
  const RequestState::Clock::time_point now_ = RequestState::Clock::now();
  StateBinding binding_{.key = KeyId{7},
                        .tenant = TenantId{3},
                        .method = "tools/call",
                        .target = "close_ticket",
                        .arguments = parse(document_, R"({"id":"T-17","why":{"b":1,"a":[1,2]}})")};
  const StateContents contents_{
      .chain = "abc", .round = 2, .answers = {{"confirm", R"({"action":"accept","content":{"ok":true}})"}}};

  bool opens(const StateBinding& binding, std::string_view sealed) const {
    return states_.open(sealed, binding, now_).has_value();
  }
  std::string sealed() const { return states_.seal(contents_, binding_, now_).value(); }
};

TEST_F(State, ComesBackAsItWas) {
  const auto opened = states_.open(sealed(), binding_, now_ + 599s);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->chain, "abc");
  EXPECT_EQ(opened->round, 2U);
  EXPECT_EQ(opened->answers, contents_.answers);
}

TEST_F(State, DiffersEachTime) {
  EXPECT_NE(sealed(), sealed());
}

TEST_F(State, EveryBitCounts) {
  const auto text = sealed();
  const auto bytes = from_base64url(text).value();
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    auto altered = bytes;
    altered[bit / 8] = static_cast<char>(altered[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_FALSE(opens(binding_, to_base64url(altered))) << "bit " << bit;
  }
  for (std::size_t length = 0; length < text.size(); ++length)
    ASSERT_FALSE(opens(binding_, std::string_view(text).substr(0, length)));
  EXPECT_FALSE(opens(binding_, text + "-TAMPERED"));
  EXPECT_FALSE(opens(binding_, text + "="));
  EXPECT_FALSE(opens(binding_, " " + text));
}

TEST_F(State, BelongsToOneRequest) {
  const auto text = sealed();
  const auto with = [&](auto change) {
    auto binding = binding_;
    change(binding);
    return opens(binding, text);
  };
  json::Document other;
  EXPECT_TRUE(with([](auto&) {}));
  EXPECT_FALSE(with([](auto& binding) { binding.key = KeyId{8}; }));
  EXPECT_FALSE(with([](auto& binding) { binding.tenant = TenantId{4}; }));
  EXPECT_FALSE(with([](auto& binding) { binding.method = "prompts/get"; }));
  EXPECT_FALSE(with([](auto& binding) { binding.target = "close_tickets"; }));
  EXPECT_FALSE(
      with([&](auto& binding) { binding.arguments = parse(other, R"({"id":"T-18","why":{"b":1,"a":[1,2]}})"); }));
  EXPECT_FALSE(
      with([&](auto& binding) { binding.arguments = parse(other, R"({"id":"T-17","why":{"b":1,"a":[2,1]}})"); }));
  EXPECT_FALSE(with([&](auto& binding) { binding.arguments = parse(other, R"({"id":"T-17"})"); }));
}

TEST_F(State, OrderOfMembersAndNullsDoNotCount) {
  json::Document other;
  auto binding = binding_;
  binding.arguments = parse(other, R"({"note":null,"why":{"a":[1,2],"b":1},"id":"T-17"})");
  EXPECT_TRUE(opens(binding, sealed()));
}

TEST_F(State, NamesAndValuesDoNotRunIntoEachOther) {
  json::Document one, two;
  auto binding = binding_;
  binding.arguments = parse(one, R"({"a":"1","b":"2"})");
  const auto text = states_.seal(contents_, binding, now_).value();
  binding.arguments = parse(two, R"({"a":"1\",b:\"2"})");
  EXPECT_FALSE(opens(binding, text));
}

TEST_F(State, Expires) {
  const auto text = sealed();
  EXPECT_FALSE(states_.open(text, binding_, now_ + 600s));
  const auto refused = states_.open(text, binding_, now_ + 24h);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kInvalidArgument);
}

TEST_F(State, BelongsToOneHostKey) {
  const RequestState others(Secret(std::string(32, 't')), 600s);
  EXPECT_FALSE(others.open(sealed(), binding_, now_));
}

TEST_F(State, IsNoPlaceForAnything) {
  StateContents contents = contents_;
  contents.answers["long"] = "{\"text\":\"" + std::string(50'000, 'x') + "\"}";
  const auto state = states_.seal(contents, binding_, now_);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code, Errc::kLimit);
  EXPECT_FALSE(opens(binding_, std::string(100'000, 'A')));
}

}  // namespace
}  // namespace toolhost::protocol
