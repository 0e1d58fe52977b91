#include <toolhost/plugin.hpp>

#include "arguments.hpp"
#include "categories.hpp"
#include "refusal.hpp"
#include "rendering.hpp"
#include "roles.hpp"
#include "ticket_export.hpp"
#include "ticket_fields.hpp"
#include "ticket_import.hpp"
#include "ticket_service.hpp"
#include "ticket_store.hpp"
#include "tickets_migrations.hpp"

// The glue between the host and the rules: one method a tool.
namespace helpdesk::tickets {
namespace {

constexpr const char* kSettings = R"({"type":"object","additionalProperties":false,"properties":{
  "categories":{"type":"array","maxItems":100,"items":{"type":"string","minLength":1,"maxLength":60}}}})";

}  // namespace

class TicketsPlugin {
 public:
  explicit TicketsPlugin(toolhost::Host& host) {
    for (const toolhost::ReadableView& view : host.readable_views()) {
      if (view.plugin == "tasks") tasks_view_ = view.sql_name;
    }
  }

  CreatedTicket create_ticket(toolhost::Call& call, const CreateTicket& request) {
    return change(call, [&](TicketService& service) { return service.create(request); });
  }
  TicketPage list_tickets(toolhost::Call& call, const ListTickets& request) {
    return run(call, [&](TicketService& service) { return service.list(request); });
  }
  TicketDetails get_ticket(toolhost::Call& call, const GetTicket& request) {
    return run(call, [&](TicketService& service) { return service.get(request); });
  }
  UpdatedTicket update_ticket(toolhost::Call& call, const UpdateTicket& request) {
    return change(call, [&](TicketService& service) { return service.update(request); });
  }
  ChangedStatus set_ticket_status(toolhost::Call& call, const SetTicketStatus& request) {
    return change(call, [&](TicketService& service) { return service.set_status(request); });
  }
  AddedNote add_note(toolhost::Call& call, const AddNote& request) {
    return change(call, [&](TicketService& service) { return service.add_note(request); });
  }
  AddedReply add_reply(toolhost::Call& call, const AddReply& request) {
    return change(call, [&](TicketService& service) { return service.add_reply(request); });
  }
  HistoryPage ticket_history(toolhost::Call& call, const TicketHistory& request) {
    return run(call, [&](TicketService& service) { return service.history(request); });
  }
  ImportResult import_tickets(toolhost::Call& call, const ImportRequest& request) {
    return with_refusals([&] { return helpdesk::tickets::import_tickets(call, request); });
  }
  ExportResult export_tickets(toolhost::Call& call, const ExportRequest& request) {
    return with_refusals([&] { return helpdesk::tickets::export_tickets(call, request); });
  }

 private:
  /// Runs one tool: its rules, its text block, its refusals.
  template <class Work>
  auto run(toolhost::Call& call, const Work& work) -> decltype(work(std::declval<TicketService&>())) {
    CallContext context = context_of(call);
    const auto store = create_ticket_store(call, context.time_zone, tasks_view_);
    TicketService service(*store, std::move(context));
    return with_refusals([&] {
      auto result = work(service);
      call.text(render(result));
      return result;
    });
  }

  /// The same for a tool that writes.
  template <class Work>
  auto change(toolhost::Call& call, const Work& work) -> decltype(work(std::declval<TicketService&>())) {
    with_refusals([&] { refuse_viewer(call.role(), "tickets"); });
    return run(call, work);
  }

  [[nodiscard]] CallContext context_of(toolhost::Call& call) const {
    CallContext context{.people = people_of(call)};
    context.actor = {std::string(call.principal()), std::string(call.key_prefix())};
    context.may_read_notes = !is_viewer(call.role());
    context.time_zone = call.time_zone();
    context.request_idempotency_key = call.idempotency_key();
    context.has_tasks = !tasks_view_.empty();
    context.categories = [&call] { return categories_of(call); };
    context.random_bits = [&call] { return random_bits(call); };
    context.seal = [&call](std::string_view data) { return call.seal(data); };
    context.open = [&call](std::string_view token) { return call.open(token); };
    return context;
  }

  std::string tasks_view_;  // empty: this host has no tasks
};

}  // namespace helpdesk::tickets

using helpdesk::tickets::TicketsPlugin;

TH_PLUGIN(
    TicketsPlugin, "tickets", "Tickets", "0.2.0", vendor("Toolhost"), migrations(toolhost_migrations),
    config_schema(helpdesk::tickets::kSettings), exports("search_documents", "ticket_titles"),
    reads("?tasks.ticket_tasks"),
    tool<&TicketsPlugin::create_ticket>("create_ticket")
        .title("Create a ticket")
        .description("Creates a support ticket: for what shall be reported, requested or tracked. To add to an "
                     "existing ticket use add_reply or add_note. Only the title is needed: do not ask for the "
                     "rest. Tell the user about possible_duplicates."),
    tool<&TicketsPlugin::list_tickets>("list_tickets")
        .title("List tickets")
        .description("Lists tickets by status, people, priority, tags or dates; without arguments all unresolved "
                     "ones. The 5 most recent: {\"status\":\"all\",\"sort\":\"created\",\"limit\":5}. For words: "
                     "search_tickets.")
        .read_only()
        .idempotent(),
    tool<&TicketsPlugin::get_ticket>("get_ticket")
        .title("Get a ticket")
        .description("Returns one ticket by id: fields, description, latest messages, what its status may become. "
                     "Without an id use search_tickets for words, else list_tickets.")
        .read_only()
        .idempotent(),
    tool<&TicketsPlugin::update_ticket>("update_ticket")
        .title("Change a ticket")
        .description("Changes fields of a ticket; what is left out stays. The status is changed by "
                     "set_ticket_status.")
        .destructive()
        .idempotent(),
    tool<&TicketsPlugin::set_ticket_status>("set_ticket_status")
        .title("Set a ticket's status")
        .description("Resolves, closes, reopens a ticket or lets it wait. Closing an unresolved one needs a "
                     "resolution or a comment.")
        .idempotent(),
    tool<&TicketsPlugin::add_note>("add_note")
        .title("Add an internal note")
        .description("Adds a note that only staff read. Does not change the status, even if it says \"resolved\": "
                     "for that call set_ticket_status. What the requester shall read is add_reply."),
    tool<&TicketsPlugin::add_reply>("add_reply")
        .title("Reply to a ticket")
        .description("Adds a public reply, which the requester reads and nobody can take back: check the wording "
                     "with the user unless they gave it. Only set_status changes the status. For staff use "
                     "add_note."),
    tool<&TicketsPlugin::ticket_history>("ticket_history")
        .title("History of a ticket")
        .description("Returns who changed what in a ticket and when, newest first. For what was said use get_ticket.")
        .read_only()
        .idempotent(),
    job<&TicketsPlugin::import_tickets>("import").title("Import tickets"),
    job<&TicketsPlugin::export_tickets>("export").title("Export tickets"))
