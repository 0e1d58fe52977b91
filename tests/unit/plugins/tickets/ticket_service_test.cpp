#include "ticket_service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text.hpp"

namespace tickets {
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
  ClaimedKey claim_key(std::string_view, std::string_view, std::string_view, std::string_view) override {
    return claim;
  }
  void settle_key(std::string_view, std::string_view, std::string_view, std::string_view ref, std::int64_t) override {
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
                                                         Finish) override {
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
  std::vector<HistoryEvent> history(std::string_view, std::int64_t) override { return {}; }
  StoredTicket add_reply(const ReplyChange& reply, const Actor&, Finish) override {
    StoredTicket stored{reply.after, "2026-11-23T14:05:09+01:00"};
    stored.ticket.version = stored.ticket.version.value_or(1) + 1;
    return stored;
  }
  std::vector<std::pair<std::string, std::string>> nearest(const std::vector<std::string>&, std::string_view) override {
    return {{"XYZ789", "VPN drops"}};
  }
  std::string today() override { return "2026-11-23 (Mon, Europe/Berlin)"; }
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
    CallContext context;
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
  EXPECT_EQ(result.ticket.requester, "Ana Lima");
  EXPECT_EQ(service().create({.title = "x"}).ticket.requester, "bo@example.com");
  EXPECT_EQ(service().create({.title = "x", .assignee = "none"}).ticket.assignee, std::nullopt);
}

TEST_F(TicketServiceTest, CreateRefusesWhatIsNoTitleTextOrDate) {
  const auto refused = [&](const CreateTicket& request) { return refusal_of([&] { service().create(request); }); };
  EXPECT_THAT(refused({.title = " \u202E "}), HasSubstr("title is empty"));
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
            "Ticket XYZ788 not found. Nearest: XYZ789 \"VPN drops\". Use list_tickets to find it.");
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

}  // namespace
}  // namespace tickets
