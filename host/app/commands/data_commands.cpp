#include "app/commands/data_commands.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <iostream>

#include "access/policy.hpp"
#include "app/commands/console.hpp"
#include "app/commands/data_jobs.hpp"
#include "app/commands/output_file.hpp"
#include "app/commands/progress_bar.hpp"
#include "app/commands/row_reader.hpp"
#include "base/json_writer.hpp"
#include "base/similar_name.hpp"

namespace toolhost::app {
namespace {

using Clock = std::chrono::steady_clock;
using plugin_runtime::PluginHost;

constexpr std::size_t kShownRefusals = 10;
constexpr unsigned kWorkers = 2;  // a command runs one job at a time
// For what a serving host does by itself as well.
constexpr Patience kIndexPatience{.limit = std::chrono::seconds(10)};

std::atomic<bool> interrupted{false};

/// From here on the first Ctrl-C asks the work to end behind what it is doing; the second one ends the process.
void catch_interrupt() {
  struct sigaction action{};
  action.sa_handler = [](int) { interrupted = true; };
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  for (const int signal : {SIGINT, SIGTERM}) ::sigaction(signal, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // a reader who went away is an error like a full disk
}

Error usage(std::string message) {
  return {Errc::kInvalidArgument, std::move(message), {}};
}

std::string list_of(std::span<const std::string> names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

/// " did you mean 'x'?" or what there is.
std::string or_nearest(std::string_view given, std::span<const std::string> names, const std::string& there_is) {
  const auto near = similar_name(given, names);
  return near ? "; did you mean '" + std::string(*near) + "'?" : "; " + there_is + ": " + list_of(names);
}

/// Fails with work half done; `again` is what the same command would do.
int fail_midway(const Error& error, std::string_view again) {
  const int code = fail(error);
  if (error.code != Errc::kInvalidArgument) std::cerr << again << "\n";
  return code;
}

/// Why: the first sentence; what the host's own texts add to it is for models.
std::string reason_in(const Error& error) {
  std::string reason = printable(error.message.substr(0, error.message.find(". ")));
  if (reason.ends_with('.')) reason.pop_back();
  return error.detail.empty() ? reason : reason + " (" + printable(error.detail) + ")";
}

Result<std::unique_ptr<PluginHost>> start_plugins(CommandContext& context) {
  auto config = plugin_host_config(context.config);
  if (!config) return config.error();
  config->workers = kWorkers;
  for (auto& plugin : config->plugins) plugin.workers = 0;
  return PluginHost::start(std::move(*config), context.database.address, *context.events);
}

/// That the plugin serves and has this job.
Result<> check_job(const PluginHost& host, const std::string& plugin, std::string_view job) {
  const auto able = host.plugins_with_job(job);
  if (std::find(able.begin(), able.end(), plugin) != able.end()) return {};
  std::vector<std::string> ids;
  for (const auto& info : host.plugins()) {
    ids.push_back(info.id);
    if (info.id != plugin) continue;
    if (info.state != "serving")
      return Error{Errc::kConflict, "the plugin " + plugin + " is " + info.state + ": " + info.reason, {}};
    return Error{Errc::kNotFound,
                 "the plugin " + plugin + " has no " + std::string(job) + "; plugins that have one: " + list_of(able),
                 {}};
  }
  return Error{Errc::kNotFound, "there is no plugin '" + plugin + "'" + or_nearest(plugin, ids, "configured are"), {}};
}

/// Rows per second since the beginning, for people.
class Speed {
 public:
  [[nodiscard]] std::string of(std::uint64_t rows) const {
    const auto seconds = std::chrono::duration<double>(Clock::now() - began_).count();
    return grouped(static_cast<std::uint64_t>(static_cast<double>(rows) / std::max(seconds, 0.001))) + " rows/s";
  }

 private:
  const Clock::time_point began_ = Clock::now();
};

/// Shows what a job says of its progress; false once the user has had enough.
bool show(ProgressBar& bar, const JobProgress& progress) {
  std::string details = "at work";
  std::optional<double> fraction;
  if (progress.waited.count() > 0)
    details = "waiting for another process or the database, " + std::to_string(progress.waited.count()) + " s";
  if (progress.done) details = grouped(static_cast<std::uint64_t>(*progress.done));
  if (progress.done && progress.total && *progress.total > 0) {
    fraction = *progress.done / *progress.total;
    details += " of " + grouped(static_cast<std::uint64_t>(*progress.total));
  }
  bar.show(fraction, details);
  return !interrupted;
}

// ---- import

/// FIELD=COLUMN, several columns for a field in the order in which they are given.
Result<std::map<std::string, std::vector<std::string>>> parse_maps(const std::vector<std::string>& maps,
                                                                   std::span<const std::string> columns) {
  std::map<std::string, std::vector<std::string>> parsed;
  for (const auto& text : maps) {
    const auto equals = text.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == text.size())
      return usage("--map " + text + " is not of the form FIELD=COLUMN, such as --map title=Betreff");
    const std::string column = text.substr(equals + 1);
    if (!columns.empty() && std::find(columns.begin(), columns.end(), column) == columns.end())
      return usage("--map " + text + ": the file has no column '" + column + "'" +
                   or_nearest(column, columns, "its columns are"));
    parsed[text.substr(0, equals)].push_back(column);
  }
  return parsed;
}

/// Where refused rows go: to a file, or the first of them on the screen, in the end.
class Refusals {
 public:
  Refusals(const std::string& file, const std::string& input) : name_(file) {
    std::error_code ignored;
    is_input_ = !file.empty() && std::filesystem::equivalent(file, input, ignored);
    if (!file.empty() && !is_input_) file_.emplace(file);
  }

  Result<> check() {
    if (is_input_) return usage("--refused names the file that is read; name another one");
    return file_ ? file_->check() : Result<>();
  }

  void add(const RefusedRow& row) {
    if (file_) {
      std::string line;
      JsonWriter json(line);
      json.begin_object().key("line").unsigned_integer(row.line).member("reason", row.reason);
      if (!row.data.empty()) json.key("data").raw(row.data);
      json.end_object();
      file_->stream() << line << '\n';
    } else if (shown_.size() < kShownRefusals) {
      shown_.push_back("  line " + grouped(row.line) + ": " + printable(row.reason));
    }
  }

  void print(std::uint64_t count) const {
    if (count == 0) return;
    if (file_) {
      std::cout << "The refused rows are in " << name_ << ".\n";
      return;
    }
    std::cout << "Refused:\n";
    for (const auto& line : shown_) std::cout << line << '\n';
    if (count > shown_.size())
      std::cout << "  and " << grouped(count - shown_.size()) << " more; --refused FILE writes all of them\n";
  }

 private:
  const std::string name_;
  bool is_input_ = false;
  std::optional<OutputFile> file_;
  std::vector<std::string> shown_;
};

void print_report(const ImportOptions& options, const std::string& source, const ImportCount& count,
                  const Refusals& refusals) {
  std::cout << (options.dry_run ? "Dry run, nothing was written: " : "") << grouped(count.accepted) << " accepted, "
            << grouped(count.unchanged) << " unchanged, " << grouped(count.refused) << " refused\n";
  if (count.repeated > 0) {
    std::cout << counted(count.repeated, "row") << (count.repeated == 1 ? " has" : " have")
              << " an id that came before in this file (line " << grouped(count.repeated_line)
              << (count.repeated == 1 ? "" : " is the first") << "); of each id only the first row is taken\n";
  }
  if (count.imported > 0) {
    const bool is_all = count.imported == count.rows();
    std::cout << (is_all ? "All rows were" : counted(count.imported, "row") + (count.imported == 1 ? " was" : " were"))
              << " there already, from an earlier import of source " << printable(source)
              << "; give --source NAME if this is another file\n";
  }
  refusals.print(count.refused);
  std::cout << std::flush;
}

/// What was written is taken into the indexes before the command ends. It is no loss when that fails.
void run_after_writes(PluginHost& host, const CallerPtr& caller) {
  for (const auto& [plugin, job] : host.after_writes_jobs()) {
    Result<> done = boost::system::in_place_value;
    {
      ProgressBar bar("indexing (" + plugin + ")");
      const Workplace workplace{host, plugin, caller};
      done = run_to_end(
          workplace, job, "{}", [&](const JobProgress& progress) { return show(bar, progress); }, kIndexPatience);
    }
    if (done) continue;
    std::cerr << "toolhost: the imported rows are in, but the index of the plugin " << plugin
              << " could not be brought up to date: " << reason_in(done.error()) << "; a serving host tries again\n";
    if (interrupted) return;
  }
}

/// The same while rows still come in, one step of each job: what is in can be found soon, and searches stay quick.
class IndexingMeanwhile {
 public:
  explicit IndexingMeanwhile(const Workplace& workplace) : workplace_(workplace) {}

  void note(const ImportCount& so_far) {
    if (so_far.accepted < indexed_ + kRowsBetween) return;
    indexed_ = so_far.accepted;
    // A failure is told in the end, when the rest is taken in.
    for (const auto& [plugin, job] : workplace_.plugins.after_writes_jobs())
      static_cast<void>(workplace_.plugins.run_job(plugin, job, workplace_.caller, "{}"));
  }

 private:
  static constexpr std::uint64_t kRowsBetween = 3'000;
  const Workplace& workplace_;
  std::uint64_t indexed_ = 0;
};

int import_into(CommandContext& context, const ImportOptions& options, RowReader& rows, ImportOrder order,
                Refusals& refusals) {
  const auto tenant = context.directory->tenant(options.tenant);
  if (!tenant) return fail(tenant.error());
  auto host = start_plugins(context);
  if (!host) return fail(host.error());
  if (const auto able = check_job(**host, options.plugin, "import"); !able) return fail(able.error());

  catch_interrupt();
  const Workplace workplace{**host, options.plugin,
                            access::host_caller(*tenant, access::Policy::compile(context.config.policy)->membership())};
  const std::filesystem::path file(options.file);
  std::error_code ignored;
  const auto size = std::max<std::uint64_t>(std::filesystem::file_size(file, ignored), 1);
  ImportCount count;
  Result<> imported = boost::system::in_place_value;
  {
    ProgressBar bar((options.dry_run ? "checking " : "importing ") + printable(file.filename().string()));
    const Speed speed;
    IndexingMeanwhile indexing(workplace);
    order.on_refused = [&](const RefusedRow& row) { refusals.add(row); };
    order.go_on = [&](const ImportCount& so_far) {
      if (!options.dry_run) indexing.note(so_far);
      bar.show(static_cast<double>(rows.bytes_read()) / static_cast<double>(size),
               speed.of(so_far.rows()) + ", " + grouped(so_far.accepted) + " accepted, " + grouped(so_far.unchanged) +
                   " unchanged, " + grouped(so_far.refused) + " refused");
      return !interrupted;
    };
    imported = import_rows(workplace, rows, order, count);
  }
  // Whatever was taken is to be found, by this run or by one that was killed.
  if (!options.dry_run && count.accepted + count.unchanged > 0 && !interrupted)
    run_after_writes(**host, workplace.caller);
  (*host)->stop(std::chrono::milliseconds(0));
  if (imported || count.accepted + count.unchanged > 0) print_report(options, order.source, count, refusals);
  if (!imported)
    return fail_midway(imported.error(), options.dry_run
                                             ? "Nothing was written. Run the same command again; it begins anew."
                                             : "What is in stays in; run the same command again to go on.");
  if (const auto written = refusals.check(); !written) return fail(written.error());
  return count.refused == 0 ? kExitOk : kExitFailed;
}

// ---- export

int export_from(CommandContext& context, const ExportOptions& options, ExportTarget& target) {
  const auto tenant = context.directory->tenant(options.tenant);
  if (!tenant) return fail(tenant.error());
  auto host = start_plugins(context);
  if (!host) return fail(host.error());
  if (const auto able = check_job(**host, options.plugin, "export"); !able) return fail(able.error());

  catch_interrupt();
  const Workplace workplace{**host, options.plugin,
                            access::host_caller(*tenant, access::Policy::compile(context.config.policy)->membership())};
  std::uint64_t rows = 0;
  Result<> exported = boost::system::in_place_value;
  {
    std::optional<ProgressBar> bar;  // rows and a bar on one terminal would spoil each other
    if (!options.output.empty() || ::isatty(STDOUT_FILENO) == 0) bar.emplace("exporting " + options.plugin);
    const auto write = [&](std::string_view row) {
      ++rows;
      return target.write(row);
    };
    exported = export_rows(workplace, write,
                           [&](const JobProgress& progress) { return bar ? show(*bar, progress) : !interrupted; });
  }
  (*host)->stop(std::chrono::milliseconds(0));
  if (!exported) return fail(exported.error());
  if (const auto finished = target.finish(); !finished) return fail(finished.error());
  std::cerr << "exported " << counted(rows, "row")
            << (options.output.empty() ? std::string() : " to " + printable(options.output)) << "\n";
  return kExitOk;
}

// ---- reindex

Result<std::vector<storage::TenantRow>> tenants_named(storage::DirectoryStore& directory, const std::string& name) {
  if (name.empty()) return directory.tenants();
  auto tenant = directory.tenant(name);
  if (!tenant) return tenant.error();
  return std::vector<storage::TenantRow>{std::move(*tenant)};
}

int reindex_all(CommandContext& context, const std::string& tenant_name) {
  const auto tenants = tenants_named(*context.directory, tenant_name);
  if (!tenants) return fail(tenants.error());
  auto host = start_plugins(context);
  if (!host) return fail(host.error());
  const auto plugins = (*host)->plugins_with_job("reindex");
  if (plugins.empty()) {
    std::vector<std::string> ids;
    for (const auto& info : (*host)->plugins()) ids.push_back(info.id);
    return fail({Errc::kNotFound, "no plugin has an index to rebuild; configured are: " + list_of(ids), {}});
  }
  catch_interrupt();
  const auto membership = access::Policy::compile(context.config.policy)->membership();
  for (const auto& tenant : *tenants) {
    for (const auto& plugin : plugins) {
      std::optional<double> total;
      {
        ProgressBar bar("reindexing " + tenant.name + " (" + plugin + ")");
        const Workplace workplace{**host, plugin, access::host_caller(tenant, membership)};
        const auto done = run_to_end(workplace, "reindex", R"({"restart":true})", [&](const JobProgress& progress) {
          total = progress.total;
          return show(bar, progress);
        });
        if (!done) return fail_midway(done.error(), "Run the same command again; it begins anew.");
      }
      std::cerr << "reindexed " << tenant.name << " (" << plugin << ")";
      if (total) std::cerr << ": " << grouped(static_cast<std::uint64_t>(*total));
      std::cerr << "\n";
    }
  }
  return kExitOk;
}

}  // namespace

int run_import(const CommonOptions& common, const ImportOptions& options) {
  const auto rows = RowReader::open(options.file);
  if (!rows) return fail(rows.error());
  ImportOrder order;
  auto map = parse_maps(options.maps, (*rows)->columns());
  if (!map) return fail(map.error());
  order.map = std::move(*map);
  order.source = options.source.empty() ? std::filesystem::path(options.file).filename().string() : options.source;
  order.dry_run = options.dry_run;
  return with_context(common, [&](CommandContext& context) {
    Refusals refusals(options.refused_file, options.file);
    if (const auto usable = refusals.check(); !usable) return fail(usable.error());
    return import_into(context, options, **rows, std::move(order), refusals);
  });
}

int run_export(const CommonOptions& common, const ExportOptions& options) {
  return with_context(common, [&](CommandContext& context) {
    ExportTarget target(options.output);
    if (const auto usable = target.check(); !usable) return fail(usable.error());
    return export_from(context, options, target);
  });
}

int run_reindex(const CommonOptions& common, const std::string& tenant) {
  return with_context(common, [&](CommandContext& context) { return reindex_all(context, tenant); });
}

}  // namespace toolhost::app
