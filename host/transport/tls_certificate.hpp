#pragma once
#include <memory>

#include "base/result.hpp"
#include "observability/events.hpp"
#include "transport/http.hpp"
#include "transport/tls_session.hpp"

namespace toolhost::transport {

/// The certificate that new connections get, and how TLS is spoken: 1.2 and 1.3, forward secrecy only, http/1.1 by
/// ALPN. A thread of its own looks at the files; a pair that works replaces the one before, another is told once as a
/// HostNotice and the one before stays.
class TlsCertificate {
 public:
  /// kInvalidArgument when a file cannot be read or used, or the two do not belong together; says which and what to do.
  static Result<std::unique_ptr<TlsCertificate>> load(const TlsConfig& config, observability::EventSink& events);
  virtual ~TlsCertificate() = default;
  /// The server's side of a new connection on this non-blocking socket. Any thread. Throws std::bad_alloc.
  [[nodiscard]] virtual std::unique_ptr<TlsSession> accept(int descriptor) const = 0;
};

}  // namespace toolhost::transport
