#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace toolhost {
class Call;
}

/// Calls with an idempotency_key: carried out once in 24 hours for one principal and tool. Each plugin has the table
///   request_keys (tenant_id integer not null default toolhost.tenant_id(), principal text not null, tool text not
///   null,
///     key text not null, request_hash bytea not null, ref text, number integer,
///     created_at timestamptz not null default now(), primary key (tenant_id, principal, tool, key))
/// with an index on (tenant_id, created_at).
namespace helpdesk {

/// What an idempotency key stands for.
struct ClaimedKey {
  bool is_new = true;           ///< this call has it now, until its transaction ends
  bool is_same_request = true;  ///< otherwise: whether the earlier call had the same arguments,
  std::string ref;              ///< and what it wrote
  std::int64_t number = 0;
};

/// The key of a call: the argument, else what came beside the arguments; empty when there is none. Throws Refusal for
/// one that the table does not take.
std::string key_of(const std::optional<std::string>& argument, std::string_view beside);

/// Waits for a concurrent call with the same key to end. `request`: a RequestText of the other arguments.
ClaimedKey claim_key(toolhost::Call& call, std::string_view tool, std::string_view key, std::string_view request);

/// Notes what the claimed key stands for, and forgets a few keys older than 24 hours. Ends the transaction.
void settle_key(toolhost::Call& call, std::string_view tool, std::string_view key, std::string_view ref,
                std::int64_t number = 0);

/// Throws the Refusal for a key that was used with other arguments.
[[noreturn]] void refuse_other_arguments(std::string_view tool, std::string_view key);

/// A text that differs for requests that differ: every field with its length.
class RequestText {
 public:
  RequestText& add(std::string_view field);
  RequestText& add(const std::optional<std::string>& field);
  RequestText& add(const std::vector<std::string>& fields);
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

}  // namespace helpdesk
