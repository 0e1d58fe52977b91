#include <gmock/gmock.h>

#include <atomic>
#include <set>
#include <thread>

#include "tickets_test.hpp"

namespace toolhost::test_support {
namespace {

using testing::HasSubstr;

class Concurrency : public TicketsTest {
 protected:
  std::string own(const std::string& query) {
    return sql(query + " tenant_id = " + std::to_string(value(ana->tenant_id)));
  }
};

TEST_F(Concurrency, OfSixtyFourChangesOfOneVersionOneIsMade) {
  const std::string id = create(ana, R"({"title":"x"})");
  std::vector<std::string> changes;
  for (int i = 0; i < 64; ++i) {
    changes.push_back(R"({"id":")" + id + R"(","title":"t)" + std::to_string(i) + R"(","expected_version":1})");
  }
  int changed = 0;
  std::string title;
  for (const Answer& answer : call_at_once(ana, "update_ticket", changes)) {
    if (answer.is_error()) {
      EXPECT_THAT(answer.text(), HasSubstr("was changed by ana@example.com"));
      EXPECT_THAT(answer.text(), HasSubstr("read again"));
      continue;
    }
    ++changed;
    title = answer.at("/ticket/title");
  }
  EXPECT_EQ(changed, 1);
  EXPECT_EQ(sql("select version || title from tickets where ref = '" + id + "'"), "2" + title);
  EXPECT_EQ(
      sql("select string_agg(new_value, ' ') from ticket_history where field = 'title' and ticket = '" + id + "'"),
      title);
}

TEST_F(Concurrency, SixtyFourClientsThatReadAgainLoseNothing) {
  const std::string id = create(ana, R"({"title":"x"})");
  std::set<std::string> pending;
  for (int i = 0; i < 64; ++i) pending.insert("t" + std::to_string(i));
  std::set<std::string> successful;
  // Each round: everybody who was refused has read the version of now and tries again.
  for (int version = 1; !pending.empty();
       version = std::stoi(sql("select version from tickets where ref = '" + id + "'"))) {
    std::vector<std::string> changes;
    for (const std::string& tag : pending) {
      changes.push_back(R"({"id":")" + id + R"(","description":")" + tag + R"(","expected_version":)" +
                        std::to_string(version) + "}");
    }
    std::size_t made = 0;
    for (const Answer& answer : call_at_once(ana, "update_ticket", changes)) {
      if (answer.is_error()) continue;
      ++made;
      const std::string tag = answer.at("/changed_fields/0/to");
      EXPECT_TRUE(successful.insert(tag + "@" + answer.at("/ticket/version")).second);
      pending.erase(tag);
    }
    ASSERT_EQ(made, 1u);
  }
  EXPECT_EQ(successful.size(), 64u);
  for (const std::string& one : successful) {
    const std::size_t at = one.find('@');
    EXPECT_EQ(sql("select count(*) from ticket_history where ticket = '" + id +
                  "' and version = " + one.substr(at + 1) + " and new_value = '" + one.substr(0, at) + "'"),
              "1");
  }
  EXPECT_EQ(sql("select count(*) from ticket_history where ticket = '" + id + "'"), "65");
}

TEST_F(Concurrency, ChangesWithoutAVersionAreAllMade) {
  const std::string id = create(ana, R"({"title":"x"})");
  std::vector<std::string> changes;
  for (int i = 0; i < 64; ++i) {
    changes.push_back(R"({"id":")" + id + R"(","description":"d)" + std::to_string(i) + "\"}");
  }
  for (const Answer& answer : call_at_once(ana, "update_ticket", changes))
    EXPECT_FALSE(answer.is_error()) << answer.text();
  EXPECT_EQ(sql("select version from tickets where ref = '" + id + "'"), "65");
  // Each change begins where the one before ended.
  EXPECT_EQ(sql("select count(*) from ticket_history a join ticket_history b on b.ticket = a.ticket and b.version = "
                "a.version + 1 where a.ticket = '" +
                id + "' and a.version > 1 and a.new_value <> b.old_value"),
            "0");
}

TEST_F(Concurrency, OneKeyFromThirtyTwoConnectionsMakesOneTicket) {
  const std::vector<std::string> twins(32, R"({"title":"VPN drops","idempotency_key":"twin"})");
  std::set<std::string> ids;
  int created = 0;
  for (const Answer& answer : call_at_once(ana, "create_ticket", twins)) {
    EXPECT_FALSE(answer.is_error()) << answer.text();
    ids.insert(answer.at("/ticket/id"));
    created += answer.at("/created") == "true";
  }
  EXPECT_EQ(ids.size(), 1u);
  EXPECT_EQ(created, 1);
  EXPECT_EQ(own("select count(*) from tickets where"), "1");
  const Answer other = call(ana, "create_ticket", R"({"title":"VPN is slow","idempotency_key":"twin"})");
  EXPECT_TRUE(other.is_error());
  EXPECT_THAT(other.text(), HasSubstr("idempotency_key 'twin' was used for create_ticket with other arguments"));
}

TEST_F(Concurrency, OneKeyFromThirtyTwoConnectionsAddsOneNote) {
  const std::string id = create(ana, R"({"title":"x"})");
  const std::vector<std::string> twins(32, R"({"id":")" + id + R"(","body":"b","idempotency_key":"twin"})");
  int created = 0;
  for (const Answer& answer : call_at_once(ana, "add_note", twins)) {
    EXPECT_EQ(answer.at("/message/id"), id + "-2") << answer.text();
    created += answer.at("/created") == "true";
  }
  EXPECT_EQ(created, 1);
}

TEST_F(Concurrency, TwoTicketsCannotBecomeDuplicatesOfEachOther) {
  for (int round = 0; round < 5; ++round) {
    const std::string a = create(ana, R"({"title":"a"})"), b = create(ana, R"({"title":"b"})");
    const auto duplicate = [](const std::string& of, const std::string& original) {
      return R"({"id":")" + of + R"(","status":"closed","duplicate_of":")" + original + "\"}";
    };
    int made = 0;
    for (const Answer& answer : call_at_once(ana, "set_ticket_status", {duplicate(a, b), duplicate(b, a)})) {
      made += !answer.is_error();
      if (answer.is_error()) EXPECT_THAT(answer.text(), HasSubstr("already"));
    }
    EXPECT_EQ(made, 1);
  }
}

TEST_F(Concurrency, OneSourceImportedTwiceAtOnceIsThereOnce) {
  std::string rows;
  for (int i = 0; i < 100; ++i) {
    rows += std::string(i == 0 ? "" : ",") + R"({"row":)" + std::to_string(i) + R"(,"data":{"id":"X-)" +
            std::to_string(i) + R"(","title":"t"}})";
  }
  const std::string arguments = R"({"source":"s","rows":[)" + rows + "]}";
  std::atomic<int> accepted{0}, unchanged{0};
  std::vector<std::thread> imports;
  for (int i = 0; i < 4; ++i) {
    imports.emplace_back([&] {
      const Answer answer = job(ana, "import", arguments);
      accepted += std::stoi(answer.at("/accepted"));
      unchanged += std::stoi(answer.at("/unchanged"));
    });
  }
  for (std::thread& import : imports) import.join();
  EXPECT_EQ(accepted, 100);
  EXPECT_EQ(unchanged, 300);
  EXPECT_EQ(own("select count(*) from tickets where"), "100");
}

}  // namespace
}  // namespace toolhost::test_support
