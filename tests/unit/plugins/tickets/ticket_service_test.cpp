#include "ticket_service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include <toolhost/plugin/call.hpp>

#include "refusal.hpp"
#include "text.hpp"

namespace helpdesk::tickets {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// One ticket with messages, in memory. The SQL has integration tests.
class FakeStore final : public TicketStore {
 public:
  std::vector<std::string> taken_refs, tried_refs;
  std::vector<Finish> insert_finishes;
  std::vector<PossibleDuplicate> twins;
  ClaimedKey claim;
  std::string settled_ref;
  Ticket ticket;
  std::vector<std::string> bodies;  ///< message numbers count from 2
  TicketRows page;
  std::optional<PagePosition> asked_position;
  TicketFilter asked_filter;

  std::optional<InsertedTicket> insert(const NewTicket& fresh, std::int64_t, const Actor&, Finish finish) override {
    tried_refs.push_back(fresh.ref);
    insert_finishes.push_back(finish);
    if (std::find(taken_refs.begin(), taken_refs.end(), fresh.ref) != taken_refs.end()) return std::nullopt;
    return InsertedTicket{"2026-11-23T14:05:09+01:00", fresh.due_at, twins, {}};
  }
  ClaimedKey claim_key(std::string_view, std::string_view, std::string_view) override { return claim; }
  void settle_key(std::string_view, std::string_view, std::string_view ref, std::int64_t) override {
    settled_ref = ref;
  }
  TicketRows list(const TicketFilter& filter, SortKey, SortOrder, const std::optional<PagePosition>& after,
                  std::int64_t, ResponseFormat) override {
    asked_filter = filter;
    asked_position = after;
    return page;
  }
  std::optional<StoredTicket> find(std::string_view ref, Finish) override {
    if (ref != ticket.id) return std::nullopt;
    return StoredTicket{ticket, "2026-11-23T14:05:09+01:00"};
  }
  std::optional<StoredTicket> find_for_update(std::string_view ref) override { return find(ref, Finish::kKeepOpen); }
  std::vector<std::pair<std::int64_t, Message>> messages(std::string_view ref, std::int64_t before, std::int64_t limit,
                                                         bool with_notes, Finish) override {
    asked_for_notes = with_notes;
    std::vector<std::pair<std::int64_t, Message>> found;
    for (std::int64_t number = static_cast<std::int64_t>(bodies.size()) + 1; number >= 2; --number) {
      if (number >= before || found.size() == static_cast<std::size_t>(limit)) continue;
      Message message;
      message.id = std::string(ref) + '-' + std::to_string(number);
      message.body = bodies[static_cast<std::size_t>(number - 2)];
      found.emplace_back(number, message);
    }
    return found;
  }
  HistoryRows history(const HistoryCursor& before, std::int64_t limit, bool with_notes, Finish) override {
    asked_for_notes = with_notes;
    HistoryRows rows;
    rows.has_ticket = before.ref == ticket.id;
    for (std::int64_t version = std::min<std::int64_t>(before.version - 1, steps); version >= 1; --version) {
      if (rows.events.size() == static_cast<std::size_t>(limit)) break;
      rows.events.push_back({"2026-11-23T14:05:09+01:00", "bo", "hdsk_abc123", "title", step_text, step_text});
      rows.versions.push_back(version);
    }
    return rows;
  }
  std::vector<MissedStep> steps_since(std::string_view, std::int64_t) override {
    return {{2, "ana@example.com", "priority", "normal", "high", 120}};
  }
  std::vector<LinkedTask> tasks(std::string_view, std::int64_t limit, Finish) override {
    return std::vector<LinkedTask>(std::min(static_cast<std::size_t>(limit), task_count));
  }
  StoredTicket write(const TicketChange& change, const Actor&, Finish) override {
    written.push_back(change);
    return next_version(change.after);
  }
  StoredTicket write(const TicketChange& change, const FieldUpdate& fields, const Actor&) override {
    written.push_back(change);
    update = fields;
    return next_version(change.after);
  }
  std::optional<std::string> duplicate_of(std::string_view ref) override {
    const auto found = duplicates.find(std::string(ref));
    if (found == duplicates.end()) return std::nullopt;
    return found->second;
  }
  std::string shown(const std::string& moment) override { return "shown " + moment; }
  std::vector<IdAndTitle> nearest(std::string_view) override { return {{"XYZ789", "VPN drops"}}; }
  std::string today() override { return "2026-11-23 (Mon, Europe/Berlin)"; }

  std::vector<TicketChange> written;
  FieldUpdate update;
  std::map<std::string, std::string> duplicates;
  std::int64_t steps = 0;
  std::string step_text = "x";
  std::size_t task_count = 0;
  bool asked_for_notes = true;

 private:
  static StoredTicket next_version(const Ticket& after) {
    StoredTicket stored{after, "2026-11-23T14:05:09+01:00"};
    stored.ticket.version = stored.ticket.version.value_or(1) + 1;
    return stored;
  }
};

class TicketServiceTest : public testing::Test {
 protected:
  TicketServiceTest() {
    store.ticket.id = "7QK4MX";
    store.ticket.title = "Printer";
    store.ticket.requester = "ana@example.com";
    store.ticket.version = 1;
    store.ticket.description = "";
  }

  TicketService service() {
    const People people("bo@example.com", [](std::string_view text, std::size_t) {
      std::vector<toolhost::Person> found;
      if (text == "Ana Lima" || text == "ana@example.com") found.push_back({"ana@example.com", "Ana Lima", "agent"});
      if (text == "Ana") found = {{"ana@example.com", "Ana Lima", "agent"}, {"ana.b@example.com", "Ana B", "agent"}};
      return found;
    });
    CallContext context{.people = people};
    context.may_read_notes = may_read_notes;
    context.has_tasks = has_tasks;
    context.categories = [this] { return categories; };
    context.actor = {"bo@example.com", "hdsk_abc123"};
    context.time_zone = "Europe/Berlin";
    context.random_bits = [this] { return next_random++; };
    context.seal = [](std::string_view data) { return "sealed:" + std::string(data); };
    context.open = [](std::string_view token) -> std::optional<std::string> {
      if (!token.starts_with("sealed:")) return std::nullopt;
      return std::string(token.substr(7));
    };
    return {store, std::move(context)};
  }
  template <class Work>
  std::string refusal_of(const Work& work) {
    try {
      work();
    } catch (const Refusal& refusal) {
      return refusal.what();
    }
    return "not refused";
  }

  FakeStore store;
  std::uint32_t next_random = 1;
  bool may_read_notes = true, has_tasks = true;
  std::vector<std::string> categories;
};

TEST_F(TicketServiceTest, CreateTakesAnotherIdWhenOneIsTaken) {
  store.taken_refs = {make_ref(1), make_ref(2)};
  const CreatedTicket result = service().create({.title = "Printer"});
  EXPECT_EQ(result.ticket.id, make_ref(3));
  EXPECT_THAT(store.tried_refs, ElementsAre(make_ref(1), make_ref(2), make_ref(3)));
}

TEST_F(TicketServiceTest, CreateGivesUpAfterTenTakenIds) {
  for (std::uint32_t i = 0; i < 100; ++i) store.taken_refs.push_back(make_ref(i));
  EXPECT_THROW(service().create({.title = "Printer"}), std::runtime_error);
  EXPECT_EQ(store.tried_refs.size(), 10u);
}

TEST_F(TicketServiceTest, CreateWithoutKeyCommitsInItsOneStatement) {
  service().create({.title = "Printer"});
  EXPECT_THAT(store.insert_finishes, ElementsAre(Finish::kCommit));
  EXPECT_EQ(store.settled_ref, "");
}

TEST_F(TicketServiceTest, CreateWithKeySettlesItAfterTheInsert) {
  const CreatedTicket result = service().create({.title = "Printer", .idempotency_key = "k1"});
  EXPECT_THAT(store.insert_finishes, ElementsAre(Finish::kKeepOpen));
  EXPECT_EQ(store.settled_ref, result.ticket.id);
}

TEST_F(TicketServiceTest, CreateScoresTheSameTitleHighest) {
  store.twins = {{"AAAAAA", "PRINTER broken", Status::kOpen, 0}, {"BBBBBB", "Broken printer", Status::kWaiting, 0}};
  const CreatedTicket result = service().create({.title = "Printer broken"});
  EXPECT_EQ(result.possible_duplicates.at(0).score, 1.0);
  EXPECT_LT(result.possible_duplicates.at(1).score, 1.0);
}

TEST_F(TicketServiceTest, CreateReadsPeopleAndTags) {
  const CreatedTicket result = service().create({.title = " Printer\n3rd floor ",
                                                 .tags = {"VPN", " vpn ", "", "Büro"},
                                                 .assignee = "Me",
                                                 .requester = "Ana Lima"});
  EXPECT_EQ(result.ticket.title, "Printer 3rd floor");
  EXPECT_THAT(*result.ticket.tags, ElementsAre("vpn", "büro"));
  EXPECT_EQ(result.ticket.assignee, "bo@example.com");
  EXPECT_EQ(result.ticket.requester, "ana@example.com");
  EXPECT_EQ(service().create({.title = "x"}).ticket.requester, "bo@example.com");
  EXPECT_EQ(service().create({.title = "x", .assignee = "none"}).ticket.assignee, std::nullopt);
}

TEST_F(TicketServiceTest, CreateRefusesWhatIsNoTitleTextOrDate) {
  const auto refused = [&](const CreateTicket& request) { return refusal_of([&] { service().create(request); }); };
  EXPECT_THAT(refused({.title = " \u202E "}), HasSubstr("title is empty"));
  EXPECT_THAT(refused({.title = "\u200B\u2060"}), HasSubstr("title is empty"));
  EXPECT_THAT(refused({.title = "x", .assignee = "Ana"}),
              HasSubstr("assignee: 2 people match 'Ana': Ana Lima <ana@example.com>, Ana B <ana.b@example.com>"));
  EXPECT_THAT(refused({.title = "x", .description = std::string("a\0b", 3)}), HasSubstr("NUL"));
  EXPECT_EQ(refused({.title = "x", .due_at = "next week"}),
            "due_at 'next week' is not a date; today is 2026-11-23 (Mon, Europe/Berlin); use YYYY-MM-DD or a timestamp "
            "such as "
            "2026-11-30T17:00 (years 2000 to 2199)");
}

TEST_F(TicketServiceTest, AKeyUsedWithOtherArgumentsIsRefused) {
  store.claim = {false, false, "7QK4MX", 0};
  EXPECT_THAT(refusal_of([&] { service().create({.title = "x", .idempotency_key = "k1"}); }),
              HasSubstr("'k1' was used for create_ticket with other arguments"));
  EXPECT_THAT(refusal_of([&] { service().add_reply({"7QK4MX", "x", {}, "k2"}); }),
              HasSubstr("'k2' was used for add_reply with other arguments"));
}

TEST_F(TicketServiceTest, ListReadsUnresolvedAllAndLists) {
  service().list({});
  EXPECT_TRUE(store.asked_filter.only_unresolved);
  using Filters = toolhost::OneOrMany<StatusFilter>;
  service().list({.status = Filters{{StatusFilter::kAll}}});
  EXPECT_FALSE(store.asked_filter.only_unresolved);
  EXPECT_EQ(store.asked_filter.statuses, std::nullopt);
  service().list({.status = Filters{{StatusFilter::kUnresolved, StatusFilter::kClosed}}});
  EXPECT_THAT(*store.asked_filter.statuses,
              ElementsAre(Status::kOpen, Status::kInProgress, Status::kWaiting, Status::kClosed));
  service().list({.assignee = "none"});
  EXPECT_TRUE(store.asked_filter.only_unassigned);
  EXPECT_EQ(store.asked_filter.assignee, std::nullopt);
}

TEST_F(TicketServiceTest, ListGoesOnWhereTheCursorEndsAndOnlyForTheSameList) {
  store.page.last = PagePosition{"2026-11-23 13:00:00+00", "", "7QK4MX"};
  const TicketPage first = service().list({.requester = "me"});
  ASSERT_TRUE(first.next_cursor);
  service().list(
      {.requester = "ME", .limit = 50, .cursor = first.next_cursor, .response_format = ResponseFormat::kDetailed});
  ASSERT_TRUE(store.asked_position);
  EXPECT_EQ(store.asked_position->ref, "7QK4MX");
  EXPECT_THAT(refusal_of([&] { service().list({.cursor = first.next_cursor}); }),
              HasSubstr("other filters or another order"));
  EXPECT_THAT(
      refusal_of([&] { service().list({.requester = "me", .sort = SortKey::kDue, .cursor = first.next_cursor}); }),
      HasSubstr("other filters or another order"));
  EXPECT_THAT(refusal_of([&] { service().list({.cursor = "guess"}); }), HasSubstr("not one that list_tickets gave"));
  const std::string foreign = "sealed:" + encode(MessagesCursor{"7QK4MX", 3});
  EXPECT_THAT(refusal_of([&] { service().list({.cursor = foreign}); }), HasSubstr("not one that list_tickets gave"));
}

TEST_F(TicketServiceTest, GetConciseCutsTextsAndSaysHowToGetThem) {
  store.ticket.description = std::string(1001, 'd');
  store.bodies = {std::string(1500, 'm')};
  const TicketDetails details = service().get({.id = "7QK4MX"});
  EXPECT_EQ(count_characters(*details.ticket.description), 1001u);  // 1000 and the ellipsis
  EXPECT_EQ(count_characters(details.messages->at(0).body), 1001u);
  EXPECT_TRUE(details.truncated);
  EXPECT_THAT(*details.rest, HasSubstr("response_format 'detailed'"));
}

TEST_F(TicketServiceTest, GetDetailedReachesEveryTextWithinTheBudget) {
  store.ticket.description = std::string(20000, 'd');
  store.bodies = {std::string(20000, 'a'), std::string(15000, 'b'), std::string(5000, 'c')};
  GetTicket request{.id = "7QK4MX", .response_format = ResponseFormat::kDetailed};

  TicketDetails details = service().get(request);
  EXPECT_EQ(details.ticket.description->size(), 20000u);
  EXPECT_THAT(*details.messages, IsEmpty());
  EXPECT_TRUE(details.truncated);

  std::string seen;
  int calls = 0;
  while (details.messages_cursor && ++calls < 10) {
    EXPECT_THAT(*details.rest, HasSubstr("messages_cursor"));
    request.messages_cursor = details.messages_cursor;
    details = service().get(request);
    EXPECT_EQ(details.ticket.description, std::nullopt);
    std::size_t characters = 0;
    std::string page;
    for (const Message& message : *details.messages) {
      characters += message.body.size();
      page += message.body.front();
    }
    EXPECT_LE(characters, kTextBudget);
    seen = page + seen;
  }
  EXPECT_EQ(seen, "abc");
  EXPECT_FALSE(details.truncated);
}

TEST_F(TicketServiceTest, GetRefusesAnotherTicketsCursor) {
  const std::string foreign = "sealed:" + encode(MessagesCursor{"ABC123", 3});
  EXPECT_THAT(refusal_of([&] { service().get({.id = "7QK4MX", .messages_cursor = foreign}); }),
              HasSubstr("not one that get_ticket gave for ticket 7QK4MX"));
}

TEST_F(TicketServiceTest, AnUnknownIdIsToldWithTheNearest) {
  EXPECT_EQ(refusal_of([&] { service().get({.id = "xyz788"}); }),
            "Ticket XYZ788 not found. Nearest: XYZ789 \"VPN drops\". Use search_tickets or list_tickets to find it.");
  EXPECT_THAT(refusal_of([&] { service().get({.id = "the printer"}); }), HasSubstr("'the printer' is not a ticket id"));
}

TEST_F(TicketServiceTest, ReplyHintsWhenTheTextSaysDoneAndTheStatusDoesNot) {
  EXPECT_THAT(*service().add_reply({"7QK4MX", "The issue has been resolved", {}, {}}).hint, HasSubstr("still open"));
  EXPECT_EQ(service().add_reply({"7QK4MX", "The issue has been resolved", Status::kResolved, {}}).hint, std::nullopt);
  store.ticket.status = Status::kClosed;
  store.ticket.requester = "BO@example.com";
  EXPECT_THAT(*service().add_reply({"7QK4MX", "Again!", {}, {}}).hint, HasSubstr("stays closed"));
}

TEST_F(TicketServiceTest, ReplyRefusesAnEmptyBody) {
  EXPECT_THAT(refusal_of([&] { service().add_reply({"7QK4MX", " \n\u200F", {}, {}}); }), HasSubstr("body is empty"));
  EXPECT_THAT(refusal_of([&] { service().add_reply({"7QK4MX", std::string("a\0", 2), {}, {}}); }), HasSubstr("NUL"));
}

TEST_F(TicketServiceTest, CategoriesOfTheHelpdeskAreTheOnlyOnes) {
  categories = {"Hardware", "Software", "Netzwerk"};
  EXPECT_EQ(service().create({.title = "x", .category = "hardware"}).ticket.category, "Hardware");
  EXPECT_EQ(refusal_of([&] { service().create({.title = "x", .category = "network"}); }),
            "category 'network' is not one of this helpdesk's: Netzwerk, Software, Hardware");
  EXPECT_THAT(refusal_of([&] { service().update({.id = "7QK4MX", .category = std::string("x")}); }),
              HasSubstr("is not one of this helpdesk's"));
  const TicketPage page = service().list({.category = "network"});
  EXPECT_THAT(page.warnings.value().at(0), HasSubstr("is not one of this helpdesk's"));
  EXPECT_EQ(store.asked_filter.category, "network");
}

TEST_F(TicketServiceTest, FiltersThatHoldNothingAreRefused) {
  const auto refused = [&](const ListTickets& request) { return refusal_of([&] { service().list(request); }); };
  EXPECT_THAT(refused({.assignee = " "}), HasSubstr("assignee is empty"));
  EXPECT_THAT(refused({.requester = "\u200B"}), HasSubstr("requester is empty"));
  EXPECT_THAT(refused({.tags = {" ", "\u200B"}}), HasSubstr("tags holds nothing"));
  EXPECT_THAT(refused({.category = ""}), HasSubstr("category is empty"));
  EXPECT_THAT(refused({.due_before = " "}), HasSubstr("due_before is empty"));
  EXPECT_THAT(refused({.requester = "Ana"}), HasSubstr("requester: 2 people match 'Ana'"));
}

TEST_F(TicketServiceTest, UpdateOfNothingIsRefusedAndOfTheSameChangesNothing) {
  EXPECT_THAT(refusal_of([&] { service().update({.id = "7QK4MX"}); }), HasSubstr("nothing to change"));
  EXPECT_THAT(refusal_of([&] { service().update({.id = "7QK4MX", .expected_version = 1}); }),
              HasSubstr("nothing to change"));
  const UpdatedTicket same = service().update({.id = "7QK4MX", .title = " Printer ", .assignee = nullptr});
  EXPECT_FALSE(same.changed);
  EXPECT_EQ(same.ticket.version, 1);
  EXPECT_THAT(store.written, IsEmpty());
}

TEST_F(TicketServiceTest, UpdateTellsWhatIsDifferent) {
  const UpdatedTicket result = service().update({.id = "7QK4MX",
                                                 .title = "Printer on fire",
                                                 .priority = PriorityInput::kUrgent,
                                                 .assignee = std::string("me"),
                                                 .due_at = std::string("2026-11-30"),
                                                 .tags_add = {"Fire"}});
  EXPECT_TRUE(result.changed);
  EXPECT_EQ(result.ticket.version, 2);
  std::vector<std::string> fields;
  for (const ChangedField& field : result.changed_fields) fields.push_back(field.field);
  EXPECT_THAT(fields, ElementsAre("title", "priority", "assignee", "due_at", "tags"));
  EXPECT_EQ(result.changed_fields[2].to, "bo@example.com");
  EXPECT_EQ(store.update.title_key, title_key("Printer on fire"));
  EXPECT_EQ(*store.update.due_at, "2026-11-30 23:59:59 Europe/Berlin");
  EXPECT_TRUE(store.update.category.is_absent());
  EXPECT_EQ(store.update.description, std::nullopt);
}

TEST_F(TicketServiceTest, UpdateRefusesEmptyValuesAndTakesNullAndNone) {
  const auto refused = [&](const UpdateTicket& request) { return refusal_of([&] { service().update(request); }); };
  EXPECT_THAT(refused({.id = "7QK4MX", .title = "\u200B"}), HasSubstr("title is empty"));
  EXPECT_THAT(refused({.id = "7QK4MX", .assignee = std::string(" ")}), HasSubstr("assignee is empty; pass null"));
  EXPECT_THAT(refused({.id = "7QK4MX", .requester = " "}), HasSubstr("requester is empty"));
  EXPECT_THAT(refused({.id = "7QK4MX", .due_at = std::string("soon")}), HasSubstr("due_at 'soon' is not a date"));
  EXPECT_THAT(refused({.id = "7QK4MX", .description = std::string("a\0", 2)}), HasSubstr("NUL"));
  EXPECT_THAT(refused({.id = "XYZ788", .title = "x"}), HasSubstr("Ticket XYZ788 not found."));
  store.ticket.assignee = "ana@example.com";
  EXPECT_TRUE(service().update({.id = "7QK4MX", .assignee = std::string("None")}).changed);
  EXPECT_TRUE(store.update.assignee.is_null());
}

TEST_F(TicketServiceTest, AnotherVersionIsToldWithWhoChangedWhat) {
  store.ticket.version = 2;
  const std::string expected =
      "Ticket 7QK4MX was changed by Ana Lima 2 minutes ago: priority normal -> high; it has version 2 now, not 1; read "
      "again";
  EXPECT_THAT(refusal_of([&] { service().update({.id = "7QK4MX", .title = "x", .expected_version = 1}); }),
              HasSubstr(expected));
  EXPECT_THAT(
      refusal_of([&] { service().set_status({.id = "7QK4MX", .status = Status::kResolved, .expected_version = 1}); }),
      HasSubstr(expected));
  EXPECT_THAT(store.written, IsEmpty());
  EXPECT_TRUE(service().update({.id = "7QK4MX", .title = "x", .expected_version = 2}).changed);
}

TEST_F(TicketServiceTest, SetStatusChecksTheOriginalOfADuplicate) {
  store.duplicates = {{"ABC123", ""}, {"DEF456", "ABC123"}, {"GHJ789", "7QK4MX"}};
  const auto duplicate = [&](const char* of) {
    return service().set_status({.id = "7QK4MX", .status = Status::kClosed, .duplicate_of = of});
  };
  EXPECT_EQ(duplicate("#abc123").ticket.duplicate_of, "ABC123");
  EXPECT_THAT(*duplicate("DEF456").hint, HasSubstr("DEF456 is itself a duplicate; in the end of ABC123"));
  EXPECT_THAT(refusal_of([&] { duplicate("7qk4mx"); }), HasSubstr("names ticket 7QK4MX itself"));
  EXPECT_THAT(refusal_of([&] { duplicate("GHJ789"); }), HasSubstr("Ticket GHJ789 is a duplicate of 7QK4MX already"));
  EXPECT_THAT(refusal_of([&] { duplicate("XYZ788"); }), HasSubstr("Ticket XYZ788 not found. Nearest: XYZ789"));
  EXPECT_THAT(refusal_of([&] { duplicate("the other one"); }), HasSubstr("is not a ticket id"));
}

TEST_F(TicketServiceTest, ACommentIsNotAddedTwice) {
  store.ticket.status = Status::kResolved;
  const ChangedStatus again = service().set_status({.id = "7QK4MX", .status = Status::kResolved, .comment = "Done"});
  EXPECT_FALSE(again.changed);
  EXPECT_FALSE(again.comment);
  EXPECT_THAT(*again.hint, HasSubstr("the comment was not added either"));
  EXPECT_THAT(store.written, IsEmpty());
  EXPECT_THAT(refusal_of([&] { service().set_status({.id = "7QK4MX", .status = Status::kOpen, .comment = "\u200B"}); }),
              HasSubstr("comment is empty"));
}

TEST_F(TicketServiceTest, NotesAndCommentsAreInternalUnlessAsked) {
  const AddedNote note = service().add_note({"7QK4MX", "The issue has been resolved", {}});
  EXPECT_EQ(note.message.visibility, Visibility::kInternal);
  EXPECT_EQ(note.hint, "The status is still open. If the ticket is done, call set_ticket_status.");
  EXPECT_EQ(service().add_note({"7QK4MX", "Not resolved", {}}).hint, std::nullopt);
  EXPECT_THAT(refusal_of([&] { service().add_note({"7QK4MX", " ", {}}); }), HasSubstr("body is empty"));
  const ChangedStatus quiet = service().set_status({.id = "7QK4MX", .status = Status::kResolved, .comment = "x"});
  EXPECT_EQ(quiet.comment->visibility, Visibility::kInternal);
  const ChangedStatus open = service().set_status(
      {.id = "7QK4MX", .status = Status::kResolved, .comment = "x", .visibility = Visibility::kPublic});
  EXPECT_EQ(open.comment->visibility, Visibility::kPublic);
}

TEST_F(TicketServiceTest, ViewersAreShownNoNotes) {
  using enum Include;
  service().get({.id = "7QK4MX", .include = std::vector{kMessages}});
  EXPECT_TRUE(store.asked_for_notes);
  may_read_notes = false;
  service().get({.id = "7QK4MX", .include = std::vector{kMessages}});
  EXPECT_FALSE(store.asked_for_notes);
  store.asked_for_notes = true;
  service().get({.id = "7QK4MX", .include = std::vector{kHistory}});
  EXPECT_FALSE(store.asked_for_notes);
  store.asked_for_notes = true;
  service().history({.id = "7QK4MX"});
  EXPECT_FALSE(store.asked_for_notes);
}

TEST_F(TicketServiceTest, ChangesAnswerWithTheBeginningOfALongText) {
  const AddedNote note = service().add_note({"7QK4MX", std::string(5000, 'x'), {}});
  EXPECT_EQ(count_characters(note.message.body), kEchoedText + 1);
  EXPECT_EQ(store.written.at(0).message->body.size(), 5000u);
}

TEST_F(TicketServiceTest, HistoryGoesOnWhereTheCursorEnds) {
  store.steps = 5;
  HistoryPage page = service().history({.id = "7QK4MX", .limit = 2});
  int events = 2;
  for (; page.next_cursor; events += static_cast<int>(page.events.size())) {
    page = service().history({.id = "7QK4MX", .limit = 2, .cursor = page.next_cursor});
  }
  EXPECT_EQ(events, 5);
  EXPECT_THAT(refusal_of([&] { service().history({.id = "7QK4MX", .cursor = "guess"}); }),
              HasSubstr("not one that ticket_history gave for ticket 7QK4MX"));
  const std::string foreign = "sealed:" + encode(HistoryCursor{"ABC123", 3, "title"});
  EXPECT_THAT(refusal_of([&] { service().history({.id = "7QK4MX", .cursor = foreign}); }),
              HasSubstr("not one that ticket_history gave"));
  EXPECT_THAT(refusal_of([&] { service().history({.id = "XYZ788"}); }), HasSubstr("Ticket XYZ788 not found."));
}

TEST_F(TicketServiceTest, HistoryStaysWithinTheBudget) {
  store.steps = 200;
  store.step_text = std::string(20000, 'x');
  for (const std::int64_t limit : {1, 20, 100}) {
    const HistoryPage page = service().history({.id = "7QK4MX", .limit = limit});
    std::size_t characters = 0;
    for (const HistoryEvent& event : page.events) characters += count_characters(*event.from + *event.to);
    EXPECT_LE(characters, kTextBudget + 2 * static_cast<std::size_t>(limit)) << limit;
    EXPECT_TRUE(page.truncated);
    EXPECT_THAT(*page.rest, HasSubstr(limit == 1 ? "too long for one answer" : "a smaller limit"));
  }
  store.step_text = std::string(kTextBudget / 2, 'x');
  const HistoryPage whole = service().history({.id = "7QK4MX", .limit = 1});
  EXPECT_FALSE(whole.truncated);
  EXPECT_EQ(whole.rest, std::nullopt);
  const TicketDetails details = service().get({.id = "7QK4MX", .include = std::vector{Include::kHistory}});
  EXPECT_EQ(details.history->size(), 20u);
  EXPECT_THAT(*details.rest, HasSubstr("ticket_history has them all"));
}

TEST_F(TicketServiceTest, TasksComeOnlyWhenAskedForAndWhenThereIsAPluginForThem) {
  store.task_count = 25;
  EXPECT_EQ(service().get({.id = "7QK4MX"}).tasks, std::nullopt);
  const TicketDetails details = service().get({.id = "7QK4MX", .include = std::vector{Include::kTasks}});
  EXPECT_EQ(details.tasks->size(), 20u);
  EXPECT_THAT(*details.rest, HasSubstr("list_tasks"));
  has_tasks = false;
  const TicketDetails without = service().get({.id = "7QK4MX", .include = std::vector{Include::kTasks}});
  EXPECT_EQ(without.tasks, std::nullopt);
  EXPECT_EQ(without.rest, "This helpdesk keeps no tasks.");
}

}  // namespace
}  // namespace helpdesk::tickets
