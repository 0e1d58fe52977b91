#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ticket_rules.hpp"
#include "ticket_store.hpp"
#include "ticket_types.hpp"

namespace tickets {

/// Characters of people's texts in one answer.
inline constexpr std::size_t kTextBudget = 20'000;
/// Characters of one text in a concise answer.
inline constexpr std::size_t kConciseText = 1'000;

/// Who calls, and what the host lends to the call. The functions are only called while a tool runs.
struct CallContext {
  Actor actor;
  std::string time_zone;                ///< the tenant's, IANA name
  std::string request_idempotency_key;  ///< sent beside the arguments; may be empty
  std::function<std::uint32_t()> random_bits;
  std::function<std::string(std::string_view)> seal;                 ///< a token nobody can forge or change
  std::function<std::optional<std::string>(std::string_view)> open;  ///< what seal() took, or nullopt
};

/// The rules. One object serves one call; refusals are thrown as Refusal, failures of the database as
/// toolhost::SqlError.
class TicketService {
 public:
  TicketService(TicketStore& store, CallContext context) : store_(store), context_(std::move(context)) {}

  CreatedTicket create(const CreateTicket& request);
  TicketPage list(const ListTickets& request);
  TicketDetails get(const GetTicket& request);
  AddedReply add_reply(const AddReply& request);

 private:
  NewTicket read_new_ticket(const CreateTicket& request, std::vector<std::string>& warnings);
  CreatedTicket replay_create(const ClaimedKey& key);
  TicketFilter read_filter(const ListTickets& request, AppliedFilters& applied, std::vector<std::string>& warnings);
  void add_messages(TicketDetails& details, const GetTicket& request, std::int64_t before, Finish finish);
  AddedReply replay_reply(const ClaimedKey& key);

  [[nodiscard]] std::string read_person(std::string_view name) const;
  std::optional<std::string> read_moment_of(std::string_view parameter, const std::optional<std::string>& input,
                                            bool is_end);
  std::string existing_form(std::string_view id) const;
  StoredTicket require(std::optional<StoredTicket> found, std::string_view ref);
  [[noreturn]] void refuse_unknown(std::string_view ref);
  [[nodiscard]] std::string key_of(const std::optional<std::string>& argument) const;

  TicketStore& store_;
  CallContext context_;
};

}  // namespace tickets
