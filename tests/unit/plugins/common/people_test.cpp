#include "people.hpp"

#include <toolhost/plugin/call.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "refusal.hpp"

namespace helpdesk {
namespace {

using testing::HasSubstr;
using toolhost::Person;

class PeopleTest : public testing::Test {
 protected:
  [[nodiscard]] People people() {
    return {"bo@acme.com", [this](std::string_view text, std::size_t) {
              std::vector<Person> found;
              for (const Person& member : members) {
                if (text.empty() || member.email == text || member.name.starts_with(text)) found.push_back(member);
              }
              return found;
            }};
  }
  std::string refusal_of(std::string_view person) {
    try {
      return "not refused: " + people().read("assignee", person);
    } catch (const Refusal& refusal) {
      EXPECT_EQ(refusal.kind(), Refusal::Kind::kInvalid);
      return refusal.what();
    }
  }

  std::vector<Person> members = {{"ana.lopez@acme.com", "Ana Lopez", "agent"},
                                 {"ana.ruiz@acme.com", "Ana Ruiz", "agent"},
                                 {"bo@acme.com", "Bo Chen", "admin"},
                                 {"*@acme.com", "", "viewer"}};
};

TEST_F(PeopleTest, MeIsTheCaller) {
  EXPECT_EQ(people().read("assignee", "Me"), "bo@acme.com");
}

TEST_F(PeopleTest, OneMembersNameIsTheirAddress) {
  EXPECT_EQ(people().read("assignee", "Ana Ruiz"), "ana.ruiz@acme.com");
}

TEST_F(PeopleTest, AnyAddressIsAccepted) {
  EXPECT_EQ(people().read("assignee", "eve@elsewhere.org"), "eve@elsewhere.org");
  EXPECT_EQ(people().read("assignee", "bo@acme.com"), "bo@acme.com");
}

TEST_F(PeopleTest, SeveralAreListed) {
  EXPECT_EQ(refusal_of("Ana"),
            "assignee: 2 people match 'Ana': Ana Lopez <ana.lopez@acme.com>, Ana Ruiz <ana.ruiz@acme.com>; give the "
            "e-mail address");
}

TEST_F(PeopleTest, NobodyIsToldWithTheNearest) {
  EXPECT_THAT(refusal_of("Bob"), HasSubstr("nobody here is called 'Bob'. Nearest: "));
  EXPECT_THAT(refusal_of("@"), HasSubstr("nobody here is called '@'"));
  for (int i = 0; i < 20; ++i) {
    members.push_back({"x" + std::to_string(i) + "@acme.com", "Xaver Nummer" + std::to_string(i), "agent"});
  }
  EXPECT_THAT(refusal_of("Chne"), HasSubstr("Nearest: Bo Chen <bo@acme.com>, "));
  EXPECT_THAT(refusal_of("Chne"), HasSubstr("Give an e-mail address for somebody else"));
}

TEST_F(PeopleTest, AFilterMayNameNobodyAndSaysSo) {
  std::vector<std::string> warnings;
  EXPECT_EQ(people().read_filter("assignee", "Bo Chen", warnings), "bo@acme.com");
  EXPECT_EQ(people().read_filter("assignee", "eve@elsewhere.org", warnings), "eve@elsewhere.org");
  EXPECT_TRUE(warnings.empty());
  EXPECT_EQ(people().read_filter("assignee", "Bob", warnings), "Bob");
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_EQ(warnings[0],
            "assignee: nobody here is called 'Bob'; nearest: Ana Lopez <ana.lopez@acme.com>, Ana Ruiz "
            "<ana.ruiz@acme.com>, Bo Chen <bo@acme.com>");
  EXPECT_THROW((void)people().read_filter("assignee", "Ana", warnings), Refusal);
  members.clear();
  EXPECT_EQ(people().read_filter("assignee", "Bob", warnings), "Bob");
  EXPECT_EQ(warnings.size(), 1u);
}

TEST_F(PeopleTest, WithoutMembersAnyTextIsAPerson) {
  members.erase(members.begin(), members.begin() + 3);  // a whole domain is nobody in particular
  EXPECT_EQ(people().read("assignee", "Anybody"), "Anybody");
}

TEST_F(PeopleTest, AreCalledByTheirNames) {
  EXPECT_EQ(people().called("ana.ruiz@acme.com"), "Ana Ruiz");
  EXPECT_EQ(people().called("eve@elsewhere.org"), "eve@elsewhere.org");
  EXPECT_EQ(people().called("build key"), "build key");
}

TEST_F(PeopleTest, ImportedNamesStayUnlessTheyAreAMembersWholeName) {
  for (const char* name : {"Ana", "me", "Bo", "Bo Che", "Nobody"}) EXPECT_EQ(people().read_exact(name), name);
  EXPECT_EQ(people().read_exact("Bo Chen"), "bo@acme.com");
  EXPECT_EQ(people().read_exact("bo@acme.com"), "bo@acme.com");
  members.push_back({"bo.chen@acme.com", "Bo Chen", "agent"});
  EXPECT_EQ(people().read_exact("Bo Chen"), "Bo Chen");
}

}  // namespace
}  // namespace helpdesk
