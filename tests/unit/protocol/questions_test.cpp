#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "fakes.hpp"
#include "protocol/questions.hpp"
#include "protocol/session.hpp"

namespace toolhost::protocol {
namespace {

using namespace std::chrono_literals;

class RecordingAsker final : public Asker {
 public:
  void answered(const std::string& id, std::optional<Response> response) noexcept override {
    const std::lock_guard lock(mutex_);
    answers_.emplace_back(id, response ? response->json : "nothing");
    changed_.notify_all();
  }
  void host_stops() noexcept override { has_ended = true; }
  std::atomic<bool> has_ended{false};
  std::vector<std::pair<std::string, std::string>> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, 10s, [&] { return answers_.size() >= count; });
    return answers_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<std::string, std::string>> answers_;
};

class AskedClients : public testing::Test {
 protected:
  static constexpr KeyId kKey{1};
  static constexpr KeyId kOther{2};
  const SessionPtr session_ = std::make_shared<Session>("s", *fakes::caller(1), SessionFacts{});
  const std::shared_ptr<RecordingAsker> asker_ = std::make_shared<RecordingAsker>();
};

TEST_F(AskedClients, AnAnswerReachesWhomItIsForOnce) {
  Questions questions(600s);
  const auto one = questions.add(kKey, session_, asker_).value();
  const auto two = questions.add(kKey, session_, asker_).value();
  EXPECT_NE(one, two);
  EXPECT_TRUE(questions.take(kKey, two, {.json = R"({"action":"accept"})"}));
  EXPECT_FALSE(questions.take(kKey, two, {.json = "{}"}));
  EXPECT_EQ(asker_->wait_for(1), (std::vector<std::pair<std::string, std::string>>{{two, R"({"action":"accept"})"}}));
  EXPECT_EQ(questions.count(), 1U);
}

TEST_F(AskedClients, OnlyTheKeyThatWasAskedMayAnswer) {
  Questions questions(600s);
  const auto id = questions.add(kKey, session_, asker_).value();
  EXPECT_FALSE(questions.take(kOther, id, {.json = "{}"}));
  EXPECT_FALSE(questions.take(kKey, "\"th0-1-0000000000000000\"", {.json = "{}"}));
  EXPECT_TRUE(questions.take(kKey, id, {.json = "{}"}));
}

TEST_F(AskedClients, IdsNameTheHostAndCannotBeGuessed) {
  Questions questions(600s);
  questions.set_host(12);
  const auto id = questions.add(kKey, session_, asker_).value();
  EXPECT_TRUE(id.starts_with("\"th12-1-")) << id;
  EXPECT_EQ(id.size(), std::string("\"th12-1-0123456789abcdef\"").size());
}

TEST_F(AskedClients, SixteenOfASessionWait) {
  Questions questions(600s);
  for (std::size_t i = 0; i < Questions::kMostOfASession; ++i) ASSERT_TRUE(questions.add(kKey, session_, asker_));
  EXPECT_FALSE(questions.add(kKey, session_, asker_));
  const auto other = std::make_shared<Session>("t", *fakes::caller(1), SessionFacts{});
  EXPECT_TRUE(questions.add(kKey, other, asker_));
}

TEST_F(AskedClients, NobodyWaitsForever) {
  Questions questions(0s);
  const auto id = questions.add(kKey, session_, asker_).value();
  EXPECT_EQ(asker_->wait_for(1), (std::vector<std::pair<std::string, std::string>>{{id, "nothing"}}));
  EXPECT_EQ(questions.count(), 0U);
}

TEST_F(AskedClients, WhoWaitsIsKept) {
  Questions questions(600s);
  auto asker = std::make_shared<RecordingAsker>();
  const std::weak_ptr<RecordingAsker> watched = asker;
  const auto one = questions.add(kKey, session_, asker).value();
  const auto two = questions.add(kKey, session_, std::move(asker)).value();
  questions.forget(one);
  EXPECT_FALSE(watched.expired());
  EXPECT_TRUE(questions.take(kKey, two, {.json = "{}"}));
  EXPECT_TRUE(watched.expired());
}

TEST_F(AskedClients, NothingIsAskedBehindTheEnd) {
  Questions questions(600s);
  ASSERT_TRUE(questions.add(kKey, session_, asker_));
  questions.stop();
  EXPECT_TRUE(asker_->has_ended);
  EXPECT_FALSE(questions.add(kKey, session_, asker_));
}

}  // namespace
}  // namespace toolhost::protocol
