#include "import_row.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "refusal.hpp"
#include "text.hpp"

namespace helpdesk::tickets {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const ImportContext kContext{"Europe/Berlin",
                             [](const std::string& person) { return person == "Bo" ? "bo@example.com" : person; },
                             [](const std::string& category) { return category; }};

ImportedTicket read(const std::string& json, const std::string& map = "{}") {
  return read_import_row(Columns(parse_json(map)), kContext, parse_json(json), json);
}

std::string refusal_of(const std::string& json, const std::string& map = "{}") {
  try {
    read(json, map);
  } catch (const Refusal& refusal) {
    return refusal.what();
  }
  return "not refused";
}

TEST(ImportRow, ReadsATrackersRow) {
  const ImportedTicket ticket = read(R"({"_id":"1606681","title":"Port bug","text":"All of it","status":"RESOLVED",
      "priority":"--","resolution":"FIXED","created":"2020-01-02 17:14:21+00:00"})");
  EXPECT_EQ(ticket.external_id, "1606681");
  EXPECT_EQ(ticket.ref, std::nullopt);
  EXPECT_EQ(ticket.title, "Port bug");
  EXPECT_EQ(ticket.description, "All of it");
  EXPECT_EQ(ticket.status, Status::kResolved);
  EXPECT_EQ(ticket.priority, Priority::kNormal);
  EXPECT_EQ(ticket.resolution, Resolution::kFixed);
  EXPECT_EQ(ticket.created_at, "2020-01-02 17:14:21+00:00");
  EXPECT_EQ(ticket.requester, "unknown");
}

TEST(ImportRow, ReadsColumnsInAnySpelling) {
  const ImportedTicket ticket = read(R"({"Issue key":"HADOOP-17","Summary":"Fix build","Assigned To":"Bo",
      "Reporter":{"displayName":"Ana Lima","emailAddress":"ana@example.com"},"Labels":"ci; Build","Due Date":"2026-11-30",
      "Component/s":"yarn","Created":"30/Sep/21 17:20"})");
  EXPECT_EQ(ticket.external_id, "HADOOP-17");
  EXPECT_EQ(ticket.assignee, "bo@example.com");
  EXPECT_EQ(ticket.requester, "ana@example.com");
  EXPECT_THAT(ticket.tags, ElementsAre("ci", "build"));
  EXPECT_EQ(ticket.category, "yarn");
  EXPECT_EQ(ticket.due_at, "2026-11-30 23:59:59 Europe/Berlin");
  EXPECT_EQ(ticket.created_at, "2021-09-30T17:20 Europe/Berlin");
}

TEST(ImportRow, TheMapGoesFirst) {
  const std::string row = R"({"id":"1","title":"wrong","headline":"right","urgency":"P1","owner":"Ana","_id":"2"})";
  const ImportedTicket ticket =
      read(row, R"({"title":["nothing","headline"],"priority":["urgency"],"requester":["owner"],"id":["id"]})");
  EXPECT_EQ(ticket.title, "right");
  EXPECT_EQ(ticket.priority, Priority::kUrgent);
  EXPECT_EQ(ticket.requester, "Ana");
  EXPECT_EQ(ticket.assignee, std::nullopt);
  EXPECT_EQ(ticket.external_id, "1");
  EXPECT_EQ(read(row).external_id, "2");
  EXPECT_EQ(read(R"({"title":"x","type":"Bug"})", R"({"category":[]})").category, std::nullopt);
  EXPECT_THAT(refusal_of(row, R"({"titel":["headline"]})"),
              HasSubstr("there is no field 'titel'; the fields are id, "));
}

TEST(ImportRow, TakesTheTitleFromTheDescription) {
  EXPECT_EQ(read(R"({"title":"","text":"\n  First line  \nsecond"})").title, "First line");
  const std::string words = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen";
  const ImportedTicket ticket = read(R"({"text":")" + words + "\"}");
  EXPECT_LE(count_characters(ticket.title), 80u);
  EXPECT_TRUE(ticket.title.ends_with("thirteen…")) << ticket.title;
  EXPECT_EQ(ticket.description, words);
  EXPECT_EQ(refusal_of(R"({"id":"1","title":" ","text":"\u200b"})"), "there is neither a title nor a description");
}

TEST(ImportRow, KeepsWhatDoesNotFitIntoTheTitle) {
  const std::string title(254, 'x');
  const ImportedTicket ticket = read(R"({"title":")" + title + R"(","text":"more"})");
  EXPECT_EQ(count_characters(ticket.title), 200u);
  EXPECT_EQ(ticket.description, title + "\n\nmore");
}

TEST(ImportRow, AdaptsWhatIsPlain) {
  const auto status = [](const std::string& text) { return read(R"({"title":"x","status":")" + text + "\"}"); };
  EXPECT_EQ(status("UNCONFIRMED").status, Status::kOpen);
  EXPECT_EQ(status("In Progress").status, Status::kInProgress);
  EXPECT_EQ(status("in_progress").status, Status::kInProgress);
  EXPECT_EQ(status("Patch Available").status, Status::kInProgress);
  EXPECT_EQ(status("On-hold").waiting_on, WaitingOn::kThirdParty);
  EXPECT_EQ(status("pending").waiting_on, WaitingOn::kRequester);
  EXPECT_EQ(status("Done").status, Status::kResolved);
  EXPECT_EQ(status("VERIFIED").status, Status::kResolved);
  EXPECT_EQ(status("").status, Status::kOpen);
  const auto priority = [](const std::string& text) {
    return read(R"({"title":"x","priority":")" + text + "\"}").priority;
  };
  EXPECT_EQ(priority("Critical"), Priority::kUrgent);
  EXPECT_EQ(priority("Major"), Priority::kNormal);
  EXPECT_EQ(priority("P2"), Priority::kHigh);
  EXPECT_EQ(priority("Trivial"), Priority::kLow);
  EXPECT_EQ(priority("medium"), Priority::kNormal);
  const auto resolution = [](const std::string& text) {
    return read(R"({"title":"x","status":"closed","resolution":")" + text + "\"}").resolution;
  };
  EXPECT_EQ(resolution("Won't Fix"), Resolution::kWontFix);
  EXPECT_EQ(resolution("WORKSFORME"), Resolution::kNotReproducible);
  EXPECT_EQ(resolution("Not A Problem"), Resolution::kWontFix);
  EXPECT_EQ(resolution("MOVED"), std::nullopt);
  EXPECT_EQ(read(R"({"title":"x","status":"reopened","resolution":"fixed"})").resolution, std::nullopt);
}

TEST(ImportRow, RefusesWhatIsNot) {
  EXPECT_THAT(refusal_of(R"({"title":"x","status":"Frobnicated"})"), HasSubstr("status 'Frobnicated' has no plain"));
  EXPECT_THAT(refusal_of(R"({"title":"x","priority":3})"), HasSubstr("priority '3' has no plain meaning"));
  EXPECT_THAT(refusal_of(R"({"title":"x","status":"closed","resolution":"meh"})"), HasSubstr("resolution 'meh'"));
  EXPECT_THAT(refusal_of(R"({"title":"x","created":"09/10/2021"})"),
              HasSubstr("created_at '09/10/2021' is not a date"));
  EXPECT_THAT(refusal_of(R"({"title":"x","text":")" + std::string(20001, 'x') + "\"}"),
              HasSubstr("description has 20001 characters; at most 20000"));
  EXPECT_THAT(refusal_of(R"({"title":"x","reporter":")" + std::string(201, 'x') + "\"}"),
              HasSubstr("requester has 201"));
  EXPECT_THAT(refusal_of(R"({"title":"x","tags":["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16",
      "17","18","19","20","21"]})"),
              HasSubstr("more than 20 tags"));
  EXPECT_THAT(refusal_of(R"({"title":"x","comments":[{"body":"a","created":"soon"}]})"), HasSubstr("the date 'soon'"));
}

TEST(ImportRow, WithoutIdIsWhatItHolds) {
  const std::string first = read(R"({"title":"a"})").external_id;
  EXPECT_EQ(first, read(R"({"title":"a"})").external_id);
  EXPECT_NE(first, read(R"({"title":"b"})").external_id);
  EXPECT_EQ(read(R"({"title":"a"})").ref, std::nullopt);
}

TEST(ImportRow, AnIdOfOursStays) {
  EXPECT_EQ(read(R"({"id":"7QK4MX","title":"a"})").ref, "7QK4MX");
  EXPECT_EQ(read(R"({"id":"7QK4M","title":"a"})").ref, std::nullopt);
  EXPECT_EQ(read(R"({"id":"7QK4MXX","title":"a"})").ref, std::nullopt);
}

TEST(ImportRow, MessagesAreInternalUnlessTheDataSaysOtherwise) {
  const ImportedTicket ticket = read(R"({"title":"x","reporter":"Ana","created":"2026-01-02","comments":[
      {"body":"one","author":"ana","public":true},{"text":"two","author":"Bo","created":"2026-01-03"},
      "three",{"body":" "},{"body":"four","visibility":"public","author_role":"staff","author":"Ana"},
      {"body":"five","is_private":false}]})");
  ASSERT_EQ(ticket.messages.size(), 5u);
  EXPECT_EQ(ticket.messages[0].visibility, Visibility::kPublic);
  EXPECT_EQ(ticket.messages[0].author_role, AuthorRole::kRequester);
  EXPECT_EQ(ticket.messages[0].created_at, ticket.created_at);
  EXPECT_EQ(ticket.messages[1].visibility, Visibility::kInternal);
  EXPECT_EQ(ticket.messages[1].author, "bo@example.com");
  EXPECT_EQ(ticket.messages[1].author_role, AuthorRole::kStaff);
  EXPECT_EQ(ticket.messages[1].created_at, "2026-01-03 00:00:00 Europe/Berlin");
  EXPECT_EQ(ticket.messages[2].visibility, Visibility::kInternal);
  EXPECT_EQ(ticket.messages[3].author_role, AuthorRole::kStaff);
  EXPECT_EQ(ticket.messages[4].visibility, Visibility::kPublic);
}

TEST(ImportRow, AMessageWithoutAuthorIsNotTheRequesters) {
  for (const char* requester : {"Ana", ""}) {
    const ImportedTicket ticket = read(R"({"title":"x","reporter":")" + std::string(requester) +
                                       R"(","comments":["one",{"body":"two"},{"body":"three","author":" "},
                                       {"body":"four","author_role":"requester"}]})");
    ASSERT_EQ(ticket.messages.size(), 4u);
    for (const ImportedMessage& message : ticket.messages) {
      EXPECT_EQ(message.author, "unknown") << message.body;
      EXPECT_EQ(message.author_role, AuthorRole::kStaff) << message.body;
    }
  }
}

TEST(ImportRow, NoValueIsNoValue) {
  const ImportedTicket ticket = read(R"({"title":"x","assignee":"Unassigned","due":"None","category":"--","tags":[],
      "resolved":"false","priority":null,"status":"closed"})");
  EXPECT_EQ(ticket.assignee, std::nullopt);
  EXPECT_EQ(ticket.due_at, std::nullopt);
  EXPECT_EQ(ticket.category, std::nullopt);
  EXPECT_EQ(ticket.resolved_at, std::nullopt);
  EXPECT_THAT(ticket.tags, IsEmpty());
}

TEST(ImportRow, DuplicatesNameTheirOriginal) {
  const ImportedTicket ticket =
      read(R"({"id":"2","title":"x","status":"closed","resolution":"DUPLICATE","dupe_of":1})");
  EXPECT_EQ(ticket.resolution, Resolution::kDuplicate);
  EXPECT_EQ(ticket.duplicate_of, "1");
}

}  // namespace
}  // namespace helpdesk::tickets
