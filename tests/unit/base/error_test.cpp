#include "base/error.hpp"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

#include "base/result.hpp"

namespace toolhost {
namespace {

TEST(Error, EveryCodeHasAWordOfItsOwn) {
  std::set<std::string> words;
  for (int code = 0; code <= static_cast<int>(Errc::kInternal); ++code)
    words.insert(to_string(static_cast<Errc>(code)));
  EXPECT_EQ(words.size(), static_cast<std::size_t>(Errc::kInternal) + 1);
  EXPECT_TRUE(words.contains("not_found"));
}

TEST(Result, ValueOfAFailedResultThrowsItsMessage) {
  const Result<int> failed = Error{.code = Errc::kNotFound, .message = "no ticket T-1", .detail = {}};
  try {
    static_cast<void>(failed.value());
    FAIL() << "value() returned";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("not_found: no ticket T-1"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace toolhost
