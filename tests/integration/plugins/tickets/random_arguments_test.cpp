#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tickets_test.hpp"

namespace toolhost::test_support {
namespace {

/// Calls with arguments drawn from what models and attackers send. Whatever they are, the answer is a result or a
/// refusal.
class RandomArguments : public TicketsTest {
 protected:
  struct Parameter {
    std::string name;
    std::vector<std::string> values;  ///< JSON
  };
  const std::vector<std::string> texts = {R"("Printer")",
                                          R"("")",
                                          R"(" ")",
                                          R"("\u200b")",
                                          R"("a\u0000b")",
                                          R"("me")",
                                          R"("none")",
                                          R"("'; --")",
                                          R"("{\"a\"}")",
                                          R"("\u202e\ud83d\ude00\n\t")",
                                          "\"" + std::string(190, 'x') + "\"",
                                          "null",
                                          "7"};
  const std::vector<std::string> moments = {R"("2026-11-30")",
                                            R"("2199-12-31T23:59:59-15:59")",
                                            R"("tomorrow")",
                                            R"("")",
                                            R"("2000-01-01T00:00:00.123456789+15:59")",
                                            R"("infinity")",
                                            "null",
                                            R"("2026-03-29T02:30")"};
  const std::vector<std::string> keys = {R"("k1")", R"("k2")", R"("a\u0000")", R"(" ")"};
  const std::vector<std::string> lists = {R"(["a"])", "[]", R"(["",""])", R"(["a","A","\u0000","{","\\","\""])",
                                          R"("a")"};
  const std::vector<std::string> versions = {"1", "2", "2147483647", "0", "-1", "9223372036854775807", "1.5"};
  const std::vector<std::string> statuses = {R"("open")",   R"("in_progress")", R"("waiting")", R"("resolved")",
                                             R"("closed")", R"("unresolved")",  R"("OPEN")"};
  const std::vector<std::string> priorities = {R"("low")", R"("medium")", R"("urgent")", R"("P1")",
                                               R"(["high","medium"])"};
  const std::vector<std::string> cursors = {R"("x")", R"("")", R"("AAAA.BBBB")"};

  std::string arguments_of(const std::vector<Parameter>& parameters) {
    std::string json = "{";
    for (const Parameter& parameter : parameters) {
      if (draw(2) == 0) continue;
      json +=
          (json.size() > 1 ? ",\"" : "\"") + parameter.name + "\":" + parameter.values[draw(parameter.values.size())];
    }
    return json + "}";
  }
  std::size_t draw(std::size_t count) { return std::uniform_int_distribution<std::size_t>(0, count - 1)(random); }

  std::mt19937 random{20261123};
};

TEST_F(RandomArguments, NeverMakeAnInternalError) {
  std::vector<std::string> ids = {R"("ZZZZZZ")", R"("7QK4M")", R"("it")", R"("")", R"("\u0000")"};
  for (int i = 0; i < 6; ++i) ids.push_back("\"" + create(ana, R"({"title":"t"})") + "\"");
  const std::map<std::string, std::vector<Parameter>> tools = {
      {"create_ticket",
       {{"title", texts},
        {"description", texts},
        {"priority", priorities},
        {"category", texts},
        {"tags", lists},
        {"assignee", texts},
        {"requester", texts},
        {"due_at", moments},
        {"idempotency_key", keys}}},
      {"list_tickets",
       {{"status", statuses},
        {"priority", priorities},
        {"assignee", texts},
        {"tags", lists},
        {"created_after", moments},
        {"due_before", moments},
        {"sort", {R"("due")", R"("priority")", R"("id")"}},
        {"cursor", cursors}}},
      {"get_ticket",
       {{"id", ids},
        {"include", {R"(["history","tasks"])", R"(["messages"])", "[]", R"(["all"])"}},
        {"messages_limit", {"1", "50", "51"}},
        {"messages_cursor", cursors}}},
      {"update_ticket",
       {{"id", ids},
        {"title", texts},
        {"description", texts},
        {"priority", priorities},
        {"category", texts},
        {"assignee", texts},
        {"requester", texts},
        {"due_at", moments},
        {"tags_add", lists},
        {"tags_remove", lists},
        {"expected_version", versions}}},
      {"set_ticket_status",
       {{"id", ids},
        {"status", statuses},
        {"resolution", {R"("fixed")", R"("duplicate")", R"("done")"}},
        {"duplicate_of", ids},
        {"waiting_on", {R"("requester")", R"("third_party")", R"("me")"}},
        {"comment", texts},
        {"visibility", {R"("public")", R"("internal")", R"("")"}},
        {"expected_version", versions}}},
      {"add_note", {{"id", ids}, {"body", texts}, {"idempotency_key", keys}}},
      {"add_reply", {{"id", ids}, {"body", texts}, {"set_status", statuses}, {"idempotency_key", keys}}},
      {"ticket_history", {{"id", ids}, {"limit", {"1", "100", "0"}}, {"cursor", cursors}}}};
  int done = 0;
  for (int round = 0; round < 1250; ++round) {
    for (const auto& [tool, parameters] : tools) {
      const std::string arguments = arguments_of(parameters);
      const Answer answer = call(ana, tool, arguments);
      const auto outcome = answer.outcome();
      const bool is_told = outcome == plugin_runtime::Outcome::kOk || outcome == plugin_runtime::Outcome::kToolError ||
                           outcome == plugin_runtime::Outcome::kInvalidArguments;
      EXPECT_TRUE(is_told) << tool << arguments << answer.text();
      // The host's own words mean that the database refused what the plugin let through.
      for (const char* words :
           {"An argument has a value that the tool cannot use", "The change conflicts with what is"}) {
        EXPECT_EQ(answer.text().find(words), std::string::npos) << tool << arguments << answer.text();
      }
      done += !answer.is_error();
    }
  }
  EXPECT_GT(done, 300);
}

}  // namespace
}  // namespace toolhost::test_support
