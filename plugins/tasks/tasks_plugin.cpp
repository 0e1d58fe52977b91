#include <toolhost/plugin.hpp>

#include "arguments.hpp"
#include "rendering.hpp"
#include "roles.hpp"
#include "task_fields.hpp"
#include "task_service.hpp"
#include "task_store.hpp"
#include "tasks_migrations.hpp"

// The glue between the host and the rules: one method a tool. The words for models stand here and in task_fields.hpp.
namespace helpdesk::tasks {
namespace {

/// Runs one tool: its rules, its text block, its refusals. `tickets`: see create_task_store().
template <class Work>
auto run_tool(toolhost::Call& call, const std::string& tickets, const Work& work) {
  const std::string time_zone(call.time_zone());
  const auto store = create_task_store(call, {toolhost::Time{call.now_us()}, time_zone}, tickets);
  TaskService service(*store, {.actor = {std::string(call.principal()), std::string(call.key_prefix())},
                               .time_zone = time_zone,
                               .request_idempotency_key = std::string(call.idempotency_key()),
                               .people = people_of(call),
                               .random_bits = [&call] { return random_bits(call); },
                               .seal = [&call](std::string_view data) { return call.seal(data); },
                               .open = [&call](std::string_view token) { return call.open(token); }});
  return with_refusals([&] {
    auto result = work(service);
    call.text(render(result));
    return result;
  });
}

/// The same for a tool that writes.
template <class Work>
auto run_change(toolhost::Call& call, const std::string& tickets, const Work& work) {
  with_refusals([&] { refuse_viewer(call.role(), "tasks"); });
  return run_tool(call, tickets, work);
}

}  // namespace

class TasksPlugin {
 public:
  explicit TasksPlugin(toolhost::Host& host) {
    for (toolhost::ReadableView& view : host.readable_views()) {
      if (view.plugin == "tickets") tickets_ = std::move(view.sql_name);
    }
  }

  CreatedTask create_task(toolhost::Call& call, const CreateTask& request) {
    return run_change(call, tickets_, [&](TaskService& service) { return service.create(request); });
  }
  TaskPage list_tasks(toolhost::Call& call, const ListTasks& request) {
    return run_tool(call, tickets_, [&](TaskService& service) { return service.list(request); });
  }
  TaskDetails get_task(toolhost::Call& call, const GetTask& request) {
    return run_tool(call, tickets_, [&](TaskService& service) { return service.get(request); });
  }
  UpdatedTask update_task(toolhost::Call& call, const UpdateTask& request) {
    return run_change(call, tickets_, [&](TaskService& service) { return service.update(request); });
  }
  CompletedTask complete_task(toolhost::Call& call, const CompleteTask& request) {
    return run_change(call, tickets_, [&](TaskService& service) { return service.complete(request); });
  }
  ReopenedTask reopen_task(toolhost::Call& call, const ReopenTask& request) {
    return run_change(call, tickets_, [&](TaskService& service) { return service.reopen(request); });
  }
  DeletedTask delete_task(toolhost::Call& call, const DeleteTask& request) {
    return run_change(call, tickets_, [&](TaskService& service) { return service.remove(request); });
  }

 private:
  std::string tickets_;  ///< the view of ticket titles, as SQL names it; empty when there is none
};

}  // namespace helpdesk::tasks

using helpdesk::tasks::TasksPlugin;

TH_PLUGIN(
    TasksPlugin, "tasks", "Tasks", "0.1.0", vendor("Toolhost"), migrations(toolhost_migrations),
    exports("search_documents", "ticket_tasks"), reads("?tickets.ticket_titles"),
    tool<&TasksPlugin::create_task>("create_task")
        .title("Create a task")
        .description("Creates a task, something that somebody has to do. A problem that somebody reports is "
                     "create_ticket. Only the title is needed: do not ask for the rest."),
    tool<&TasksPlugin::list_tasks>("list_tasks")
        .title("List tasks")
        .description("Lists tasks by due date, assignee, ticket, status or tags; without arguments all unfinished "
                     "ones, soonest due first. What is late: {\"due\":\"overdue\"}. For words: search_all.")
        .read_only()
        .idempotent(),
    tool<&TasksPlugin::get_task>("get_task")
        .title("Get a task")
        .description("Returns one task by id: fields, description, its ticket, latest history.")
        .read_only()
        .idempotent(),
    tool<&TasksPlugin::update_task>("update_task")
        .title("Change a task")
        .description("Changes fields of a task; what is left out stays. For moving, reassigning, starting or "
                     "cancelling it; finishing it is complete_task.")
        .destructive()
        .idempotent(),
    tool<&TasksPlugin::complete_task>("complete_task")
        .title("Complete a task")
        .description("Marks a task as done. Does not change the status of its ticket.")
        .idempotent(),
    tool<&TasksPlugin::reopen_task>("reopen_task")
        .title("Reopen a task")
        .description("Makes a done or cancelled task open again.")
        .idempotent(),
    tool<&TasksPlugin::delete_task>("delete_task")
        .title("Delete a task")
        .description("Deletes a task for good, only when the user asks for deletion. Finished: complete_task; no "
                     "longer wanted: update_task to cancelled.")
        .destructive()
        .idempotent())
