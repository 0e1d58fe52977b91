#include <signal.h>

#include <atomic>
#include <thread>

#include "integration/storage/portal_fixture.hpp"

namespace toolhost::storage {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::system_clock;

class PortalPeopleTest : public PortalTest {
 protected:
  SessionRow session(int seed, PersonId person) {
    auto made = store_->create_session(hash_of(seed), person, "Firefox", "192.0.2.1");
    EXPECT_TRUE(made) << made.error().message << made.error().detail;
    return made ? *made : SessionRow{};
  }
  bool is_signed_in(int seed) {
    const auto found = store_->find_session(hash_of(seed));
    if (!found) EXPECT_EQ(found.error().code, Errc::kNotFound) << found.error().detail;
    return found.has_value();
  }
  std::string count(const std::string& table) { return postgres_.run_sql("select count(*) from toolhost." + table); }
};

TEST_F(PortalPeopleTest, APersonIsIssuerAndSubjectAndNothingElse) {
  const auto again = store_->upsert_person({.issuer = "https://issuer.example",
                                            .subject = "sub-ana",
                                            .email = "ana.new@acme.example",
                                            .name = "Ana Maria",
                                            .email_verified = true});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->id, ana_);
  EXPECT_EQ(again->email, "ana.new@acme.example");
  EXPECT_EQ(again->name, "Ana Maria");
  auto other = named("ana");
  other.issuer = "https://other.example";
  EXPECT_NE(store_->upsert_person(other).value().id, ana_);
  auto heir = named("ana");
  heir.subject = "sub-heir";
  EXPECT_NE(store_->upsert_person(heir).value().id, ana_) << "who got the address of somebody who left";
}

TEST_F(PortalPeopleTest, SomebodyWhoCannotBeKnownIsRefused) {
  for (const auto& change : std::vector<std::function<void(NewPerson&)>>{
           [](auto& p) { p.subject.clear(); }, [](auto& p) { p.subject.assign(256, 'x'); },
           [](auto& p) { p.issuer.clear(); }, [](auto& p) { p.email.clear(); },
           [](auto& p) { p.email = "ana\n@acme.example"; }, [](auto& p) { p.email = "\xff@acme.example"; },
           [](auto& p) { p.email.assign(321, 'x'); }}) {
    auto person = named("carl");
    change(person);
    const auto refused = store_->upsert_person(person);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::kInvalidArgument);
  }
  auto person = named("carl");
  person.name = std::string(1000, 'n') + "\n";
  EXPECT_EQ(store_->upsert_person(person).value().name, std::string(200, 'n'));
}

TEST_F(PortalPeopleTest, KeysFollowTheAddressOfTheirPerson) {
  add(ana_, 1, "Laptop");
  auto other = new_key(ana_, 2, "Phone");
  other.tenant = globex_;
  add(other);
  add(bob_, 3, "Bob's");
  auto moved = named("ana");
  moved.email = "ana@elsewhere.example";
  EXPECT_EQ(store_->update_person(moved).value(), true);
  for (const auto& key : store_->keys_of(ana_).value()) EXPECT_EQ(key.row.owner, "ana@elsewhere.example");
  EXPECT_EQ(store_->keys_of(bob_)->front().row.owner, "bob@acme.example");
  EXPECT_EQ(audit("concat(r->>'name', ':', r->>'owner', ':', r->>'previous_owner', ':', r->>'actor')",
                  "kind = 'key_owner_changed'"),
            "Laptop:ana@elsewhere.example:ana@acme.example:portal:ana@elsewhere.example");
  ASSERT_TRUE(store_->upsert_person(named("ana")));
  EXPECT_EQ(store_->keys_of(ana_)->front().row.owner, "ana@acme.example");
  ASSERT_TRUE(store_->upsert_person(named("ana")));
  EXPECT_EQ(audit("kind", "kind = 'key_owner_changed'"), "key_owner_changed key_owner_changed") << "not told again";
}

TEST_F(PortalPeopleTest, WithoutAVerifiedAddressSessionsEndAndKeysAreInDoubt) {
  const auto key = add(ana_, 1).row.id;
  session(1, ana_);
  session(2, bob_);
  auto lost = named("ana");
  lost.email.clear();
  lost.email_verified = false;
  EXPECT_TRUE(store_->update_person(lost).value());
  EXPECT_TRUE(store_->update_person(lost).value());
  EXPECT_FALSE(is_signed_in(1));
  EXPECT_TRUE(is_signed_in(2));
  EXPECT_TRUE(store_->key_of(ana_, key)->row.is_owner_doubted);
  EXPECT_EQ(store_->key_of(ana_, key)->row.owner, "ana@acme.example");
  EXPECT_EQ(audit("kind", "kind = 'key_owner_doubted'"), "key_owner_doubted") << "once";
  ASSERT_TRUE(store_->upsert_person(named("ana")));
  EXPECT_FALSE(store_->key_of(ana_, key)->row.is_owner_doubted);

  auto stranger = named("zoe");
  EXPECT_FALSE(store_->update_person(stranger).value());
  EXPECT_EQ(count("people"), "2") << "nobody is kept who was not let in";
}

TEST_F(PortalPeopleTest, TheOldestOfTooManySessionsEnds) {
  session(100, bob_);
  for (int i = 0; i < 51; ++i) session(i, ana_);
  EXPECT_FALSE(is_signed_in(0));
  EXPECT_TRUE(is_signed_in(1) && is_signed_in(50) && is_signed_in(100));
}

TEST_F(PortalPeopleTest, TheSamePersonSigningInTwiceAtOnceIsOne) {
  std::vector<std::thread> threads;
  std::vector<PersonId> ids(6);
  for (auto& id : ids) {
    threads.emplace_back([&] {
      const auto made = PortalStore::create(postgres_.address())->upsert_person(named("dora"));
      EXPECT_TRUE(made) << made.error().detail;
      id = made ? made->id : PersonId{};
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto id : ids) EXPECT_EQ(id, ids[0]);
}

TEST_F(PortalPeopleTest, ASessionKnowsWhoseItIs) {
  const auto before = Clock::now();
  const auto made = session(1, ana_);
  session(2, bob_);
  EXPECT_GE(made.expires_at, before + 7 * 24h - 2s);
  EXPECT_LE(made.expires_at, Clock::now() + 7 * 24h);
  const auto found = store_->find_session(hash_of(1));
  ASSERT_TRUE(found) << found.error().detail;
  EXPECT_EQ(found->person.id, ana_);
  EXPECT_EQ(found->person.email, "ana@acme.example");
  EXPECT_TRUE(found->person.email_verified);
  EXPECT_EQ(found->session.number, made.number);
  EXPECT_EQ(found->session.user_agent, "Firefox");
  EXPECT_EQ(found->session.address, "192.0.2.1");
  EXPECT_LT(found->session.idle, 30s);
  EXPECT_FALSE(is_signed_in(3));
  EXPECT_EQ(store_->create_session(hash_of(4), PersonId{999'999}, "", "").error().code, Errc::kNotFound);
}

TEST_F(PortalPeopleTest, ASessionEndsWhenNobodyWasThereForTwelveHoursAndAfterSevenDays) {
  session(1, ana_);
  session(2, ana_);
  postgres_.run_sql("update toolhost.portal_sessions set last_seen_at = now() - interval '11 hours 59 minutes'");
  EXPECT_TRUE(is_signed_in(1));
  ASSERT_TRUE(store_->touch_session(hash_of(1)));
  EXPECT_LT(store_->find_session(hash_of(1))->session.idle, 30s);
  EXPECT_GE(store_->find_session(hash_of(2))->session.idle, 11h);
  postgres_.run_sql("update toolhost.portal_sessions set last_seen_at = last_seen_at - interval '2 minutes'");
  EXPECT_TRUE(is_signed_in(1));
  EXPECT_FALSE(is_signed_in(2));
  ASSERT_TRUE(store_->touch_session(hash_of(2)));
  EXPECT_FALSE(is_signed_in(2)) << "what has ended does not come back";
  postgres_.run_sql("update toolhost.portal_sessions set expires_at = now(), last_seen_at = now()");
  EXPECT_FALSE(is_signed_in(1));
  EXPECT_TRUE(store_->sessions_of(ana_)->empty());

  EXPECT_EQ(count("portal_sessions"), "2");
  session(3, bob_);
  EXPECT_EQ(count("portal_sessions"), "1") << "removed in passing";
}

TEST_F(PortalPeopleTest, SessionsAreListedAndEndedByTheirOwnerOnly) {
  const auto first = session(1, ana_), second = session(2, ana_);
  const auto bobs = session(3, bob_);
  postgres_.run_sql("update toolhost.portal_sessions set last_seen_at = now() - interval '1 hour' where number = " +
                    std::to_string(second.number));
  const auto listed = store_->sessions_of(ana_).value();
  ASSERT_EQ(listed.size(), 2U);
  EXPECT_EQ(listed[0].number, first.number) << "seen last first";

  EXPECT_FALSE(store_->end_session_of(ana_, bobs.number).value());
  EXPECT_FALSE(store_->end_session_of(ana_, 999'999).value());
  EXPECT_TRUE(is_signed_in(3));
  EXPECT_TRUE(store_->end_session_of(ana_, first.number).value());
  EXPECT_FALSE(is_signed_in(1));
  session(4, ana_);
  EXPECT_EQ(store_->end_sessions_of(ana_).value(), 2);
  EXPECT_TRUE(store_->sessions_of(ana_)->empty());
  EXPECT_TRUE(is_signed_in(3));
  EXPECT_TRUE(store_->end_session(hash_of(3)).value());
  EXPECT_FALSE(store_->end_session(hash_of(3)).value());
  EXPECT_FALSE(is_signed_in(3));
}

TEST_F(PortalPeopleTest, WhatABrowserCallsItselfIsKeptAsItCanBeShown) {
  const auto made =
      store_->create_session(hash_of(1), ana_, "Bad\x1b[31m\r\nX: y\xff" + std::string(1000, 'x'), "192.0.2.1\n");
  ASSERT_TRUE(made) << made.error().detail;
  EXPECT_TRUE(made->user_agent.starts_with("Bad[31mX: y\xef\xbf\xbdx")) << made->user_agent;
  EXPECT_EQ(made->user_agent.size(), 302U);
  EXPECT_EQ(made->address, "192.0.2.1");
  for (const auto& text : hostile_texts()) {
    const auto stored = store_->create_session(hash_of(2), ana_, text, text);
    ASSERT_TRUE(stored) << stored.error().detail;
    EXPECT_EQ(stored->user_agent, text);
    ASSERT_TRUE(store_->end_session(hash_of(2)));
    auto person = named("eve");
    person.name = person.subject = text;
    EXPECT_EQ(store_->upsert_person(person).value().name, text);
  }
}

TEST_F(PortalPeopleTest, AStateIsUsedOnce) {
  EXPECT_TRUE(store_->use_state(once(1)).value());
  EXPECT_FALSE(store_->use_state(once(1)).value());
  EXPECT_FALSE(store_->use_state(once(1, 24h)).value()) << "whatever is said of its end";
  EXPECT_TRUE(store_->use_state(once(2)).value());
  EXPECT_FALSE(store_->use_state(once(3, -1s)).value()) << "no longer good";
  postgres_.run_sql("update toolhost.used_states set expires_at = now() - interval '1 second'");
  EXPECT_FALSE(store_->use_state(once(1, -1s)).value());
  EXPECT_EQ(count("used_states"), "0") << "forgotten in passing";
}

TEST_F(PortalPeopleTest, OfThoseWhoUseAStateAtTheSameTimeOneSucceeds) {
  for (int round = 0; round < 5; ++round) {
    std::atomic<int> succeeded{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        const auto used = PortalStore::create(postgres_.address())->use_state(once(100 + round));
        ASSERT_TRUE(used) << used.error().message << used.error().detail;
        if (*used) ++succeeded;
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(succeeded, 1);
  }
}

TEST_F(PortalPeopleTest, AConnectionThatWasLostMeanwhileIsReplaced) {
  session(1, ana_);
  postgres_.run_sql(
      "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'toolhost_app' and "
      "pid <> pg_backend_pid()");
  EXPECT_TRUE(is_signed_in(1)) << "nobody sees an error page for it";
}

TEST_F(PortalPeopleTest, TheHostsRoleChangesNoMoreThanItNeeds) {
  session(1, ana_);
  for (const char* change :
       {"update toolhost.people set subject = 'x'", "delete from toolhost.people",
        "update toolhost.portal_sessions set person_id = person_id",
        "update toolhost.portal_sessions set expires_at = now()", "update toolhost.used_states set expires_at = now()",
        "update toolhost.api_keys set person_id = null", "update toolhost.key_days set day = day",
        "truncate toolhost.key_days"}) {
    const auto refused = postgres_.run_sql(
        "do $$ begin set local role toolhost_app; " + std::string(change) +
        "; exception when insufficient_privilege then perform set_config('test.refused', 'yes', false); end $$; "
        "select current_setting('test.refused', true)");
    EXPECT_EQ(refused, "yes") << change;
  }
}

}  // namespace
}  // namespace toolhost::storage
