#include "plugin_runtime/time_source.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace toolhost::plugin_runtime {
namespace {

using namespace std::chrono_literals;
using Moment = SteppedTime::Moment;

const Moment kStart{std::chrono::sys_days{std::chrono::year(2026) / 3 / 1}};

std::vector<UuidBytes> story(SteppedTime& time) {
  std::vector<UuidBytes> ids{time.new_uuid(), time.new_uuid()};
  time.advance(5min);
  ids.push_back(time.new_uuid());
  return ids;
}

TEST(SteppedTime, StandsStillUntilItIsMoved) {
  SteppedTime time(kStart, 1);
  EXPECT_EQ(time.now_us(), kStart.time_since_epoch().count());
  time.advance(5min);
  EXPECT_EQ(time.now(), kStart + 5min);
}

TEST(SteppedTime, IdsAreTheSameForTheSameStepsAndSortByTime) {
  SteppedTime time(kStart, 1), other(kStart, 2);
  const auto ids = story(time);
  EXPECT_LT(ids[0], ids[1]);
  EXPECT_LT(ids[1], ids[2]);
  EXPECT_NE(ids, story(other));
  time.set(kStart, 1);
  EXPECT_EQ(story(time), ids);
}

TEST(SteppedTime, IdsAreUuidsOfVersionSeven) {
  SteppedTime time(kStart, 0);
  for (int i = 0; i < 100; ++i) {
    const auto id = time.new_uuid();
    EXPECT_EQ(id[6] >> 4, 7);
    EXPECT_EQ(id[8] >> 6, 2);
  }
}

}  // namespace
}  // namespace toolhost::plugin_runtime
