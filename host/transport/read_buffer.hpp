#pragma once
#include <cassert>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>

namespace toolhost::transport {

/// Bytes received and not yet used up: one block of memory that grows by doubling and is never zeroed. Not thread-safe.
class ReadBuffer {
 public:
  [[nodiscard]] char* data() noexcept { return storage_.get() + begin_; }
  [[nodiscard]] const char* data() const noexcept { return storage_.get() + begin_; }
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }

  /// All free memory behind the bytes, at least `wanted` long. Moves the bytes: pointers into data() end here.
  std::span<char> room(std::size_t wanted) {
    if (capacity_ - end_ < wanted) make_room(wanted);
    return {storage_.get() + end_, capacity_ - end_};
  }
  /// The first `count` bytes of room() have been written.
  void commit(std::size_t count) noexcept {
    assert(count <= capacity_ - end_);
    end_ += count;
  }
  /// Drops the bytes from `from` to `to`.
  void erase(std::size_t from, std::size_t to) noexcept {
    assert(from <= to && to <= size());
    if (from == to) return;
    std::memmove(data() + from, data() + to, size() - to);
    end_ -= to - from;
  }
  /// Drops the first `count` bytes; memory beyond `keep_bytes` is given back when nothing is left.
  void consume(std::size_t count, std::size_t keep_bytes) noexcept {
    assert(count <= size());
    begin_ += count;
    if (!empty()) return;
    begin_ = end_ = 0;
    if (capacity_ > keep_bytes) release();
  }
  /// Gives all memory back. The buffer must be empty.
  void release() noexcept {
    assert(empty());
    storage_.reset();
    begin_ = end_ = capacity_ = 0;
  }

 private:
  void make_room(std::size_t wanted) {
    const std::size_t used = size();
    if (capacity_ - used >= wanted) {
      std::memmove(storage_.get(), data(), used);
    } else {
      std::size_t capacity = capacity_ == 0 ? 2048 : capacity_;
      while (capacity - used < wanted) capacity *= 2;
      auto storage = std::make_unique_for_overwrite<char[]>(capacity);
      if (used != 0) std::memcpy(storage.get(), data(), used);
      storage_ = std::move(storage);
      capacity_ = capacity;
    }
    begin_ = 0;
    end_ = used;
  }

  std::unique_ptr<char[]> storage_;
  std::size_t begin_ = 0, end_ = 0, capacity_ = 0;
};

}  // namespace toolhost::transport
