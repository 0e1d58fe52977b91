#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/commands/row_reader.hpp"
#include "base/caller.hpp"
#include "base/result.hpp"
#include "plugin_runtime/plugin_host.hpp"

namespace toolhost::app {

/// A plugin at work for one tenant: whose jobs are run, and as whom.
struct Workplace {
  plugin_runtime::PluginHost& plugins;
  std::string plugin;
  CallerPtr caller;
};

struct ImportCount {
  std::uint64_t accepted = 0, unchanged = 0, refused = 0;
  // Of the unchanged, when the plugin says why they are:
  std::uint64_t repeated = 0;       ///< their id came before in this file
  std::uint64_t imported = 0;       ///< they were taken from the same source before this import
  std::uint64_t repeated_line = 0;  ///< of the first repeated one
  [[nodiscard]] std::uint64_t rows() const noexcept { return accepted + unchanged + refused; }
};

/// A row that was not taken; borrowed.
struct RefusedRow {
  std::uint64_t line;
  std::string_view reason;
  std::string_view data;  ///< as JSON; empty when the row could not be read
};

struct ImportOrder {
  std::string source;                                   ///< rows of one source with one id are one and the same
  std::map<std::string, std::vector<std::string>> map;  ///< by field, the columns to take it from
  bool dry_run = false;
  std::function<void(const RefusedRow&)> on_refused;
  /// Called behind every batch; false ends the import there.
  std::function<bool(const ImportCount&)> go_on;
};

/// Hands the rows to the plugin's job "import", in batches of up to 500 rows or 4 MiB, each a transaction; a row that
/// is longer goes alone. Rows that cannot be read are refused like those that the plugin refuses. When a whole batch
/// fails it is divided, so that one bad row costs no other. A database that is away is waited for, some seconds.
/// `count` says what was done also when the import ends with an error; to go on, import the same file again.
Result<> import_rows(const Workplace& workplace, RowReader& rows, const ImportOrder& order, ImportCount& count);

/// What a job says of its progress.
struct JobProgress {
  std::optional<double> done, total;
  std::chrono::seconds waited{0};  ///< for whatever the job needs and somebody else has
};
/// Shows progress; false ends the work there.
using OnProgress = std::function<bool(const JobProgress&)>;

/// Writes what the plugin's job "export" gives, one JSON object for each call of `write`.
Result<> export_rows(const Workplace& workplace, const std::function<Result<>(std::string_view)>& write,
                     const OnProgress& on_progress);

/// How a job is waited for that another process keeps from running, or a database that is away.
struct Patience {
  std::chrono::milliseconds step{500}, limit{std::chrono::minutes(5)};
};

/// Runs a job until it wants no more: with `first` as its arguments until that was accepted once, then with none.
Result<> run_to_end(const Workplace& workplace, std::string_view job, std::string_view first,
                    const OnProgress& on_progress, const Patience& patience = {});

}  // namespace toolhost::app
