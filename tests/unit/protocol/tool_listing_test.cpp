#include "protocol/tool_listing.hpp"

#include <gtest/gtest.h>

#include "access/grant.hpp"
#include "access/policy.hpp"
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
    auto page = read(listing.page(*caller, registry, kNewestLegacy, cursor));
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
  EXPECT_FALSE(read(listing.page(*fakes::caller(1), registry, kNewestLegacy, std::nullopt)).next);
}

TEST(ToolListing, GoesOnAfterAToolThatIsGone) {
  fakes::FakeRegistry before(1), after(2);
  for (const auto* const name : {"a", "b", "c"}) before.add(name);
  for (const auto* const name : {"a", "c"}) after.add(name);
  ToolListing listing(2);
  const auto caller = fakes::caller(1);
  const auto first = read(listing.page(*caller, before, kNewestLegacy, std::nullopt));
  EXPECT_EQ(first.names, (std::vector<std::string>{"a", "b"}));
  const auto second = read(listing.page(*caller, after, kNewestLegacy, first.next));
  EXPECT_EQ(second.names, (std::vector<std::string>{"c"}));
}

TEST(ToolListing, EncodesANewGenerationAnew) {
  fakes::FakeRegistry before(1), after(2);
  before.add("a");
  after.add("a").description = "changed";
  ToolListing listing(10);
  const auto caller = fakes::caller(1);
  const auto old_page = listing.page(*caller, before, kNewestLegacy, std::nullopt).value();
  const auto new_page = listing.page(*caller, after, kNewestLegacy, std::nullopt).value();
  EXPECT_NE(new_page.find("changed"), std::string::npos);
  EXPECT_EQ(listing.page(*caller, before, kNewestLegacy, std::nullopt).value(), old_page);
}

/// Callers of tenants in one policy.
class ListedByRights : public testing::Test {
 protected:
  ListedByRights() {
    for (const auto* const name : {"a", "b", "c", "d"}) registry_.add(name);
  }
  CallerPtr caller(const std::string& tenant, const access::Scopes& scopes = {}) {
    const auto policy = access::Policy::compile(config_);
    return caller_of(*policy, tenant, scopes);
  }
  CallerPtr caller_of(const access::Policy& policy, const std::string& tenant, const access::Scopes& scopes = {}) {
    auto caller = std::make_shared<Caller>(*fakes::caller(1, tenant));
    caller->grant = access::make_grant(policy.rights(tenant, Role::kAgent, scopes), policy.limits(tenant),
                                       {tenant, KeyId{1}}, meters_, access::Grant::Clock::now());
    return caller;
  }

  access::PolicyConfig config_{access::built_in_defaults(), {}};
  std::shared_ptr<access::MeterTable> meters_ = std::make_shared<access::MeterTable>();
  fakes::FakeRegistry registry_{1};
};

TEST_F(ListedByRights, WalksThroughTheToolsOfTheCallerAlone) {
  config_.tenants["acme"].deny = {{"b", {}}};
  ToolListing listing(2);
  const auto acme = caller("acme");
  const auto first = read(listing.page(*acme, registry_, kNewestLegacy, std::nullopt));
  EXPECT_EQ(first.names, (std::vector<std::string>{"a", "c"}));
  // A cursor that names a tool which does not exist for the caller goes on behind it.
  const auto others = read(listing.page(*caller("other"), registry_, kNewestLegacy, std::nullopt));
  EXPECT_EQ(others.names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(read(listing.page(*acme, registry_, kNewestLegacy, others.next)).names,
            (std::vector<std::string>{"c", "d"}));
}

TEST_F(ListedByRights, AgreesWithTheDecisionForEveryToolAndKey) {
  config_.tenants["acme"].deny = {{"b", {}}};
  config_.tenants["other"].allow = access::ToolPatterns{{"test.*", {}}};
  ToolListing listing(10);
  for (const auto* const tenant : {"acme", "other", "third"}) {
    for (const auto& scopes : {access::Scopes{}, access::Scopes{{"read", {}}}, access::Scopes{{"c", {}}, {"a*", {}}}}) {
      const auto one = caller(tenant, scopes);
      const auto names = read(listing.page(*one, registry_, kNewestLegacy, std::nullopt)).names;
      for (const auto* const tool : registry_.tools()) {
        const bool is_allowed = one->grant->rights()->decide(facts_of(*tool), nullptr).allowed();
        EXPECT_EQ(listing.find(*one, registry_, tool->name).tool, is_allowed ? tool : nullptr);
        EXPECT_EQ(std::count(names.begin(), names.end(), tool->name), is_allowed);
      }
    }
  }
}

TEST_F(ListedByRights, SharesTheEncodingAmongTenantsWithoutTextsOfTheirOwn) {
  config_.tenants["acme"].texts = {{"b", std::nullopt, "Another \"description\"", {}}};
  ToolViews views;
  const auto acme = views.of(*caller("acme"), registry_).encoded;
  const auto other = views.of(*caller("other"), registry_).encoded;
  const auto third = views.of(*caller("third"), registry_).encoded;
  EXPECT_EQ(other, third);
  const auto& b = *registry_.find("b");
  EXPECT_NE(acme->of(b, ListingFamily::kTitled).find(R"("description":"Another \"description\"")"), std::string::npos);
  EXPECT_NE(acme->of(b, ListingFamily::kTitled).find(R"("title":"A title")"), std::string::npos);
  EXPECT_NE(other->of(b, ListingFamily::kTitled).find(R"("description":"What it does")"), std::string::npos);
  EXPECT_EQ(&acme->of(*registry_.find("a"), ListingFamily::kPlain),
            &other->of(*registry_.find("a"), ListingFamily::kPlain));
}

TEST_F(ListedByRights, ForgetsPoliciesThatAreGone) {
  ToolListing listing(10);
  ToolViews views;
  for (int reload = 0; reload < 10'000; ++reload) {
    config_.tenants["acme"].deny = {{reload % 2 == 0 ? "b" : "c", {}}};
    config_.tenants["acme"].texts = {{"a", "Title " + std::to_string(reload), std::nullopt, {}}};
    EXPECT_EQ(views.of(*caller("acme"), registry_).find("b") == nullptr, reload % 2 == 0);
  }
  EXPECT_LT(views.size(), 40U);
}

TEST(ToolListing, RefusesCursorsThatItDidNotMake) {
  fakes::FakeRegistry registry(1);
  registry.add("a");
  ToolListing listing(1);
  for (const auto* const cursor :
       {"", "0", "bogus", "YQ", "YWZ0ZXI6", "!!", "YWZ0ZXI6YQ=="}) {  // "YWZ0ZXI6": a mark without a name
    const auto page = listing.page(*fakes::caller(1), registry, kNewestLegacy, cursor);
    ASSERT_FALSE(page) << cursor;
    EXPECT_EQ(page.error().code, Errc::kInvalidArgument);
  }
}

}  // namespace
}  // namespace toolhost::protocol
