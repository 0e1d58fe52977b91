#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ids.hpp"
#include "people.hpp"
#include "ticket_rules.hpp"
#include "ticket_store.hpp"
#include "ticket_types.hpp"

namespace helpdesk::tickets {

/// Characters of one text in a concise answer.
inline constexpr std::size_t kConciseText = 1'000;
/// Characters of a text that a change answers with: the caller knows it.
inline constexpr std::size_t kEchoedText = 200;

/// How ids of tickets are read and refused.
inline constexpr Findable kTicket{"ticket", "search_tickets or list_tickets"};

/// Who calls, and what the host lends to the call. The functions are only called while a tool runs.
struct CallContext {
  Actor actor;
  bool may_read_notes = true;           ///< false for role viewer
  std::string time_zone;                ///< the tenant's, IANA name
  std::string request_idempotency_key;  ///< sent beside the arguments; may be empty
  People people;
  bool has_tasks = false;                                ///< the store can read tasks
  std::function<std::vector<std::string>()> categories;  ///< the tenant's; none: any text is one
  std::function<std::uint32_t()> random_bits;
  std::function<std::string(std::string_view)> seal;                 ///< a token nobody can forge or change
  std::function<std::optional<std::string>(std::string_view)> open;  ///< what seal() took, or nullopt
};

/// The rules. One object serves one call; refusals are thrown as Refusal, failures of the database as
/// toolhost::SqlError. The methods stand in create_ticket.cpp, list_tickets.cpp, get_ticket.cpp, change_ticket.cpp.
class TicketService {
 public:
  TicketService(TicketStore& store, CallContext context) : store_(store), context_(std::move(context)) {}

  CreatedTicket create(const CreateTicket& request);
  TicketPage list(const ListTickets& request);
  TicketDetails get(const GetTicket& request);
  HistoryPage history(const TicketHistory& request);
  UpdatedTicket update(const UpdateTicket& request);
  ChangedStatus set_status(const SetTicketStatus& request);
  AddedNote add_note(const AddNote& request);
  AddedReply add_reply(const AddReply& request);

 private:
  NewTicket read_new_ticket(const CreateTicket& request, std::vector<std::string>& warnings);
  CreatedTicket replay_create(const ClaimedKey& key);

  TicketFilter read_filter(const ListTickets& request, AppliedFilters& applied, std::vector<std::string>& warnings);
  std::optional<std::string> read_category_filter(const std::optional<std::string>& category,
                                                  std::vector<std::string>& warnings) const;

  void add_messages(TicketDetails& details, const GetTicket& request, std::int64_t before, Finish finish);
  void add_history(TicketDetails& details, Finish finish);
  void add_tasks(TicketDetails& details);

  WantedFields read_wanted(const UpdateTicket& request, FieldUpdate& update, std::vector<std::string>& warnings);
  void refuse_other_version(const StoredTicket& stored, std::optional<std::int64_t> expected);
  std::optional<std::string> check_duplicate(const std::string& ref, const std::string& duplicate_of);
  void check_body(std::string_view parameter, std::string_view body) const;
  AddedReply replay_reply(const ClaimedKey& key);
  AddedNote replay_note(const ClaimedKey& key);
  Message message_of(const TicketChange& change, const StoredTicket& after) const;
  std::pair<Message, StoredTicket> replayed(const ClaimedKey& key);

  // What the tools share; in ticket_service.cpp.
  std::optional<std::string> read_moment_of(std::string_view parameter, const std::optional<std::string>& input,
                                            bool is_end);
  [[nodiscard]] std::string read_category(const std::string& category) const;
  StoredTicket require(std::optional<StoredTicket> found, std::string_view ref);
  [[noreturn]] void refuse_unknown(std::string_view ref);
  [[nodiscard]] std::string key_of(const std::optional<std::string>& argument) const;

  TicketStore& store_;
  CallContext context_;
};

}  // namespace helpdesk::tickets
