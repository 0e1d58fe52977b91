#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/caller.hpp"
#include "protocol/call_stream.hpp"
#include "protocol/jsonrpc.hpp"
#include "protocol/reply.hpp"

namespace toolhost::protocol {

/// What a client wants to hear of (2026-07-28, subscriptions/listen).
struct ListenFilter {
  bool tools = false, prompts = false, resources = false;  ///< changes of these lists
  std::vector<std::string> uris;                           ///< resources whose contents it follows

  [[nodiscard]] bool is_empty() const noexcept { return !tools && !prompts && !resources && uris.empty(); }
};

/// The filter in the params of subscriptions/listen, or why they have none. At most 100 URIs; those longer than
/// kLongestUri are left out.
std::variant<ListenFilter, std::string> read_listen_filter(const Message& request);

/// The open subscriptions of this host; each has a stream of its own, whose first message acknowledges it. Any thread.
class Listeners {
 public:
  /// `limit`: of all keys; `limit_of_key`: of one, whose tenant may have a smaller one.
  Listeners(std::size_t limit, std::size_t limit_of_key) noexcept : limit_(limit), limit_of_key_(limit_of_key) {}

  enum class Opening { kOpened, kTooMany, kTooManyOfKey };
  /// Acknowledges and serves the subscription until its client leaves, its key ends or the host stops. `open_id` names
  /// it in the context's session. `filter`: what of the request is honoured; when that is nothing, the subscription
  /// ends behind its acknowledgement.
  Opening open(const std::string& request_id, std::string open_id, ListenFilter filter, const RequestContext& context,
               ReplySink sink);

  /// Whom a change concerns; null: all.
  using Concerns = std::function<bool(const Caller&)>;
  enum class List : unsigned char { kTools, kPrompts, kResources };
  void list_changed(List list, const Concerns& concerns);
  void updated(std::string_view uri, const Concerns& concerns);
  /// Ends every subscription with its result.
  void end_all();

  [[nodiscard]] std::size_t count() const noexcept;

 private:
  class Listener;
  template <class Wants>
  [[nodiscard]] std::vector<std::shared_ptr<Listener>> find(Wants wants) const;
  void remove(const Listener& listener) noexcept;

  const std::size_t limit_, limit_of_key_;
  mutable std::mutex mutex_;  // guards what follows; never held while a message is sent
  std::unordered_map<const Listener*, std::shared_ptr<Listener>> open_;
};

}  // namespace toolhost::protocol
