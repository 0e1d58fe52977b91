#include <gtest/gtest.h>

#include "transport/https_client.hpp"

namespace toolhost::transport {
namespace {

using namespace std::chrono_literals;

TEST(Freshness, IsWhatIsLeftOfMaxAge) {
  EXPECT_EQ(freshness_of("public, max-age=3600, must-revalidate", ""), 3600s);
  EXPECT_EQ(freshness_of("Max-Age=60", "20"), 40s);
  EXPECT_EQ(freshness_of("max-age=60", " 100 "), 0s);
  EXPECT_EQ(freshness_of("max-age=99999999999999999999", ""), std::chrono::seconds(std::int64_t{1} << 31));
}

TEST(Freshness, IsNothingWhenNothingIsSaid) {
  for (const char* value :
       {"", "public", "max-age", "max-age=", "max-age=x", "max-age=-1", "max-age=1x", "s-maxage=7", ",,"})
    EXPECT_EQ(freshness_of(value, ""), std::nullopt) << value;
}

TEST(Freshness, IsZeroForWhatMustNotBeKept) {
  EXPECT_EQ(freshness_of("max-age=3600, no-store", ""), 0s);
  EXPECT_EQ(freshness_of("No-Cache", ""), 0s);
}

}  // namespace
}  // namespace toolhost::transport
