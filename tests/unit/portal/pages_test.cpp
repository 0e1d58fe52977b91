#include <gmock/gmock.h>

#include "portal/connection_snippets.hpp"
#include "portal/pages_account.hpp"
#include "portal/pages_activity.hpp"
#include "portal/pages_check.hpp"
#include "portal/pages_connect.hpp"
#include "portal/pages_help.hpp"
#include "portal/pages_keys.hpp"
#include "portal/pages_sign_in.hpp"

namespace toolhost::portal {
namespace {

using access::KeyAttempt;
using access::KeyFlaw;
using access::KeyHeader;
using storage::PortalKey;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using std::chrono::days;
using std::chrono::hours;

constexpr std::string_view kAttack = R"("><script>alert(1)</script>)";

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

struct Pages : ::testing::Test {
  Site site{.product = "Acme Helpdesk"};
  Viewer viewer{.name = "Ana Lopez",
                .email = "ana@acme.example",
                .form_token = "FORM-TOKEN",
                .now = *parse_moment("2026-03-01T12:00:00Z")};
  Scene scene{site, viewer, {}};

  PortalKey key(std::string name) const {
    PortalKey key;
    key.row = {.id = KeyId{17}, .tenant = "acme", .name = std::move(name), .owner = "ana@acme.example"};
    key.row.prefix = "hdsk_4fT9kQ";
    key.created_at = viewer.now - days(10);
    return key;
  }

  /// What every page must be, whatever stands in it.
  static void expect_sound(const Page& page) {
    EXPECT_EQ(count(page.body, "<h1"), 1U);
    EXPECT_EQ(count(page.body, "<main"), 1U);
    EXPECT_THAT(page.body, AllOf(HasSubstr(R"(<html lang="en">)"), HasSubstr(R"(href="#main")"), HasSubstr("<title>")));
    for (const auto* inline_code : {" style=\"", "<style", " onclick=", " onload=", "javascript:", "<script>"})
      EXPECT_THAT(page.body, Not(HasSubstr(inline_code)));
    EXPECT_EQ(count(page.body, "http://www."), 0U);
    EXPECT_EQ(count(page.body, R"(method="post")"), count(page.body, R"(name="token" value="FORM-TOKEN")"));
  }
};

TEST_F(Pages, EmptyListTeachesHowToBegin) {
  const auto page = keys_page(scene, {}, false);
  expect_sound(page);
  EXPECT_THAT(page.body, AllOf(HasSubstr("Connect your first assistant"), HasSubstr("Create New Key"),
                               HasSubstr(R"(href="/mcp/keys/new")"), Not(HasSubstr("<table"))));
}

TEST_F(Pages, ListShowsWhatTheGuidePromises) {
  auto used = key("Claude Desktop");
  used.row.usage_count = 1234;
  used.last_used_at = viewer.now - hours(3);
  const auto page = keys_page(scene, {used, key("Never used")}, true);
  expect_sound(page);
  EXPECT_THAT(page.body, AllOf(HasSubstr("Claude Desktop"), HasSubstr("hdsk_4fT9kQ…"), HasSubstr("Active"),
                               HasSubstr("19 Feb 2026"), HasSubstr("3 hours ago"), HasSubstr("1,234"),
                               HasSubstr("Never</span>"), HasSubstr(R"(href="/mcp/keys/17/delete")")));
  EXPECT_THAT(page.body, AllOf(HasSubstr("<caption"), HasSubstr(R"(scope="row")"), HasSubstr(R"(scope="col")")));
}

TEST_F(Pages, StatusesAreWords) {
  auto expired = key("a"), revoked = key("b"), ending = key("c"), replaced = key("d");
  expired.row.expires_at = viewer.now - hours(1);
  revoked.row.disabled = true;
  ending.row.replaced_by = replaced.row.replaced_by = KeyId{18};
  ending.row.expires_at = viewer.now + hours(1);
  replaced.row.expires_at = viewer.now;
  EXPECT_EQ(status_of(expired, viewer.now), KeyStatus::kExpired);
  EXPECT_EQ(status_of(revoked, viewer.now), KeyStatus::kRevoked);
  EXPECT_EQ(status_of(ending, viewer.now), KeyStatus::kEnding);
  EXPECT_EQ(status_of(replaced, viewer.now), KeyStatus::kReplaced);
  EXPECT_THAT(keys_page(scene, {expired, revoked, ending, replaced}, false).body,
              AllOf(HasSubstr("Expired"), HasSubstr("Revoked"), HasSubstr("Being replaced")));
}

TEST_F(Pages, NamesNeverBecomeMarkup) {
  auto bad = key(std::string(kAttack));
  bad.row.owner = bad.row.tenant = kAttack;
  bad.last_used_at = viewer.now;
  viewer.email = viewer.name = kAttack;
  KeyForm form{.name = std::string(kAttack), .tenant = std::string(kAttack), .date = std::string(kAttack)};
  form.problems = {{"name", std::string(kAttack)}};
  KeyAttempt attempt{.at = viewer.now, .address = std::string(kAttack), .flaw = KeyFlaw::kTooShort};
  attempt.prefix = "hdsk_4fT9kQ";
  attempt.tail = "<b>";
  const std::vector<TenantChoice> tenants{{TenantId{1}, "acme", std::string(kAttack)}, {TenantId{2}, "x", ""}};
  storage::SessionRow session{.number = 1, .user_agent = std::string(kAttack), .address = std::string(kAttack)};
  const storage::KeyError error{viewer.now, std::string(kAttack), std::string(kAttack), std::string(kAttack)};
  const storage::DayRow day{std::chrono::floor<days>(viewer.now), std::string(kAttack), 1, 1};
  const KeyPlace place;
  for (const Page& page :
       {keys_page(scene, {bad}, true), rename_page(scene, place, bad, kAttack, {}), delete_page(scene, place, bad, {}),
        replace_page(scene, bad, kAttack, {}), create_page(scene, form, tenants, {std::string(kAttack), "b"}),
        shown_once_page(scene, {.key = kAttack, .row = bad, .base_url = std::string(kAttack)}),
        key_page(scene, place, {bad, {day}, {error}}), activity_page(scene, {{bad}, KeyId{17}, {day}, {error}}),
        team_page(scene, {tenants, tenants[0], {bad}, {day}}), account_page(scene, {tenants, {session}, 2}),
        check_page(scene, {{attempt}, {bad}, std::string(kAttack)}), connect_page(scene, kAttack)}) {
    EXPECT_THAT(page.body, Not(HasSubstr("<script>alert")));
    EXPECT_THAT(page.body, Not(HasSubstr("<b>")));
    expect_sound(page);
  }
  for (const Page& page : {no_access_page(site, kAttack, kAttack), sign_in_page(site, {.kind = SignInKind::kLocal,
                                                                                       .next = std::string(kAttack),
                                                                                       .problem = std::string(kAttack),
                                                                                       .email = std::string(kAttack)})})
    EXPECT_THAT(page.body, Not(HasSubstr("<script>alert")));
}

TEST_F(Pages, CreateOffersWhatThePersonMay) {
  KeyForm form{.once = "ONCE"};
  const auto one = create_page(scene, form, {{TenantId{1}, "acme", "Acme Inc.", Role::kAgent}}, {"tickets", "tasks"});
  expect_sound(one);
  EXPECT_EQ(one.status, 200U);
  EXPECT_THAT(one.body, AllOf(HasSubstr(R"(name="once" value="ONCE")"), HasSubstr("Create Key"), HasSubstr("Acme Inc."),
                              Not(HasSubstr("<select")), HasSubstr(R"(value="read")"), HasSubstr(R"(value="tasks")")));
  const auto two =
      create_page(scene, form, {{TenantId{1}, "acme", ""}, {TenantId{2}, "globex", "Globex", Role::kViewer}}, {});
  EXPECT_THAT(two.body, AllOf(HasSubstr("<select"), HasSubstr("Globex"), HasSubstr(R"(<option value="acme">acme)")));
  const auto viewer_only = create_page(scene, form, {{TenantId{1}, "acme", "", Role::kViewer}}, {});
  EXPECT_THAT(viewer_only.body, AllOf(HasSubstr("Your role is viewer"), Not(HasSubstr(R"(value="all")"))));
}

TEST_F(Pages, WhatIsWrongIsSaidAboveAndBesideTheField) {
  KeyForm form{.name = "typed"};
  form.problems = {{"name", "A key needs a name."}, {"date", "Enter a day."}};
  const auto page = create_page(scene, form, {{TenantId{1}, "acme", ""}}, {});
  EXPECT_EQ(page.status, 422U);
  EXPECT_THAT(page.body,
              AllOf(HasSubstr(R"(role="alert")"), HasSubstr(R"(href="#name")"), HasSubstr(R"(id="name-error")"),
                    HasSubstr(R"(aria-invalid="true" aria-describedby="name-hint name-error")"),
                    HasSubstr(R"(aria-describedby="date-error")"), HasSubstr(R"(value="typed")")));
}

TEST_F(Pages, KeyIsShownOnceWithEverySnippetFilledIn) {
  const std::string whole = "hdsk_4fT9kQaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
  const auto page =
      shown_once_page(scene, {.key = whole, .row = key("Claude"), .base_url = "https://mcp.acme.example"});
  expect_sound(page);
  EXPECT_THAT(page.body, AllOf(HasSubstr(R"(readonly)"), HasSubstr("value=\"" + whole), HasSubstr("I have stored it")));
  for (const auto& snippet : connection_snippets("https://mcp.acme.example", whole)) {
    EXPECT_THAT(page.body, HasSubstr("id=\"" + std::string(snippet.id)));
    EXPECT_THAT(snippet.text, Not(HasSubstr("@")));
    for (const auto& step : snippet.steps) EXPECT_THAT(step, Not(HasSubstr("@")));
  }
  EXPECT_THAT(no_longer_shown_page(scene).body, HasSubstr("This key can no longer be displayed"));
}

TEST_F(Pages, ConnectHoldsNoKeyButAPlaceholder) {
  const auto page = connect_page(scene, "https://mcp.acme.example");
  expect_sound(page);
  EXPECT_THAT(page.body, AllOf(HasSubstr("hdsk_your_key_here"), HasSubstr("https://mcp.acme.example/sse"),
                               HasSubstr("Windows"), HasSubstr("X-API-Key:${HELPDESK_KEY}"), HasSubstr("ChatGPT")));
}

TEST_F(Pages, DeletingAKeyThatIsInUseAsksForItsName) {
  auto used = key("Claude");
  EXPECT_FALSE(needs_its_name(used, viewer.now));
  EXPECT_THAT(delete_page(scene, {}, used, {}).body,
              AllOf(HasSubstr("not used yet"), Not(HasSubstr(R"(name="confirm")"))));
  used.last_used_at = viewer.now - days(8);
  EXPECT_FALSE(needs_its_name(used, viewer.now));
  used.last_used_at = viewer.now - days(2);
  used.row.usage_count = 41;
  EXPECT_TRUE(needs_its_name(used, viewer.now));
  const auto page = delete_page(scene, {}, used, {});
  expect_sound(page);
  EXPECT_THAT(page.body, AllOf(HasSubstr(R"(name="confirm")"), HasSubstr("41 calls"), HasSubstr("permanent"),
                               HasSubstr("loses access"), HasSubstr(R"(action="/mcp/keys/17/delete")")));
}

TEST_F(Pages, TeamPagesLeadToTheTeamsKeys) {
  viewer.is_admin = true;
  const TenantChoice acme{TenantId{1}, "acme", "Acme Inc.", Role::kAdmin};
  const auto page = team_page(scene, {{acme}, acme, {key("Bob's laptop")}, {}});
  expect_sound(page);
  EXPECT_THAT(page.body, AllOf(HasSubstr(R"(href="/mcp/team/acme/keys/17")"), HasSubstr("ana@acme.example"),
                               HasSubstr(R"(href="/mcp/team")"), Not(HasSubstr("17/replace"))));
  viewer.is_admin = false;
  EXPECT_THAT(keys_page(scene, {}, false).body, Not(HasSubstr(R"(href="/mcp/team")")));
}

TEST_F(Pages, CheckSaysWhatArrivedAndWhatToDo) {
  KeyAttempt attempt{.number = 5, .at = viewer.now, .address = "192.0.2.7", .header = KeyHeader::kAuthorization};
  attempt.flaw = KeyFlaw::kTooShort;
  attempt.length = 31;
  attempt.tail = "xyz";
  EXPECT_EQ(attempt_text(attempt, {}),
            "A key ending in …xyz arrived in Authorization. It looks cut off: 31 of 37 characters.");
  attempt.prefix = "hdsk_4fT9kQ";
  EXPECT_THAT(attempt_text(attempt, {key("Laptop")}), HasSubstr("Your key “Laptop” ending in …xyz"));
  EXPECT_THAT(remedy_text(attempt), HasSubstr("Copy the whole key again"));
  const auto page = check_page(scene, {{attempt}, {key("Laptop")}, "192.0.2.7"});
  expect_sound(page);
  EXPECT_THAT(page.body, AllOf(HasSubstr(R"(data-live="/mcp/check/live")"), HasSubstr(R"(data-news="5")"),
                               HasSubstr("From 192.0.2.7")));
  EXPECT_THAT(check_fragment({{}, {}, ""}, viewer.now).body,
              AllOf(HasSubstr("Waiting for your assistant"), Not(HasSubstr("<html"))));
}

TEST_F(Pages, NeighboursDoNotCrowdOnesOwnKeyOutOfTheCheck) {
  CheckView view{.attempts = {}, .keys = {key("Laptop")}, .address = "192.0.2.7"};
  for (std::uint64_t number = 40; number > 1; --number)
    view.attempts.push_back({.number = number, .at = viewer.now, .flaw = KeyFlaw::kOtherText});
  view.attempts.push_back({.number = 1, .at = viewer.now, .prefix = "hdsk_4fT9kQ"});
  EXPECT_THAT(check_fragment(view, viewer.now).body, HasSubstr("Your key “Laptop”"));
}

TEST_F(Pages, EveryFlawHasWordsAndACure) {
  for (int flaw = static_cast<int>(KeyFlaw::kMissing); flaw <= static_cast<int>(KeyFlaw::kUnchecked); ++flaw) {
    KeyAttempt attempt{.at = viewer.now, .header = KeyHeader::kXApiKey, .flaw = static_cast<KeyFlaw>(flaw)};
    EXPECT_GT(attempt_text(attempt, {}).size(), 25U) << flaw;
    EXPECT_GT(remedy_text(attempt).size(), 20U) << flaw;
  }
}

TEST_F(Pages, SignInIsWhatIsSetUp) {
  EXPECT_THAT(sign_in_page(site, {.kind = SignInKind::kGoogle, .next = "/mcp/keys"}).body,
              AllOf(HasSubstr("Sign in with Google"), HasSubstr("/mcp/sign-in/start?next=%2Fmcp%2Fkeys")));
  EXPECT_THAT(sign_in_page(site, {.kind = SignInKind::kProvider, .provider = "Acme ID", .next = "/mcp"}).body,
              HasSubstr("Sign in with Acme ID"));
  EXPECT_THAT(sign_in_page(site, {.kind = SignInKind::kNone}).body, HasSubstr("not set up"));
  const auto local = sign_in_page(site, {.kind = SignInKind::kLocal, .next = "/mcp", .message = "Enter an address."});
  EXPECT_EQ(local.status, 422U);
  EXPECT_THAT(local.body,
              AllOf(HasSubstr("Trial sign-in"), HasSubstr(R"(type="email")"), HasSubstr("Enter an address.")));
  const auto nobody = no_access_page(site, "eve@evil.example", "Ask the help desk, 555-0100.");
  EXPECT_EQ(nobody.status, 403U);
  EXPECT_THAT(nobody.body, AllOf(HasSubstr("eve@evil.example"), HasSubstr("Ask the help desk, 555-0100.")));
}

TEST_F(Pages, HelpIsForEverybody) {
  for (const Viewer* who : {static_cast<const Viewer*>(nullptr), static_cast<const Viewer*>(&viewer)}) {
    const auto page = help_page(site, who);
    expect_sound(page);
    EXPECT_THAT(page.body, AllOf(HasSubstr("Invalid API key"), HasSubstr("37 characters"), HasSubstr("Acme Helpdesk")));
  }
}

TEST_F(Pages, TenantsHaveTheirTitles) {
  const std::vector<TenantChoice> tenants{{TenantId{1}, "acme", "Acme Inc."}};
  const Scene titled{site, viewer, {}, tenants};
  EXPECT_THAT(keys_page(titled, {key("a")}, true).body, HasSubstr("Acme Inc."));
  EXPECT_THAT(key_page(titled, {}, {key("a"), {}, {}}).body, HasSubstr("Acme Inc."));
}

TEST_F(Pages, WhatEndsSoonIsMarked) {
  auto soon = key("a");
  soon.row.expires_at = viewer.now + days(4);
  EXPECT_THAT(keys_page(scene, {soon}, false).body, AllOf(HasSubstr("sub soon"), HasSubstr("in 4 days")));
  soon.row.expires_at = viewer.now + days(90);
  EXPECT_THAT(keys_page(scene, {soon}, false).body, AllOf(HasSubstr("30 May 2026"), Not(HasSubstr("sub soon"))));
}

TEST_F(Pages, NoticesAreTheProgramsOwnWords) {
  EXPECT_EQ(notice_of("<script>"), "");
  EXPECT_THAT(std::string(notice_of("deleted")), HasSubstr("deleted"));
}

TEST_F(Pages, BrowsersHaveNames) {
  EXPECT_EQ(browser_name("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
                         "Chrome/126.0 Safari/537.36 Edg/126.0"),
            "Edge on Windows");
  EXPECT_EQ(browser_name("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
                         "Gecko) Version/17.5 Mobile/15E148 Safari/604.1"),
            "Safari on iPhone");
  EXPECT_EQ(browser_name(""), "Unknown browser");
}

}  // namespace
}  // namespace toolhost::portal
