#include "protocol/answer.hpp"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace toolhost::protocol {

namespace asio = boost::asio;

void Answer::set(Reply reply) {
  std::function<void()> resume;
  {
    const std::lock_guard lock(mutex_);
    reply_ = std::move(reply);
    resume.swap(resume_);
  }
  if (resume) resume();
}

asio::awaitable<Reply> Answer::wait(std::shared_ptr<Answer> self) {
  bool is_set = false;
  {
    const std::lock_guard lock(self->mutex_);
    is_set = self->reply_.has_value();
  }
  if (!is_set) {
    const auto suspend = [](auto handler, Answer* answer) {
      const auto executor = asio::get_associated_executor(handler);
      // A completion handler can only be moved, a std::function only holds what can be copied.
      auto shared = std::make_shared<decltype(handler)>(std::move(handler));
      auto resume = [executor, shared] { asio::post(executor, std::move(*shared)); };
      {
        const std::lock_guard lock(answer->mutex_);
        if (!answer->reply_) {
          answer->resume_ = std::move(resume);
          return;
        }
      }
      resume();
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(suspend, asio::use_awaitable, self.get());
  }
  const std::lock_guard lock(self->mutex_);
  co_return std::move(*self->reply_);
}

}  // namespace toolhost::protocol
