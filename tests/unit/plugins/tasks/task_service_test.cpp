#include "task_service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "text.hpp"

namespace helpdesk::tasks {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kNow = "2026-11-23T14:05:09+01:00";

/// One task, in memory. The SQL has integration tests.
class FakeStore final : public TaskStore {
 public:
  std::vector<std::string> taken_refs, tried_refs;
  std::vector<Finish> insert_finishes;
  NewTask inserted;
  std::optional<std::string> repeated_ref;
  ClaimedKey claim;
  std::string settled_ref;
  StoredTask stored;
  TaskRows page;
  ListRequest asked;
  std::vector<HistoryEvent> events;
  std::vector<MissedStep> missed;
  std::optional<TaskChange> written;
  bool has_tickets = true;
  std::vector<std::string> asked_tickets;

  std::optional<InsertedTask> insert(const NewTask& task, const Actor&, Finish finish) override {
    tried_refs.push_back(task.ref);
    insert_finishes.push_back(finish);
    if (std::find(taken_refs.begin(), taken_refs.end(), task.ref) != taken_refs.end()) return std::nullopt;
    inserted = task;
    StoredTask made;
    made.task.id = task.ref;
    made.task.title = task.title;
    made.task.due_date = task.due_date;
    made.task.due_at = task.due_at;
    made.task.ticket_id = task.ticket;
    made.server_time = kNow;
    return InsertedTask{std::move(made), repeated_ref};
  }
  ClaimedKey claim_key(std::string_view, std::string_view, std::string_view) override { return claim; }
  void settle_key(std::string_view, std::string_view, std::string_view ref) override { settled_ref = ref; }
  TaskRows list(const ListRequest& request) override {
    asked = request;
    return page;
  }
  std::optional<StoredTask> find(std::string_view ref, Finish) override {
    if (ref != stored.task.id) return std::nullopt;
    return stored;
  }
  std::optional<StoredTask> find_for_update(std::string_view ref) override { return find(ref, Finish::kKeepOpen); }
  std::vector<HistoryEvent> history(std::string_view, std::int64_t limit) override {
    auto newest = events;
    newest.resize(std::min(newest.size(), static_cast<std::size_t>(limit)));
    return newest;
  }
  std::vector<MissedStep> steps_after(std::string_view, std::int64_t) override { return missed; }
  StoredTask write(const TaskChange& change, const Actor&) override {
    written = change;
    StoredTask after = stored;
    after.task = change.after;
    after.task.version = after.task.version.value_or(1) + 1;
    if (after.task.status == Status::kDone) after.task.completed_at = kNow;
    return after;
  }
  [[nodiscard]] bool can_read_tickets() const override { return has_tickets; }
  std::optional<TicketTitle> find_ticket(std::string_view ref) override {
    asked_tickets.emplace_back(ref);
    if (ref != "ABC123") return std::nullopt;
    return TicketTitle{"VPN drops", "open"};
  }
  std::string shown(std::string_view moment) override { return "shown:" + std::string(moment); }
  std::vector<IdAndTitle> nearest(std::string_view) override { return {{"XYZ789", "Order toner"}}; }
  std::vector<IdAndTitle> nearest_tickets(std::string_view) override { return {{"ABC123", "VPN drops"}}; }
  std::string today() override { return "2026-11-23 (Mon, Europe/Berlin)"; }
};

class TaskServiceTest : public testing::Test {
 protected:
  TaskServiceTest() {
    store.stored.task.id = "7QK4MX";
    store.stored.task.title = "Order cartridges";
    store.stored.task.version = 3;
    store.stored.server_time = kNow;
  }

  TaskService service() {
    return {store,
            {.actor = {"bo@example.com", "hdsk_abc123"},
             .time_zone = "Europe/Berlin",
             .request_idempotency_key = "",
             .people = People("bo@example.com",
                              [](std::string_view, std::size_t) { return std::vector<toolhost::Person>{}; }),
             .random_bits = [this] { return next_random++; },
             .seal = [](std::string_view data) { return "sealed:" + std::string(data); },
             .open = [](std::string_view token) -> std::optional<std::string> {
               if (!token.starts_with("sealed:")) return std::nullopt;
               return std::string(token.substr(7));
             }}};
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
  std::string refused_create(const CreateTask& request) {
    return refusal_of([&] { service().create(request); });
  }
  std::string refused_update(const UpdateTask& request) {
    return refusal_of([&] { service().update(request); });
  }

  FakeStore store;
  std::uint32_t next_random = 1;
};

TEST_F(TaskServiceTest, CreateTakesAnotherIdWhenOneIsTaken) {
  store.taken_refs = {make_ref(1), make_ref(2)};
  EXPECT_EQ(service().create({.title = "Order"}).task.id, make_ref(3));
  for (std::uint32_t i = 0; i < 100; ++i) store.taken_refs.push_back(make_ref(i));
  EXPECT_THROW(service().create({.title = "Order"}), std::runtime_error);
}

TEST_F(TaskServiceTest, CreateCommitsInItsInsertUnlessAKeyIsToBeSettled) {
  service().create({.title = "Order"});
  EXPECT_THAT(store.insert_finishes, ElementsAre(Finish::kCommit));
  const CreatedTask result = service().create({.title = "Order", .idempotency_key = "k1"});
  EXPECT_THAT(store.insert_finishes, ElementsAre(Finish::kCommit, Finish::kKeepOpen));
  EXPECT_EQ(store.settled_ref, result.task.id);
}

TEST_F(TaskServiceTest, CreateReadsPeopleTagsAndIds) {
  service().create(
      {.title = " Order\ncartridges ", .assignee = "Me", .ticket_id = "#abc123", .tags = {"VPN", " vpn ", "Büro"}});
  EXPECT_EQ(store.inserted.title, "Order cartridges");
  EXPECT_EQ(store.inserted.assignee, "bo@example.com");
  EXPECT_EQ(store.inserted.ticket, "ABC123");
  EXPECT_THAT(store.inserted.tags, ElementsAre("vpn", "büro"));
  service().create({.title = "Order", .assignee = "none"});
  EXPECT_EQ(store.inserted.assignee, std::nullopt);
}

TEST_F(TaskServiceTest, CreateShowsTheTitleOfItsTicket) {
  const CreatedTask result = service().create({.title = "Order", .ticket_id = "ABC123"});
  EXPECT_EQ(result.task.ticket_title, "VPN drops");
  EXPECT_EQ(result.task.ticket_status, "open");
  EXPECT_EQ(result.warnings, std::nullopt);
}

TEST_F(TaskServiceTest, CreateRefusesAnUnknownTicketWithTheNearest) {
  EXPECT_EQ(refused_create({.title = "Order", .ticket_id = "ABC124"}),
            "Ticket ABC124 not found. Nearest: ABC123 \"VPN drops\". Use search_tickets or list_tickets to find it.");
  EXPECT_THAT(refused_create({.title = "Order", .ticket_id = "the VPN one"}),
              HasSubstr("'the VPN one' is not a ticket id"));
  EXPECT_THAT(store.tried_refs, IsEmpty());
}

TEST_F(TaskServiceTest, WithoutTicketsTheirIdsAreTakenAsTheyAre) {
  store.has_tickets = false;
  const CreatedTask result = service().create({.title = "Order", .ticket_id = "ABC124"});
  EXPECT_EQ(result.task.ticket_id, "ABC124");
  EXPECT_THAT(*result.warnings, ElementsAre(HasSubstr("not checked")));
  EXPECT_THAT(store.asked_tickets, IsEmpty());
}

TEST_F(TaskServiceTest, CreateTakesADayOrAMoment) {
  service().create({.title = "Order", .due_date = " 2026-11-30 "});
  EXPECT_EQ(store.inserted.due_date, "2026-11-30");
  EXPECT_EQ(store.inserted.due_at, std::nullopt);
  service().create({.title = "Order", .due_at = "2026-11-30T17:00"});
  EXPECT_EQ(store.inserted.due_date, std::nullopt);
  EXPECT_EQ(store.inserted.due_at, "2026-11-30T17:00 Europe/Berlin");
  service().create({.title = "Order", .due_date = "", .due_at = ""});
  EXPECT_EQ(store.inserted.due_date, std::nullopt);
  EXPECT_EQ(store.inserted.due_at, std::nullopt);
}

TEST_F(TaskServiceTest, CreateTakesADayInPlaceOfAMomentWithARemark) {
  const CreatedTask result = service().create({.title = "Order", .due_at = "2026-11-30"});
  EXPECT_EQ(store.inserted.due_date, "2026-11-30");
  EXPECT_EQ(store.inserted.due_at, std::nullopt);
  EXPECT_THAT(*result.warnings, ElementsAre("due_at '2026-11-30' is a day and was taken as due_date"));
}

TEST_F(TaskServiceTest, CreateRefusesWhatIsNoTitleTextOrDate) {
  EXPECT_THAT(refused_create({.title = " \u202E "}), HasSubstr("title is empty"));
  EXPECT_THAT(refused_create({.title = "x", .description = std::string("a\0b", 3)}), HasSubstr("NUL"));
  EXPECT_EQ(refused_create({.title = "x", .due_date = "next week"}),
            "due_date 'next week' is not a date; today is 2026-11-23 (Mon, Europe/Berlin); use YYYY-MM-DD (years 2000 "
            "to 2199)");
  EXPECT_EQ(refused_create({.title = "x", .due_at = "tomorrow"}),
            "due_at 'tomorrow' is not a date; today is 2026-11-23 (Mon, Europe/Berlin); use YYYY-MM-DD or a timestamp "
            "such as 2026-11-30T17:00 (years 2000 to 2199)");
  EXPECT_THAT(refused_create({.title = "x", .due_date = "2026-02-30"}),
              HasSubstr("due_date '2026-02-30' is not a date"));
  EXPECT_THAT(refused_create({.title = "x", .due_date = "2026-11-30T17:00"}),
              HasSubstr("has a time; give only its day"));
  EXPECT_THAT(refused_create({.title = "x", .due_date = "2026-11-30", .due_at = "2026-11-30T17:00"}),
              HasSubstr("exclude each other"));
}

TEST_F(TaskServiceTest, CreateWarnsOfARepetitionAndOfMedium) {
  store.repeated_ref = "ABC123";
  EXPECT_THAT(*service().create({.title = "Order", .priority = PriorityInput::kMedium}).warnings,
              ElementsAre(HasSubstr("'medium' was taken as 'normal'"), HasSubstr("made task ABC123")));
  EXPECT_EQ(service().create({.title = "Order", .idempotency_key = "k"}).warnings, std::nullopt);
}

TEST_F(TaskServiceTest, AKeyStandsForOneTask) {
  store.claim = {false, true, "7QK4MX", 0};
  const CreatedTask replay = service().create({.title = "Order", .idempotency_key = "k1"});
  EXPECT_FALSE(replay.created);
  EXPECT_EQ(replay.task.title, "Order cartridges");
  EXPECT_THAT(store.tried_refs, IsEmpty());
  store.stored.is_deleted = true;
  EXPECT_THAT(refused_create({.title = "Order", .idempotency_key = "k1"}),
              HasSubstr("7QK4MX, which has been deleted since"));
  store.claim = {false, false, "7QK4MX", 0};
  EXPECT_THAT(refused_create({.title = "Order", .idempotency_key = "k1"}),
              HasSubstr("'k1' was used for create_task with other arguments"));
}

TEST_F(TaskServiceTest, ListReadsUnfinishedAllAndLists) {
  service().list({});
  EXPECT_TRUE(store.asked.filter.only_unfinished);
  EXPECT_EQ(store.asked.sort, SortKey::kDue);
  EXPECT_EQ(store.asked.order, SortOrder::kAscending);
  using Filters = toolhost::OneOrMany<StatusFilter>;
  service().list({.status = Filters{{StatusFilter::kAll}}, .sort = SortKey::kCreated});
  EXPECT_FALSE(store.asked.filter.only_unfinished);
  EXPECT_EQ(store.asked.filter.statuses, std::nullopt);
  EXPECT_EQ(store.asked.order, SortOrder::kDescending);
  service().list({.status = Filters{{StatusFilter::kUnfinished, StatusFilter::kCancelled}}});
  EXPECT_THAT(*store.asked.filter.statuses, ElementsAre(Status::kOpen, Status::kInProgress, Status::kCancelled));
  service().list({.assignee = "none"});
  EXPECT_TRUE(store.asked.filter.only_unassigned);
  EXPECT_EQ(store.asked.filter.assignee, std::nullopt);
}

TEST_F(TaskServiceTest, ListReadsBoundsAsDaysOrMoments) {
  service().list({.due_after = "2026-11-23", .due_before = "2026-11-30T12:00Z"});
  EXPECT_TRUE(store.asked.filter.due_after->is_day);
  EXPECT_EQ(store.asked.filter.due_after->text, "2026-11-23");
  EXPECT_FALSE(store.asked.filter.due_before->is_day);
  EXPECT_EQ(store.asked.filter.due_before->text, "2026-11-30T12:00Z");
}

TEST_F(TaskServiceTest, ListRefusesWhatItCannotRead) {
  const auto refused_list = [&](const ListTasks& request) { return refusal_of([&] { service().list(request); }); };
  EXPECT_THAT(refused_list({.due = DueWindow::kToday, .due_before = "2026-11-30"}),
              HasSubstr("due and due_after or due_before"));
  EXPECT_THAT(refused_list({.due_before = "next week"}), HasSubstr("due_before 'next week' is not a date; today is"));
  EXPECT_THAT(refused_list({.assignee = " "}), HasSubstr("assignee is empty"));
  EXPECT_THAT(refused_list({.ticket_id = "VPN"}), HasSubstr("'VPN' is not a ticket id"));
  EXPECT_THAT(refused_list({.ticket_id = "ABC124"}), HasSubstr("Ticket ABC124 not found. Nearest: ABC123"));
  EXPECT_EQ(refused_list({.ticket_id = "ABC123"}), "not refused");
}

TEST_F(TaskServiceTest, ListSaysThatWeeksBeginOnMonday) {
  store.page.due_first_day = "2026-11-30";
  store.page.due_last_day = "2026-12-06";
  const TaskPage page = service().list({.due = DueWindow::kNextWeek});
  EXPECT_EQ(page.applied_filters.week_begins, "Monday");
  EXPECT_EQ(page.applied_filters.due_first_day, "2026-11-30");
  EXPECT_EQ(page.applied_filters.due_last_day, "2026-12-06");
  EXPECT_EQ(service().list({.due = DueWindow::kToday}).applied_filters.week_begins, std::nullopt);
}

TEST_F(TaskServiceTest, ListTellsThatFinishedTasksAreNeverOverdue) {
  using Filters = toolhost::OneOrMany<StatusFilter>;
  EXPECT_THAT(*service().list({.status = Filters{{StatusFilter::kDone}}, .due = DueWindow::kOverdue}).warnings,
              ElementsAre(HasSubstr("never overdue")));
  EXPECT_EQ(service().list({.due = DueWindow::kOverdue}).warnings, std::nullopt);
}

TEST_F(TaskServiceTest, ListGoesOnWhereTheCursorEndsAndOnlyForTheSameList) {
  store.page.last = PagePosition{"2026-11-23 13:00:00+00", "", "7QK4MX"};
  const TaskPage first = service().list({.assignee = "me"});
  ASSERT_TRUE(first.next_cursor);
  service().list(
      {.assignee = "ME", .limit = 50, .cursor = first.next_cursor, .response_format = ResponseFormat::kDetailed});
  ASSERT_TRUE(store.asked.after);
  EXPECT_EQ(store.asked.after->ref, "7QK4MX");
  EXPECT_THAT(refusal_of([&] { service().list({.cursor = first.next_cursor}); }),
              HasSubstr("other filters or another order"));
  EXPECT_THAT(refusal_of([&] { service().list({.cursor = "guess"}); }), HasSubstr("not one that list_tasks gave"));
}

TEST_F(TaskServiceTest, GetConciseCutsTextsAndHistoryAndSaysHowToGetThem) {
  store.stored.description = std::string(1001, 'd');
  store.stored.task.completion_note = std::string(1001, 'n');
  for (int i = 0; i < 11; ++i) store.events.push_back({"at", "bo", "key", "title", std::string(300, 'a'), "b"});
  const TaskDetails details = service().get({.id = "7qk4mx"});
  EXPECT_EQ(count_characters(*details.task.description), 1001u);  // 1000 and the ellipsis
  EXPECT_EQ(count_characters(*details.task.completion_note), 1001u);
  EXPECT_EQ(details.history.size(), 10u);
  EXPECT_EQ(count_characters(*details.history[0].from), 101u);
  EXPECT_TRUE(details.truncated);
  EXPECT_THAT(*details.rest, HasSubstr("latest 10 steps"));
  EXPECT_THAT(*details.rest, HasSubstr("response_format 'detailed'"));
  const TaskDetails whole = service().get({.id = "7QK4MX", .response_format = ResponseFormat::kDetailed});
  EXPECT_EQ(whole.task.description, store.stored.description);
  EXPECT_EQ(whole.history.size(), 11u);
  EXPECT_FALSE(whole.truncated);
}

TEST_F(TaskServiceTest, AnUnknownOrDeletedTaskIsToldWithTheNearest) {
  EXPECT_EQ(refusal_of([&] { service().get({.id = "xyz788"}); }),
            "Task XYZ788 not found. Nearest: XYZ789 \"Order toner\". Use search_all or list_tasks to find it.");
  EXPECT_THAT(refusal_of([&] { service().get({.id = "the printer"}); }), HasSubstr("'the printer' is not a task id"));
  store.stored.is_deleted = true;
  const std::string gone = refusal_of([&] { service().get({.id = "7QK4MX"}); });
  EXPECT_THAT(gone, HasSubstr("Task 7QK4MX not found."));
  EXPECT_EQ(refused_update({.id = "7QK4MX", .title = "x"}), gone);
  EXPECT_EQ(refusal_of([&] { service().complete({.id = "7QK4MX", .note = {}}); }), gone);
  EXPECT_EQ(refusal_of([&] { service().reopen({.id = "7QK4MX"}); }), gone);
}

TEST_F(TaskServiceTest, UpdateNeedsSomethingToChange) {
  EXPECT_THAT(refused_update({.id = "7QK4MX"}), HasSubstr("nothing to change: give at least one of title"));
  const UpdatedTask same = service().update({.id = "7QK4MX", .title = "Order cartridges"});
  EXPECT_FALSE(same.changed);
  EXPECT_THAT(same.changed_fields, IsEmpty());
  EXPECT_FALSE(store.written);
}

TEST_F(TaskServiceTest, UpdateReplacesOneKindOfDueByTheOther) {
  store.stored.task.due_date = "2026-11-30";
  const UpdatedTask moved = service().update({.id = "7QK4MX", .due_at = std::string("2026-12-01T09:00")});
  EXPECT_EQ(moved.task.due_date, std::nullopt);
  EXPECT_EQ(moved.task.due_at, "shown:2026-12-01T09:00 Europe/Berlin");
  EXPECT_EQ(service().update({.id = "7QK4MX", .due_date = nullptr}).task.due_date, std::nullopt);
  const UpdatedTask same = service().update({.id = "7QK4MX", .due_at = nullptr});
  EXPECT_FALSE(same.changed);
  EXPECT_EQ(same.task.due_date, "2026-11-30");
  const UpdatedTask both =
      service().update({.id = "7QK4MX", .due_date = nullptr, .due_at = std::string("2026-12-01T09:00")});
  EXPECT_EQ(both.task.due_date, std::nullopt);
  EXPECT_TRUE(both.task.due_at);
  EXPECT_THAT(refused_update(
                  {.id = "7QK4MX", .due_date = std::string("2026-12-01"), .due_at = std::string("2026-12-01T09:00")}),
              HasSubstr("exclude each other"));
}

TEST_F(TaskServiceTest, UpdateClearsByNullAndNotByNothing) {
  store.stored.task.assignee = "ana@example.com";
  store.stored.description = "Black";
  EXPECT_THAT(refused_update({.id = "7QK4MX", .assignee = std::string(" ")}),
              HasSubstr("assignee is empty; pass null to clear it"));
  EXPECT_THAT(refused_update({.id = "7QK4MX", .description = std::string("")}), HasSubstr("description is empty"));
  EXPECT_THAT(refused_update({.id = "7QK4MX", .due_date = std::string("")}), HasSubstr("due_date is empty"));
  EXPECT_THAT(refused_update({.id = "7QK4MX", .title = ""}), HasSubstr("title is empty"));
  const UpdatedTask cleared = service().update({.id = "7QK4MX", .description = nullptr, .assignee = nullptr});
  EXPECT_EQ(cleared.task.assignee, std::nullopt);
  ASSERT_EQ(cleared.changed_fields.size(), 2u);
  EXPECT_EQ(cleared.changed_fields[0].field, "description");
  EXPECT_EQ(cleared.changed_fields[0].to, std::nullopt);
}

TEST_F(TaskServiceTest, UpdateChecksOnlyANewTicket) {
  store.stored.task.ticket_id = "ZZZZZZ";  // a ticket that is gone
  service().update({.id = "7QK4MX", .ticket_id = std::string("ZZZZZZ")});
  EXPECT_THAT(store.asked_tickets, IsEmpty());
  EXPECT_EQ(service().update({.id = "7QK4MX", .ticket_id = std::string("ABC123")}).task.ticket_title, "VPN drops");
  EXPECT_THAT(refused_update({.id = "7QK4MX", .ticket_id = std::string("ABC124")}),
              HasSubstr("Ticket ABC124 not found"));
}

TEST_F(TaskServiceTest, AnOldVersionIsToldWhatChanged) {
  store.missed = {{3, "ana@example.com", "priority", "normal", "high", 125}};
  EXPECT_EQ(
      refused_update({.id = "7QK4MX", .title = "x", .expected_version = 2}),
      "Task 7QK4MX was changed by ana@example.com 2 minutes ago: priority normal -> high; it has version 3 now, not "
      "2; read again with get_task and repeat what you still want with expected_version 3");
  EXPECT_THAT(refusal_of([&] { service().remove({.id = "7QK4MX", .expected_version = 2}); }),
              HasSubstr("was changed by"));
  EXPECT_FALSE(store.written);
  EXPECT_TRUE(service().update({.id = "7QK4MX", .title = "x", .expected_version = 3}).changed);
}

TEST_F(TaskServiceTest, CompletingTwiceChangesNothingAndTellsOfALostNote) {
  const CompletedTask first = service().complete({.id = "7QK4MX", .note = "All there"});
  EXPECT_TRUE(first.changed);
  EXPECT_EQ(first.completed_at, kNow);
  EXPECT_EQ(first.hint, std::nullopt);
  store.stored.task.status = Status::kDone;
  store.stored.task.completed_at = "2026-11-20T08:00:00+01:00";
  store.stored.task.completion_note = "All there";
  store.written.reset();
  const CompletedTask second = service().complete({.id = "7QK4MX", .note = "All there"});
  EXPECT_FALSE(second.changed);
  EXPECT_EQ(second.completed_at, "2026-11-20T08:00:00+01:00");
  EXPECT_EQ(second.hint, std::nullopt);
  EXPECT_THAT(*service().complete({.id = "7QK4MX", .note = "Other"}).hint, HasSubstr("was not stored"));
  EXPECT_FALSE(store.written);
  EXPECT_THAT(refusal_of([&] { service().complete({.id = "7QK4MX", .note = std::string("a\0", 2)}); }),
              HasSubstr("NUL"));
}

TEST_F(TaskServiceTest, ReopeningAnUnfinishedTaskChangesNothing) {
  EXPECT_FALSE(service().reopen({.id = "7QK4MX"}).changed);
  store.stored.task.status = Status::kCancelled;
  const ReopenedTask reopened = service().reopen({.id = "7QK4MX"});
  EXPECT_TRUE(reopened.changed);
  EXPECT_EQ(reopened.task.status, Status::kOpen);
}

TEST_F(TaskServiceTest, DeletingTwiceIsNoError) {
  const DeletedTask first = service().remove({.id = "7QK4MX", .expected_version = 3});
  EXPECT_TRUE(first.deleted);
  EXPECT_EQ(first.title, "Order cartridges");
  store.stored.is_deleted = true;
  store.written.reset();
  EXPECT_FALSE(service().remove({.id = "7QK4MX", .expected_version = 1}).deleted);
  EXPECT_FALSE(store.written);
  EXPECT_THAT(refusal_of([&] { service().remove({.id = "XYZ788", .expected_version = {}}); }),
              HasSubstr("Task XYZ788 not found"));
}

}  // namespace
}  // namespace helpdesk::tasks
