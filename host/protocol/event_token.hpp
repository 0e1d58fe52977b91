#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "access/sealed_box.hpp"
#include "base/ids.hpp"

namespace toolhost::protocol {

/// Which stream an event belongs to, as its id says it to any host of the installation and to nobody else.
struct EventToken {
  enum class Kind : std::uint8_t {
    kCall,     ///< the answer to one POST
    kSession,  ///< what a session is told by itself
    kSse,      ///< HTTP+SSE
  };

  Kind kind = Kind::kCall;
  KeyId key{};
  std::string stream;           ///< 128 random bits
  std::uint32_t host = 0;       ///< number of the host that the call runs on; 0: hosts are not numbered
  std::uint32_t expires = 0;    ///< seconds since 1970; 0: never
  std::string rpc_id;           ///< JSON text of the request's id, at most kLongestRpcId bytes; kSse: see seal_facts()
  bool may_have_saved = false;  ///< the call may have saved something before its answer was kept

  static constexpr std::size_t kLongestRpcId = 64;
};

/// Makes and reads event ids: `TOKEN.NUMBER`, the number of the event in its stream from 0 on. Visible ASCII. Any
/// thread.
class EventTokens {
 public:
  explicit EventTokens(const Secret& sealing_key) : box_(sealing_key, "event stream") {}

  [[nodiscard]] std::string seal(const EventToken& token) const;

  struct Place {
    EventToken token;
    std::uint32_t number = 0;  ///< as the client says; at most 2^30
  };
  /// Nothing when the id is not one of this installation and key, or has expired.
  [[nodiscard]] std::optional<Place> open(std::string_view event_id, KeyId key,
                                          std::chrono::system_clock::time_point now) const;

 private:
  const access::SealedBox box_;
};

/// 128 bits as PostgreSQL writes a uuid.
std::string uuid_text(std::string_view bytes);

}  // namespace toolhost::protocol
