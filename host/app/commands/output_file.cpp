#include "app/commands/output_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>
#include <system_error>

namespace toolhost::app {

OutputFile::OutputFile(std::string path) : path_(std::move(path)) {
  const int descriptor = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    error_ = errno;
    return;
  }
  ::close(descriptor);
  out_.open(path_, std::ios::binary);
}

Result<> OutputFile::check() {
  if (error_ == 0 && out_.flush()) return {};
  const std::string why = error_ == 0 ? "the disk may be full" : std::generic_category().message(error_);
  return Error{Errc::kUnavailable, path_ + " cannot be written: " + why, {}};
}

ExportTarget::ExportTarget(const std::string& name) {
  if (name.empty()) return;
  std::error_code ignored;
  name_ = std::filesystem::weakly_canonical(name, ignored);
  // A device or a pipe is written to, not replaced.
  const auto type = std::filesystem::status(name_, ignored).type();
  const bool is_replaced = type == std::filesystem::file_type::not_found || std::filesystem::is_regular_file(name_);
  written_ = is_replaced ? name_.string() + ".part" : name_.string();
  file_.emplace(written_);
}

ExportTarget::~ExportTarget() {
  std::error_code ignored;
  if (file_ && written_ != name_ && !is_whole_) std::filesystem::remove(written_, ignored);
}

Result<> ExportTarget::check() {
  return file_ ? file_->check() : Result<>();
}

Result<> ExportTarget::write(std::string_view line) {
  std::ostream& out = file_ ? file_->stream() : std::cout;
  if (out << line << '\n') return {};
  return file_ ? file_->check() : Error{Errc::kInternal, "standard output takes no more", {}};
}

Result<> ExportTarget::finish() {
  if (!file_) {
    if (std::cout.flush()) return {};
    return Error{Errc::kInternal, "standard output takes no more", {}};
  }
  if (auto written = file_->check(); !written) return written;
  std::error_code failed;
  if (written_ != name_) std::filesystem::rename(written_, name_, failed);
  is_whole_ = !failed;
  if (is_whole_) return {};
  return Error{Errc::kUnavailable, name_.string() + " cannot be written: " + failed.message(), {}};
}

}  // namespace toolhost::app
