#include "app/commands/audit_commands.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <system_error>

#include "access/api_key.hpp"
#include "app/commands/console.hpp"
#include "app/commands/moment.hpp"
#include "app/commands/output_file.hpp"
#include "app/commands/progress_bar.hpp"
#include "app/explain.hpp"
#include "base/json.hpp"
#include "base/json_writer.hpp"
#include "storage/audit_store.hpp"

namespace toolhost::app {
namespace {

using storage::AuditFilter;
using storage::AuditRow;
using storage::AuditStore;

constexpr std::int32_t kHostChain = 0;
constexpr const char* kHostName = "(host)";
constexpr std::uint64_t kRowsBetween = 1'000;  // two looks at the progress

struct AuditOptions {
  std::string tenant, since, until, output, checkpoints;
  bool of_host = false, as_json = false;
  AuditFilter filter;
  std::size_t limit = 50;
};

/// Names of tenants by id; one that is gone has its number.
class TenantNames {
 public:
  explicit TenantNames(storage::DirectoryStore& directory) {
    if (const auto tenants = directory.tenants()) {
      for (const auto& tenant : *tenants) names_[value(tenant.id)] = tenant.name;
    }
  }
  [[nodiscard]] std::string of(std::int32_t id) const {
    if (id == kHostChain) return kHostName;
    const auto found = names_.find(id);
    return found == names_.end() ? "tenant " + std::to_string(id) : found->second;
  }

 private:
  std::map<std::int32_t, std::string> names_;
};

/// Whose records; nothing: everybody's.
Result<std::optional<TenantId>> tenant_of(CommandContext& context, const AuditOptions& options) {
  if (options.of_host) return std::optional(TenantId{kHostChain});
  if (options.tenant.empty()) return std::optional<TenantId>();
  const auto tenant = context.directory->tenant(options.tenant);
  if (!tenant) return tenant.error();
  return std::optional(tenant->id);
}

/// A past time as the store takes it: "2h" ago, a date, or RFC 3339.
Result<std::string> past_time(const std::string& option, const std::string& text, Moment now) {
  if (text.empty()) return std::string();
  if (const auto span = parse_span(text)) return rfc3339(now - *span);
  if (const auto moment = parse_moment(text, now)) return rfc3339(*moment);
  return Error{Errc::kInvalidArgument,
               option + " must be a time ago such as 2h or 7d, a date such as 2026-01-31, or RFC 3339 such as " +
                   rfc3339(now) + "; got '" + text + "'",
               ""};
}

Result<AuditFilter> filter_of(CommandContext& context, const AuditOptions& options) {
  AuditFilter filter = options.filter;
  const auto tenant = tenant_of(context, options);
  if (!tenant) return tenant.error();
  filter.tenant = *tenant;
  const Moment now = std::chrono::system_clock::now();
  auto since = past_time("--since", options.since, now);
  if (!since) return since.error();
  auto until = past_time("--until", options.until, now);
  if (!until) return until.error();
  filter.since = std::move(*since);
  filter.until = std::move(*until);
  if (filter.key_prefix.empty()) return filter;
  auto prefix = beginning_of_key(filter.key_prefix);
  if (!prefix) return prefix.error();
  if (prefix->size() < access::kKeyPrefixLength) {
    return Error{Errc::kInvalidArgument,
                 "--key must have the key's first " + std::to_string(access::kKeyPrefixLength) + " characters; got '" +
                     *prefix + "'",
                 ""};
  }
  filter.key_prefix = std::move(*prefix);
  return filter;
}

Result<std::unique_ptr<AuditStore>> open_store(CommandContext& context) {
  const auto pepper = load_pepper(context.config);
  if (!pepper) return pepper.error();
  return AuditStore::create(context.database.address, *pepper);
}

void write_json(JsonWriter& json, const AuditRow& row, const TenantNames& names) {
  json.begin_object().key("tenant");
  if (row.tenant_id == kHostChain) {
    json.null();
  } else {
    json.string(names.of(row.tenant_id));
  }
  json.key("sequence").integer(row.sequence).member("at", row.at).member("hash", row.hash);
  // The last member, byte by byte as it is stored: the hash covers it.
  json.key("record").raw(row.record).end_object();
}

// ---- list

/// The first of these members that the record has.
std::string text_of(const json::Value& record, std::initializer_list<std::string_view> names) {
  for (const auto name : names) {
    auto member = json::find(record, name).get_string();
    if (!member.error()) return std::string(member.value());
  }
  return "";
}

std::vector<std::string> cells_of(const AuditRow& row, const TenantNames& names, json::Document& document) {
  const std::string at = row.at.substr(0, 19) + "Z";
  const auto record = document.parse(row.record);
  if (!record) return {at, names.of(row.tenant_id), "?", "", "", "", "", row.record.substr(0, 80)};
  std::string why = text_of(*record, {"reason", "summary"});
  if (const auto count = json::find(*record, "count").get_uint64(); !count.error())
    why = grouped(count.value_unsafe()) + " x " + why;
  if (const auto place = text_of(*record, {"place"}); !place.empty()) why += " (" + place + ")";
  if (const auto end = why.find('\n'); end != std::string::npos) why.replace(end, std::string::npos, " ...");
  return {at,
          names.of(row.tenant_id),
          text_of(*record, {"kind"}),
          text_of(*record, {"key"}),
          text_of(*record, {"principal", "actor"}),
          text_of(*record, {"tool", "name", "file"}),
          text_of(*record, {"outcome"}),
          why};
}

void print_rows(const std::vector<AuditRow>& rows, const TenantNames& names) {
  std::vector<std::vector<std::string>> table{{"TIME", "TENANT", "KIND", "KEY", "WHO", "WHAT", "OUTCOME", "WHY"}};
  json::Document document;
  for (const auto& row : rows) table.push_back(cells_of(row, names, document));
  std::cout << columns(table);
}

int list_audit(CommandContext& context, const AuditOptions& options) {
  const auto filter = filter_of(context, options);
  if (!filter) return fail(filter.error());
  const auto store = open_store(context);
  if (!store) return fail(store.error());
  const auto rows = (*store)->list(*filter, options.limit, std::nullopt);
  if (!rows) return fail(rows.error());
  const TenantNames names(*context.directory);
  if (!options.as_json) {
    print_rows(*rows, names);
    if (rows->size() == options.limit)
      std::cerr << "the newest " << counted(rows->size(), "record") << "; more with --limit N\n";
    return kExitOk;
  }
  std::string out;
  JsonWriter json(out);
  json.begin_array();
  for (const auto& row : *rows) write_json(json, row, names);
  json.end_array();
  std::cout << out << "\n";
  return kExitOk;
}

// ---- verify

void print_verdict(const storage::AuditVerdict& verdict, const TenantNames& names) {
  for (const auto& flaw : verdict.flaws)
    std::cout << names.of(flaw.tenant_id) << ": " << printable(flaw.message) << "\n";
  std::cout << counted(verdict.rows, "row") << " in " << counted(verdict.chains, "chain") << ", "
            << counted(verdict.checkpoints, "checkpoint") << ": "
            << (verdict.flaws.empty() ? "intact" : counted(verdict.flaws.size(), "flaw")) << "\n";
}

void print_json(const storage::AuditVerdict& verdict, const TenantNames& names) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("intact").boolean(verdict.flaws.empty()).key("rows").unsigned_integer(verdict.rows);
  json.key("chains").unsigned_integer(verdict.chains).key("checkpoints").unsigned_integer(verdict.checkpoints);
  json.key("flaws").begin_array();
  for (const auto& flaw : verdict.flaws) {
    json.begin_object().member("tenant", names.of(flaw.tenant_id)).key("sequence").integer(flaw.sequence);
    json.member("message", flaw.message).end_object();
  }
  json.end_array().end_object();
  std::cout << out << "\n";
}

/// Those that lines of a log tell; "-" is standard input, no name none.
Result<std::vector<storage::AuditCheckpoint>> checkpoints_in(const std::string& name) {
  std::vector<storage::AuditCheckpoint> checkpoints;
  if (name.empty()) return checkpoints;
  std::ifstream file;
  if (name != "-") file.open(name);
  std::istream& in = name == "-" ? std::cin : file;
  const auto failed = [&](const std::string& why) {
    return Error{Errc::kInvalidArgument, "--checkpoints " + name + why, ""};
  };
  if (!in) return failed(" cannot be read: " + std::generic_category().message(errno));
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    auto checkpoint = storage::checkpoint_in(line);
    if (!checkpoint) return failed(", line " + std::to_string(number) + ": " + checkpoint.error().message);
    if (*checkpoint) checkpoints.push_back(std::move(**checkpoint));
  }
  if (in.bad()) return failed(" cannot be read: " + std::generic_category().message(errno));
  if (checkpoints.empty()) return failed(" tells no checkpoint; give a log of a host, or lines of it");
  return checkpoints;
}

int verify_audit(CommandContext& context, const AuditOptions& options) {
  const auto tenant = tenant_of(context, options);
  if (!tenant) return fail(tenant.error());
  const auto kept = checkpoints_in(options.checkpoints);
  if (!kept) return fail(kept.error());
  const auto store = open_store(context);
  if (!store) return fail(store.error());
  Result<storage::AuditVerdict> verdict = Error{};
  {
    ProgressBar bar("verifying");
    const auto show = [&](std::uint64_t done, std::uint64_t all) {
      const double fraction = all == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(all);
      bar.show(fraction, grouped(done) + " of " + counted(all, "row"));
    };
    verdict = (*store)->verify(*tenant, show, *kept);
  }
  if (!verdict) return fail(verdict.error());
  const TenantNames names(*context.directory);
  if (options.as_json) {
    print_json(*verdict, names);
  } else {
    print_verdict(*verdict, names);
  }
  return verdict->flaws.empty() ? kExitOk : kExitFailed;
}

// ---- export

int export_audit(CommandContext& context, const AuditOptions& options) {
  const auto filter = filter_of(context, options);
  if (!filter) return fail(filter.error());
  const auto store = open_store(context);
  if (!store) return fail(store.error());
  ExportTarget target(options.output);
  if (const auto usable = target.check(); !usable) return fail(usable.error());
  const TenantNames names(*context.directory);
  std::uint64_t rows = 0;
  Result<> exported = boost::system::in_place_value;
  {
    std::optional<ProgressBar> bar;  // rows and a bar on one terminal would spoil each other
    if (!options.output.empty() || ::isatty(STDOUT_FILENO) == 0) bar.emplace("exporting the audit");
    std::string line;
    exported = (*store)->for_each(*filter, [&](const AuditRow& row) {
      line.clear();
      JsonWriter json(line);
      write_json(json, row, names);
      if (bar && ++rows % kRowsBetween == 0) bar->show(std::nullopt, counted(rows, "row"));
      return target.write(line);
    });
  }
  if (!exported) return fail(exported.error());
  if (const auto finished = target.finish(); !finished) return fail(finished.error());
  return kExitOk;
}

void add_filters(CLI::App& command, AuditOptions& options) {
  command.add_option("--kind", options.filter.kind, "What happened")
      ->type_name("WORD")
      ->check(CLI::IsMember({"tool_called", "request_refused", "refusals_folded", "configuration_reloaded",
                             "tenant_created", "key_created", "key_deleted", "key_disabled", "key_enabled",
                             "key_rotated", "key_renamed", "key_owner_changed", "key_owner_doubted", "signed_in",
                             "unreadable", "audit_began", "audit_records_lost"}));
  command.add_option("--tool", options.filter.tool, "A tool, by its whole name")->type_name("NAME");
  command.add_option("--key", options.filter.key_prefix, "A key, whole or its first 11 characters")
      ->type_name("KEY_OR_PREFIX");
  command.add_option("--principal", options.filter.principal, "Who called: an e-mail address, or a key's name")
      ->type_name("WHO");
  command.add_option("--outcome", options.filter.outcome, "How it ended")
      ->type_name("WORD")
      ->check(CLI::IsMember({"ok", "denied", "limit", "unknown_tool", "invalid_arguments", "tool_error", "timeout",
                             "cancelled", "unavailable", "internal", "input_required", "not_found", "state_used",
                             "applied", "refused"}));
  command.add_option("--reason", options.filter.reason, "Why it was refused: role, scope, rule, key_rate, ...")
      ->type_name("WORD");
  command.add_option("--since", options.since, "From then on: 2h or 7d ago, a date, or RFC 3339")->type_name("TIME");
  command.add_option("--until", options.until, "Before then")->type_name("TIME");
}

}  // namespace

void add_audit_commands(CLI::App& app, CommonOptions& common, int& exit_code) {
  static AuditOptions options;
  auto* audit = app.add_subcommand("audit", "Look at the record of calls and changes, and check it");
  audit->require_subcommand(1);
  const auto add = [&](const char* name, const char* text, int (*run)(CommandContext&, const AuditOptions&)) {
    auto* command = audit->add_subcommand(name, text);
    add_common(*command, common);
    auto* tenant = command->add_option("--tenant", options.tenant, "Only this tenant's")->type_name("NAME");
    command->add_flag("--host", options.of_host, "Only the host's own: its configuration")->excludes(tenant);
    command->callback([&common, &exit_code, run] {
      exit_code =
          with_context(common, [&](CommandContext& context) { return run(context, options); }, NoDatabase::kRefuse);
    });
    return command;
  };

  auto* list = add("list", "List records, the newest first", list_audit);
  add_filters(*list, options);
  list->add_option("--limit", options.limit, "At most so many (default 50)")
      ->type_name("N")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}));
  list->add_flag("--json", options.as_json, "Print JSON for programs");
  list->footer("What a serving host records can be seen here after about a second.");

  auto* verify = add("verify", "Compute every chain anew: finds changed, removed and moved rows", verify_audit);
  verify->add_flag("--json", options.as_json, "Print JSON for programs");
  verify
      ->add_option("--checkpoints", options.checkpoints,
                   "Compare also with the checkpoints in this log of a host (- is standard input)")
      ->type_name("FILE");
  verify->footer(
      "Who may change everything in the database can remove the end of a chain together with its\n"
      "checkpoints. The host's log tells each checkpoint (\"checkpoint of tenant 1 at row 17: hash ...\"):\n"
      "keep the log on another machine, and give it with --checkpoints. Other lines are passed over.\n\n"
      "Exit codes: 0 intact, 1 flaws were found; otherwise as for every command.");

  auto* exporting =
      add("export", "Write records as JSONL with number and hash: tenant after tenant, in each the oldest first",
          export_audit);
  add_filters(*exporting, options);
  exporting->add_option("--output", options.output, "Write to this file; standard output without it")
      ->type_name("FILE");
}

}  // namespace toolhost::app
