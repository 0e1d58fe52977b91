#pragma once
#include <string>
#include <utility>

#include <boost/assert/source_location.hpp>

namespace toolhost {

/// Why something did not work, in terms a caller can act on. One list for the whole host; each edge (HTTP status,
/// JSON-RPC code, plugin status) maps it with one switch that has no default, so that a new entry fails to compile
/// until mapped.
enum class Errc {
  kInvalidArgument,  ///< the input is wrong and will stay wrong
  kNotFound,
  kConflict,         ///< unique or foreign key, stale version, already exists
  kUnauthenticated,  ///< no credential, or one that is not valid
  kDenied,           ///< a known caller without the right
  kUnavailable,      ///< a dependency is down; the same request may work later
  kTimeout,
  kCancelled,
  kRetry,  ///< serialization failure or deadlock; the transaction may be run again
  kLimit,  ///< a quota, size or rate limit
  kUnsupported,
  kMisuse,  ///< a contract between two pieces of code was broken
  kInternal,
};

/// Stable lower-case word for logs and metrics, e.g. "not_found".
const char* to_string(Errc code) noexcept;

/// An error as a value. `message` may be shown to the client; `detail` is for the log only. Neither ever holds a
/// secret.
struct Error {
  Errc code = Errc::kInternal;
  std::string message;
  std::string detail;
};

inline Error error_of(Errc code, std::string message, std::string detail = {}) {
  return {code, std::move(message), std::move(detail)};
}

/// Makes Result<T>::value() throw std::runtime_error with the message (found by argument-dependent lookup).
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

}  // namespace toolhost
