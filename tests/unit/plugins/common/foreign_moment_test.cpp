#include "foreign_moment.hpp"

#include <gtest/gtest.h>

namespace helpdesk {
namespace {

TEST(ForeignMoment, IsReadInTheWritingsThatTrackersUse) {
  constexpr std::pair<const char*, const char*> kMoments[] = {
      {"2020-01-02 17:14:21+00:00", "2020-01-02 17:14:21+00:00"},
      {"2021-09-30T17:20:00.000+0000", "2021-09-30T17:20:00.000+0000"},
      {"1998-04-01", "1998-04-01 00:00:00 Europe/Berlin"},
      {"30/Sep/21 17:20", "2021-09-30T17:20 Europe/Berlin"},
      {"1/Dec/99 5:20 PM", "1999-12-01T17:20 Europe/Berlin"},
      {"30 Sep 2021 12:05 AM", "2021-09-30T00:05 Europe/Berlin"},
      {"30-Sep-2021", "2021-09-30 00:00:00 Europe/Berlin"},
      {"Sep 30, 2021 5:20 PM", "2021-09-30T17:20 Europe/Berlin"},
      {"September 3, 2021", "2021-09-03 00:00:00 Europe/Berlin"},
      {"Thu, 30 Sep 2021 17:20:00 +0200", "2021-09-30T17:20:00+0200"},
      {"Thu, 30 Sep 2021 17:20:00 GMT", "2021-09-30T17:20:00Z"},
      {"30.09.2021 17:20", "2021-09-30T17:20 Europe/Berlin"},
      {"2021/09/30 17:20:11", "2021-09-30T17:20:11 Europe/Berlin"},
      {"2020-01-02 17:14:21 UTC", "2020-01-02T17:14:21Z"},
      {"1632993600", "2021-09-30T09:20:00Z"},
      {"1632993600123", "2021-09-30T09:20:00.123Z"},
  };
  for (const auto& [written, read] : kMoments) {
    EXPECT_EQ(read_foreign_moment(written, "Europe/Berlin"), read) << written;
  }
}

TEST(ForeignMoment, IsNothingElse) {
  for (const char* text : {"", "yesterday", "09/10/2021", "31/Feb/2021", "30/Sept", "30.13.2021", "2021/13/01",
                           "13:00 PM", "1/Dec/99 13:20 PM", "1632", "Foo 30, 2021", "30/Sep/21 25:20", "30/Sep/21 x",
                           "....", "////", ",,,,", "Sep", "30 Sep", "1969-12-31"}) {
    EXPECT_EQ(read_foreign_moment(text, "UTC"), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace helpdesk
