#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "people.hpp"
#include "task_rules.hpp"
#include "task_store.hpp"
#include "task_types.hpp"

namespace helpdesk::tasks {

/// Characters of one text in a concise answer.
inline constexpr std::size_t kConciseText = 1'000;
/// Steps of the history in an answer of get_task.
inline constexpr std::int64_t kConciseSteps = 10, kDetailedSteps = 100;

/// Who calls, and what the host lends to the call. The functions are only called while a tool runs.
struct CallContext {
  Actor actor;
  std::string time_zone;                ///< the tenant's, IANA name
  std::string request_idempotency_key;  ///< sent beside the arguments; may be empty
  People people;
  std::function<std::uint32_t()> random_bits;
  std::function<std::string(std::string_view)> seal;  ///< a token nobody can forge or change
  OpenToken open;                                     ///< what seal() took, or nullopt
};

/// The rules. One object serves one call; refusals are thrown as Refusal, failures of the database as
/// toolhost::SqlError.
class TaskService {
 public:
  TaskService(TaskStore& store, CallContext context) : store_(store), context_(std::move(context)) {}

  CreatedTask create(const CreateTask& request);
  TaskPage list(const ListTasks& request);
  TaskDetails get(const GetTask& request);
  UpdatedTask update(const UpdateTask& request);
  CompletedTask complete(const CompleteTask& request);
  ReopenedTask reopen(const ReopenTask& request);
  DeletedTask remove(const DeleteTask& request);

 private:
  NewTask read_new_task(const CreateTask& request, std::vector<std::string>& warnings);
  CreatedTask replay_create(std::string_view key, std::string_view ref);
  TaskFilter read_filter(const ListTasks& request, AppliedFilters& applied, std::vector<std::string>& warnings);
  TaskEdit read_edit(const UpdateTask& request, std::vector<std::string>& warnings);

  [[nodiscard]] std::string read_person(std::string_view parameter, std::string_view person) const;
  std::optional<std::string> read_assignee(const std::optional<std::string>& argument);
  Due read_due(const std::optional<std::string>& date, const std::optional<std::string>& at,
               std::vector<std::string>& warnings);
  std::optional<DueBound> read_bound(std::string_view parameter, const std::optional<std::string>& argument);
  TicketTitle check_ticket(std::string_view ref, std::vector<std::string>& warnings);

  StoredTask require(std::optional<StoredTask> found, std::string_view ref);
  StoredTask require_for_update(std::string_view id, const std::optional<std::int64_t>& expected_version);
  void check_version(const StoredTask& stored, const std::optional<std::int64_t>& expected);
  StoredTask write_if_changed(StoredTask before, const TaskChange& change);

  TaskStore& store_;
  CallContext context_;
};

}  // namespace helpdesk::tasks
