#include "app/file_watch.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

namespace toolhost::app {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// Not IN_MODIFY: a file that is still being written is not worth reading.
constexpr std::uint32_t kChanges = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB |
                                   IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
constexpr int kMostLinks = 40;  // as the kernel: more is a loop
constexpr std::uintmax_t kMostBytes = 1 << 21;

bool is_yaml(const fs::path& file) {
  const auto name = file.filename().string();
  return !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml"));
}

/// The files that a path stands for, sorted.
std::vector<fs::path> files_of(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return {path};
  std::vector<fs::path> files;
  for (auto entry = fs::directory_iterator(path, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    if (is_yaml(entry->path())) files.push_back(entry->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// Equal for equal contents; empty when the file cannot be read.
std::string content_mark(const fs::path& file) {
  std::error_code error;
  const auto size = fs::is_regular_file(file, error) ? fs::file_size(file, error) : 0;
  std::ifstream in;
  if (!error) in.open(file, std::ios::binary);
  if (!in.is_open()) return {};
  std::string text(std::min<std::uintmax_t>(size + 1, kMostBytes), '\0');  // one more: it may have grown
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return std::to_string(std::hash<std::string>()(text));
}

/// What a reader of these paths would find.
std::size_t fingerprint(const WatchedPaths& paths) {
  std::string all;
  for (const auto& path : paths) {
    for (const auto& file : files_of(path)) {
      all.append(file.string()).push_back('\0');
      all.append(content_mark(file)).push_back('\0');
    }
  }
  return std::hash<std::string>()(all);
}

/// Every directory in which something can happen that changes where `path` leads: those that hold a link on the way,
/// the last one that exists, and the path itself when it is a directory.
void add_directories(const fs::path& path, std::set<fs::path>& directories) {
  std::error_code error;
  fs::path rest = fs::absolute(path, error).lexically_normal();
  for (int links = 0; links < kMostLinks; ++links) {
    fs::path walked;
    bool is_link = false;
    for (auto part = rest.begin(); part != rest.end() && !is_link; ++part) {
      const fs::path parent = walked;
      walked /= *part;
      const auto status = fs::symlink_status(walked, error);
      is_link = fs::is_symlink(status);
      if (is_link || !fs::exists(status) || std::next(part) == rest.end()) directories.insert(parent);
      if (!is_link && !fs::exists(status)) return;
      if (!is_link) continue;
      fs::path target = fs::read_symlink(walked, error);
      if (target.is_relative()) target = parent / target;
      for (auto behind = std::next(part); behind != rest.end(); ++behind) target /= *behind;
      rest = target.lexically_normal();
    }
    if (is_link) continue;
    if (fs::is_directory(rest, error)) directories.insert(rest);
    return;
  }
}

class Watch final : public FileWatch {
 public:
  Watch(WatchedPaths paths, std::function<void()> on_change, const FileWatchConfig& config)
      : config_(config),
        on_change_(std::move(on_change)),
        inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        paths_(std::move(paths)) {
    thread_ = std::thread([this] { run(); });
  }

  ~Watch() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake();
    thread_.join();
    if (inotify_ >= 0) ::close(inotify_);
    ::close(wake_);
  }

  void watch(WatchedPaths paths) override {
    {
      const std::lock_guard lock(mutex_);
      if (paths == next_paths_.value_or(paths_)) return;
      next_paths_ = std::move(paths);
    }
    wake();
  }

 private:
  void wake() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
  }

  void run() {
    while (!is_told_to_end()) {
      arm();  // first: what happens behind the look is heard of
      const auto found = fingerprint(paths_);
      if (found != seen_) on_change_();
      seen_ = found;
      wait(inotify_ >= 0 && is_armed_ ? config_.look_again : config_.look_again_blind);
      settle();
    }
  }

  /// Until something happens or the time is over; what has happened is taken. True when something has.
  bool wait(std::chrono::milliseconds limit) const {
    std::array<pollfd, 2> waits{{{wake_, POLLIN, 0}, {inotify_, POLLIN, 0}}};  // a negative descriptor is passed over
    if (::poll(waits.data(), waits.size(), static_cast<int>(limit.count())) <= 0) return false;
    // What exactly happened does not matter, nor whether the kernel's queue ran over: the files are looked at.
    alignas(inotify_event) std::array<char, 16'384> events;
    std::uint64_t count = 0;
    [[maybe_unused]] auto taken = ::read(wake_, &count, sizeof count);
    while (inotify_ >= 0 && ::read(inotify_, events.data(), events.size()) > 0) {
    }
    return true;
  }

  /// A change seldom comes alone: waits until it is quiet.
  void settle() {
    const auto until = Clock::now() + config_.at_most;
    while (!is_stopping() && Clock::now() < until && wait(config_.quiet)) {
    }
  }

  bool is_stopping() const {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }

  /// Takes over what watch() left, or says that the watch ends.
  bool is_told_to_end() {
    const std::lock_guard lock(mutex_);
    if (stopping_) return true;
    if (!next_paths_) return false;
    paths_ = std::move(*next_paths_);
    next_paths_.reset();
    seen_.reset();
    return false;
  }

  /// Watches the directories that matter now, and no others.
  void arm() {
    if (inotify_ < 0) return;
    std::set<fs::path> directories;
    for (const auto& path : paths_) {
      add_directories(path, directories);
      for (const auto& file : files_of(path)) add_directories(file, directories);
    }
    std::set<int> wanted;
    is_armed_ = true;
    for (const auto& directory : directories) {
      const int descriptor = ::inotify_add_watch(inotify_, directory.c_str(), kChanges);
      if (descriptor >= 0) wanted.insert(descriptor);
      is_armed_ = is_armed_ && descriptor >= 0;
    }
    for (const int old : armed_)
      if (!wanted.contains(old)) ::inotify_rm_watch(inotify_, old);
    armed_ = std::move(wanted);
  }

  const FileWatchConfig config_;
  const std::function<void()> on_change_;
  const int inotify_, wake_;  // inotify_ is -1 when there is none

  // The thread's own:
  std::set<int> armed_;
  bool is_armed_ = false;  // every directory that matters is watched
  std::optional<std::size_t> seen_;

  mutable std::mutex mutex_;
  WatchedPaths paths_;  // written by the thread only, under the mutex
  std::optional<WatchedPaths> next_paths_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<FileWatch> FileWatch::start(WatchedPaths paths, std::function<void()> on_change,
                                            const FileWatchConfig& config) {
  return std::make_unique<Watch>(std::move(paths), std::move(on_change), config);
}

}  // namespace toolhost::app
