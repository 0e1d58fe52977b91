#include <gtest/gtest.h>
#include <toolhost/plugin/fields.hpp>

namespace sample {

enum class Priority { kLow, kHigh };
TH_ENUM(Priority, value(Priority::kLow, "low"), value(Priority::kHigh, "high"))

struct Link {
  std::string url;
  std::optional<bool> broken;
};
TH_FIELDS(Link, field("url", &Link::url, "Where to").format("uri"), field("broken", &Link::broken))

struct Ticket {
  std::string title;
  int count = 3;
  unsigned short port = 0;
  double ratio = 0;
  Priority priority = Priority::kHigh;
  std::vector<std::string> tags;
  toolhost::OneOrMany<Priority> priorities;
  toolhost::Nullable<std::string> assignee;
  toolhost::Nullable<Priority> urgency;
  std::vector<Link> links;
  Link home;
  toolhost::Time at;
  toolhost::Json extra;
};
TH_FIELDS(Ticket, field("title", &Ticket::title, "Short \"summary\"").range(1, 200).pattern("\\S"),
          field("count", &Ticket::count).range(1, 5).defaulted(), field("port", &Ticket::port),
          field("ratio", &Ticket::ratio).range(0.5, 1.5),
          field("priority", &Ticket::priority, "How urgent").defaulted(),
          field("tags", &Ticket::tags).items(0, 10).range(1, 50),
          field("priorities", &Ticket::priorities, "Which").default_note("Default: all."),
          field("assignee", &Ticket::assignee), field("urgency", &Ticket::urgency), field("links", &Ticket::links),
          field("home", &Ticket::home), field("at", &Ticket::at), field("extra", &Ticket::extra, "Anything"))

struct Empty {};
TH_FIELDS(Empty)

struct Login {
  std::string user, password;
};
TH_FIELDS(Login, field("user", &Login::user), field("password", &Login::password, "Secret").sensitive())

struct Tree {
  std::vector<Tree> children;
};
TH_FIELDS(Tree, field("children", &Tree::children))

struct Wide {
  int f00, f01, f02, f03, f04, f05, f06, f07, f08, f09, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19;
  int f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30, f31, f32, f33, f34, f35, f36, f37, f38, f39;
};
#define F(n) field("f" #n, &Wide::f##n)
TH_FIELDS(Wide, F(00), F(01), F(02), F(03), F(04), F(05), F(06), F(07), F(08), F(09), F(10), F(11), F(12), F(13), F(14),
          F(15), F(16), F(17), F(18), F(19), F(20), F(21), F(22), F(23), F(24), F(25), F(26), F(27), F(28), F(29),
          F(30), F(31), F(32), F(33), F(34), F(35), F(36), F(37), F(38), F(39))
#undef F

}  // namespace sample

namespace toolhost::detail {
namespace {

template <class T>
T decoded(std::string_view json) {
  T value{};
  JsonReader reader(json);
  decode(reader, value);
  EXPECT_TRUE(reader.at_end());
  return value;
}

template <class T>
std::string encoded(const T& value) {
  std::string out;
  encode(out, value);
  return out;
}

TEST(Schema, OfInputStatesEveryRule) {
  EXPECT_EQ(
      schema_of<sample::Ticket>(Direction::kInput),
      R"({"type":"object","properties":{)"
      R"("title":{"type":"string","minLength":1,"maxLength":200,"pattern":"\\S","description":"Short \"summary\""},)"
      R"("count":{"type":"integer","minimum":1,"maximum":5,"default":3},)"
      R"("port":{"type":"integer","minimum":0},)"
      R"("ratio":{"type":"number","minimum":0.5,"maximum":1.5},)"
      R"("priority":{"type":"string","enum":["low","high"],"description":"How urgent","default":"high"},)"
      R"("tags":{"type":"array","items":{"type":"string","minLength":1,"maxLength":50},"maxItems":10},)"
      R"("priorities":{"anyOf":[{"type":"string","enum":["low","high"]},)"
      R"({"type":"array","items":{"type":"string","enum":["low","high"]}}],)"
      R"("description":"Which. Default: all."},)"
      R"("assignee":{"type":["string","null"]},)"
      R"("urgency":{"type":["string","null"],"enum":["low","high",null]},)"
      R"("links":{"type":"array","items":{"type":"object","properties":{)"
      R"("url":{"type":"string","format":"uri","description":"Where to"},)"
      R"("broken":{"type":"boolean"}},"required":["url"],"additionalProperties":false}},)"
      R"("home":{"type":"object","properties":{"url":{"type":"string","format":"uri","description":"Where to"},)"
      R"("broken":{"type":"boolean"}},"required":["url"],"additionalProperties":false},)"
      R"("at":{"type":"string","format":"date-time"},)"
      R"("extra":{"description":"Anything"}},)"
      R"("required":["title","port","ratio","tags","links","home","at","extra"],"additionalProperties":false})");
}

TEST(Schema, OfOutputRequiresWhatIsAlwaysWritten) {
  const std::string schema = schema_of<sample::Ticket>(Direction::kOutput);
  EXPECT_NE(
      schema.find(
          R"("required":["title","count","port","ratio","priority","tags","priorities","links","home","at","extra"])"),
      std::string::npos)
      << schema;
  EXPECT_EQ(schema.find("\"default\""), std::string::npos);
}

TEST(Schema, OfAnEmptyStructIsWhole) {
  EXPECT_EQ(schema_of<sample::Empty>(Direction::kInput),
            R"({"type":"object","properties":{},"additionalProperties":false})");
}

TEST(Schema, MarksWhatNobodyMayStore) {
  EXPECT_EQ(schema_of<sample::Login>(Direction::kInput),
            R"({"type":"object","properties":{"user":{"type":"string"},)"
            R"("password":{"type":"string","description":"Secret","x-sensitive":true}},)"
            R"("required":["user","password"],"additionalProperties":false})");
}

TEST(Schema, OfARecursiveTypeIsRefused) {
  EXPECT_THROW(schema_of<sample::Tree>(Direction::kInput), std::length_error);
}

TEST(Fields, RoundTripEveryKindOfMember) {
  const std::string json =
      R"({"title":"a\"b","count":5,"port":80,"ratio":0.75,"priority":"low","tags":["x","y"],"priorities":["high"],)"
      R"("assignee":"ann","urgency":null,"links":[{"url":"u","broken":true},{"url":"v"}],"home":{"url":"h"},)"
      R"("at":"2025-11-24T16:00:00Z","extra":{"any":[1,null]}})";
  EXPECT_EQ(encoded(decoded<sample::Ticket>(json)), json);
}

TEST(Fields, LeftOutMembersKeepTheirDefaults) {
  const auto ticket = decoded<sample::Ticket>("{}");
  EXPECT_EQ(ticket.count, 3);
  EXPECT_EQ(ticket.priority, sample::Priority::kHigh);
  EXPECT_TRUE(ticket.assignee.is_absent());
  EXPECT_TRUE(ticket.priorities.empty());
}

TEST(Fields, NullableKeepsNullAndAbsentApart) {
  EXPECT_TRUE(decoded<sample::Ticket>(R"({"assignee":null})").assignee.is_null());
  EXPECT_EQ(*decoded<sample::Ticket>(R"({"assignee":""})").assignee, "");
  const std::string absent = encoded(sample::Ticket{});
  EXPECT_EQ(absent.find("assignee"), std::string::npos) << absent;
}

TEST(Fields, OneOrManyTakesBoth) {
  using sample::Priority;
  EXPECT_EQ(decoded<sample::Ticket>(R"({"priorities":"low"})").priorities.values, std::vector{Priority::kLow});
  EXPECT_EQ(decoded<sample::Ticket>(R"({"priorities":["low","high"]})").priorities.values,
            (std::vector{Priority::kLow, Priority::kHigh}));
}

TEST(Fields, AnOptionalTakesNullForAbsent) {
  EXPECT_FALSE(decoded<sample::Link>(R"({"broken":null})").broken);
}

TEST(Fields, TheFirstOfEqualMembersCounts) {
  EXPECT_EQ(decoded<sample::Link>(R"({"url":"a","url":"b"})").url, "a");
}

TEST(Fields, UnknownMembersAreSkipped) {
  EXPECT_EQ(decoded<sample::Link>(R"({"x":[{"url":"b"}],"url":"a"})").url, "a");
}

TEST(Fields, NumbersOutOfRangeAreRefused) {
  try {
    decoded<sample::Ticket>(R"({"port":65536})");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), TH_E_INVALID);
    EXPECT_EQ(error.message(), "the number 65536 is out of range");
  }
}

TEST(Fields, FortyMembersWork) {
  const std::string schema = schema_of<sample::Wide>(Direction::kInput);
  EXPECT_NE(schema.find(R"("f39")"), std::string::npos);
  EXPECT_EQ(decoded<sample::Wide>(R"({"f39":7,"f00":1})").f39, 7);
}

}  // namespace
}  // namespace toolhost::detail
