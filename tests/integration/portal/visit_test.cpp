#include "integration/portal/visit_fixture.hpp"

namespace toolhost::portal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// With the trial sign-in.
class VisitTest : public VisitFixture {
 protected:
  const Premises premises_{{.local_sign_in = true, .support = "Ask the help desk."}, parts()};
  Browser ana_{premises_, desk_}, bob_{premises_, desk_};
};

TEST_F(VisitTest, StrangersSeeTheSignInAndNothingElse) {
  EXPECT_THAT(ana_.get("/mcp").body, HasSubstr("Trial sign-in"));
  for (const auto* path : {"/mcp/keys", "/mcp/keys/1", "/mcp/account", "/mcp/team", "/mcp/activity"}) {
    const auto page = ana_.get(path);
    EXPECT_EQ(page.status, 303U) << path;
    EXPECT_THAT(page.headers, HasSubstr("Location: /mcp/sign-in?next=%2Fmcp"));
  }
  EXPECT_THAT(ana_.get("/mcp/activity?key=2").headers, HasSubstr("next=%2Fmcp%2Factivity%3Fkey%3D2\r"));
  EXPECT_EQ(ana_.get("/mcp/check/live").status, 401U);
  EXPECT_EQ(ana_.get("/mcp/nothing").status, 404U);
}

TEST_F(VisitTest, OnlyPeopleOfATenantComeIn) {
  const auto page = ana_.sign_in("eve@evil.example");
  EXPECT_EQ(page.status, 403U);
  EXPECT_THAT(page.body, AllOf(HasSubstr("no access"), HasSubstr("Ask the help desk.")));
  EXPECT_THAT(page.headers, Not(HasSubstr("Set-Cookie: toolhost=")));
  EXPECT_EQ(ana_.sign_in("no address").status, 422U);
  EXPECT_EQ(ana_.sign_in("ana@acme.example").status, 303U);
}

TEST_F(VisitTest, AKeyIsMadeShownOnceAndDeleted) {
  ana_.sign_in("ana@acme.example");
  EXPECT_THAT(ana_.get("/mcp").body, HasSubstr("Connect your first assistant"));
  const auto once = Browser::value_of(ana_.get("/mcp/keys/new").body, "once");
  const transport::FormFields form{{"name", "Claude"}, {"tenant", "acme"},    {"expiry", "30"},
                                   {"scope", "read"},  {"plugin", "tickets"}, {"once", once}};
  const auto shown = ana_.submit("/mcp/keys/new", form);
  const auto key = key_in(shown.body);
  ASSERT_EQ(key.size(), 37U) << shown.body;
  const auto again = ana_.submit("/mcp/keys/new", form);
  EXPECT_THAT(again.body, AllOf(HasSubstr("can no longer be displayed"), Not(HasSubstr(key))));

  const auto list = ana_.get("/mcp/keys").body;
  EXPECT_THAT(list, AllOf(HasSubstr("Claude"), HasSubstr(key.substr(0, 11)), Not(HasSubstr(key))));
  const auto keys = desk_.store->keys_of(desk_.directory->tenant("acme")->id);
  ASSERT_EQ(keys->size(), 1U);
  EXPECT_THAT(keys->front().row.scopes, testing::ElementsAre("read", "tickets.*"));
  EXPECT_TRUE(keys->front().row.expires_at.has_value());
  EXPECT_EQ(keys->front().row.owner, "ana@acme.example");

  const auto path = "/mcp/keys/" + std::to_string(value(keys->front().row.id));
  EXPECT_THAT(ana_.get(path).body, HasSubstr("Calls per day"));
  EXPECT_THAT(ana_.get(path + "/delete").body, HasSubstr("not used yet"));
  EXPECT_THAT(ana_.submit(path + "/delete", {}).headers, HasSubstr("/mcp/keys?done=deleted"));
  EXPECT_EQ(ana_.get(path).status, 404U);
}

TEST_F(VisitTest, WhatIsWrongWithAFormIsSaid) {
  ana_.sign_in("ana@acme.example");
  const auto page =
      ana_.submit("/mcp/keys/new", {{"name", ""}, {"tenant", "globex"}, {"expiry", "date"}, {"date", "x"}});
  EXPECT_EQ(page.status, 422U);
  EXPECT_THAT(page.body, AllOf(HasSubstr("href=\"#name\""), HasSubstr("href=\"#tenant\""), HasSubstr("href=\"#date\""),
                               HasSubstr("href=\"#scope\"")));
  for (int i = 0; i < 3; ++i) make_key(ana_, "key");
  const auto once = Browser::value_of(ana_.get("/mcp/keys/new").body, "once");
  EXPECT_EQ(ana_.submit("/mcp/keys/new",
                        {{"name", "a"}, {"tenant", "acme"}, {"expiry", "never"}, {"scope", "all"}, {"once", once}})
                .status,
            422U);
}

TEST_F(VisitTest, RenamedAndReplaced) {
  ana_.sign_in("ana@acme.example");
  const auto path = "/mcp/keys/" + std::to_string(make_key(ana_, "Claude"));
  EXPECT_EQ(ana_.submit(path + "/rename", {{"name", "  "}}).status, 422U);
  EXPECT_EQ(ana_.submit(path + "/rename", {{"name", "<b>Laptop</b>\r\nSet-Cookie: a=b"}}).status, 422U);
  const auto renamed = ana_.submit(path + "/rename", {{"name", "<b>Laptop</b>"}});
  EXPECT_EQ(renamed.headers, "Location: " + path + "?done=renamed\r\n");
  EXPECT_THAT(ana_.get(path).body, AllOf(HasSubstr("&lt;b&gt;Laptop"), Not(HasSubstr("<b>Laptop"))));

  const auto once = Browser::value_of(ana_.get(path + "/replace").body, "once");
  EXPECT_EQ(ana_.submit(path + "/replace", {{"overlap", "12"}, {"once", once}}).status, 422U);
  const auto shown = ana_.submit(path + "/replace", {{"overlap", "3600"}, {"once", once}});
  EXPECT_EQ(key_in(shown.body).size(), 37U);
  EXPECT_THAT(shown.body, HasSubstr("takes the place of the old one"));
  const auto again = ana_.submit(path + "/replace", {{"overlap", "3600"}, {"once", once}});
  EXPECT_THAT(again.body, HasSubstr("can no longer be displayed"));
  EXPECT_THAT(ana_.get("/mcp/keys").body, HasSubstr("Being replaced"));
}

TEST_F(VisitTest, FormsOfOtherSitesAndSessionsDoNothing) {
  ana_.sign_in("ana@acme.example");
  const auto path = "/mcp/keys/" + std::to_string(make_key(ana_, "Claude")) + "/delete";
  const auto token = ana_.token();
  EXPECT_EQ(ana_.post(path, {{"token", token}}, "https://evil.example").status, 403U);
  EXPECT_EQ(ana_.post(path, {{"token", token}}, "").status, 403U);
  EXPECT_EQ(ana_.post(path, {{"token", token}}, "null").status, 403U);
  EXPECT_EQ(ana_.post(path, {}).status, 403U);
  bob_.sign_in("bob@acme.example");
  EXPECT_EQ(ana_.post(path, {{"token", bob_.token()}}).status, 403U);
  EXPECT_EQ(ana_.post("/mcp/sign-in/local", {{"email", "bob@acme.example"}}, "https://evil.example").status, 403U);
  EXPECT_THAT(ana_.get("/mcp/keys").body, HasSubstr("Claude"));
}

TEST_F(VisitTest, ForeignKeysAreNotThere) {
  ana_.sign_in("ana@acme.example");
  const auto id = std::to_string(make_key(ana_, "Ana's"));
  Browser gil(premises_, desk_);
  bob_.sign_in("bob@acme.example");
  gil.sign_in("gil@globex.example");
  for (auto* browser : {&bob_, &gil}) {
    for (const std::string base : {"/mcp/keys/", "/mcp/team/acme/keys/", "/mcp/team/globex/keys/"}) {
      for (const auto* what : {"", "/rename", "/delete"}) EXPECT_EQ(browser->get(base + id + what).status, 404U);
      EXPECT_EQ(browser->submit(base + id + "/rename", {{"name", "mine"}}).status, 404U);
      EXPECT_EQ(browser->submit(base + id + "/delete", {{"confirm", "Ana's"}}).status, 404U);
    }
    EXPECT_EQ(browser->get("/mcp/keys/" + id + "/replace").status, 404U);
    const auto once = Browser::value_of(browser->get("/mcp/keys/new").body, "once");
    EXPECT_EQ(browser->submit("/mcp/keys/" + id + "/replace", {{"overlap", "0"}, {"once", once}}).status, 404U);
    EXPECT_EQ(browser->get("/mcp/activity?key=" + id).status, 404U);
  }
  EXPECT_EQ(bob_.get("/mcp/team").status, 404U);
  EXPECT_EQ(gil.get("/mcp/team?tenant=acme").status, 404U);
  EXPECT_THAT(ana_.get("/mcp/keys").body, HasSubstr("Ana&#39;s"));
}

TEST_F(VisitTest, AdminsSeeAndDeleteTheKeysOfTheirTenant) {
  bob_.sign_in("bob@acme.example");
  const auto id = std::to_string(make_key(bob_, "Bob's laptop"));
  ana_.sign_in("ana@acme.example");
  EXPECT_THAT(ana_.get("/mcp/team").body, AllOf(HasSubstr("Bob&#39;s laptop"), HasSubstr("bob@acme.example")));
  const auto path = "/mcp/team/acme/keys/" + id;
  EXPECT_EQ(ana_.get(path).status, 200U);
  EXPECT_EQ(ana_.get("/mcp/team/acme/keys/" + id + "/replace").status, 404U);
  EXPECT_THAT(ana_.submit(path + "/delete", {}).headers, HasSubstr("Location: /mcp/team?tenant=acme&done=deleted"));
  EXPECT_THAT(bob_.get("/mcp/keys").body, Not(HasSubstr("laptop")));
}

TEST_F(VisitTest, AKeyWhoseNameCannotBeTypedIsDeletedByItsBeginning) {
  ana_.sign_in("ana@acme.example");
  make_key(ana_, "\u0415-mail\u00a0\u200b bot");  // a Cyrillic letter
  postgres_.run_sql("update toolhost.api_keys set last_used_at = now()");
  const auto key = desk_.store->keys_of(desk_.directory->tenant("acme")->id)->front().row;
  EXPECT_EQ(key.name, "\u0415-mail bot");
  const auto path = "/mcp/team/acme/keys/" + std::to_string(value(key.id)) + "/delete";
  EXPECT_THAT(ana_.get(path).body, HasSubstr("<code>" + key.prefix + "</code> instead"));
  EXPECT_EQ(ana_.submit(path, {{"confirm", "E-mail bot"}}).status, 422U);
  EXPECT_EQ(ana_.submit(path, {{"confirm", ""}}).status, 422U);
  EXPECT_EQ(ana_.submit(path, {{"confirm", " " + key.prefix + "…"}}).status, 303U);
}

TEST_F(VisitTest, ReplacingTooOftenSaysWhatToDo) {
  ana_.sign_in("ana@acme.example");
  auto id = make_key(ana_, "Claude");
  for (int i = 0;; ++i) {
    ASSERT_LT(i, 6);
    const auto path = "/mcp/keys/" + std::to_string(id) + "/replace";
    const auto once = Browser::value_of(ana_.get(path).body, "once");
    const auto page = ana_.submit(path, {{"overlap", "604800"}, {"once", once}});
    if (page.status == 200) {
      id = value(desk_.store->keys_of(desk_.directory->tenant("acme")->id)->front().row.id);
      continue;
    }
    EXPECT_EQ(page.status, 422U);
    EXPECT_THAT(page.body, HasSubstr("Let the old key end at once"));
    EXPECT_EQ(i, 5) << "twice keys_per_person work";
    break;
  }
}

TEST_F(VisitTest, SessionsAreNewWithEachSignInAndEnd) {
  ana_.session() = "chosen-by-somebody-else";
  ana_.sign_in("ana@acme.example");
  const auto first = ana_.session();
  EXPECT_NE(first, "chosen-by-somebody-else");
  ana_.sign_in("ana@acme.example");
  EXPECT_NE(ana_.session(), first);
  Browser old(premises_, desk_);
  old.session() = first;
  EXPECT_EQ(old.get("/mcp/keys").status, 303U);

  Browser phone(premises_, desk_);
  phone.sign_in("ana@acme.example");
  EXPECT_THAT(ana_.get("/mcp/account").body, HasSubstr("This device"));
  const auto page = ana_.get("/mcp/account").body;
  const auto at = page.find("/mcp/account/sessions/");
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(bob_.sign_in("bob@acme.example").status, 303U);
  const auto end = page.substr(at, page.find('"', at) - at);
  bob_.submit(end, {});  // not his
  EXPECT_EQ(phone.get("/mcp/keys").status, 200U);
  ana_.submit(end, {});
  EXPECT_EQ(phone.get("/mcp/keys").status, 303U);

  phone.sign_in("ana@acme.example");
  EXPECT_THAT(ana_.submit("/mcp/account/sign-out-everywhere", {}).headers, HasSubstr("toolhost=;"));
  EXPECT_EQ(phone.get("/mcp/keys").status, 303U);
  EXPECT_EQ(bob_.get("/mcp/keys").status, 200U);
}

TEST_F(VisitTest, SignInLeadsNowhereElse) {
  for (const auto* next : {"https://evil.example/", "//evil.example", "/mcp/../..//evil.example", "/\\evil.example"}) {
    const auto page = ana_.post("/mcp/sign-in/local", {{"email", "ana@acme.example"}, {"next", next}});
    EXPECT_THAT(page.headers, HasSubstr("Location: /mcp\r\n")) << next;
  }
}

TEST_F(VisitTest, CheckShowsTheRefusedSideToWhomItConcerns) {
  ana_.sign_in("ana@acme.example");
  bob_.sign_in("bob@acme.example");
  make_key(ana_, "Claude");
  const auto tenant = desk_.directory->tenant("acme")->id;
  const auto prefix = desk_.store->keys_of(tenant)->front().row.prefix;
  attempts_.refused("", "Bearer " + prefix + "aaaaaaaaaaaaaaaaaxyz", "203.0.113.5", access::KeyFlaw::kTooShort);
  EXPECT_THAT(ana_.get("/mcp/check").body, HasSubstr("Your key “Claude” ending in …xyz arrived in Authorization"));
  EXPECT_THAT(ana_.get("/mcp/check/live").body, HasSubstr("31 of 37 characters"));
  EXPECT_THAT(bob_.get("/mcp/check/live").body, HasSubstr("Waiting for your assistant"));
}

}  // namespace
}  // namespace toolhost::portal
