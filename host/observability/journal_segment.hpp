#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <utility>

#include "base/result.hpp"

namespace toolhost::observability {

/// One file of the audit journal: a mark, then records at multiples of 16 bytes. A record is a head of 16 bytes (state,
/// size, CRC-32, tenant) and its text; the state is stored last, so that whoever sees it sees the rest. What does not
/// fit at the end is padding. Bytes that nobody has written are zero.
inline constexpr std::size_t kFirstRecordOffset = 16;
inline constexpr std::size_t kSmallestSegment = 256 * 1024;

/// Bytes of a segment that a record with a text of this size takes.
constexpr std::size_t bytes_of_record(std::size_t text_size) noexcept {
  return (16 + text_size + 15) / 16 * 16;
}

/// A mapped file; move-only, unmaps and closes.
class MappedFile {
 public:
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept
      : bytes_(std::exchange(other.bytes_, {})), descriptor_(std::exchange(other.descriptor_, -1)) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  /// A new file (mode 0600) of `size` bytes, all of them allocated, so that no write to it can lack space, and in
  /// memory. kUnavailable with the reason; then there is no file.
  static Result<MappedFile> create(const std::filesystem::path& path, std::size_t size);
  /// An existing one, to read.
  static Result<MappedFile> open(const std::filesystem::path& path);

  [[nodiscard]] bool is_open() const noexcept { return descriptor_ >= 0; }
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }
  /// Lets the kernel begin to write these bytes to the disk. (Not all: to pages that are on their way, the next write
  /// is a fault.)
  void begin_sync(std::size_t offset, std::size_t size) const noexcept;
  /// Waits until the disk has all of it.
  void sync() const noexcept;

 private:
  std::span<std::byte> bytes_;
  int descriptor_ = -1;
};

/// Puts the mark at the beginning of a segment.
void begin_segment(std::span<std::byte> segment) noexcept;

/// Writes into space that belongs to the caller alone: bytes_of_record(text.size()) from `offset` on. `number` is the
/// segment's.
void write_record(std::span<std::byte> segment, std::uint64_t number, std::size_t offset, std::int32_t tenant,
                  std::string_view text) noexcept;
/// Says that nothing follows in this segment. There must be 16 bytes.
void write_padding(std::span<std::byte> segment, std::size_t offset) noexcept;

/// What stands at a place of a segment.
struct SegmentEntry {
  enum class Kind {
    kRecord,
    kPadding,
    kNothing,  ///< not written yet
  };
  Kind kind = Kind::kNothing;
  std::int32_t tenant = 0;
  std::string_view text;    ///< borrowed from the segment
  std::size_t next = 0;     ///< where the next one begins
  std::size_t skipped = 0;  ///< bytes before it that belong to no whole record; with kNothing up to the end
  std::size_t damaged = 0;  ///< at least so many finished records among them; 0: what was skipped was never finished
};

/// Of a segment that is being written: the record at `offset`, once it is whole.
SegmentEntry entry_of_live_segment(std::span<const std::byte> segment, std::size_t offset) noexcept;
/// Of a segment whose writers are gone: the first whole record at or behind `offset`, where a record begins; kNothing
/// when there is none.
SegmentEntry entry_of_old_segment(std::span<const std::byte> segment, std::uint64_t number,
                                  std::size_t offset) noexcept;
/// The end of the last whole record of a segment whose writers are gone, kFirstRecordOffset when there is none; that of
/// the segment when a damaged one stands behind it.
std::size_t end_of_old_segment(std::span<const std::byte> segment, std::uint64_t number) noexcept;

}  // namespace toolhost::observability
