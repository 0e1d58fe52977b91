#include "portal/work_pool.hpp"

#include <gmock/gmock.h>

#include <future>

namespace toolhost::portal {
namespace {

using ::testing::ElementsAre;

struct Desk {};

/// One thread that is held up until let_go().
class WorkPoolTest : public ::testing::Test {
 protected:
  WorkPoolTest() {
    std::promise<void> begun;
    pool_.post("first", [&](Desk&) {
      begun.set_value();
      gate_.get_future().wait();
    });
    begun.get_future().wait();
  }
  bool post(const std::string& sender) {
    return pool_.post(sender, [this, sender](Desk&) {
      const std::lock_guard lock(mutex_);
      done_.push_back(sender);
    });
  }
  void let_go() { gate_.set_value(); }
  /// As long as it takes; of `count` that were posted.
  void wait_for(std::size_t count) {
    while (done().size() < count) std::this_thread::yield();
  }
  std::vector<std::string> done() {
    const std::lock_guard lock(mutex_);
    return done_;
  }

  std::promise<void> gate_;
  std::mutex mutex_;
  std::vector<std::string> done_;
  WorkPool<Desk> pool_{1, {.waiting = 6, .waiting_of_sender = 3}, [] { return std::make_unique<Desk>(); }};
};

TEST_F(WorkPoolTest, WhoSendsTooMuchIsTurnedAwayAlone) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(post("flood"));
  EXPECT_FALSE(post("flood"));
  EXPECT_TRUE(post("ana"));
  EXPECT_TRUE(post("ben"));
  EXPECT_TRUE(post("cyd"));
  EXPECT_FALSE(post("dan")) << "six wait";
  let_go();
}

TEST_F(WorkPoolTest, SendersTakeTurns) {
  for (int i = 0; i < 3; ++i) post("flood");
  post("ana");
  post("ben");
  let_go();
  wait_for(5);
  EXPECT_THAT(done(), ElementsAre("flood", "ana", "ben", "flood", "flood"));
  EXPECT_TRUE(post("flood")) << "what is done counts no more";
}

TEST_F(WorkPoolTest, StopDropsWhatWaits) {
  post("ana");
  let_go();
  pool_.stop();
  EXPECT_FALSE(post("ben"));
}

}  // namespace
}  // namespace toolhost::portal
