#pragma once
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp

#include <filesystem>
#include <string>

namespace toolhost::app {

/// A directory for the private copies of plugins that a command loads to ask them. What is mapped outlives it.
class ScratchStore {
 public:
  ScratchStore() {
    std::error_code ignored;
    std::string name = (std::filesystem::temp_directory_path(ignored) / "toolhost-check-XXXXXX").string();
    if (mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~ScratchStore() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  ScratchStore(const ScratchStore&) = delete;
  ScratchStore& operator=(const ScratchStore&) = delete;
  /// Empty when none could be made.
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace toolhost::app
