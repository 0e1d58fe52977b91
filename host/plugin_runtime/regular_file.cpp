#include "plugin_runtime/regular_file.hpp"

#include <fcntl.h>
#include <grp.h>
#include <openssl/evp.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "base/hex.hpp"

namespace toolhost::plugin_runtime {
namespace {

namespace fs = std::filesystem;

/// Debian and others give every user a group of their own; write permission for it admits nobody else.
bool is_group_of_this_user_alone(gid_t group) {
  const auto* user = getpwuid(geteuid());
  if (user == nullptr || user->pw_gid != group) return false;
  const std::string name = user->pw_name;
  const auto* entry = getgrgid(group);
  return entry != nullptr && name == entry->gr_name && entry->gr_mem[0] == nullptr;
}

Result<> check_directory(const fs::path& file, const fs::path& directory) {
  struct stat status{};
  if (stat(directory.c_str(), &status) != 0)
    return file_refusal(file, "its directory cannot be read (" + system_error() + ")");
  return check_writers(file, directory, status);
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

std::string system_error() {
  return std::generic_category().message(errno);
}

Error file_refusal(const fs::path& file, const std::string& reason) {
  return {Errc::kInvalidArgument, file.string() + ": " + reason, {}};
}

Result<> check_writers(const fs::path& file, const fs::path& path, const struct stat& status) {
  if (status.st_uid != 0 && status.st_uid != geteuid())
    return file_refusal(file, path.string() + " belongs to another user, who could replace the plugin; run: chown " +
                                  std::to_string(geteuid()) + " '" + path.string() + "'");
  // In a sticky directory such as /tmp nobody can replace the files of others.
  if (S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0) return {};
  const bool by_others = (status.st_mode & S_IWOTH) != 0;
  const bool by_group = (status.st_mode & S_IWGRP) != 0 && !is_group_of_this_user_alone(status.st_gid);
  if (by_others || by_group)
    return file_refusal(file, path.string() +
                                  " can be written by other users, who could replace the plugin; run: chmod go-w '" +
                                  path.string() + "'");
  return {};
}

Result<std::string> read_regular_file(const fs::path& file, const FileKind& kind, bool check_owner) {
  const FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status{};
  if (!fd.is_open() || fstat(fd.get(), &status) != 0)
    return file_refusal(file, "cannot be read (" + system_error() + "); check the path and its permissions");
  if (!S_ISREG(status.st_mode)) return file_refusal(file, std::string("is no regular file; ") + kind.expected);
  if (static_cast<std::size_t>(status.st_size) > kind.most_bytes) {
    const auto limit = kind.most_bytes >> 20 > 0 ? std::to_string(kind.most_bytes >> 20) + " MiB"
                                                 : std::to_string(kind.most_bytes >> 10) + " KiB";
    return file_refusal(file, "is larger than " + limit + "; " + kind.if_larger);
  }
  if (check_owner) {
    if (auto checked = check_writers(file, file, status); !checked) return checked.error();
    if (auto checked = check_directory(file, file.parent_path()); !checked) return checked.error();
    std::error_code unknown;
    const auto target = fs::canonical(file, unknown).parent_path();
    if (!unknown && target != file.parent_path()) {
      if (auto checked = check_directory(file, target); !checked) return checked.error();
    }
  }
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t size = 0;
  while (size < bytes.size()) {
    const auto got = ::read(fd.get(), bytes.data() + size, bytes.size() - size);
    if (got < 0) return file_refusal(file, "cannot be read (" + system_error() + ")");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  bytes.resize(size);
  return bytes;
}

std::string sha256_of(std::string_view bytes) {
  std::array<char, 32> digest{};
  EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), nullptr, EVP_sha256(),
             nullptr);
  return to_hex({digest.data(), digest.size()});
}

}  // namespace toolhost::plugin_runtime
