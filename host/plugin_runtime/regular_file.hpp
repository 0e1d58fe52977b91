#pragma once
#include <sys/stat.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace toolhost::plugin_runtime {

/// Closes what it holds.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor();
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }

 private:
  int fd_;
};

/// What a file is read as; the texts are the cures that refusals name.
struct FileKind {
  std::size_t most_bytes;
  const char* expected;   ///< "name the plugin's .so file"
  const char* if_larger;  ///< "strip its debug information"
};

constexpr FileKind kPluginFile{256 << 20, "name the plugin's .so file", "strip its debug information"};

/// "FILE: reason", as kInvalidArgument.
Error file_refusal(const std::filesystem::path& file, const std::string& reason);
/// The text of errno.
std::string system_error();

/// Refuses what somebody else than root and this user can write: whoever can write what is loaded runs code as this
/// process. `path` is `file` or a directory that it stands in, and `status` is its own.
Result<> check_writers(const std::filesystem::path& file, const std::filesystem::path& path, const struct stat& status);

/// The bytes of a regular file, which the whole result is about, whatever happens to its name meanwhile; never waits
/// for a pipe. With `check_owner` also what others can write is refused: the file, the directory of its name, and the
/// directory of the file that a link leads to. kInvalidArgument: "FILE: reason; cure".
Result<std::string> read_regular_file(const std::filesystem::path& file, const FileKind& kind, bool check_owner);

/// Lower-case hex.
std::string sha256_of(std::string_view bytes);

}  // namespace toolhost::plugin_runtime
