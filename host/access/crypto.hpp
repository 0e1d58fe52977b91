#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>

#include "base/secret.hpp"

namespace toolhost::access {

/// Ends the process when it was not done: what is asked this way fails only when memory is exhausted, and a wrong
/// digest or an open box would be worse.
void require(bool is_done) noexcept;

/// Fills `bytes` from the kernel's generator (getrandom). Ends the process when there is none: no caller can go on
/// without it.
void fill_random(std::span<std::uint8_t> bytes) noexcept;

/// True when both are equal; takes the same time wherever they differ.
bool equal_in_constant_time(std::string_view left, std::string_view right) noexcept;

/// SHA-256 (FIPS 180-4).
std::array<std::uint8_t, 32> sha256(std::string_view text) noexcept;

/// HMAC-SHA-256 (RFC 2104) under one key, which is set up once. Any number of threads at a time.
class Hmac {
 public:
  using Digest = std::array<std::uint8_t, 32>;

  explicit Hmac(const Secret& key) noexcept;
  ~Hmac();
  Hmac(const Hmac&) = delete;
  Hmac& operator=(const Hmac&) = delete;

  /// Of the concatenation of `parts`.
  [[nodiscard]] Digest digest(std::initializer_list<std::string_view> parts) const noexcept;

 private:
  struct Context;
  std::unique_ptr<Context> keyed_;
  std::uint64_t id_;  ///< never reused: names this key in each thread's cache
};

}  // namespace toolhost::access
