#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/secret.hpp"

namespace toolhost::access {

/// Makes text that a client keeps for the host and can neither read nor alter: AES-256-GCM (NIST SP 800-38D) with a
/// random 96-bit nonce, under a key that is derived from the host's sealing key and a purpose, as base64url. One
/// purpose cannot open what another sealed. Says nothing about age: put a time into the text. Any thread.
class SealedBox {
 public:
  SealedBox(const Secret& sealing_key, std::string_view purpose);

  [[nodiscard]] std::string seal(std::string_view text) const;
  /// The text, or nothing when seal() did not make it for this purpose under this key.
  [[nodiscard]] std::optional<std::string> open(std::string_view sealed) const;

 private:
  const Secret key_;
};

}  // namespace toolhost::access
