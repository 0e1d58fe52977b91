#include "storage/prepared_cache.hpp"

#include <gtest/gtest.h>

namespace toolhost::storage {
namespace {

TEST(PreparedCache, FindsByTextAndGivesEachTextANameOfItsOwn) {
  PreparedCache cache("s", 4);
  std::string evicted;
  const std::string first = cache.add("select 1", evicted).name;
  const std::string second = cache.add("select 2", evicted).name;
  EXPECT_NE(first, second);
  ASSERT_NE(cache.find("select 1"), nullptr);
  EXPECT_EQ(cache.find("select 1")->name, first);
  EXPECT_EQ(cache.find("select 3"), nullptr);
}

TEST(PreparedCache, EvictsTheLeastRecentlyUsedThatTheServerKnows) {
  PreparedCache cache("s", 2);
  std::string evicted;
  cache.add("a", evicted).is_ready = true;
  const std::string name_of_b = cache.add("b", evicted).name;
  cache.find("b")->is_ready = true;
  ASSERT_NE(cache.find("a"), nullptr);
  cache.add("c", evicted);
  EXPECT_EQ(evicted, name_of_b);
  EXPECT_EQ(cache.find("b"), nullptr);
  EXPECT_EQ(cache.size(), 2U);
}

TEST(PreparedCache, SaysNothingOfAnEvictedStatementThatTheServerNeverSaw) {
  PreparedCache cache("s", 1);
  std::string evicted;
  cache.add("a", evicted);
  cache.add("b", evicted);
  EXPECT_TRUE(evicted.empty());
}

}  // namespace
}  // namespace toolhost::storage
