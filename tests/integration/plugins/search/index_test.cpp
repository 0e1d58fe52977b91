#include <gmock/gmock.h>

#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "search_test.hpp"

namespace toolhost::test_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class SearchIndex : public SearchTest {
 protected:
  std::string column(const std::string& expression, const std::string& table) {
    return sql("search", "select " + expression + " from " + table +
                             " where tenant_id = " + std::to_string(value(ana->tenant_id)));
  }
  /// What a few queries answer, with counts.
  std::string answers() {
    std::string all;
    for (const char* query : {"printer", "vpn -mail", "\"paper jam\"", "office password", "err_42", "pritner"}) {
      const Answer answer = search(ana, query, R"(,"limit":100,"sort":"created","facets":["status","tag"])");
      all += std::string(query) + ":";
      for (const std::string& id : answer.each("/hits", "id")) all += " " + id;
      all += " " + answer.at("/total") + " " + answer.at("/facets") + answer.at("/corrected_query") + "\n";
    }
    return all;
  }
  static std::string some_words(std::mt19937& random) {
    static constexpr const char* kWords[] = {"printer", "vpn",    "password", "paper jam", "mail",
                                             "ERR_42",  "office", "slow",     "login",     "screen"};
    std::string words;
    for (int i = 0; i < 4; ++i) words += std::string(kWords[random() % 10]) + " ";
    return words;
  }
};

TEST_F(SearchIndex, AnswersTheSameHoweverFarItIs) {
  std::mt19937 random(1);
  std::vector<std::string> ids;
  for (int i = 0; i < 60; ++i) {
    ids.push_back(create_ticket(ana, some_words(random), R"(,"tags":[")" + std::to_string(random() % 3) + R"("])"));
    if (i % 4 == 0) run_job(ana, "search", "index");
    if (i % 7 == 0) {
      const std::string& id = ids[random() % ids.size()];
      call(ana, "update_ticket", R"({"id":")" + id + R"(","title":)" + json_string(some_words(random)) + "}");
    }
    if (i % 9 == 0)
      call(ana, "set_ticket_status", R"({"id":")" + ids[random() % ids.size()] + R"(","status":"in_progress"})");
  }
  const std::string before = answers();
  EXPECT_THAT(before, HasSubstr("printer"));
  run_job(ana, "search", "index");
  EXPECT_EQ(answers(), before);
  EXPECT_LT(std::stoi(column("count(*)", "segments")), 12);
  EXPECT_EQ(column("sum(docs - dead_docs)", "segments"), "60");
  run_job(ana, "search", "reindex", R"({"restart":true})");
  EXPECT_EQ(answers(), before);
  EXPECT_EQ(column("count(*) || ' ' || sum(docs)", "segments"), "1 60");
  EXPECT_EQ(column("count(distinct segment)", "postings"), "1");
  EXPECT_EQ(column("count(*)", "documents"), "60");
}

TEST_F(SearchIndex, ARebuildThatIsInterruptedDisturbsNobody) {
  const std::string id = create_ticket(ana, "Printer");
  run_job(ana, "search", "index");
  Caller runner = *ana;
  runner.role = Role::kAdmin;
  // Begins a generation that nobody finishes; another begins anew.
  sql("search",
      "update search.index_state set building = 7, building_language = 'english', next_generation = 8 "
      "where tenant_id = " +
          std::to_string(value(ana->tenant_id)));
  EXPECT_THAT(find(ana, "printer"), ElementsAre(id));
  run_job(ana, "search", "reindex", R"({"restart":true})");
  EXPECT_THAT(find(ana, "printer"), ElementsAre(id));
  EXPECT_EQ(column("generation || ' ' || coalesce(building::text, 'none')", "index_state"), "8 none");
}

TEST_F(SearchIndex, NoticesThatTransactionsBeganAnew) {
  const std::string first = create_ticket(ana, "Printer");
  run_job(ana, "search", "index");
  // As after a restore into another cluster: what was indexed counts from far ahead.
  sql("search", "update search.index_sources set watermark = 4000000000 where tenant_id = " +
                    std::to_string(value(ana->tenant_id)));
  const std::string second = create_ticket(ana, "Printer again");
  EXPECT_THAT(find(ana, "printer"), testing::UnorderedElementsAre(first, second));
  run_job(ana, "search", "index");
  EXPECT_THAT(find(ana, "printer"), testing::UnorderedElementsAre(first, second));
  EXPECT_LT(std::stoll(column("max(watermark)", "index_sources")), 4000000000LL);
}

TEST_F(SearchIndex, TakesInWhatChangedWhileItsSourceWasAway) {
  const std::string task = create_task(ana, "Tune the oboe");
  run_job(ana, "search", "index");
  // A source that was not loaded has no part in the watermarks of the others.
  EXPECT_EQ(column("count(*)", "index_sources"), "2");
  sql("search", "delete from search.index_sources where source = 'tasks' and tenant_id = " +
                    std::to_string(value(ana->tenant_id)));
  call(ana, "update_task", R"({"id":")" + task + R"(","title":"Tune the clarinet"})");
  create_ticket(ana, "Printer");
  run_job(ana, "search", "index");
  EXPECT_THAT(call(ana, "search_all", R"({"query":"clarinet"})").each("/hits", "id"), ElementsAre(task));
  EXPECT_EQ(call(ana, "search_all", R"({"query":"oboe"})").at("/total"), "0");
  EXPECT_EQ(column("sum(docs - dead_docs)", "segments"), "2");
}

TEST_F(SearchIndex, LongDocumentsAreReadAFewAtATime) {
  std::string emoji;
  for (int i = 0; i < 15'000; ++i) emoji += "\U0001F600";
  std::string rows;
  for (int i = 0; i < 60; ++i) {
    rows.append(rows.empty() ? "" : ",")
        .append(R"({"row":)" + std::to_string(i) + R"(,"data":{"id":")" + std::to_string(i) +
                R"(","title":"Long story","messages":[)");
    for (int n = 0; n < 13; ++n) rows.append(n == 0 ? "" : ",").append(R"({"body":")" + emoji + R"("})");
    rows += "]}}";
  }
  const std::string imported =
      run_job(ana, "tickets", "import", R"({"source":"long","rows":[)" + rows + R"(],"map":{},"dry_run":false})");
  ASSERT_THAT(imported, HasSubstr(R"("accepted":60)"));
  EXPECT_TRUE(search(ana, "story", R"(,"limit":100)").has("/warnings"));
  run_job(ana, "search", "index");
  EXPECT_EQ(search(ana, "story", R"(,"limit":100)").size("/hits"), 60U);
}

TEST_F(SearchIndex, CountsAWordOfOneDocumentOnceHoweverOftenThatChanged) {
  const std::string id = create_ticket(ana, "Sprockit is loose");
  const std::string other = create_ticket(ana, "Sprocket");
  for (int i = 0; i < 25; ++i) {
    call(ana, "add_note", R"({"id":")" + other + R"(","body":"sprocket )" + std::to_string(i) + R"("})");
    run_job(ana, "search", "index");
  }
  EXPECT_FALSE(search(ana, "sprockit").has("/did_you_mean"));
  // A word that is gone stands in nobody's way.
  call(ana, "update_ticket", R"({"id":")" + id + R"(","title":"Flange is loose"})");
  run_job(ana, "search", "index");
  EXPECT_EQ(search(ana, "sprockat").at("/corrected_query"), "sprocket");
}

TEST_F(SearchIndex, RefusesATypeThatNothingHas) {
  create_ticket(ana, "Printer");
  const Answer answer = call(ana, "search_all", R"({"query":"printer","types":["tickets"]})");
  EXPECT_TRUE(answer.is_error());
  EXPECT_THAT(answer.text(), HasSubstr("nothing here has the type 'tickets'; the types are: ticket"));
  const Answer unknown = call(ana, "find_similar_tickets", R"({"ticket_id":"hello world"})");
  EXPECT_THAT(unknown.text(), HasSubstr("is not a ticket id"));
}

TEST_F(SearchIndex, SaysSoWhenItIsFarBehind) {
  for (int batch = 0; batch < 9; ++batch) {
    std::string rows;
    for (int i = 0; i < 500; ++i) {
      const std::string number = std::to_string(batch * 500 + i);
      rows.append(rows.empty() ? "" : ",")
          .append(R"({"row":)" + number + R"(,"data":{"id":")" + number + R"(","title":"Printer )" + number + R"("}})");
    }
    const std::string result =
        run_job(ana, "tickets", "import", R"({"source":"test","rows":[)" + rows + R"(],"map":{},"dry_run":false})");
    ASSERT_THAT(result, HasSubstr(R"("accepted":500)"));
  }
  const Answer behind = search(ana, "printer 17");
  EXPECT_THAT(behind.at("/warnings/0"), HasSubstr("the search index is taking in many changes"));
  EXPECT_EQ(behind.size("/hits"), 10U);
  run_job(ana, "search", "index");
  EXPECT_EQ(search(ana, "printer").at("/total"), "4500");
  EXPECT_FALSE(search(ana, "printer").has("/warnings"));
  EXPECT_EQ(search(ana, "\"printer 4321\"").at("/total"), "1");
}

TEST_F(SearchIndex, SearchesGoOnWhileItIsWritten) {
  const std::string id = create_ticket(ana, "Landmark ticket");
  std::atomic<bool> done{false}, written{false};
  std::atomic<int> searches{0}, wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!done) {
        const Answer answer = call(ana, "search_tickets", R"({"query":"landmark"})");
        if (answer.is_error() || answer.each("/hits", "id") != std::vector<std::string>{id}) ++wrong;
        ++searches;
      }
    });
  }
  threads.emplace_back([&] {
    while (!written) run_job(ana, "search", "index");
  });
  for (int i = 0; i < 80; ++i) {
    create_ticket(ana, "Other ticket " + std::to_string(i));
    call(ana, "add_reply", R"({"id":")" + id + R"(","body":"still there"})");
    run_job(ana, "search", "index");
  }
  written = true;
  threads.back().join();
  threads.pop_back();
  run_job(ana, "search", "reindex", R"({"restart":true})");
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(searches, 20);
  EXPECT_EQ(search(ana, "ticket").at("/total"), "81");
  EXPECT_EQ(column("sum(docs - dead_docs)", "segments"), "81");
}

TEST_F(SearchIndex, FindsSimilarTickets) {
  const std::string first =
      create_ticket(ana, "VPN drops every hour", R"(,"description":"AnyConnect loses the tunnel")");
  const std::string twin =
      create_ticket(ana, "VPN connection lost", R"(,"description":"tunnel drops with AnyConnect")");
  create_ticket(ana, "Coffee machine");
  EXPECT_THAT(call(ana, "find_similar_tickets", R"({"ticket_id":")" + first + R"("})").each("/hits", "id"),
              ElementsAre(twin));
  EXPECT_THAT(call(ana, "find_similar_tickets", R"({"text":"anyconnect tunnel"})").each("/hits", "id"), SizeIs(2));
  for (const char* arguments : {R"({})", R"({"ticket_id":"AAAAAA","text":"x"})"}) {
    const Answer refused = call(ana, "find_similar_tickets", arguments);
    EXPECT_TRUE(refused.is_error());
    EXPECT_THAT(refused.text(), HasSubstr("either ticket_id or text"));
  }
}

TEST_F(SearchIndex, ShowsWhyAndPagesThroughEverything) {
  for (int i = 0; i < 25; ++i)
    create_ticket(ana, "Ticket " + std::to_string(i), R"(,"description":"The naïve résumé parser fails on line 7")");
  run_job(ana, "search", "index");
  const Answer first = search(ana, "naive resume");
  EXPECT_THAT(first.at("/hits/0/snippet"), HasSubstr("«naïve» «résumé» parser"));
  std::set<std::string> seen;
  std::string cursor;
  for (int page = 0; page < 3; ++page) {
    const Answer answer = search(ana, "naive resume", cursor.empty() ? "" : R"(,"cursor":")" + cursor + '"');
    for (const std::string& id : answer.each("/hits", "id")) EXPECT_TRUE(seen.insert(id).second);
    cursor = answer.at("/next_cursor");
  }
  EXPECT_THAT(seen, SizeIs(25));
  EXPECT_EQ(cursor, "");
  const Answer other =
      call(ana, "search_tickets", R"({"query":"parser","cursor":")" + first.at("/next_cursor") + R"("})");
  EXPECT_TRUE(other.is_error());
  EXPECT_THAT(other.text(), HasSubstr("cursor is not one that search_tickets gave"));
}

TEST_F(SearchIndex, CorrectsSlipsAndSaysSo) {
  create_ticket(ana, "Password reset fails");
  run_job(ana, "search", "index");
  const Answer answer = search(ana, "pasword rest");
  EXPECT_EQ(answer.at("/corrected_query"), "password reset");
  EXPECT_EQ(answer.at("/total"), "1");
  EXPECT_THAT(answer.text(), HasSubstr("password reset"));
  EXPECT_FALSE(search(ana, "password").has("/corrected_query"));
}

TEST_F(SearchIndex, CorrectsSlipsInPartsOfWords) {
  create_ticket(ana, "S3Guard loses entries after 4.1.46Final");
  create_ticket(ana, "NullPointerException in FileUtils.unTar");
  run_job(ana, "search", "index");
  const auto corrected = [&](const std::string& query) { return search(ana, query).at("/corrected_query"); };
  EXPECT_EQ(corrected("Remove S3Gurad now"), "Remove S3Guard now");
  EXPECT_EQ(corrected("netty 4.1.46Fianl"), "netty 4.1.46Final");
  EXPECT_EQ(corrected("a NullPionterException"), "a NullPointerException");
  EXPECT_EQ(corrected("FleUtils.unTar fails"), "FileUtils.unTar fails");
  // Another word that is made of known ones is no slip.
  EXPECT_FALSE(search(ana, "PointerFinal").has("/corrected_query"));
  EXPECT_EQ(search(ana, "GuardException").at("/total"), "2");
}

TEST_F(SearchIndex, RefusesWhatAsksForNothing) {
  for (const char* query : {"   ", "???", "\\u200b", "-vpn", "-\\\"vpn drops\\\""}) {
    const Answer answer = call(ana, "search_tickets", std::string(R"({"query":")") + query + R"("})");
    EXPECT_TRUE(answer.is_error()) << query;
    EXPECT_THAT(answer.text(), HasSubstr("query")) << query;
  }
  const Answer date = call(ana, "search_tickets", R"({"query":"x","created_after":"next week"})");
  EXPECT_THAT(date.text(), HasSubstr("'next week' is not a date; today is 20"));
}

}  // namespace
}  // namespace toolhost::test_support
