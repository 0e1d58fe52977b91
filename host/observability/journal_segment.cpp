#include "observability/journal_segment.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include "observability/audit_record.hpp"

namespace toolhost::observability {
namespace {

// Neither is UTF-8 nor zero, so no text and no unwritten space is taken for a head.
constexpr std::uint32_t kRecordState = 0xF5D0A1F7;
constexpr std::uint32_t kPaddingState = 0xF5D0A1F8;
constexpr char kMark[kFirstRecordOffset + 1] = "toolhost audit 1";

struct Head {
  std::uint32_t state, size, crc;
  std::int32_t tenant;
};
static_assert(sizeof(Head) == 16);

/// CRC-32 (IEEE 802.3), eight bytes at a step: a table for each of them.
class Crc32 {
 public:
  constexpr Crc32() {
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      std::uint32_t crc = byte;
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320U : 0);
      tables_[0][byte] = crc;
    }
    for (std::size_t table = 1; table < tables_.size(); ++table) {
      for (std::size_t byte = 0; byte < 256; ++byte) {
        const std::uint32_t before = tables_[table - 1][byte];
        tables_[table][byte] = (before >> 8) ^ tables_[0][before & 255];
      }
    }
  }

  [[nodiscard]] std::uint32_t add(std::uint32_t crc, const void* data, std::size_t size) const noexcept {
    const auto* at = static_cast<const unsigned char*>(data);
    for (; size >= 8; size -= 8, at += 8) {
      std::uint32_t low = 0;
      std::uint32_t high = 0;
      std::memcpy(&low, at, 4);
      std::memcpy(&high, at + 4, 4);
      low ^= crc;
      crc = tables_[7][low & 255] ^ tables_[6][low >> 8 & 255] ^ tables_[5][low >> 16 & 255] ^ tables_[4][low >> 24] ^
            tables_[3][high & 255] ^ tables_[2][high >> 8 & 255] ^ tables_[1][high >> 16 & 255] ^
            tables_[0][high >> 24];
    }
    for (; size > 0; --size, ++at) crc = (crc >> 8) ^ tables_[0][(crc ^ *at) & 255];
    return crc;
  }

 private:
  std::array<std::array<std::uint32_t, 256>, 8> tables_{};
};
constexpr Crc32 kCrc32;

// Where it stands is part of it: a record that was copied elsewhere is none.
std::uint32_t crc_of(std::uint64_t number, std::uint64_t offset, std::int32_t tenant, std::string_view text) noexcept {
  const std::uint64_t place[] = {number, offset, static_cast<std::uint32_t>(tenant) | std::uint64_t{text.size()} << 32};
  return ~kCrc32.add(kCrc32.add(~0U, place, sizeof place), text.data(), text.size());
}

std::atomic_ref<std::uint32_t> state_at(const std::byte* place) noexcept {
  // Reading through a mapping that is read-only is all that is done with a const one.
  return std::atomic_ref(*reinterpret_cast<std::uint32_t*>(const_cast<std::byte*>(place)));
}

Head head_at(const std::byte* place) noexcept {
  Head head;
  head.state = state_at(place).load(std::memory_order_acquire);
  std::memcpy(&head.size, place + sizeof head.state, sizeof head - sizeof head.state);
  return head;
}

std::string_view text_at(const std::byte* place, const Head& head) noexcept {
  return {reinterpret_cast<const char*>(place + sizeof head), head.size};
}

bool is_whole(std::span<const std::byte> segment, std::uint64_t number, std::size_t at, const Head& head) noexcept {
  return head.size <= segment.size() - at - sizeof head &&
         head.crc == crc_of(number, at, head.tenant, text_at(segment.data() + at, head));
}

/// How many finished records were between two places, at least. What a writer has not finished is zero, or has a head
/// without a state, whose size is true; nothing else is, whatever happened to it.
std::size_t count_damaged(std::span<const std::byte> segment, std::size_t from, std::size_t to) noexcept {
  std::size_t count = 0;
  for (std::size_t at = from; at + sizeof(Head) <= to;) {
    const Head head = head_at(segment.data() + at);
    if (head.state == kPaddingState && to == segment.size()) break;
    if (head.state == 0 && head.size == 0 && head.crc == 0 && head.tenant == 0) {
      at += 16;
    } else if (head.state == 0 && head.size != 0 && head.size <= to - at - sizeof head) {
      at += bytes_of_record(head.size);
    } else {
      // Nobody knows where it ends: the next one that is counted has its state.
      ++count;
      do at += 16;
      while (at + sizeof(Head) <= to && head_at(segment.data() + at).state != kRecordState);
    }
  }
  return count;
}

Error unavailable(const std::filesystem::path& path, int error) {
  return {Errc::kUnavailable, path.string() + ": " + std::generic_category().message(error), {}};
}

/// Brings the pages of a new file into memory, so that no emitter waits for one. 0 or errno.
int populate(std::span<std::byte> bytes) noexcept {
#ifdef MADV_POPULATE_WRITE
  if (::madvise(bytes.data(), bytes.size(), MADV_POPULATE_WRITE) == 0 || errno == EINVAL) return 0;
  return errno == EFAULT ? ENOSPC : errno;  // EFAULT: the write would have been a SIGBUS
#else
  return 0;
#endif
}

}  // namespace

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<MappedFile> MappedFile::create(const std::filesystem::path& path, std::size_t size) {
  // Under its name only once it is whole: what a killed host leaves behind must not look like a segment.
  const std::filesystem::path draft = path.string() + ".new";
  MappedFile file;
  file.descriptor_ = ::open(draft.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file.descriptor_ < 0) return unavailable(draft, errno);
  int error = ::posix_fallocate(file.descriptor_, 0, static_cast<off_t>(size));
  if (error == 0) {
    void* const mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.descriptor_, 0);
    if (mapped == MAP_FAILED) {
      error = errno;
    } else {
      file.bytes_ = {static_cast<std::byte*>(mapped), size};
      error = populate(file.bytes_);
    }
  }
  if (error == 0 && ::rename(draft.c_str(), path.c_str()) != 0) error = errno;
  if (error == 0) return file;
  ::unlink(draft.c_str());
  return unavailable(path, error);
}

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  MappedFile file;
  file.descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  struct stat status{};
  if (file.descriptor_ < 0 || ::fstat(file.descriptor_, &status) != 0) return unavailable(path, errno);
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return file;
  void* const mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.descriptor_, 0);
  if (mapped == MAP_FAILED) return unavailable(path, errno);
  file.bytes_ = {static_cast<std::byte*>(mapped), size};
  return file;
}

void MappedFile::begin_sync(std::size_t offset, std::size_t size) const noexcept {
  static_cast<void>(
      ::sync_file_range(descriptor_, static_cast<off64_t>(offset), static_cast<off64_t>(size), SYNC_FILE_RANGE_WRITE));
}

void MappedFile::sync() const noexcept {
  static_cast<void>(::fdatasync(descriptor_));
}

void begin_segment(std::span<std::byte> segment) noexcept {
  std::memcpy(segment.data(), kMark, kFirstRecordOffset);
}

void write_record(std::span<std::byte> segment, std::uint64_t number, std::size_t offset, std::int32_t tenant,
                  std::string_view text) noexcept {
  std::byte* const place = segment.data() + offset;
  const Head head{0, static_cast<std::uint32_t>(text.size()), crc_of(number, offset, tenant, text), tenant};
  std::memcpy(place + sizeof head.state, &head.size, sizeof head - sizeof head.state);
  // In this order, for count_damaged(): a process may be killed between any two instructions.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  std::memcpy(place + sizeof head, text.data(), text.size());
  state_at(place).store(kRecordState, std::memory_order_release);
}

void write_padding(std::span<std::byte> segment, std::size_t offset) noexcept {
  state_at(segment.data() + offset).store(kPaddingState, std::memory_order_release);
}

SegmentEntry entry_of_live_segment(std::span<const std::byte> segment, std::size_t offset) noexcept {
  const std::byte* const place = segment.data() + offset;
  const Head head = head_at(place);
  if (head.state == kPaddingState) return {.kind = SegmentEntry::Kind::kPadding, .next = segment.size()};
  if (head.state != kRecordState) return {};
  return {.kind = SegmentEntry::Kind::kRecord,
          .tenant = head.tenant,
          .text = text_at(place, head),
          .next = offset + bytes_of_record(head.size)};
}

SegmentEntry entry_of_old_segment(std::span<const std::byte> segment, std::uint64_t number,
                                  std::size_t offset) noexcept {
  for (std::size_t at = offset; at + sizeof(Head) <= segment.size(); at += 16) {
    const std::byte* const place = segment.data() + at;
    const Head head = head_at(place);
    // One that is whole but for its state is taken as well, where one must begin.
    const bool may_be = head.state == kRecordState || (at == offset && head.size != 0);
    if (!may_be || !is_whole(segment, number, at, head)) continue;
    return {.kind = SegmentEntry::Kind::kRecord,
            .tenant = head.tenant,
            .text = text_at(place, head),
            .next = at + bytes_of_record(head.size),
            .skipped = at - offset,
            .damaged = count_damaged(segment, offset, at)};
  }
  const std::size_t rest = segment.size() - std::min(offset, segment.size());
  return {.skipped = rest, .damaged = count_damaged(segment, offset, segment.size())};
}

std::size_t end_of_old_segment(std::span<const std::byte> segment, std::uint64_t number) noexcept {
  std::size_t end = kFirstRecordOffset;
  for (;;) {
    const SegmentEntry entry = entry_of_old_segment(segment, number, end);
    if (entry.kind != SegmentEntry::Kind::kRecord) return entry.damaged > 0 ? segment.size() : end;
    end = entry.next;
  }
}

}  // namespace toolhost::observability
