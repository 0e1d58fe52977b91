#pragma once
#include <memory>
#include <optional>
#include <string_view>

#include "plugin_runtime/kept_stream.hpp"
#include "protocol/reply.hpp"
#include "protocol/session.hpp"

namespace toolhost::protocol {

/// The one place where a call's messages meet on their way to its client: what precedes the answer, and the answer.
/// Each transport has its own. Any thread; nothing blocks.
class CallStream {
 public:
  virtual ~CallStream() = default;

  /// The call whose messages these are: asked for its id when the stream begins, stopped when a client leaves whose era
  /// means it. Before the call runs; not owned.
  virtual void bind(std::weak_ptr<OpenCall> call) noexcept = 0;
  /// One notification or request of the server, a JSON-RPC text of one line; in the order of the calls, before the
  /// answer. The first one makes the answer a stream. Dropped where the client takes none, and behind settle() or
  /// finish() when no stream had begun.
  virtual void notify(std::string_view message) = 0;
  /// Whether requests of the server can reach the client.
  [[nodiscard]] virtual bool can_ask() const noexcept = 0;
  /// The answer. Once; whatever comes later is dropped.
  virtual void finish(Reply reply) = 0;
  /// Ends the connection, not the call, where the client can come back for the rest (2025-11-25); else nothing.
  virtual void let_go() = 0;
  /// Whether a stream has begun that the client may come back to.
  [[nodiscard]] virtual bool is_streamed() const noexcept = 0;
  /// Where the answer is to be kept, when the client may come back for it. From here on no stream begins any more.
  virtual std::optional<plugin_runtime::KeptStream> settle() noexcept = 0;
};

}  // namespace toolhost::protocol
