#include "base/similar_name.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace toolhost {
namespace {

TEST(SimilarName, FindsTheNearestWithinReach) {
  const std::vector<std::string> names = {"status", "title", "priority", "tags"};
  EXPECT_EQ(similar_name("state", names), "status");
  EXPECT_EQ(similar_name("titel", names), "title");
  EXPECT_EQ(similar_name("Priority", names), "priority");
  EXPECT_EQ(similar_name("tag", names), "tags");
  EXPECT_EQ(similar_name("assignee", names), std::nullopt);
  EXPECT_EQ(similar_name("", names), std::nullopt);
}

TEST(SimilarName, CompletesAFirstWord) {
  const std::vector<std::string> names = {"title", "ticket_id", "due_date", "due_at"};
  EXPECT_EQ(similar_name("ticket", names), "ticket_id");
  EXPECT_EQ(similar_name("Due", names), "due_date");
  EXPECT_EQ(similar_name("titl", names), "title");
  EXPECT_EQ(similar_name("tick", names), std::nullopt);
  const std::vector<std::string> keys = {"plugin_dir", "plugins"};
  EXPECT_EQ(similar_name("plugin", keys), "plugins");
}

TEST(SimilarName, DoesNotCompareVeryLongNames) {
  const std::vector<std::string> names = {std::string(65, 'a')};
  EXPECT_EQ(similar_name(std::string(64, 'a'), names), std::nullopt);
  EXPECT_EQ(similar_name(std::string(100'000, 'a'), names), std::nullopt);
}

}  // namespace
}  // namespace toolhost
