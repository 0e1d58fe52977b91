#include "observability/trace_context.hpp"

#include <gtest/gtest.h>

namespace toolhost::observability {
namespace {

constexpr const char* kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceContext, ReadsTraceparentAndTakesTheStateAlong) {
  const auto trace = read_trace_context(kParent, "vendor=1,other=2");
  ASSERT_TRUE(trace);
  EXPECT_TRUE(trace->is_known());
  EXPECT_TRUE(trace->is_sampled);
  EXPECT_EQ(trace_id_text(*trace), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(trace->span_id[0], 0xb7);
  EXPECT_EQ(trace->state, "vendor=1,other=2");
  EXPECT_FALSE(read_trace_context("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02")->is_sampled);
}

TEST(TraceContext, ReadsLaterVersionsAsFarAsItKnowsThem) {
  EXPECT_TRUE(read_trace_context("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"));
  EXPECT_FALSE(read_trace_context("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more"));
}

TEST(TraceContext, TakesWhatIsNoneAsNone) {
  for (const char* text : {"", "00", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                           "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                           "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                           "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
                           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
                           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
                           "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
    EXPECT_FALSE(read_trace_context(text)) << text;
  EXPECT_TRUE(read_trace_context(kParent, std::string(513, 'a'))->state.empty());
  EXPECT_TRUE(read_trace_context(kParent, "a=\x01")->state.empty());
}

}  // namespace
}  // namespace toolhost::observability
