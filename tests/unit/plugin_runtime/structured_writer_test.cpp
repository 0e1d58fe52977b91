#include "plugin_runtime/structured_writer.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace toolhost::plugin_runtime {
namespace {

using Status = StructuredWriter::Status;

StructuredWriter writer_of(std::size_t limit = 1000) {
  StructuredWriter writer;
  writer.limit(limit);
  return writer;
}

TEST(StructuredWriter, WritesNestedValuesWithEscapes) {
  auto writer = writer_of();
  EXPECT_EQ(writer.begin_object(), Status::kOk);
  EXPECT_EQ(writer.key("a\"b"), Status::kOk);
  EXPECT_EQ(writer.begin_array(), Status::kOk);
  EXPECT_EQ(writer.integer(-5), Status::kOk);
  EXPECT_EQ(writer.number(0.5), Status::kOk);
  EXPECT_EQ(writer.boolean(true), Status::kOk);
  EXPECT_EQ(writer.null(), Status::kOk);
  EXPECT_EQ(writer.string("line\nbreak"), Status::kOk);
  EXPECT_EQ(writer.begin_object(), Status::kOk);
  EXPECT_EQ(writer.end(), Status::kOk);
  EXPECT_EQ(writer.end(), Status::kOk);
  EXPECT_EQ(writer.key("z"), Status::kOk);
  EXPECT_EQ(writer.integer(1), Status::kOk);
  EXPECT_FALSE(writer.is_complete());
  EXPECT_EQ(writer.end(), Status::kOk);
  EXPECT_TRUE(writer.is_complete());
  EXPECT_EQ(writer.text(), R"({"a\"b":[-5,0.5,true,null,"line\nbreak",{}],"z":1})");
}

TEST(StructuredWriter, RefusesEverythingThatWouldNotBeJson) {
  auto writer = writer_of();
  EXPECT_EQ(writer.end(), Status::kMisplaced);
  EXPECT_EQ(writer.key("k"), Status::kMisplaced);
  EXPECT_EQ(writer.integer(1), Status::kMisplaced);
  EXPECT_EQ(writer.begin_array(), Status::kMisplaced) << "structured content is an object";
  ASSERT_EQ(writer.begin_object(), Status::kOk);
  EXPECT_EQ(writer.string("v"), Status::kMisplaced) << "a value needs its key";
  ASSERT_EQ(writer.key("k"), Status::kOk);
  EXPECT_EQ(writer.key("k2"), Status::kMisplaced);
  EXPECT_EQ(writer.end(), Status::kMisplaced) << "the key still lacks its value";
  EXPECT_EQ(writer.number(std::numeric_limits<double>::quiet_NaN()), Status::kNotFinite);
  EXPECT_EQ(writer.number(std::numeric_limits<double>::infinity()), Status::kNotFinite);
  ASSERT_EQ(writer.null(), Status::kOk);
  ASSERT_EQ(writer.end(), Status::kOk);
  EXPECT_EQ(writer.begin_object(), Status::kMisplaced) << "there is one object";
  EXPECT_EQ(writer.text(), R"({"k":null})");
}

TEST(StructuredWriter, StaysClosableWithinItsLimit) {
  for (std::size_t limit = 0; limit < 40; ++limit) {
    auto writer = writer_of(limit);
    if (writer.begin_object() != Status::kOk) continue;
    if (writer.key("k") == Status::kOk) {
      const bool opened = writer.begin_array() == Status::kOk;
      for (int i = 0; opened && i < 20; ++i) writer.string("ab");
      if (!opened) continue;
      ASSERT_EQ(writer.end(), Status::kOk);
    }
    ASSERT_EQ(writer.end(), Status::kOk);
    EXPECT_LE(writer.text().size(), limit);
    EXPECT_TRUE(writer.is_complete());
  }
}

TEST(StructuredWriter, RefusesTooDeepNesting) {
  auto writer = writer_of(10'000);
  ASSERT_EQ(writer.begin_object(), Status::kOk);
  ASSERT_EQ(writer.key("k"), Status::kOk);
  for (std::size_t depth = 1; depth < StructuredWriter::kMaxDepth; ++depth)
    ASSERT_EQ(writer.begin_array(), Status::kOk);
  EXPECT_EQ(writer.begin_array(), Status::kTooDeep);
}

TEST(StructuredWriter, IsEmptyAfterItsTextWasTaken) {
  auto writer = writer_of();
  ASSERT_EQ(writer.begin_object(), Status::kOk);
  ASSERT_EQ(writer.end(), Status::kOk);
  EXPECT_EQ(writer.take(), "{}");
  EXPECT_TRUE(writer.is_empty());
}

}  // namespace
}  // namespace toolhost::plugin_runtime
