#include <gtest/gtest.h>

#include <array>

#include "runner_fixture.hpp"

namespace toolhost::plugin_runtime {
namespace {

const th_people_api& people() {
  return service<th_people_api>(TH_SVC_PEOPLE);
}

const Members kMembers{{"*@acme.com", "", Role::kAgent},
                       {"ana.lopez@acme.com", "Ana L\u00f3pez", Role::kAdmin},
                       {"ana.ruiz@acme.com", "Ana Mar\u00eda Ruiz", Role::kViewer},
                       {"jorgen@acme.com", "J\u00f8rgen O'Brien-Stra\u00dfe"},
                       {"li@acme.com", "\u674e\u96f7"},
                       {"ana@acme.com", "Ana"}};

/// The e-mail addresses of those whom `text` names, as a call in a tenant with these members sees them.
std::string find(const std::string& text, const Members& members = kMembers) {
  RunnerFixture fixture;
  Caller caller = *fixture.caller;
  if (!members.empty()) caller.members = std::make_shared<const Members>(members);
  fixture.caller = std::make_shared<const Caller>(std::move(caller));
  std::string found;
  fixture.run([&](th_call* call) {
    std::array<th_person, 8> out{};
    std::size_t count = 0;
    EXPECT_EQ(people().find(call, str(text), out.data(), out.size(), &count), TH_OK);
    for (std::size_t i = 0; i < count; ++i) found += (i > 0 ? " " : "") + text_of(out[i].email);
    return TH_OK;
  });
  return found;
}

TEST(PeopleService, FindsByAddressThenWholeNameThenBeginningsOfWords) {
  EXPECT_EQ(find("ANA.Ruiz@acme.com"), "ana.ruiz@acme.com");
  EXPECT_EQ(find("  ana  "), "ana@acme.com") << "a whole name goes before beginnings";
  EXPECT_EQ(find("ana l"), "ana.lopez@acme.com");
  EXPECT_EQ(find("an"), "ana.lopez@acme.com ana.ruiz@acme.com ana@acme.com");
  EXPECT_EQ(find("Ruiz, Ana"), "ana.ruiz@acme.com") << "in any order";
  EXPECT_EQ(find("ana ana"), "") << "each word needs one of its own";
  EXPECT_EQ(find("bert"), "");
  EXPECT_EQ(find("lope@acme.com"), "") << "an address names nobody but its owner";
}

TEST(PeopleService, FoldsCaseAndAccents) {
  EXPECT_EQ(find("ANA LOPEZ"), "ana.lopez@acme.com");
  EXPECT_EQ(find("l\u00d3pez"), "ana.lopez@acme.com");
  EXPECT_EQ(find("Lo\u0301pez"), "ana.lopez@acme.com") << "composed or not";
  EXPECT_EQ(find("maria"), "ana.ruiz@acme.com");
  EXPECT_EQ(find("Jorgen obrien"), "jorgen@acme.com");
  EXPECT_EQ(find("STRASSE"), "jorgen@acme.com");
  EXPECT_EQ(find("\u674e"), "li@acme.com");
  EXPECT_EQ(find("\xc3\x28 ?!"), "") << "no text at all";
}

TEST(PeopleService, KeepsTheMarksThatAreLettersOfTheirScript) {
  // Hindi: "Mina" and "Mena"; Thai: "ki" and "ku"; what a vowel sign tells apart are two people.
  const Members members{{"mina@acme.com", "\u092e\u0940\u0928\u093e"},
                        {"mena@acme.com", "\u092e\u0947\u0928\u093e"},
                        {"ki@acme.com", "\u0e01\u0e35"},
                        {"ku@acme.com", "\u0e01\u0e39"},
                        {"dalet@acme.com", "\u05d3\u05bc\u05b8\u05dc"},
                        {"alexei@acme.com", "\u0410\u043b\u0435\u043a\u0441\u0435\u0439"}};
  EXPECT_EQ(find("\u092e\u0940\u0928\u093e", members), "mina@acme.com");
  EXPECT_EQ(find("\u092e\u0947", members), "mena@acme.com");
  EXPECT_EQ(find("\u092e", members), "mina@acme.com mena@acme.com");
  EXPECT_EQ(find("\u0e01\u0e39", members), "ku@acme.com");
  EXPECT_EQ(find("\u05d3\u05dc", members), "dalet@acme.com") << "without points";
  EXPECT_EQ(find("\u0430\u043b\u0435\u043a\u0441\u0435\u0438", members), "alexei@acme.com");
}

TEST(PeopleService, TakesAnAddressByTheLetter) {
  const Members members{{"jos\u00e9@acme.com", "A"}, {"jose@acme.com", "B"}, {"j\u00f8rn@acme.com", "C"}};
  EXPECT_EQ(find("jose@acme.com", members), "jose@acme.com");
  EXPECT_EQ(find(" Jos\u00c9@ACME.com ", members), "jos\u00e9@acme.com");
  EXPECT_EQ(find("jose\u0301@acme.com", members), "jos\u00e9@acme.com") << "composed or not";
  EXPECT_EQ(find("jorn@acme.com", members), "");
}

TEST(PeopleService, ListsAllMembersButNoDomain) {
  EXPECT_EQ(find(""), "ana.lopez@acme.com ana.ruiz@acme.com jorgen@acme.com li@acme.com ana@acme.com");
  EXPECT_EQ(find("*@acme.com"), "");
  EXPECT_EQ(find("", {}), "");
}

TEST(PeopleService, WritesNoMoreThanThereIsRoomFor) {
  RunnerFixture fixture;
  Caller caller = *fixture.caller;
  caller.members =
      std::make_shared<const Members>(Members{{"a@acme.com", "A", Role::kAdmin}, {"b@acme.com", "B", Role::kViewer}});
  caller.role = Role::kViewer;
  fixture.caller = std::make_shared<const Caller>(std::move(caller));
  fixture.run([&](th_call* call) {
    std::array<th_person, 2> out{};
    std::size_t count = 0;
    EXPECT_EQ(people().find(call, str(""), out.data(), 1, &count), TH_OK);
    EXPECT_EQ(count, 2U);
    EXPECT_EQ(text_of(out[0].name), "A");
    EXPECT_EQ(text_of(out[0].role), "admin");
    EXPECT_EQ(out[1].email.ptr, nullptr);
    EXPECT_EQ(people().find(call, str(""), nullptr, 0, &count), TH_OK);
    EXPECT_EQ(people().find(call, str(""), nullptr, 1, &count), TH_E_MISUSE);
    EXPECT_EQ(people().find(call, str(""), out.data(), 1, nullptr), TH_E_MISUSE);
    th_call_info info{};
    info.struct_size = sizeof(info);
    EXPECT_EQ(calls().info(call, &info), TH_OK);
    EXPECT_EQ(text_of(info.role), "viewer");
    return TH_OK;
  });
}

}  // namespace
}  // namespace toolhost::plugin_runtime
