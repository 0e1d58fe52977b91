#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/hex.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace toolhost::storage {

/// A SHA-256 or an HMAC of it: 32 bytes.
using AuditHash = std::string;

/// What a chain was at some time. The row it names need not exist any more.
struct AuditCheckpoint {
  std::int32_t tenant_id = 0;
  std::int64_t sequence = 0;
  bool begins = false;    ///< rows up to this one were dropped for their age
  AuditHash hash;         ///< of the row
  std::string sealed_at;  ///< RFC 3339, UTC, with microseconds
  AuditHash mac;
};

/// A checkpoint as the log tells it.
std::string text_of(const AuditCheckpoint& checkpoint);
/// The one that a line of a log tells; nothing when there is none in it. kInvalidArgument when it is cut or changed so
/// that it cannot be read.
Result<std::optional<AuditCheckpoint>> checkpoint_in(std::string_view line);

/// Computes the links of chains, as the database does. One thread at a time.
class ChainHasher {
 public:
  ChainHasher();
  ~ChainHasher();
  ChainHasher(const ChainHasher&) = delete;
  ChainHasher& operator=(const ChainHasher&) = delete;

  /// The hash of a row: SHA-256 of the hash before it (empty for the first), its number in eight bytes, most
  /// significant first, and its record.
  AuditHash link(std::string_view previous, std::int64_t sequence, std::string_view record);

 private:
  struct Context;
  const std::unique_ptr<Context> context_;
};

/// Seals checkpoints with a secret that the database does not know. Any thread.
class CheckpointSeal {
 public:
  explicit CheckpointSeal(const Secret& secret) : secret_(std::string(secret.reveal())) {}
  [[nodiscard]] AuditHash mac_of(const AuditCheckpoint& checkpoint) const;
  [[nodiscard]] bool fits(const AuditCheckpoint& checkpoint) const;

 private:
  const Secret secret_;
};

}  // namespace toolhost::storage
