#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "access/sealed_box.hpp"

namespace toolhost::portal {

/// What a browser keeps for us between leaving for the sign-in provider and coming back.
struct SignInAttempt {
  std::string state;     ///< RFC 6749 section 10.12
  std::string nonce;     ///< OpenID Connect Core 1.0, section 3.1.2.1
  std::string verifier;  ///< RFC 7636 section 4.1
  std::string next;      ///< where the person wanted to go; may be empty
  std::chrono::system_clock::time_point started_at;

  /// With fresh secrets of 32 random bytes each, as base64url. A `next` of more than 512 bytes, or with
  /// others than printable ASCII characters, is dropped. Whether it leads to our own pages is for the caller to check.
  static SignInAttempt begin(std::string_view next, std::chrono::system_clock::time_point now);
  /// The code challenge for `verifier`, method S256 (RFC 7636 section 4.2).
  [[nodiscard]] std::string challenge() const;
  /// Whether the provider's answer belongs to this attempt. Takes the same time wherever they differ.
  [[nodiscard]] bool has_state(std::string_view said) const noexcept;
};

/// The value of the pre-login cookie: an attempt that nobody without the host's sealing key can read, alter or make.
/// At most 2 KiB. That an attempt is used once is up to the caller. Any thread.
class SealedCookie {
 public:
  static constexpr std::chrono::minutes kLifetime{10};

  explicit SealedCookie(const Secret& sealing_key) : box_(sealing_key, "sign-in cookie") {}

  [[nodiscard]] std::string seal(const SignInAttempt& attempt) const;
  /// Nothing when it was not sealed here, or began more than kLifetime ago (or, by another host's clock, more than a
  /// minute in the future).
  [[nodiscard]] std::optional<SignInAttempt> open(std::string_view cookie,
                                                  std::chrono::system_clock::time_point now) const;

 private:
  const access::SealedBox box_;
};

}  // namespace toolhost::portal
