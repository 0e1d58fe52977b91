#include <gmock/gmock.h>

#include "tickets_test.hpp"

namespace toolhost::test_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class PeopleAndCategories : public TicketsTest {
 protected:
  PeopleAndCategories()
      : lopez(with_members(ana, {{"ana.lopez@acme.com", "Ana Lopez", Role::kAgent},
                                 {"ana.ruiz@acme.com", "Ana Ruiz", Role::kAgent},
                                 {"bo@acme.com", "Bo Chen", Role::kAdmin}})) {}
  CallerPtr lopez;
};

TEST_F(PeopleAndCategories, ANameIsStoredAsTheMembersAddress) {
  const Answer answer = call(lopez, "create_ticket", R"({"title":"x","assignee":"bo chen","requester":"Ruiz"})");
  ASSERT_FALSE(answer.is_error()) << answer.text();
  EXPECT_EQ(answer.at("/ticket/assignee"), "bo@acme.com");
  EXPECT_EQ(answer.at("/ticket/requester"), "ana.ruiz@acme.com");
  const Answer list = call(lopez, "list_tickets", R"({"assignee":"Bo"})");
  EXPECT_THAT(list.each("/tickets", "id"), ElementsAre(answer.at("/ticket/id")));
  EXPECT_EQ(list.at("/applied_filters/assignee"), "bo@acme.com");
}

TEST_F(PeopleAndCategories, SeveralOfOneNameAreListed) {
  const std::string candidates =
      "2 people match 'Ana': Ana Lopez <ana.lopez@acme.com>, Ana Ruiz <ana.ruiz@acme.com>; give the e-mail address";
  const std::string id = create(lopez, R"({"title":"x"})");
  for (const auto& [tool, arguments] : std::vector<std::pair<std::string, std::string>>{
           {"create_ticket", R"({"title":"x","assignee":"Ana"})"},
           {"create_ticket", R"({"title":"x","requester":"Ana"})"},
           {"list_tickets", R"({"assignee":"Ana"})"},
           {"list_tickets", R"({"requester":"Ana"})"},
           {"update_ticket", R"({"id":")" + id + R"(","assignee":"Ana"})"},
           {"update_ticket", R"({"id":")" + id + R"(","requester":"Ana"})"}}) {
    const Answer answer = call(lopez, tool, arguments);
    EXPECT_TRUE(answer.is_error()) << tool << arguments;
    EXPECT_THAT(answer.text(), HasSubstr(candidates)) << tool << arguments;
  }
}

TEST_F(PeopleAndCategories, NobodyIsToldWithTheNearestAndAnAddressIsTaken) {
  const Answer nobody = call(lopez, "create_ticket", R"({"title":"x","assignee":"Bob"})");
  EXPECT_TRUE(nobody.is_error());
  EXPECT_THAT(nobody.text(), HasSubstr("nobody here is called 'Bob'"));
  EXPECT_THAT(nobody.text(), HasSubstr("Bo Chen <bo@acme.com>"));
  EXPECT_THAT(nobody.text(), HasSubstr("Give an e-mail address for somebody else"));
  EXPECT_EQ(call(lopez, "create_ticket", R"({"title":"x","assignee":"eve@else.org"})").at("/ticket/assignee"),
            "eve@else.org");
}

TEST_F(PeopleAndCategories, FiltersTakeNamesOfNobodyAndWarn) {
  job(lopez, "import",
      R"({"source":"s","rows":[{"row":1,"data":{"title":"x","assignee":"Bob","reporter":"Cy Dee"}}]})");
  const Answer answer = call(lopez, "list_tickets", R"({"assignee":"bob","requester":"cy dee"})");
  ASSERT_FALSE(answer.is_error()) << answer.text();
  EXPECT_EQ(answer.at("/total"), "1");
  EXPECT_THAT(answer.at("/warnings/0"), HasSubstr("assignee: nobody here is called 'bob'; nearest: "));
  EXPECT_THAT(answer.at("/warnings/1"), HasSubstr("requester: nobody here is called 'cy dee'"));
}

TEST_F(PeopleAndCategories, WithoutMembersAnyTextIsAPerson) {
  EXPECT_EQ(call(ana, "create_ticket", R"({"title":"x","assignee":"Bob"})").at("/ticket/assignee"), "Bob");
}

TEST_F(PeopleAndCategories, CategoriesOfTheTenantAreTheOnlyOnes) {
  const CallerPtr strict = in_tenant_with_categories();
  EXPECT_EQ(call(strict, "create_ticket", R"({"title":"x","category":"hardWARE"})").at("/ticket/category"), "Hardware");
  const Answer unknown = call(strict, "create_ticket", R"({"title":"x","category":"Netwrk"})");
  EXPECT_TRUE(unknown.is_error());
  EXPECT_EQ(unknown.text(), "category 'Netwrk' is not one of this helpdesk's: Network, Software, Hardware");
  const std::string id = create(strict, R"({"title":"x"})");
  EXPECT_TRUE(call(strict, "update_ticket", R"({"id":")" + id + R"(","category":"x"})").is_error());
  EXPECT_EQ(call(strict, "update_ticket", R"({"id":")" + id + R"(","category":"NETWORK"})").at("/changed_fields/0/to"),
            "Network");
  EXPECT_THAT(call(strict, "list_tickets", R"({"category":"Netwrk"})").at("/warnings/0"), HasSubstr("is not one of"));
  EXPECT_EQ(call(ana, "create_ticket", R"({"title":"x","category":"Anything"})").at("/ticket/category"), "Anything");
  const Answer imported =
      job(strict, "import", R"({"source":"s","rows":[{"row":1,"data":{"title":"x","category":"Office"}}]})");
  EXPECT_THAT(imported.at("/refused/0/reason"), HasSubstr("category 'Office' is not one of"));
}

}  // namespace
}  // namespace toolhost::test_support
