#pragma once
#include "base/error.hpp"

namespace toolhost::app {

/// What the process answers its parent; shown by `toolhost --help`.
enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,       ///< the operation was refused or failed
  kExitUsage = 2,        ///< wrong command line or configuration
  kExitUnavailable = 3,  ///< a database or address cannot be had right now
  kExitNotFound = 4,     ///< what was named does not exist
};

constexpr ExitCode exit_code_of(Errc code) noexcept {
  switch (code) {
    case Errc::kInvalidArgument:
      return kExitUsage;
    case Errc::kNotFound:
      return kExitNotFound;
    case Errc::kUnavailable:
    case Errc::kTimeout:
    case Errc::kRetry:
      return kExitUnavailable;
    case Errc::kConflict:
    case Errc::kUnauthenticated:
    case Errc::kDenied:
    case Errc::kCancelled:
    case Errc::kLimit:
    case Errc::kUnsupported:
    case Errc::kMisuse:
    case Errc::kInternal:
      return kExitFailed;
  }
  return kExitFailed;
}

}  // namespace toolhost::app
