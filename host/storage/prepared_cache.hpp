#pragma once
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace toolhost::storage {

/// A statement the server knows, or is about to know, by a name.
struct PreparedStatement {
  std::string sql;
  std::string name;
  bool is_ready = false;  ///< the server has confirmed it
};

/// The prepared statements of one connection by their text, least recently used last. References stay valid until the
/// entry is evicted.
class PreparedCache {
 public:
  PreparedCache(std::string prefix, std::size_t capacity) : prefix_(std::move(prefix)), capacity_(capacity) {}

  /// nullptr when the text is new.
  PreparedStatement* find(std::string_view sql) {
    const auto it = by_text_.find(sql);
    if (it == by_text_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, it->second);
    return &entries_.front();
  }

  /// Adds a text that find() does not know. When the cache is full, the entry used longest ago goes: `evicted` is its
  /// name if the server knows it.
  PreparedStatement& add(std::string_view sql, std::string& evicted) {
    if (entries_.size() >= capacity_) {
      PreparedStatement& oldest = entries_.back();
      if (oldest.is_ready) evicted = std::move(oldest.name);
      by_text_.erase(oldest.sql);
      entries_.pop_back();
    }
    entries_.push_front({std::string(sql), prefix_ + std::to_string(++last_number_), false});
    by_text_.emplace(entries_.front().sql, entries_.begin());
    return entries_.front();
  }

  void clear() {
    by_text_.clear();
    entries_.clear();
  }
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

 private:
  std::string prefix_;
  std::size_t capacity_;
  std::uint64_t last_number_ = 0;
  std::list<PreparedStatement> entries_;
  std::unordered_map<std::string_view, std::list<PreparedStatement>::iterator> by_text_;  // keys live in entries_
};

}  // namespace toolhost::storage
