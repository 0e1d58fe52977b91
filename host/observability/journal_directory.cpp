#include "observability/journal_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

#include "base/hex.hpp"
#include "observability/journal_segment.hpp"

namespace toolhost::observability {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "journal-";
constexpr std::string_view kSuffix = ".seg";
constexpr std::size_t kDigits = 20;
constexpr std::size_t kHostIdBytes = 16;
constexpr std::size_t kPossiblyUnfinished = 8;  // a killed process leaves fewer segments than this that are not full

std::string reason(int error) {
  return std::generic_category().message(error);
}

std::optional<std::uint64_t> number_of(std::string_view name) {
  if (name.size() != kPrefix.size() + kDigits + kSuffix.size() || !name.starts_with(kPrefix) ||
      !name.ends_with(kSuffix)) {
    return std::nullopt;
  }
  std::uint64_t number = 0;
  const char* const first = name.data() + kPrefix.size();
  const auto [end, error] = std::from_chars(first, first + kDigits, number);
  if (error != std::errc() || end != first + kDigits) return std::nullopt;
  return number;
}

bool is_host_id(std::string_view text) {
  return text.size() == 2 * kHostIdBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

/// Gives back what is behind the last record; the size of what stays.
std::uint64_t trim(const fs::path& path, std::uint64_t number, std::uint64_t size) {
  const auto file = MappedFile::open(path);
  if (!file || file->bytes().empty()) return size;
  const std::uint64_t end = std::min<std::uint64_t>(end_of_old_segment(file->bytes(), number), size);
  std::error_code ignored;
  if (end < size) fs::resize_file(path, end, ignored);
  return ignored ? size : end;
}

}  // namespace

JournalDirectory::JournalDirectory(JournalDirectory&& other) noexcept
    : path_(std::move(other.path_)), host_id_(std::move(other.host_id_)), lock_(std::exchange(other.lock_, -1)) {}

JournalDirectory::~JournalDirectory() {
  if (lock_ >= 0) ::close(lock_);
}

Result<JournalDirectory> JournalDirectory::open(const fs::path& path) {
  const auto unavailable = [&](const std::string& why) {
    return Error{Errc::kUnavailable, "cannot open the audit journal in " + path.string() + ": " + why, {}};
  };
  std::error_code error;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), error);
  if (error) return unavailable(error.message());
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return unavailable(reason(errno));
  JournalDirectory directory(path);
  if (auto locked = directory.lock(); !locked) {
    if (locked.error().code == Errc::kConflict) return locked.error();
    return unavailable(locked.error().message);
  }
  if (auto loaded = directory.load_host_id(); !loaded) return unavailable(loaded.error().message);
  return directory;
}

bool JournalDirectory::may_hold_records(const fs::path& path) {
  std::error_code error, vanished;
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
    if (number_of(at->path().filename().string()) && at->file_size(vanished) > kFirstRecordOffset) return true;
  }
  return false;
}

Result<> JournalDirectory::lock() {
  lock_ = ::open((path_ / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock_ < 0) return Error{Errc::kUnavailable, reason(errno), {}};
  if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) return {};
  if (errno != EWOULDBLOCK) return Error{Errc::kUnavailable, reason(errno), {}};
  return Error{Errc::kConflict,
               "another host writes its audit journal to " + path_.string() +
                   "; give each host a data directory of its own (data_dir)",
               {}};
}

Result<> JournalDirectory::load_host_id() {
  std::ifstream in(path_ / "host-id");
  if (std::getline(in, host_id_) && is_host_id(host_id_)) return {};
  if (auto made = renew_host_id(); !made) return made.error();
  return {};
}

Result<std::string> JournalDirectory::renew_host_id() {
  std::array<char, kHostIdBytes> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
    return Error{Errc::kUnavailable, reason(errno), {}};
  }
  const std::string id = to_hex({random.data(), random.size()});
  const fs::path draft = path_ / "host-id.new";
  const int file = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return Error{Errc::kUnavailable, reason(errno), {}};
  const std::string line = id + "\n";
  const bool is_written = ::write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  const bool is_kept = is_written && ::fsync(file) == 0 && ::rename(draft.c_str(), (path_ / "host-id").c_str()) == 0;
  const int error = errno;
  ::close(file);
  if (!is_kept) return Error{Errc::kUnavailable, reason(error), {}};
  host_id_ = id;
  return id;
}

fs::path JournalDirectory::path_of(std::uint64_t segment) const {
  std::string digits = std::to_string(segment);
  digits.insert(0, kDigits - digits.size(), '0');
  return path_ / (std::string(kPrefix) + digits + std::string(kSuffix));
}

fs::path JournalDirectory::keep_damaged(std::uint64_t segment) const {
  const fs::path path = path_of(segment);
  fs::path kept = path.string() + ".damaged";
  std::error_code error;
  if (fs::exists(kept, error)) return kept;
  fs::create_hard_link(path, kept, error);
  if (error) fs::copy_file(path, kept, error);
  return error ? fs::path() : kept;
}

std::uint64_t JournalDirectory::number_behind(std::uint64_t largest) {
  std::uint64_t random = 0;
  static_cast<void>(!::getrandom(&random, sizeof random, 0));
  return (largest / kSegmentStep + 1) * kSegmentStep + random % kSegmentStep;
}

std::map<std::uint64_t, std::uint64_t> JournalDirectory::take_up(std::uint64_t& largest) const {
  std::map<std::uint64_t, std::uint64_t> segments;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path_, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kPrefix) && name.ends_with(".new")) fs::remove(entry.path(), ignored);
    if (const auto number = number_of(name)) segments[*number] = entry.file_size(ignored);
  }
  largest = segments.empty() ? 0 : segments.rbegin()->first;
  std::size_t looked_at = 0;
  for (auto at = segments.end(); at != segments.begin() && looked_at < kPossiblyUnfinished; ++looked_at) {
    --at;
    at->second = trim(path_of(at->first), at->first, at->second);
    // The number of the newest must not come back: how far the records are in the database is told by it.
    if (at->second > kFirstRecordOffset || at->first == largest) continue;
    fs::remove(path_of(at->first), ignored);
    at = segments.erase(at);
  }
  return segments;
}

}  // namespace toolhost::observability
