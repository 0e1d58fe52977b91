#include "access/key_attempts.hpp"

#include <algorithm>
#include <map>

#include "access/api_key.hpp"
#include "base/lower.hpp"

namespace toolhost::access {
namespace {

constexpr std::size_t kTailLength = 3;
constexpr std::size_t kLongEnough = 16;  // of which three characters give nothing away
constexpr std::size_t kLongestAddress = 64;
constexpr std::chrono::minutes kWatch{10};

bool contains(std::string_view text, std::string_view part) noexcept {
  return text.find(part) != std::string_view::npos;
}

bool is_plain(char c) noexcept {
  return c > ' ' && c < 0x7F;
}

std::string tail_of(std::string_view presented) {
  if (presented.size() < kLongEnough) return {};
  const auto tail = presented.substr(presented.size() - kTailLength);
  return std::ranges::all_of(tail, is_plain) ? std::string(tail) : std::string();
}

/// A prefix is public only of what has the rest of a key behind it.
std::string prefix_of(std::string_view presented) {
  if (!presented.starts_with(kKeyScheme) || presented.size() < kLongEnough) return {};
  const auto prefix = presented.substr(0, kKeyPrefixLength);
  return std::ranges::all_of(prefix, is_plain) ? std::string(prefix) : std::string();
}

bool is_alike(const KeyAttempt& a, const KeyAttempt& b) noexcept {
  return a.header == b.header && a.flaw == b.flaw && a.length == b.length && a.address == b.address &&
         a.prefix == b.prefix && a.tail == b.tail;
}

}  // namespace

KeyFlaw flaw_of(std::string_view presented) noexcept {
  if (presented.empty()) return KeyFlaw::kMissing;
  if (contains(presented, "your_key") || contains(presented, "YOUR_KEY")) return KeyFlaw::kPlaceholder;
  if (contains(presented, "${") || (presented.front() == '$') || presented.front() == '%') return KeyFlaw::kVariable;
  if (presented.size() > 7 && equals_ignoring_case(presented.substr(0, 7), "bearer ")) return KeyFlaw::kBearerInside;
  if (std::string_view("\"'`<").find(presented.front()) != std::string_view::npos) return KeyFlaw::kQuoted;
  if (!presented.starts_with(kKeyScheme)) return KeyFlaw::kOtherText;
  if (presented.find_first_of(" \t") != std::string_view::npos) return KeyFlaw::kSpaces;
  if (presented.size() < kKeyLength) return KeyFlaw::kTooShort;
  if (presented.size() > kKeyLength) return KeyFlaw::kTooLong;
  const auto flaw = describe_malformed_key(presented);
  if (flaw.empty()) return KeyFlaw::kUnknown;
  return contains(flaw, "checksum") ? KeyFlaw::kBadChecksum : KeyFlaw::kBadCharacter;
}

void KeyAttempts::refused(std::string_view x_api_key, std::string_view authorization, std::string_view address,
                          KeyFlaw flaw, Clock::time_point now) noexcept {
  const auto presented = presented_key(x_api_key, authorization);
  KeyAttempt attempt{.at = now, .address = std::string(address.substr(0, kLongestAddress)), .flaw = flaw};
  if (!x_api_key.empty()) attempt.header = KeyHeader::kXApiKey;
  if (x_api_key.empty() && !authorization.empty()) attempt.header = KeyHeader::kAuthorization;
  if (presented) {
    attempt.length = presented->size();
    attempt.prefix = prefix_of(*presented);
    attempt.tail = tail_of(*presented);
  }
  note(std::move(attempt));
}

void KeyAttempts::note_accepted(const Caller& caller, bool is_x_api_key, std::string_view address) noexcept {
  const auto now = Clock::now();
  auto until = watched_until_.load(std::memory_order_relaxed);
  if (now.time_since_epoch().count() > until) {
    // Unless somebody began to look just now.
    watched_until_.compare_exchange_strong(until, 0, std::memory_order_relaxed);
    return;
  }
  note({.at = now,
        .address = std::string(address.substr(0, kLongestAddress)),
        .header = is_x_api_key ? KeyHeader::kXApiKey : KeyHeader::kAuthorization,
        .length = kKeyLength,
        .prefix = caller.key_prefix});
}

void KeyAttempts::watch(Clock::time_point now) noexcept {
  watched_until_.store((now + kWatch).time_since_epoch().count(), std::memory_order_relaxed);
}

void KeyAttempts::note(KeyAttempt attempt) {
  const std::lock_guard lock(mutex_);
  attempt.number = ++last_number_;
  const auto known =
      std::ranges::find_if(attempts_, [&](const auto& other) { return is_alike(attempt, other.attempt); });
  if (known != attempts_.end()) {
    attempt.count = known->attempt.count + 1;
    known->attempt = std::move(attempt);
    return;
  }
  const auto from = FailedSignIns::address(attempt.address);
  give_up_one(from, attempt.flaw != KeyFlaw::kNone);
  attempts_.push_back({std::move(attempt), from});
}

void KeyAttempts::give_up_one(FailedSignIns::Address from, bool is_refusal) {
  const auto is_refused = [](const Noted& noted) { return noted.attempt.flaw != KeyFlaw::kNone; };
  const auto refused_from = [&](FailedSignIns::Address address) {
    return [=](const Noted& noted) { return noted.from == address && is_refused(noted); };
  };
  const auto drop_oldest = [&](const auto& is_meant) {
    auto oldest = attempts_.end();
    for (auto each = attempts_.begin(); each != attempts_.end(); ++each)
      if (is_meant(*each) && (oldest == attempts_.end() || each->attempt.number < oldest->attempt.number))
        oldest = each;
    if (oldest != attempts_.end()) attempts_.erase(oldest);
  };
  const auto own = static_cast<std::size_t>(std::ranges::count_if(attempts_, refused_from(from)));
  if (is_refusal && own >= kMostOfAddress) return drop_oldest(refused_from(from));
  if (attempts_.size() < kMost) return;
  std::map<FailedSignIns::Address, std::size_t> counts;
  for (const auto& noted : attempts_) ++counts[noted.from];
  const auto most = std::ranges::max_element(counts, {}, [](const auto& each) { return each.second; })->second;
  const auto is_loud = [&](const Noted& noted) { return counts.at(noted.from) == most; };
  const auto is_loud_refusal = [&](const Noted& noted) { return is_loud(noted) && is_refused(noted); };
  if (std::ranges::any_of(attempts_, is_loud_refusal)) return drop_oldest(is_loud_refusal);
  drop_oldest(is_loud);
}

std::vector<KeyAttempt> KeyAttempts::of(std::span<const std::string> prefixes, std::string_view address) const {
  std::vector<KeyAttempt> found;
  const std::lock_guard lock(mutex_);
  for (const auto& [attempt, from] : attempts_) {
    const bool is_own = std::ranges::find(prefixes, attempt.prefix) != prefixes.end();
    const bool is_near = attempt.flaw != KeyFlaw::kNone && attempt.address == address;
    if (!is_own && !is_near) continue;
    found.push_back(attempt);
    if (!is_own) found.back().prefix.clear();
  }
  std::ranges::sort(found, std::greater(), &KeyAttempt::number);
  return found;
}

}  // namespace toolhost::access
