#pragma once
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

namespace toolhost::app {

/// Files, and directories of which every *.yaml and *.yml file counts. What does not exist may come to exist.
using WatchedPaths = std::vector<std::filesystem::path>;

struct FileWatchConfig {
  std::chrono::milliseconds quiet{200};      ///< changes are looked at when there were none for this long ...
  std::chrono::milliseconds at_most{2'000};  ///< ... or the first of them is this old
  /// How often files are looked at without being told to; the second where the kernel has no more inotify for us.
  std::chrono::milliseconds look_again{30'000}, look_again_blind{2'000};
};

/// Tells when the contents of files change, on a thread of its own. Editors that write a new file and rename it,
/// symbolic links that are swapped anywhere on the way to a file (as Kubernetes does with "..data"), files that come
/// and go in a directory: what counts is what a reader of these paths would find. A file that is touched and stays the
/// same is no change.
class FileWatch {
 public:
  /// `on_change` is called on the watch's thread, once at the start, since the paths were read before it, and for every
  /// change; what changes while it runs leads to another call.
  static std::unique_ptr<FileWatch> start(WatchedPaths paths, std::function<void()> on_change,
                                          const FileWatchConfig& config = {});
  virtual ~FileWatch() = default;  ///< stops and joins the thread
  /// Watches these from now on; when they are others than before, `on_change` is called once. Any thread.
  virtual void watch(WatchedPaths paths) = 0;
};

}  // namespace toolhost::app
