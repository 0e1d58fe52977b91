#pragma once
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace toolhost::app {

/// A new file of the owner's alone, or an error that names it.
class OutputFile {
 public:
  explicit OutputFile(std::string path);
  std::ofstream& stream() { return out_; }
  /// Everything is written.
  Result<> check();

 private:
  const std::string path_;
  int error_ = 0;
  std::ofstream out_;
};

/// Lines on their way out: to standard output, or to a file that has its name once it is whole.
class ExportTarget {
 public:
  /// Empty: standard output.
  explicit ExportTarget(const std::string& name);
  ~ExportTarget();
  ExportTarget(const ExportTarget&) = delete;
  ExportTarget& operator=(const ExportTarget&) = delete;

  Result<> check();
  Result<> write(std::string_view line);
  Result<> finish();

 private:
  std::filesystem::path name_;
  std::string written_;
  std::optional<OutputFile> file_;
  bool is_whole_ = false;
};

}  // namespace toolhost::app
