#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ids.hpp"
#include "request_keys.hpp"
#include "rows.hpp"
#include "task_statements.hpp"

namespace helpdesk::tasks {

struct NewTask {
  std::string ref, title, description;
  Priority priority = Priority::kNormal;
  std::optional<std::string> assignee, ticket;
  std::vector<std::string> tags;
  std::optional<std::string> due_date, due_at;  ///< the latter as read_moment() gives it
};

struct StoredTask {
  Task task;
  std::string description;  ///< as stored
  bool is_deleted = false;
  std::string server_time;
};

struct InsertedTask {
  StoredTask stored;
  std::optional<std::string> repeated_ref;  ///< what the same key created within the last 60 s with the same title
};

struct TaskRows {
  std::vector<Task> tasks;
  std::optional<PagePosition> last;  ///< set when more follow
  bool is_cut = false;               ///< because the texts outgrew kTextBudget
  std::int64_t total = 0;            ///< counted up to kCounted
  bool total_is_exact = true;
  std::optional<std::string> due_first_day, due_last_day;
  std::string server_time;
};

/// What the plugin tickets shows of a ticket.
struct TicketTitle {
  std::string title, status;
};

/// The tables, in one call's transaction. Times come back in the tenant's time zone. Failures are toolhost::SqlError.
class TaskStore {
 public:
  virtual ~TaskStore() = default;

  /// nullopt when `ref` is taken: nothing was written.
  virtual std::optional<InsertedTask> insert(const NewTask& task, const Actor& actor, Finish finish) = 0;

  /// See request_keys.hpp.
  virtual ClaimedKey claim_key(std::string_view tool, std::string_view key, std::string_view request) = 0;
  virtual void settle_key(std::string_view tool, std::string_view key, std::string_view ref) = 0;

  /// A page of up to `limit` tasks; fewer when their texts outgrow kTextBudget.
  virtual TaskRows list(const ListRequest& request) = 0;

  /// Deleted ones too. With the title of its ticket, where that can be read.
  virtual std::optional<StoredTask> find(std::string_view ref, Finish finish) = 0;
  /// The same without the ticket's title, and nobody else changes the task until the transaction ends.
  virtual std::optional<StoredTask> find_for_update(std::string_view ref) = 0;

  /// Up to `limit` steps, newest first.
  virtual std::vector<HistoryEvent> history(std::string_view ref, std::int64_t limit) = 0;
  /// The latest steps after `version`, newest first.
  virtual std::vector<MissedStep> steps_after(std::string_view ref, std::int64_t version) = 0;

  /// Writes the change and its history, and ends the transaction. At least one change.
  virtual StoredTask write(const TaskChange& change, const Actor& actor) = 0;

  /// False when no plugin shows its tickets: ids of tickets are then taken as they are.
  [[nodiscard]] virtual bool can_read_tickets() const = 0;
  virtual std::optional<TicketTitle> find_ticket(std::string_view ref) = 0;

  /// A moment of read_moment() as results show it.
  virtual std::string shown(std::string_view moment) = 0;

  // For the texts of refusals; they leave the transaction open, so that it is rolled back.
  /// Up to three tasks with nearly this id.
  virtual std::vector<IdAndTitle> nearest(std::string_view ref) = 0;
  virtual std::vector<IdAndTitle> nearest_tickets(std::string_view ref) = 0;
  /// "2026-11-23 (Mon, Europe/Berlin)"
  virtual std::string today() = 0;
};

/// The store in PostgreSQL; uses `call` as long as it lives. `tickets`: the view of ticket titles as SQL names it; may
/// be empty.
std::unique_ptr<TaskStore> create_task_store(toolhost::Call& call, Clock clock, std::string tickets);

}  // namespace helpdesk::tasks
