#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace toolhost {
class Call;
}

/// Ids that callers give: reading them, and the answer when nothing has them. The characters are text.hpp's.
namespace helpdesk {

/// What an id belongs to.
struct Findable {
  std::string_view noun;    ///< "ticket"
  std::string_view finder;  ///< the tools that find one: "search_tickets or list_tickets"
};

/// The canonical form of `input`: what read_ref() reads, also behind the noun ("ticket #7QK4MX"), with separators in it
/// ("7QK-4MX"), or in the id of a ticket's message ("7QK4MX-3"). Throws Refusal for what cannot be an id, or is called
/// one of another kind.
std::string read_id(const Findable& kind, std::string_view input);

/// Id and title.
using IdAndTitle = std::pair<std::string, std::string>;

/// "Ticket XYZ788 not found. Nearest: XYZ789 "VPN drops". Use search_tickets or list_tickets to find it."
[[noreturn]] void refuse_unknown(const Findable& kind, std::string_view ref, const std::vector<IdAndTitle>& nearest);

/// Up to three rows of `relation`, SQL with the columns ref and title, whose id is one mistake away from `ref` or
/// begins like it, the former first.
std::vector<IdAndTitle> nearest_ids(toolhost::Call& call, std::string_view relation, std::string_view ref);

}  // namespace helpdesk
