#pragma once
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace toolhost::observability {

/// Numbers that many threads add to: each thread to one of a few copies, so that they seldom meet in a cache line.
inline constexpr std::size_t kStripes = 8;
/// The calling thread's copy.
inline std::size_t stripe_of_thread() noexcept {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t stripe = next.fetch_add(1, std::memory_order_relaxed) % kStripes;
  return stripe;
}

template <std::size_t kCount>
class StripedCounters {
 public:
  void add(std::size_t index, std::uint64_t amount) noexcept {
    stripes_[stripe_of_thread()].numbers[index].fetch_add(amount, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t total(std::size_t index) const noexcept {
    std::uint64_t sum = 0;
    for (const auto& stripe : stripes_) sum += stripe.numbers[index].load(std::memory_order_relaxed);
    return sum;
  }

 private:
  struct alignas(64) Stripe {
    std::array<std::atomic<std::uint64_t>, kCount> numbers{};
  };
  std::array<Stripe, kStripes> stripes_{};
};

/// The series of one family, by the values of its labels. Found without a lock, added under one, never removed.
template <std::size_t kLabels, class Value>
class SeriesTable {
 public:
  using Labels = std::array<std::string_view, kLabels>;
  struct Series {
    std::array<std::string, kLabels> labels;
    std::size_t hash = 0;
    Series* next = nullptr;  // in its bucket; set before others can see the series
    Value value{};
  };

  /// Meant for about this many series.
  explicit SeriesTable(std::size_t expected) : buckets_(std::bit_ceil(expected)) {}
  SeriesTable(const SeriesTable&) = delete;
  SeriesTable& operator=(const SeriesTable&) = delete;

  [[nodiscard]] Series* find(const Labels& labels) const noexcept { return find(labels, hash_of(labels)); }

  /// `prepare(value)` is called for a new series before anybody sees it. Null when there are `limit` series already.
  template <class Prepare>
  Series* find_or_add(const Labels& labels, std::size_t limit, Prepare prepare) {
    const std::size_t hash = hash_of(labels);
    if (Series* known = find(labels, hash)) return known;
    const std::lock_guard lock(mutex_);
    if (Series* known = find(labels, hash)) return known;
    if (series_.size() >= limit) return nullptr;
    Series& added = series_.emplace_back();
    for (std::size_t i = 0; i < kLabels; ++i) added.labels[i] = labels[i];
    added.hash = hash;
    prepare(added.value);
    auto& bucket = buckets_[hash & (buckets_.size() - 1)];
    added.next = bucket.load(std::memory_order_relaxed);
    bucket.store(&added, std::memory_order_release);
    return &added;
  }

  /// In the order in which they were added; series that are added meanwhile wait.
  template <class Visit>
  void for_each(Visit visit) const {
    const std::lock_guard lock(mutex_);
    for (const Series& series : series_) visit(series);
  }

 private:
  static std::size_t hash_of(const Labels& labels) noexcept {
    std::size_t hash = 0;
    for (const auto label : labels) hash = std::rotl(hash, 7) * 31 + std::hash<std::string_view>()(label);
    return hash ^ hash >> 32;
  }
  Series* find(const Labels& labels, std::size_t hash) const noexcept {
    Series* series = buckets_[hash & (buckets_.size() - 1)].load(std::memory_order_acquire);
    while (series != nullptr && !is(*series, hash, labels)) series = series->next;
    return series;
  }
  static bool is(const Series& series, std::size_t hash, const Labels& labels) noexcept {
    if (series.hash != hash) return false;
    for (std::size_t i = 0; i < kLabels; ++i) {
      if (series.labels[i] != labels[i]) return false;
    }
    return true;
  }

  std::vector<std::atomic<Series*>> buckets_;  // as many as a power of two
  mutable std::mutex mutex_;                   // guards series_
  std::deque<Series> series_;
};

}  // namespace toolhost::observability
