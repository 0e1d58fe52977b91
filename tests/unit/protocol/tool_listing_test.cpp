#include "protocol/tool_listing.hpp"

#include <gtest/gtest.h>

#include "fakes.hpp"

namespace toolhost::protocol {
namespace {

/// The names on a page, and its cursor.
struct Page {
  std::vector<std::string> names;
  std::optional<std::string> next;
};

Page read(const Result<std::string>& text) {
  Page page;
  json::Document document;
  const auto root = document.parse(text.value());
  for (const auto& tool : root->at_key("tools").get_array()) page.names.emplace_back(tool["name"].get_string().value());
  std::string_view cursor;
  if (root->at_key("nextCursor").get(cursor) == simdjson::SUCCESS) page.next = std::string(cursor);
  return page;
}

TEST(ToolListing, WalksThroughAllToolsInOrder) {
  fakes::FakeRegistry registry(1);
  for (const auto* const name : {"e", "b", "d", "a", "c"}) registry.add(name);
  ToolListing listing(2);
  const auto caller = fakes::caller(1);
  std::vector<std::string> seen;
  std::optional<std::string> cursor;
  int pages = 0;
  do {
    auto page = read(listing.page(*caller, registry, kNewestRevision, cursor));
    seen.insert(seen.end(), page.names.begin(), page.names.end());
    cursor = std::move(page.next);
    ASSERT_LT(++pages, 10);
  } while (cursor);
  EXPECT_EQ(seen, (std::vector<std::string>{"a", "b", "c", "d", "e"}));
  EXPECT_EQ(pages, 3);
}

TEST(ToolListing, NeedsNoCursorWhenThePageIsExactlyFull) {
  fakes::FakeRegistry registry(1);
  for (const auto* const name : {"a", "b"}) registry.add(name);
  ToolListing listing(2);
  EXPECT_FALSE(read(listing.page(*fakes::caller(1), registry, kNewestRevision, std::nullopt)).next);
}

TEST(ToolListing, GoesOnAfterAToolThatIsGone) {
  fakes::FakeRegistry before(1), after(2);
  for (const auto* const name : {"a", "b", "c"}) before.add(name);
  for (const auto* const name : {"a", "c"}) after.add(name);
  ToolListing listing(2);
  const auto caller = fakes::caller(1);
  const auto first = read(listing.page(*caller, before, kNewestRevision, std::nullopt));
  EXPECT_EQ(first.names, (std::vector<std::string>{"a", "b"}));
  const auto second = read(listing.page(*caller, after, kNewestRevision, first.next));
  EXPECT_EQ(second.names, (std::vector<std::string>{"c"}));
}

TEST(ToolListing, EncodesANewGenerationAnew) {
  fakes::FakeRegistry before(1), after(2);
  before.add("a");
  after.add("a").description = "changed";
  ToolListing listing(10);
  const auto caller = fakes::caller(1);
  const auto old_page = listing.page(*caller, before, kNewestRevision, std::nullopt).value();
  const auto new_page = listing.page(*caller, after, kNewestRevision, std::nullopt).value();
  EXPECT_NE(new_page.find("changed"), std::string::npos);
  EXPECT_EQ(listing.page(*caller, before, kNewestRevision, std::nullopt).value(), old_page);
}

TEST(ToolListing, RefusesCursorsThatItDidNotMake) {
  fakes::FakeRegistry registry(1);
  registry.add("a");
  ToolListing listing(1);
  for (const auto* const cursor :
       {"", "0", "bogus", "YQ", "YWZ0ZXI6", "!!", "YWZ0ZXI6YQ=="}) {  // "YWZ0ZXI6": a mark without a name
    const auto page = listing.page(*fakes::caller(1), registry, kNewestRevision, cursor);
    ASSERT_FALSE(page) << cursor;
    EXPECT_EQ(page.error().code, Errc::kInvalidArgument);
  }
}

}  // namespace
}  // namespace toolhost::protocol
