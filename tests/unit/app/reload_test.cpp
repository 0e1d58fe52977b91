#include "app/reload.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <thread>

#include "access/grant.hpp"
#include "unit/protocol/fakes.hpp"

namespace toolhost::app {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Knows key 1 of acme and key 2 of globex.
class Keys final : public access::Gatekeeper {
 public:
  explicit Keys(const access::PolicyPtr& policy) { set_policy(policy); }

  std::vector<CallerPtr> set_policy(access::PolicyPtr policy) override {
    policy_ = std::move(policy);
    std::vector<CallerPtr> changed;
    keys_.clear();
    for (const auto& [id, tenant] : {std::pair(1, "acme"), std::pair(2, "globex")}) {
      const KeyId key{id};
      auto grant = access::make_grant(policy_->rights(tenant, Role::kAgent, {}), policy_->limits(tenant),
                                      {.tenant = tenant, .key = key}, meters_, access::Grant::Clock::now());
      changed.push_back(std::make_shared<const Caller>(
          Caller{.tenant = tenant, .key_id = key, .role = Role::kAgent, .grant = std::move(grant)}));
      keys_.push_back({.caller = changed.back()});
    }
    return changed;
  }
  access::PolicyPtr policy() const override { return policy_; }
  std::vector<access::KnownKey> keys() const override { return keys_; }
  Result<CallerPtr> authenticate(std::string_view, std::string_view, std::string_view) override {
    return keys_[0].caller;
  }
  std::shared_ptr<access::UsageCounter> usage() const override { return nullptr; }
  void on_revoked(std::function<void(KeyId)>) override {}
  std::chrono::milliseconds unconfirmed_for() const override { return {}; }

 private:
  std::shared_ptr<access::MeterTable> meters_ = std::make_shared<access::MeterTable>();
  access::PolicyPtr policy_;
  std::vector<access::KnownKey> keys_;
};

class Endpoint final : public protocol::McpEndpoint {
 public:
  boost::asio::awaitable<void> handle(const transport::HttpRequest&, transport::HttpResponse&) override { co_return; }
  void lists_changed(std::span<const KeyId> keys, std::uint32_t lists) override {
    if (lists != protocol::kToolsList) return;
    for (const auto key : keys) told.push_back(value(key));
  }
  Counts counts() const override { return {}; }
  void stop(std::chrono::milliseconds) override {}
  std::vector<std::int64_t> told;
};

class Reloads final : public observability::EventSink {
 public:
  void emit(const observability::Event& event) noexcept override {
    const auto* reload = std::get_if<observability::ConfigurationReloaded>(&event);
    if (reload == nullptr) return;
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::string(reload->trigger) + (reload->applied ? " applied: " : " refused: ") +
                     std::string(reload->summary));
  }
  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 2'000 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  return condition();
}

/// A host that runs with the tenants acme and globex.
class ReloadTest : public testing::Test {
 protected:
  ReloadTest() { start(kBase); }

  void start(const std::string& text) {
    control_.reset();
    auto running = std::make_shared<HostConfig>(parse_config(text, "host.yaml").config);
    const auto policy = access::Policy::compile(running->policy);
    keys_ = std::make_unique<Keys>(policy);
    control_ = ConfigurationControl::create(running, policy,
                                            {.gatekeeper = *keys_,
                                             .plugins = plugins_,
                                             .mcp = mcp_,
                                             .events = events_,
                                             .load =
                                                 [this] {
                                                   if (text_.empty()) throw std::runtime_error("no directory");
                                                   return parse_config(text_, "host.yaml");
                                                 },
                                             .prepare = [this](const HostConfig&) -> Result<> {
                                               ++attempts_;
                                               if (!is_prepared_)
                                                 return Error{Errc::kUnavailable, "the database is away", ""};
                                               return {};
                                             },
                                             .apply = [this](const HostConfig&, const HostConfig& now,
                                                             const access::PolicyPtr&) { level_ = now.log.level; },
                                             .retry_period = std::chrono::milliseconds(5)});
  }

  ReloadReport reload(std::string text, ReloadTrigger trigger = ReloadTrigger::kCommand, bool dry_run = false) {
    text_ = std::move(text);
    return control_->reload(trigger, dry_run);
  }

  static constexpr const char* kBase = "tenants: [{name: acme}, {name: globex}]\n";
  static constexpr const char* kDenied = "tenants: [{name: acme, tools: {deny: [echo]}}, {name: globex}]\n";
  static constexpr const char* kBroken = "tenants:\n  - {name: acme, tols: {}}\n";

  std::string text_ = kBase;
  std::atomic<bool> is_prepared_ = true;
  std::atomic<int> attempts_ = 0;
  observability::Severity level_ = observability::Severity::kInfo;
  protocol::fakes::FakePluginHost plugins_;
  Endpoint mcp_;
  Reloads events_;
  std::unique_ptr<Keys> keys_;
  std::unique_ptr<ConfigurationControl> control_;
};

TEST_F(ReloadTest, SwitchesAndTellsOnlyWhomItConcerns) {
  const auto report = reload(kDenied);
  EXPECT_TRUE(report.applied);
  EXPECT_EQ(report.generation, 2U);
  EXPECT_THAT(report.changes, ElementsAre("acme loses echo"));
  EXPECT_THAT(mcp_.told, ElementsAre(1));
  EXPECT_THAT(events_.lines(), ElementsAre("command applied: acme loses echo"));
}

TEST_F(ReloadTest, ABrokenFileChangesNothingAndIsNamedUntilItIsMended) {
  const auto before = keys_->policy();
  const auto report = reload(kBroken);
  EXPECT_FALSE(report.applied);
  EXPECT_EQ(report.generation, 1U);
  ASSERT_THAT(report.problems, SizeIs(1));
  EXPECT_EQ(report.problems[0].line, 2);
  EXPECT_EQ(keys_->policy(), before);
  EXPECT_EQ(control_->problem(), "host.yaml:2");
  reload(kBase);
  EXPECT_EQ(control_->problem(), "");
}

TEST_F(ReloadTest, ADryRunSaysWhatWouldChangeAndChangesNothing) {
  const auto report = reload(kDenied, ReloadTrigger::kCommand, true);
  EXPECT_FALSE(report.applied);
  EXPECT_THAT(report.changes, ElementsAre("acme loses echo"));
  EXPECT_EQ(control_->generation(), 1U);
  EXPECT_THAT(events_.lines(), IsEmpty());
}

TEST_F(ReloadTest, AFileThatWasTouchedIsNoNewGeneration) {
  reload(kBase, ReloadTrigger::kFile);
  EXPECT_EQ(control_->generation(), 1U);
  EXPECT_THAT(events_.lines(), IsEmpty());
}

TEST_F(ReloadTest, LinesThatMovedAreFollowedWithoutANewGeneration) {
  reload(kDenied);
  EXPECT_EQ(to_text(reload(std::string("# Ours\n") + kDenied, ReloadTrigger::kCommand, true)),
            "nothing would change\n");
  EXPECT_TRUE(reload(std::string("# Ours\n") + kDenied, ReloadTrigger::kFile).applied);
  EXPECT_EQ(control_->generation(), 2U);
  EXPECT_THAT(events_.lines(), SizeIs(1));
  const auto rights = keys_->policy()->rights("acme", Role::kAgent, {});
  EXPECT_EQ(rights->decide({.name = "echo"}, nullptr).place, (SourcePlace{"host.yaml", 2}));
}

TEST_F(ReloadTest, AChangeThatNobodySeesIsToldWithItsGeneration) {
  reload("tenants: [{name: acme, tools: {deny: [\"no_*\"]}}, {name: globex}]\n", ReloadTrigger::kFile);
  EXPECT_EQ(control_->generation(), 2U);
  EXPECT_THAT(events_.lines(), ElementsAre("file applied: nothing has changed"));
}

TEST_F(ReloadTest, WhateverIsThrownIsARefusal) {
  text_.clear();
  control_->request(ReloadTrigger::kFile);
  for (int tries = 0; tries < 1'000 && events_.lines().empty(); ++tries)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ASSERT_THAT(events_.lines(), SizeIs(1));
  EXPECT_THAT(events_.lines()[0], AllOf(HasSubstr("file refused"), HasSubstr("no directory")));
  EXPECT_TRUE(reload(kDenied).applied);
}

TEST_F(ReloadTest, SettingsOfTenantsStayWhileThePluginsOwnWaitForTheNextStart) {
  const auto yaml = [](int own, int tenants) {
    return "plugins: [{file: a.so, settings: {own: " + std::to_string(own) + "}}]\n" +
           "tenants: [{name: acme, settings: {a: {theirs: " + std::to_string(tenants) + "}}}]\n";
  };
  start(yaml(0, 0));
  EXPECT_THAT(reload(yaml(0, 1)).changes, ElementsAre("acme: settings of a change: theirs"));
  const auto both = reload(yaml(1, 2));
  EXPECT_THAT(both.changes, IsEmpty());
  EXPECT_THAT(both.later, ElementsAre("plugins[a.so].settings", "acme: settings of a change: own, theirs"));
  EXPECT_EQ(plugins_.tenant_settings["a"]["acme"], R"({"own":0,"theirs":1})");
  EXPECT_THAT(reload(yaml(0, 2)).changes, ElementsAre("acme: settings of a change: theirs"));
  EXPECT_EQ(plugins_.tenant_settings["a"]["acme"], R"({"own":0,"theirs":2})");
}

TEST_F(ReloadTest, WhatWaitsForARestartIsSaidOnceAndToWhoeverAsksAndNotApplied) {
  const std::string other = std::string(kDenied) + "http: {port: 9090}\nlog: {level: debug}\n";
  const auto report = reload(other, ReloadTrigger::kFile);
  EXPECT_TRUE(report.applied);
  EXPECT_THAT(report.later, ElementsAre("http.port 8080 -> 9090"));
  EXPECT_EQ(level_, observability::Severity::kDebug);
  EXPECT_THAT(reload(other, ReloadTrigger::kFile).later, IsEmpty());
  EXPECT_THAT(reload(other).later, ElementsAre("http.port 8080 -> 9090"));
}

TEST_F(ReloadTest, NothingChangesWhenTenantsCannotBeMade) {
  is_prepared_ = false;
  const auto report = reload(kDenied);
  EXPECT_FALSE(report.applied);
  ASSERT_THAT(report.problems, SizeIs(1));
  EXPECT_THAT(report.problems[0].message, HasSubstr("the database is away"));
  EXPECT_THAT(mcp_.told, IsEmpty());
}

TEST_F(ReloadTest, AChangedFileIsTriedAgainUntilTheDatabaseIsBackAndToldOnce) {
  is_prepared_ = false;
  text_ = kDenied;
  control_->request(ReloadTrigger::kFile);
  EXPECT_TRUE(eventually([&] { return attempts_ >= 3; }));
  EXPECT_EQ(control_->generation(), 1U);
  is_prepared_ = true;
  EXPECT_TRUE(eventually([&] { return control_->generation() == 2; }));
  control_->stop();
  EXPECT_THAT(events_.lines(), SizeIs(2)) << "one refusal, one success";
}

TEST_F(ReloadTest, SaysItInWordsAndInJson) {
  const auto report = reload(kDenied);
  EXPECT_EQ(to_text(report), "generation 2 is in force\n  acme loses echo\n");
  EXPECT_THAT(to_json(report), HasSubstr(R"("changes":["acme loses echo"])"));
  EXPECT_EQ(to_text(reload(kDenied)), "generation 3 is in force; nothing has changed\n");
  EXPECT_EQ(to_text(reload(kBase, ReloadTrigger::kCommand, true)), "would change:\n  acme gains echo (agent, admin)\n");
}

}  // namespace
}  // namespace toolhost::app
