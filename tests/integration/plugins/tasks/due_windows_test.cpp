#include <gmock/gmock.h>

#include "list_sql.hpp"
#include "tasks_test.hpp"

namespace toolhost::test_support {
namespace {

/// list_tasks at moments that a test chooses: its own statement, with the clock it would get from the host.
class DueWindows : public TasksTest {
 protected:
  /// The titles of that list, "a,b".
  static std::string titles(const CallerPtr& caller, const std::string& due, const std::string& now,
                            const std::string& zone) {
    return sql_in(caller, "select coalesce(string_agg(title, ',' order by title), '') from (" +
                              list_sql(due, now, zone) + ") listed where title is not null");
  }

  /// In the tenant `caller`: tasks whose titles are their due dates or moments.
  static void due(const CallerPtr& caller, const std::vector<std::string>& dates) {
    for (const std::string& date : dates) {
      const std::string parameter = date.size() == 10 ? "due_date" : "due_at";
      create(caller, R"({"title":")" + date + R"(",")" + parameter + R"(":")" + date + R"("})");
    }
  }

  struct Windows {
    std::string overdue, today, this_week, next_week;
  };
  static void expect(const CallerPtr& caller, const std::string& now, const Windows& expected) {
    const std::string& zone = caller->time_zone;
    EXPECT_EQ(titles(caller, "overdue", now, zone), expected.overdue) << zone << " at " << now;
    EXPECT_EQ(titles(caller, "today", now, zone), expected.today) << zone << " at " << now;
    EXPECT_EQ(titles(caller, "this_week", now, zone), expected.this_week) << zone << " at " << now;
    EXPECT_EQ(titles(caller, "next_week", now, zone), expected.next_week) << zone << " at " << now;
  }
};

TEST_F(DueWindows, BerlinInTheNightWhenTheClocksGoForward) {
  due(ana, {"2026-03-28", "2026-03-29", "2026-03-30", "2026-03-28T23:59:59+01:00", "2026-03-29T23:59:59+02:00",
            "2026-03-30T00:00:00+02:00"});
  const std::string sunday = "2026-03-29,2026-03-29T23:59:59+02:00";
  const std::string saturday = "2026-03-28,2026-03-28T23:59:59+01:00";
  const std::string monday = "2026-03-30,2026-03-30T00:00:00+02:00";
  // Sunday 00:30, 01:59:59, 03:00 and 23:59:59; the day has 23 hours.
  for (const char* now : {"2026-03-28T23:30:00Z", "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z"})
    expect(ana, now, {saturday, sunday, saturday + "," + sunday, monday});
  expect(ana, "2026-03-29T21:59:59Z", {saturday, sunday, saturday + "," + sunday, monday});
  expect(ana, "2026-03-29T22:00:00Z", {saturday + "," + sunday, monday, monday, ""});
}

TEST_F(DueWindows, BerlinInTheNightWhenTheClocksGoBack) {
  due(ana, {"2026-10-24", "2026-10-25", "2026-10-26", "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00",
            "2026-10-25T23:59:59+01:00", "2026-10-26T00:00:00+01:00"});
  const std::string sunday = "2026-10-25,2026-10-25T02:30:00+01:00,2026-10-25T02:30:00+02:00,2026-10-25T23:59:59+01:00";
  const std::string monday = "2026-10-26,2026-10-26T00:00:00+01:00";
  expect(ana, "2026-10-24T22:00:00Z", {"2026-10-24", sunday, "2026-10-24," + sunday, monday});
  // 02:45 for the first time: the first 02:30 is over, the second is not.
  expect(ana, "2026-10-25T00:45:00Z", {"2026-10-24,2026-10-25T02:30:00+02:00", sunday, "2026-10-24," + sunday, monday});
  // The 25th hour of the day.
  expect(ana, "2026-10-25T22:30:00Z",
         {"2026-10-24,2026-10-25T02:30:00+01:00,2026-10-25T02:30:00+02:00", sunday, "2026-10-24," + sunday, monday});
  EXPECT_EQ(titles(ana, "today", "2026-10-25T23:00:00Z", "Europe/Berlin"), monday);
}

TEST_F(DueWindows, NewYorkInBothNights) {
  const CallerPtr spring = new_tenant("America/New_York"), autumn = new_tenant("America/New_York");
  due(spring, {"2026-03-07", "2026-03-08", "2026-03-08T23:59:59-04:00", "2026-03-09T00:00:00-04:00"});
  expect(spring, "2026-03-08T05:00:00Z",
         {"2026-03-07", "2026-03-08,2026-03-08T23:59:59-04:00", "2026-03-07,2026-03-08,2026-03-08T23:59:59-04:00",
          "2026-03-09T00:00:00-04:00"});
  expect(spring, "2026-03-09T03:59:59Z",
         {"2026-03-07", "2026-03-08,2026-03-08T23:59:59-04:00", "2026-03-07,2026-03-08,2026-03-08T23:59:59-04:00",
          "2026-03-09T00:00:00-04:00"});
  due(autumn, {"2026-11-01T01:45:00-04:00", "2026-11-01T01:15:00-05:00", "2026-11-01", "2026-11-02"});
  const std::string sunday = "2026-11-01,2026-11-01T01:15:00-05:00,2026-11-01T01:45:00-04:00";
  expect(autumn, "2026-11-01T05:30:00Z", {"", sunday, sunday, "2026-11-02"});
  expect(autumn, "2026-11-01T06:00:00Z", {"2026-11-01T01:45:00-04:00", sunday, sunday, "2026-11-02"});
  expect(autumn, "2026-11-02T04:59:59Z",
         {"2026-11-01T01:15:00-05:00,2026-11-01T01:45:00-04:00", sunday, sunday, "2026-11-02"});
  expect(autumn, "2026-11-02T05:00:00Z", {sunday, "2026-11-02", "2026-11-02", ""});
}

TEST_F(DueWindows, KiritimatiIsTheFirstToSeeTheYear) {
  const CallerPtr caller = new_tenant("Pacific/Kiritimati");
  due(caller, {"2026-12-28", "2026-12-31", "2027-01-01", "2027-01-03", "2027-01-04", "2027-01-01T00:00:00+14:00"});
  // 2026-12-31T23:59:59 there, a Thursday
  expect(caller, "2026-12-31T09:59:59Z",
         {"2026-12-28", "2026-12-31", "2026-12-28,2026-12-31,2027-01-01,2027-01-01T00:00:00+14:00,2027-01-03",
          "2027-01-04"});
  expect(caller, "2026-12-31T10:00:00Z",
         {"2026-12-28,2026-12-31", "2027-01-01,2027-01-01T00:00:00+14:00",
          "2026-12-28,2026-12-31,2027-01-01,2027-01-01T00:00:00+14:00,2027-01-03", "2027-01-04"});
  // The same moment is still the 30th on the other side of the date line.
  EXPECT_EQ(titles(caller, "today", "2026-12-31T10:00:00Z", "Pacific/Pago_Pago"), "2027-01-01T00:00:00+14:00");
  EXPECT_EQ(titles(caller, "overdue", "2026-12-31T10:00:00Z", "Pacific/Pago_Pago"), "2026-12-28");
}

TEST_F(DueWindows, ChathamChangesItsClocksAtAQuarterToThree) {
  const CallerPtr caller = new_tenant("Pacific/Chatham");
  due(caller, {"2026-04-04", "2026-04-05", "2026-04-05T23:59:59+12:45", "2026-04-06T00:00:00+12:45"});
  const std::string sunday = "2026-04-05,2026-04-05T23:59:59+12:45";
  expect(caller, "2026-04-04T10:15:00Z", {"2026-04-04", sunday, "2026-04-04," + sunday, "2026-04-06T00:00:00+12:45"});
  expect(caller, "2026-04-05T11:14:59Z", {"2026-04-04", sunday, "2026-04-04," + sunday, "2026-04-06T00:00:00+12:45"});
  expect(caller, "2026-04-05T11:15:00Z",
         {"2026-04-04," + sunday, "2026-04-06T00:00:00+12:45", "2026-04-06T00:00:00+12:45", ""});
}

TEST_F(DueWindows, CasablancaGoesBackForRamadan) {
  const CallerPtr caller = new_tenant("Africa/Casablanca");
  due(caller, {"2026-02-14", "2026-02-15", "2026-02-15T23:59:59+00:00", "2026-02-16T00:00:00+00:00"});
  const std::string sunday = "2026-02-15,2026-02-15T23:59:59+00:00";
  // Sunday begins at +01:00 and ends at +00:00.
  expect(caller, "2026-02-14T22:59:59Z", {"", "2026-02-14", "2026-02-14," + sunday, "2026-02-16T00:00:00+00:00"});
  expect(caller, "2026-02-14T23:00:00Z", {"2026-02-14", sunday, "2026-02-14," + sunday, "2026-02-16T00:00:00+00:00"});
  expect(caller, "2026-02-15T23:59:59Z", {"2026-02-14", sunday, "2026-02-14," + sunday, "2026-02-16T00:00:00+00:00"});
  expect(caller, "2026-02-16T00:00:00Z",
         {"2026-02-14," + sunday, "2026-02-16T00:00:00+00:00", "2026-02-16T00:00:00+00:00", ""});
}

TEST_F(DueWindows, ADayMayBeginAtOneOrTwice) {
  // Santiago's clocks jump from midnight to one; Havana's fall back to midnight.
  const CallerPtr santiago = new_tenant("America/Santiago"), havana = new_tenant("America/Havana");
  due(santiago, {"2026-09-05", "2026-09-06", "2026-09-05T23:59:59-04:00", "2026-09-06T01:00:00-03:00"});
  EXPECT_EQ(titles(santiago, "today", "2026-09-06T03:59:59Z", "America/Santiago"),
            "2026-09-05,2026-09-05T23:59:59-04:00");
  EXPECT_EQ(titles(santiago, "today", "2026-09-06T04:00:00Z", "America/Santiago"),
            "2026-09-06,2026-09-06T01:00:00-03:00");
  due(havana, {"2026-10-31", "2026-11-01", "2026-11-01T00:30:00-04:00", "2026-11-01T00:30:00-05:00"});
  EXPECT_EQ(titles(havana, "today", "2026-11-01T04:00:00Z", "America/Havana"),
            "2026-11-01,2026-11-01T00:30:00-04:00,2026-11-01T00:30:00-05:00");
  EXPECT_EQ(titles(havana, "today", "2026-11-01T03:59:59Z", "America/Havana"), "2026-10-31");
}

TEST_F(DueWindows, WeeksOfTheTurnOfTheYear) {
  due(ana, {"2026-12-27", "2026-12-28", "2027-01-03", "2027-01-04", "2027-01-10", "2027-01-11", "2028-02-28",
            "2028-02-29", "2028-03-05", "2028-03-06"});
  // Friday of week 53
  expect(ana, "2027-01-01T12:00:00Z", {"2026-12-27,2026-12-28", "", "2026-12-28,2027-01-03", "2027-01-04,2027-01-10"});
  // Thursday of the same week, the year before
  EXPECT_EQ(titles(ana, "this_week", "2026-12-31T12:00:00Z", "Europe/Berlin"), "2026-12-28,2027-01-03");
  EXPECT_EQ(titles(ana, "next_week", "2026-12-27T12:00:00Z", "Europe/Berlin"), "2026-12-28,2027-01-03");
  EXPECT_EQ(titles(ana, "today", "2028-02-29T12:00:00Z", "Europe/Berlin"), "2028-02-29");
  EXPECT_EQ(titles(ana, "this_week", "2028-02-29T12:00:00Z", "Europe/Berlin"), "2028-02-28,2028-02-29,2028-03-05");
}

TEST_F(DueWindows, AgreeWithTheCalendarInEveryZoneAlsoWhenATenantMoved) {
  // One task an hour and one a day around two changes of the clocks, written in Berlin, read elsewhere: what is in the
  // index may be off by a day, the answer not.
  const std::string tenant = std::to_string(value(ana->tenant_id));
  sql("insert into tasks (tenant_id, ref, title, created_by, created_via, due_date, due_at, due_by) "
      "select " +
      tenant +
      ", lpad(n::text, 6, '0'), n::text, 'x', 'x', d, m, due_end(d, m, 'Europe/Berlin') from ("
      "  select row_number() over () as n, * from ("
      "    select null::date as d, m from generate_series('2026-03-20Z'::timestamptz, '2026-04-12Z', '1 hour') m "
      "    union all select null, m from generate_series('2026-10-20Z'::timestamptz, '2026-11-10Z', '1 hour') m "
      "    union all select d::date, null from generate_series('2026-03-10Z'::timestamp, '2026-04-20Z', '1 day') d "
      "    union all select d::date, null from generate_series('2026-10-10Z'::timestamp, '2026-11-20Z', '1 day') d"
      "  ) due) numbered");
  for (const char* zone : {"Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago",
                           "Pacific/Chatham", "Africa/Casablanca", "Asia/Kathmandu", "America/St_Johns",
                           "Australia/Lord_Howe", "America/Havana", "Africa/Cairo", "UTC"}) {
    for (const char* now : {"2026-03-28T10:00:00Z", "2026-03-28T23:15:00Z", "2026-03-29T01:00:00Z",
                            "2026-03-29T22:00:00Z", "2026-04-04T13:59:00Z", "2026-10-24T22:30:00Z",
                            "2026-10-25T00:45:00Z", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"}) {
      const std::string local = std::string("('") + now + "'::timestamptz at time zone '" + zone + "')";
      const std::string due_day =
          std::string("coalesce(due_date, date_trunc('day', due_at at time zone '") + zone + "')::date)";
      const auto week = [&](const char* shift) {
        return "date_trunc('week', " + due_day + "::timestamp) = date_trunc('week', " + local + " + interval '" +
               shift + "')";
      };
      for (const std::string window : {"overdue", "today", "this_week", "next_week"}) {
        const std::string expected =
            window == "overdue"     ? std::string("coalesce(due_at < '") + now + "', due_date < " + local + "::date)"
            : window == "today"     ? due_day + " = " + local + "::date"
            : window == "this_week" ? week("0 days")
                                    : week("7 days");
        EXPECT_EQ(
            titles(ana, window, now, zone),
            sql_in(ana, "select coalesce(string_agg(title, ',' order by title), '') from tasks where " + expected))
            << zone << " at " << now << ' ' << window;
      }
    }
  }
}

}  // namespace
}  // namespace toolhost::test_support
