#include "request_keys.hpp"

#include <toolhost/plugin/call.hpp>

#include "arguments.hpp"
#include "refusal.hpp"
#include "text.hpp"

namespace helpdesk {
namespace {

constexpr std::size_t kLongestKey = 64;

}  // namespace

std::string key_of(const std::optional<std::string>& argument, std::string_view beside) {
  std::string key(argument && !argument->empty() ? std::string_view(*argument) : beside);
  refuse_nul("idempotency_key", key);
  const std::size_t length = count_characters(key);
  if (length <= kLongestKey) return key;
  throw Refusal(Refusal::Kind::kInvalid, "idempotency_key has " + std::to_string(length) + " characters; at most " +
                                             std::to_string(kLongestKey));
}

ClaimedKey claim_key(toolhost::Call& call, std::string_view tool, std::string_view key, std::string_view request) {
  // An insert waits for a concurrent transaction that inserted the same key; only one of them gets the row.
  const std::int64_t claimed = call.exec(
      "insert into request_keys as mine (principal, tool, key, request_hash) "
      "values ($1::text, $2::text, $3::text, sha256(convert_to($4::text, 'UTF8'))) "
      "on conflict (tenant_id, principal, tool, key) do update "
      "set request_hash = excluded.request_hash, ref = null, number = null, created_at = now() "
      "where mine.created_at < now() - interval '24 hours'",
      call.principal(), tool, key, request);
  if (claimed == 1) return {};
  toolhost::Rows rows = call.query(
      "select request_hash = sha256(convert_to($4::text, 'UTF8')), ref, coalesce(number, 0) from request_keys "
      "where principal = $1::text and tool = $2::text and key = $3::text",
      call.principal(), tool, key, request);
  const toolhost::Row row = rows.next();
  return {false, row.boolean(0), std::string(row.text(1)), row.i64(2)};
}

void settle_key(toolhost::Call& call, std::string_view tool, std::string_view key, std::string_view ref,
                std::int64_t number) {
  // Each call forgets more keys than it adds, so that the table stays small without a job.
  call.exec(toolhost::last,
            "with expired as ("
            "  delete from request_keys where ctid = any(array("
            "    select ctid from request_keys where created_at < now() - interval '24 hours' "
            "    order by created_at limit 4 for update skip locked))) "
            "update request_keys set ref = $4::text, number = nullif($5::bigint, 0) "
            "where principal = $1::text and tool = $2::text and key = $3::text",
            call.principal(), tool, key, ref, number);
}

void refuse_other_arguments(std::string_view tool, std::string_view key) {
  throw Refusal(Refusal::Kind::kConflict,
                "idempotency_key '" + clean_line(key) + "' was used for " + std::string(tool) +
                    " with other arguments in the last 24 hours. Repeat exactly those arguments to get that "
                    "result again, or use a new key.");
}

RequestText& RequestText::add(std::string_view field) {
  text_ += std::to_string(field.size());
  text_ += ':';
  text_ += field;
  return *this;
}

RequestText& RequestText::add(const std::optional<std::string>& field) {
  if (!field) return add(std::string_view("-"));
  return add(std::string_view("+")).add(std::string_view(*field));
}

RequestText& RequestText::add(const std::vector<std::string>& fields) {
  add(std::string_view(std::to_string(fields.size())));
  for (const std::string& field : fields) add(std::string_view(field));
  return *this;
}

}  // namespace helpdesk
