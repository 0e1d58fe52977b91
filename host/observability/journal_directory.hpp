#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "base/result.hpp"

namespace toolhost::observability {

/// Segments of one process are numbered with this distance; what is below it is random, so that a copy of the directory
/// that another host goes on with does not use the same numbers.
inline constexpr std::uint64_t kSegmentStep = 1 << 16;

/// The directory of the audit journal, which belongs to one process at a time; move-only. One thread at a time, but for
/// path_of() and keep_damaged().
class JournalDirectory {
 public:
  /// These two as AuditJournal promises.
  static Result<JournalDirectory> open(const std::filesystem::path& path);
  static bool may_hold_records(const std::filesystem::path& path);
  JournalDirectory(JournalDirectory&& other) noexcept;
  JournalDirectory& operator=(JournalDirectory&&) = delete;
  ~JournalDirectory();

  [[nodiscard]] std::filesystem::path path_of(std::uint64_t segment) const;

  /// Segments by number, with the size of the part that holds records. What an earlier process allocated and did not
  /// use is given back. `largest` becomes the largest number that was there.
  std::map<std::uint64_t, std::uint64_t> take_up(std::uint64_t& largest) const;

  /// A second name for a segment, which stays when the first is removed; empty when it cannot have one.
  [[nodiscard]] std::filesystem::path keep_damaged(std::uint64_t segment) const;

  /// For the first segment of a process.
  [[nodiscard]] static std::uint64_t number_behind(std::uint64_t largest);

  [[nodiscard]] const std::string& host_id() const noexcept { return host_id_; }
  Result<std::string> renew_host_id();

 private:
  explicit JournalDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  Result<> lock();
  Result<> load_host_id();

  std::filesystem::path path_;
  std::string host_id_;
  int lock_ = -1;
};

}  // namespace toolhost::observability
