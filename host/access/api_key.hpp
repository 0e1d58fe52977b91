#pragma once
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "storage/directory_store.hpp"

namespace toolhost::access {

/// "hdsk_" + 26 random base62 characters + 6 base62 characters of the CRC-32 of everything before.
inline constexpr std::string_view kKeyScheme = "hdsk_";
inline constexpr std::size_t kKeyLength = 37;
inline constexpr std::size_t kKeyPrefixLength = 11;  ///< what of a key may be shown: "hdsk_" and six characters

struct NewKey {
  Secret text;         ///< shown once
  std::string prefix;  ///< "hdsk_" and six characters
  storage::KeyHash hash{};
};
NewKey generate_key(const Secret& pepper);

/// Why a text cannot be a key, for logs and for the owner: "31 of 37 characters", "checksum does not match". Empty when
/// it can be one. The view is valid until the calling thread's next call.
std::string_view describe_malformed_key(std::string_view text) noexcept;

/// "hdsk_" and six characters, or all of a shorter text: what of a key may be shown. A view into `key`.
std::string_view public_prefix(std::string_view key) noexcept;

/// The key that a request presents in its X-API-Key or Authorization field (either may be empty; X-API-Key wins): a
/// view into one of them. kUnauthenticated when there is none, or Authorization has another scheme than Bearer (matched
/// without case).
Result<std::string_view> presented_key(std::string_view x_api_key, std::string_view authorization);

/// HMAC-SHA-256 of the key with the pepper (RFC 2104).
storage::KeyHash hash_key(const Secret& pepper, std::string_view key) noexcept;

/// The pepper of this data directory, made on first use (32 random bytes, file mode 0600).
/// kInvalidArgument when the file is not 32 bytes or others may read it, kUnavailable when it cannot be read or made;
/// both with the cure.
Result<Secret> load_or_create_secret(const std::string& file);

}  // namespace toolhost::access
