#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include <boost/asio/awaitable.hpp>

#include "protocol/reply.hpp"

namespace toolhost::protocol {

/// Where a coroutine waits for a reply that another thread may give. The coroutine goes on at its own executor, by one
/// post, and without any when the reply was there first.
class Answer {
 public:
  /// Any thread, once.
  void set(Reply reply);
  /// Once. `self` keeps the answer alive while it is waited for.
  static boost::asio::awaitable<Reply> wait(std::shared_ptr<Answer> self);

 private:
  std::mutex mutex_;
  std::optional<Reply> reply_;
  std::function<void()> resume_;
};

}  // namespace toolhost::protocol
