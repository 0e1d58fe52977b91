#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "observability/log.hpp"
#include "observability/log_line.hpp"

namespace toolhost::observability {
namespace {

using namespace std::chrono_literals;
using Day = std::chrono::sys_days;

constexpr auto kInterval = 20ms;  // how long a line may wait for its write
constexpr auto kWatchful = 1s;    // with nothing to do for so long, the writer waits to be woken
constexpr auto kRetryInterval = 1s;
constexpr auto kReportInterval = 60s;
constexpr std::size_t kEarlyBytes = 1024 * 1024;  // written at once
constexpr std::size_t kMaxPendingBytes = 16 * 1024 * 1024;

/// Lines in the order in which they came; each part belongs to the file of one day.
struct Batch {
  struct Part {
    Day day;
    std::size_t end;  // offset in `text`
  };
  std::string text;
  std::vector<Part> parts;

  void append(Day day, std::string_view line) {
    text += line;
    if (parts.empty() || parts.back().day != day) {
      parts.push_back({day, text.size()});
    } else {
      parts.back().end = text.size();
    }
  }
  void clear() noexcept {
    text.clear();
    parts.clear();
  }
};

std::string reason(int error) {
  return std::generic_category().message(error);
}

/// Straight to standard error: there must be a trace of it even when the log is what cannot be written.
void report(std::string_view message) {
  std::string line;
  LogLine(line, ::isatty(STDERR_FILENO) == 0, std::chrono::system_clock::now(), to_string(Severity::kError),
          "host_notice")
      .field("component", "audit")
      .message(message)
      .end();
  static_cast<void>(!::write(STDERR_FILENO, line.data(), line.size()));
}

/// The file of the day, opened when the day changes. One thread at a time.
class DayFile {
 public:
  explicit DayFile(const std::filesystem::path& directory) : directory_(directory) {}
  ~DayFile() { close(); }
  DayFile(const DayFile&) = delete;
  DayFile& operator=(const DayFile&) = delete;

  /// 0 or errno.
  int open(Day day) {
    if (descriptor_ >= 0 && day == day_) return 0;
    close();
    const std::chrono::year_month_day date(day);
    char name[32];
    std::snprintf(name, sizeof name, "audit-%04d-%02u-%02u.jsonl", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
    path_ = directory_ / name;
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor_ < 0) return errno;
    day_ = day;
    const int error = end_torn_line();
    if (error != 0) close();
    return error;
  }

  /// Writes from `text` and drops from it what was written; 0 or errno.
  int write(std::string_view& text) const {
    while (!text.empty()) {
      const ssize_t written = ::write(descriptor_, text.data(), text.size());
      if (written < 0 && errno != EINTR) return errno;
      if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
    }
    return 0;
  }

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  void close() noexcept {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }

  /// A host that died on a full disk may have left half a line, which must not swallow the next one.
  int end_torn_line() {
    const off_t size = ::lseek(descriptor_, 0, SEEK_END);
    char last = '\n';
    if (size > 0 && ::pread(descriptor_, &last, 1, size - 1) != 1) return errno;
    std::string_view newline = last == '\n' ? "" : "\n";
    return write(newline);
  }

  const std::filesystem::path directory_;
  std::filesystem::path path_;
  int descriptor_ = -1;
  Day day_{};
};

class AuditJournal final : public EventSink {
 public:
  explicit AuditJournal(std::unique_ptr<DayFile> file) : file_(std::move(file)), writer_([this] { run(); }) {}

  ~AuditJournal() override {
    {
      const std::lock_guard lock(mutex_);
      is_ending_ = true;
    }
    wake_writer_.notify_one();
    writer_.join();
  }

  void emit(const Event& event) noexcept override {
    if (const auto* call = std::get_if<ToolCalled>(&event)) {
      record("tool_called", [&](LogLine& line) {
        line.field("tenant", call->caller.tenant)
            .field("key", call->caller.key_prefix)
            .field("principal", call->caller.principal)
            .field("tool", call->tool)
            .field("plugin", call->plugin)
            .field("request", call->request_id)
            .field("outcome", call->outcome)
            .field("duration_us", call->duration.count());
      });
    } else if (const auto* key = std::get_if<KeyChanged>(&event)) {
      record(key->change == KeyChange::kCreated ? "key_created" : "key_deleted", [&](LogLine& line) {
        line.field("tenant", key->tenant).field("key", key->key_prefix).field("name", key->name);
      });
    }
  }

 private:
  template <class Describe>
  void record(std::string_view word, const Describe& describe) {
    thread_local std::string text;  // formatted outside of the lock
    text.clear();
    const auto now = std::chrono::system_clock::now();
    LogLine line(text, true, now, nullptr, word);
    describe(line);
    line.end();
    append(std::chrono::floor<std::chrono::days>(now), text);
  }

  void append(Day day, std::string_view line) {
    std::unique_lock lock(mutex_);
    has_room_.wait(lock, [&] { return pending_.text.size() + line.size() <= kMaxPendingBytes; });
    const std::size_t before = pending_.text.size();
    pending_.append(day, line);
    // A watchful writer looks every interval by itself: waking it for each line would cost the caller a system call.
    if (!writer_sleeps_ && !(before < kEarlyBytes && pending_.text.size() >= kEarlyBytes)) return;
    writer_sleeps_ = false;
    lock.unlock();
    wake_writer_.notify_one();
  }

  void run() {
    Batch batch;
    while (take(batch)) {
      write(batch);
      batch.clear();
    }
  }

  /// Waits for lines and moves them to `batch`; false at the end, when there are none left.
  bool take(Batch& batch) {
    std::unique_lock lock(mutex_);
    const auto idle_since = std::chrono::steady_clock::now();
    while (true) {
      wake_writer_.wait_for(lock, kInterval, [&] { return is_ending_ || pending_.text.size() >= kEarlyBytes; });
      if (!pending_.text.empty() || is_ending_) break;
      if (std::chrono::steady_clock::now() - idle_since < kWatchful) continue;
      writer_sleeps_ = true;
      wake_writer_.wait(lock, [&] { return is_ending_ || !writer_sleeps_; });
    }
    std::swap(batch, pending_);
    lock.unlock();
    has_room_.notify_all();
    return !batch.text.empty();
  }

  void write(const Batch& batch) {
    std::size_t begin = 0;
    for (const Batch::Part& part : batch.parts) {
      std::string_view text = std::string_view(batch.text).substr(begin, part.end - begin);
      begin = part.end;
      while (const int error = try_write(part.day, text)) {
        if (wait_to_retry(error)) continue;
        const std::string_view rest(text.data(),
                                    static_cast<std::size_t>(batch.text.data() + batch.text.size() - text.data()));
        const auto lines = std::count(rest.begin(), rest.end(), '\n');
        report("the audit journal ends without " + std::to_string(lines) +
               " lines that could not be written: " + reason(error));
        return;
      }
    }
  }

  int try_write(Day day, std::string_view& text) {
    const int error = file_->open(day);
    return error != 0 ? error : file_->write(text);
  }

  /// False when the journal ends.
  bool wait_to_retry(int error) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= next_report_) {
      report("cannot write the audit journal " + file_->path().string() + ": " + reason(error) +
             "; calls wait when 16 MiB are unwritten; free space or fix the directory");
      next_report_ = now + kReportInterval;
    }
    std::unique_lock lock(mutex_);
    return !wake_writer_.wait_for(lock, kRetryInterval, [&] { return is_ending_; });
  }

  // Used by the writer alone.
  const std::unique_ptr<DayFile> file_;
  std::chrono::steady_clock::time_point next_report_{};

  std::mutex mutex_;
  std::condition_variable wake_writer_;
  std::condition_variable has_room_;
  Batch pending_;
  bool writer_sleeps_ = false;
  bool is_ending_ = false;
  std::thread writer_;  // last: it uses all of the above
};

}  // namespace

Result<std::unique_ptr<EventSink>> create_audit_journal(const std::filesystem::path& directory) {
  const auto unavailable = [&](const std::string& why) {
    return Error{.code = Errc::kUnavailable,
                 .message = "cannot open the audit journal in " + directory.string() + ": " + why,
                 .detail = {}};
  };
  std::error_code error;
  if (directory.has_parent_path()) std::filesystem::create_directories(directory.parent_path(), error);
  if (error) return unavailable(error.message());
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return unavailable(reason(errno));
  auto file = std::make_unique<DayFile>(directory);
  if (const int why = file->open(std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now())); why != 0) {
    return unavailable(reason(why));
  }
  return std::unique_ptr<EventSink>(std::make_unique<AuditJournal>(std::move(file)));
}

}  // namespace toolhost::observability
