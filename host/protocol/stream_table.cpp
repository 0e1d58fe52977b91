#include "protocol/stream_table.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "protocol/http_call_stream.hpp"

namespace toolhost::protocol {
namespace {

constexpr std::size_t kMostBytesOfKey = std::size_t{8} * 1024 * 1024;

}  // namespace

void StreamTable::add(const std::string& id, KeyId key, std::shared_ptr<HttpCallStream> stream) {
  sweep(Clock::now());
  const std::lock_guard lock(mutex_);
  if (is_closed_) return;
  streams_.insert_or_assign(id, Entry{key, std::move(stream), finished_.end()});
}

void StreamTable::finished(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto entry = streams_.find(id);
  if (entry == streams_.end() || entry->second.finished != finished_.end()) return;
  entry->second.finished = finished_.insert(finished_.end(), {id, Clock::now() + config.keep});
}

// Streams are always let go of without the lock: they give back their room.
std::shared_ptr<HttpCallStream> StreamTable::take(Streams::iterator entry) {
  auto stream = std::move(entry->second.stream);
  if (entry->second.finished != finished_.end()) finished_.erase(entry->second.finished);
  streams_.erase(entry);
  return stream;
}

void StreamTable::remove(const std::string& id) {
  std::shared_ptr<HttpCallStream> removed;
  const std::lock_guard lock(mutex_);
  if (const auto entry = streams_.find(id); entry != streams_.end()) removed = take(entry);
}

std::shared_ptr<HttpCallStream> StreamTable::find(const std::string& id, KeyId key) const {
  const std::lock_guard lock(mutex_);
  const auto entry = streams_.find(id);
  return entry == streams_.end() || entry->second.key != key ? nullptr : entry->second.stream;
}

void StreamTable::end_key(KeyId key) {
  std::vector<std::shared_ptr<HttpCallStream>> ended;
  {
    const std::lock_guard lock(mutex_);
    for (auto entry = streams_.begin(); entry != streams_.end();) {
      const auto current = entry++;
      if (current->second.key == key) ended.push_back(take(current));
    }
  }
  if (store != nullptr) store->forget_key(key);
}

void StreamTable::clear() {
  Streams streams;
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  finished_.clear();
  streams.swap(streams_);
}

void StreamTable::sweep(Clock::time_point now) {
  std::vector<std::shared_ptr<HttpCallStream>> old;
  const std::lock_guard lock(mutex_);
  while (!finished_.empty() && finished_.front().until < now) old.push_back(take(streams_.find(finished_.front().id)));
}

bool StreamTable::has_room(KeyId key, std::size_t bytes) const {
  const auto used = bytes_of_key_.find(key);
  return bytes_ + bytes <= config.memory && (used == bytes_of_key_.end() ? 0 : used->second) + bytes <= kMostBytesOfKey;
}

bool StreamTable::take_room(KeyId key, std::size_t bytes) {
  for (;;) {
    std::shared_ptr<HttpCallStream> leaving;
    const std::lock_guard lock(mutex_);
    if (has_room(key, bytes)) {
      bytes_ += bytes;
      bytes_of_key_[key] += bytes;
      return true;
    }
    const bool is_full = bytes_ + bytes > config.memory;
    const auto oldest = std::find_if(finished_.begin(), finished_.end(), [&](const Finished& finished) {
      return is_full || streams_.find(finished.id)->second.key == key;
    });
    if (oldest == finished_.end()) return false;
    leaving = take(streams_.find(oldest->id));
  }
}

void StreamTable::take_room_anyway(KeyId key, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  bytes_ += bytes;
  bytes_of_key_[key] += bytes;
}

void StreamTable::give_back(KeyId key, std::size_t bytes) noexcept {
  const std::lock_guard lock(mutex_);
  bytes_ -= bytes;
  const auto used = bytes_of_key_.find(key);
  if (used != bytes_of_key_.end() && (used->second -= bytes) == 0) bytes_of_key_.erase(used);
}

std::size_t StreamTable::count() const {
  const std::lock_guard lock(mutex_);
  return streams_.size();
}

}  // namespace toolhost::protocol
