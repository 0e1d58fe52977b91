#include "protocol/stream_table.hpp"

#include <gtest/gtest.h>

#include "fakes.hpp"
#include "protocol/http_call_stream.hpp"

namespace toolhost::protocol {
namespace {

TEST(StreamTable, IsNotHeldByItsStreamsOnceItIsCleared) {
  const Secret key(std::string(32, 's'));
  auto table = std::make_shared<StreamTable>(key, StreamsConfig{}, nullptr);
  const std::weak_ptr<StreamTable> weak = table;
  RequestContext context;
  context.caller = fakes::caller(1);
  const auto add = [&](const std::string& id) {
    table->add(id, KeyId{1}, std::make_shared<HttpCallStream>(table, context, true));
  };
  add("one");
  add("two");
  table->finished("two");
  table->clear();
  EXPECT_EQ(table->count(), 0U);
  add("late");
  EXPECT_EQ(table->count(), 0U);
  table.reset();
  EXPECT_TRUE(weak.expired());
}

}  // namespace
}  // namespace toolhost::protocol
