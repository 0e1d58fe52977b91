#include "protocol/catalog_views.hpp"

#include <gtest/gtest.h>

#include "access/policy.hpp"
#include "fakes.hpp"

namespace toolhost::protocol {
namespace {

/// Offers the resources "a" to "d", the templates "t" and "u" (which completes), and the prompts "p" and "q".
struct Catalog {
  explicit Catalog(std::uint64_t generation) : registry(generation) {
    for (const auto* const name : {"a", "b", "c", "d"}) registry.add_resource(name, "hd://" + std::string(name));
    registry.add_resource("t", "hd://t/{id}");
    registry.add_resource("u", "hd://u/{id}").complete = fakes::FakeRegistry::handler("resource:u");
    for (const auto* const name : {"p", "q"}) registry.add_prompt(name);
  }
  const plugin_runtime::Tool& read(const std::string& uri) { return registry.find_resource(uri).resource->read; }
  const plugin_runtime::Tool& completer() { return *registry.find_template("hd://u/{id}")->complete; }

  fakes::FakeRegistry registry;
};

class Views : public testing::Test {
 protected:
  CallerPtr caller(const std::string& tenant, const access::Scopes& scopes = {}) {
    const auto policy = access::Policy::compile(config_);
    auto caller = std::make_shared<Caller>(*fakes::caller(1, tenant));
    caller->grant = access::make_grant(policy->rights(tenant, Role::kAgent, scopes), policy->limits(tenant),
                                       {tenant, KeyId{1}}, meters_, access::Grant::Clock::now());
    return caller;
  }

  access::PolicyConfig config_{access::built_in_defaults(), {}};
  std::shared_ptr<access::MeterTable> meters_ = std::make_shared<access::MeterTable>();
  Catalog catalog_{1};
  CatalogViews views_{3};
  const CallerPtr anybody_ = fakes::caller(1);
};

TEST_F(Views, WalkThroughResourcesPageByPage) {
  EXPECT_EQ(views_.resources_page(*anybody_, catalog_.registry, kNewestLegacy, std::nullopt).value(),
            R"({"resources":[{"uri":"hd://a","name":"a"},{"uri":"hd://b","name":"b"},{"uri":"hd://c","name":"c"}],)"
            R"("nextCursor":"YWZ0ZXI6Yw"})");
  EXPECT_EQ(views_.resources_page(*anybody_, catalog_.registry, kNewestLegacy, "YWZ0ZXI6Yw").value(),
            R"({"resources":[{"uri":"hd://d","name":"d"}]})");
  EXPECT_EQ(
      views_.templates_page(*anybody_, catalog_.registry, kNewestLegacy, std::nullopt).value(),
      R"({"resourceTemplates":[{"uriTemplate":"hd://t/{id}","name":"t"},{"uriTemplate":"hd://u/{id}","name":"u"}]})");
  EXPECT_EQ(views_.prompts_page(*anybody_, catalog_.registry, kNewestLegacy, std::nullopt).value(),
            R"({"prompts":[{"name":"p"},{"name":"q"}]})");
}

TEST_F(Views, RefuseCursorsThatTheyDidNotMake) {
  for (const auto* const cursor : {"", "0", "bogus", "YWZ0ZXI6", "YWZ0ZXI6YQ=="}) {
    const auto page = views_.prompts_page(*anybody_, catalog_.registry, kNewestLegacy, cursor);
    ASSERT_FALSE(page) << cursor;
    EXPECT_EQ(page.error().code, Errc::kInvalidArgument);
  }
}

TEST_F(Views, KnowARevisionsFieldsOfTheSameItem) {
  catalog_.registry.add_resource("dd", "hd://dd").title = "D";
  EXPECT_EQ(views_.resources_page(*anybody_, catalog_.registry, Revision::k2025_03_26, "YWZ0ZXI6ZA").value(),
            R"({"resources":[{"uri":"hd://dd","name":"dd"}]})");
  EXPECT_EQ(views_.resources_page(*anybody_, catalog_.registry, Revision::k2026_07_28, "YWZ0ZXI6ZA").value(),
            R"({"resources":[{"uri":"hd://dd","name":"dd","title":"D"}],"resultType":"complete","ttlMs":0,)"
            R"("cacheScope":"private"})");
}

TEST_F(Views, FollowTheRightsToATool) {
  config_.tenants["acme"].deny = {{"resource:b", {}}, {"prompt:*", {}}};
  config_.tenants["other"].allow = access::ToolPatterns{{"ticket_*", {}}};
  const auto acme = caller("acme"), other = caller("other"), third = caller("third");
  EXPECT_EQ(views_.resources_page(*acme, catalog_.registry, kNewestLegacy, std::nullopt).value(),
            R"({"resources":[{"uri":"hd://a","name":"a"},{"uri":"hd://c","name":"c"},{"uri":"hd://d","name":"d"}]})");
  EXPECT_FALSE(views_.has(*acme, catalog_.registry, catalog_.read("hd://b")));
  EXPECT_TRUE(views_.has(*acme, catalog_.registry, catalog_.read("hd://c")));
  EXPECT_TRUE(views_.has(*acme, catalog_.registry, catalog_.completer()));
  EXPECT_FALSE(views_.has(*acme, catalog_.registry, catalog_.registry.find_prompt("p")->get));
  // An allow-list that names none of them hides all.
  EXPECT_EQ(views_.resources_page(*other, catalog_.registry, kNewestLegacy, std::nullopt).value(),
            R"({"resources":[]})");
  EXPECT_FALSE(views_.has(*other, catalog_.registry, catalog_.completer()));
  for (const auto* const uri : {"hd://a", "hd://b", "hd://c", "hd://d", "hd://t/1"})
    EXPECT_TRUE(views_.has(*third, catalog_.registry, catalog_.read(uri)));
}

TEST_F(Views, DeclareWhatTheCallerCanUse) {
  config_.tenants["acme"].deny = {{"prompt:*", {}}, {"resource:u", {}}};
  config_.tenants["other"].allow = access::ToolPatterns{{"ticket_*", {}}};
  const auto all = views_.capabilities(*anybody_, catalog_.registry);
  EXPECT_TRUE(all.resources && all.prompts && all.completions);
  EXPECT_FALSE(all.logging);
  const auto acme = views_.capabilities(*caller("acme"), catalog_.registry);
  EXPECT_TRUE(acme.resources);
  EXPECT_FALSE(acme.prompts || acme.completions);
  const auto other = views_.capabilities(*caller("other"), catalog_.registry);
  EXPECT_FALSE(other.resources || other.prompts || other.completions);
  const fakes::FakeRegistry tools_only(2);
  const auto none = views_.capabilities(*anybody_, tools_only);
  EXPECT_FALSE(none.resources || none.prompts || none.completions || none.logging);
}

TEST_F(Views, OfferLogMessagesToWhomAPluginThatSendsThemHasAnythingFor) {
  config_.tenants["acme"].deny = {{"chatter", {}}};
  config_.tenants["other"].plugins = access::ToolPatterns{{"test", {}}};
  const auto acme = caller("acme"), other = caller("other"), third = caller("third");
  const auto offered = [&](const Caller& caller) { return views_.capabilities(caller, catalog_.registry).logging; };
  catalog_.registry.logging_plugin = "noisy";
  EXPECT_FALSE(offered(*third)) << "it has nothing for anybody yet";
  catalog_.registry.add("chatter").plugin = "noisy";
  catalog_.registry.renew();
  EXPECT_TRUE(offered(*anybody_));
  EXPECT_TRUE(offered(*third));
  EXPECT_FALSE(offered(*acme)) << "the tool is denied";
  EXPECT_FALSE(offered(*other)) << "the plugin is not theirs";
  catalog_.registry.add_prompt("noise").get.plugin = "noisy";
  catalog_.registry.renew();
  EXPECT_TRUE(offered(*acme)) << "a prompt's handler sends them as well";
  EXPECT_FALSE(offered(*other));
}

TEST_F(Views, SeeANewGeneration) {
  Catalog next(2);
  next.registry.add_resource("aa", "hd://changed");
  const auto before = views_.resources_page(*anybody_, catalog_.registry, kNewestLegacy, std::nullopt).value();
  EXPECT_NE(views_.resources_page(*anybody_, next.registry, kNewestLegacy, std::nullopt).value().find("hd://changed"),
            std::string::npos);
  EXPECT_EQ(views_.resources_page(*anybody_, catalog_.registry, kNewestLegacy, std::nullopt).value(), before);
  EXPECT_FALSE(views_.has(*anybody_, next.registry, catalog_.read("hd://a")));
}

}  // namespace
}  // namespace toolhost::protocol
