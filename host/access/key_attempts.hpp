#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "access/failed_sign_ins.hpp"
#include "base/caller.hpp"

namespace toolhost::access {

/// What is wrong with what was presented as a key.
enum class KeyFlaw {
  kNone,          ///< it was accepted
  kMissing,       ///< there was no key at all
  kNotBearer,     ///< Authorization with another scheme
  kPlaceholder,   ///< "hdsk_your_key_here" of an example
  kVariable,      ///< "${HELPDESK_KEY}", which nobody filled in
  kBearerInside,  ///< "Bearer hdsk_..." in X-API-Key, or twice in Authorization
  kQuoted,        ///< in quotation marks or angle brackets
  kSpaces,        ///< with white space inside
  kOtherText,     ///< does not begin with hdsk_
  kTooShort,      ///< cut off
  kTooLong,
  kBadCharacter,  ///< the right length, but not only letters and digits
  kBadChecksum,   ///< the right form, but some character is another
  kUnknown,       ///< the form of a key, but none that exists: deleted, or of another server
  kDisabled,
  kExpired,
  kOwnerLeft,  ///< the tenant does not name the person who made it any more, or nobody vouches for their address
  kUnchecked,  ///< the database has not confirmed the keys for too long
};
/// Of a text that was presented and is not a key that exists.
KeyFlaw flaw_of(std::string_view presented) noexcept;

enum class KeyHeader { kNone, kXApiKey, kAuthorization };

/// What of a request with or without a key may be told: never the key.
struct KeyAttempt {
  std::uint64_t number = 0;  ///< grows; another with each arrival
  std::chrono::system_clock::time_point at;
  std::string address;
  KeyHeader header = KeyHeader::kNone;
  KeyFlaw flaw = KeyFlaw::kNone;
  std::size_t length = 0;   ///< bytes
  std::string prefix;       ///< public_prefix() of what begins like a key and has more behind it; else empty
  std::string tail;         ///< the last three characters, when there are enough that they give nothing away
  std::uint32_t count = 1;  ///< how many were alike
};

/// What has arrived lately at this host: who connects an assistant can see why it does not work. Some hundred kinds of
/// arrival, of them 32 refusals of one address (IPv6: of one /64), so that nobody's noise hides what others look for;
/// the longest unheard is given up first, of the address that has the most. Refusals are always noted, accepted
/// requests only while somebody watches, of all callers then, one lock each. Any thread.
class KeyAttempts {
 public:
  using Clock = std::chrono::system_clock;

  /// A request with these two header values was not let in.
  void refused(std::string_view x_api_key, std::string_view authorization, std::string_view address, KeyFlaw flaw,
               Clock::time_point now = Clock::now()) noexcept;
  /// One was; quick when nobody watches.
  void accepted(const Caller& caller, bool is_x_api_key, std::string_view address) noexcept {
    if (watched_until_.load(std::memory_order_relaxed) != 0) note_accepted(caller, is_x_api_key, address);
  }
  /// Somebody looks: accepted requests are noted for ten minutes from now on.
  void watch(Clock::time_point now = Clock::now()) noexcept;

  /// Those with a key of one of these prefixes, and those that were refused at this address, latest first. Of another's
  /// key at the same address the prefix is left out.
  [[nodiscard]] std::vector<KeyAttempt> of(std::span<const std::string> prefixes, std::string_view address) const;

 private:
  static constexpr std::size_t kMost = 512, kMostOfAddress = 32;
  struct Noted {
    KeyAttempt attempt;
    FailedSignIns::Address from{};
  };

  void note_accepted(const Caller& caller, bool is_x_api_key, std::string_view address) noexcept;
  void note(KeyAttempt attempt);
  /// Makes room for one more refusal, or acceptance, from there.
  void give_up_one(FailedSignIns::Address from, bool is_refusal);

  std::atomic<Clock::rep> watched_until_{0};
  mutable std::mutex mutex_;
  std::vector<Noted> attempts_;
  std::uint64_t last_number_ = 0;
};

}  // namespace toolhost::access
