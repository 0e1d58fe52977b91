// What hosts keep for each other: verdicts that nothing contradicts afterwards, letters, ended sessions.
#include "storage/stream_store.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <mutex>
#include <pqxx/pqxx>
#include <thread>

#include "support/temp_postgres.hpp"

namespace toolhost::storage {
namespace {

using namespace std::chrono_literals;
using Fate = StreamStore::Fate;

const std::string kStream = "30313233-3435-3637-3839-616263646566";

bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

class Recorder final : public StreamStore::Listener {
 public:
  void on_session_ended(KeyId, const StreamStore::SessionHash& id, StreamStore::Clock::time_point) override {
    const std::lock_guard lock(mutex_);
    ended_.push_back(id);
  }
  void on_message(std::string message) override {
    const std::lock_guard lock(mutex_);
    messages_.push_back(std::move(message));
  }
  void on_tick() override {}
  std::vector<std::string> messages() {
    const std::lock_guard lock(mutex_);
    return messages_;
  }
  bool knows(const StreamStore::SessionHash& id) {
    const std::lock_guard lock(mutex_);
    return std::find(ended_.begin(), ended_.end(), id) != ended_.end();
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> messages_;
  std::vector<StreamStore::SessionHash> ended_;
};

class Notices final : public observability::EventSink {
 public:
  void emit(const observability::Event& event) noexcept override {
    const std::lock_guard lock(mutex_);
    if (const auto* const notice = std::get_if<observability::HostNotice>(&event)) told_.emplace_back(notice->message);
  }
  int count(std::string_view text) {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(std::count_if(told_.begin(), told_.end(),
                                          [&](const auto& one) { return one.find(text) != std::string::npos; }));
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> told_;
};

class StreamStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    postgres_.run_sql("truncate toolhost.tenants cascade; truncate toolhost.kept_answers");
    tenant_ = postgres_.add_tenant("acme");
    store_ = start();
    store_->set_listener(&recorder_);
  }
  void TearDown() override { store_->set_listener(nullptr); }

  std::unique_ptr<StreamStore> start() { return StreamStore::start(postgres_.address(), 300s, events_).value(); }
  StreamStore::Found look(std::uint32_t host, std::int64_t key = 7) {
    std::promise<StreamStore::Found> promise;
    auto found = promise.get_future();
    store_->look({.stream = kStream, .key = KeyId{key}, .host = host, .expires = StreamStore::Clock::now() + 1h},
                 [&](const StreamStore::Found& fate) { promise.set_value(fate); });
    return found.get();
  }
  /// The number of a host that is gone, as the database has noticed.
  std::uint32_t dead_host() {
    const auto number = start()->host();
    EXPECT_TRUE(eventually([&] {
      return postgres_.run_sql("select count(*) from pg_locks where locktype = 'advisory' and objid = " +
                               std::to_string(number)) == "0";
    }));
    return number;
  }
  /// What a tool's transaction does in front of its commit.
  void keep_answer(pqxx::work& work, const std::string& message) {
    work.exec("set local app.tenant_id = " + std::to_string(value(tenant_)));
    work.exec_params(
        "select toolhost.keep_answer($1::uuid, 7, extract(epoch from now() + interval '1 hour')::bigint, $2)", kStream,
        message);
  }

  test_support::TempPostgres& postgres_ = test_support::TempPostgres::shared();
  TenantId tenant_{};
  Notices events_;
  Recorder recorder_;
  std::unique_ptr<StreamStore> store_;
};

TEST_F(StreamStoreTest, KeepsAnAnswerForItsKey) {
  store_->keep({.stream = kStream,
                .tenant = tenant_,
                .key = KeyId{7},
                .message = "{}",
                .expires = StreamStore::Clock::now() + 1h});
  const auto found = look(dead_host());
  EXPECT_EQ(found.fate, Fate::kAnswered);
  EXPECT_EQ(found.message, "{}");
  EXPECT_NE(look(dead_host(), 8).fate, Fate::kAnswered) << "another key's";
  store_->forget_key(KeyId{7});
  EXPECT_EQ(look(dead_host()).fate, Fate::kLost);
}

TEST_F(StreamStoreTest, AHostIsAliveWhileItRuns) {
  const auto other = start();
  EXPECT_GT(other->host(), store_->host());
  EXPECT_EQ(look(other->host()).fate, Fate::kRunning);
  EXPECT_EQ(look(dead_host()).fate, Fate::kLost);
}

TEST_F(StreamStoreTest, AVerdictWaitsForATransactionThatIsAboutToCommit) {
  pqxx::connection connection(postgres_.address().as_host());
  pqxx::work work(connection);
  keep_answer(work, "saved");
  const auto host = dead_host();
  auto found = std::async(std::launch::async, [&] { return look(host); });
  std::this_thread::sleep_for(300ms);
  EXPECT_EQ(found.wait_for(0ms), std::future_status::timeout);
  work.commit();
  const auto fate = found.get();
  EXPECT_EQ(fate.fate, Fate::kAnswered);
  EXPECT_EQ(fate.message, "saved");
}

TEST_F(StreamStoreTest, WhileNobodyKnowsNothingIsSaid) {
  pqxx::connection connection(postgres_.address().as_host());
  pqxx::work work(connection);
  keep_answer(work, "perhaps");
  EXPECT_EQ(look(dead_host()).fate, Fate::kUnknown);
  work.abort();
  EXPECT_EQ(look(dead_host()).fate, Fate::kLost);
}

TEST_F(StreamStoreTest, WhatWasDeclaredLostCannotCommitAfterwards) {
  EXPECT_EQ(look(dead_host()).fate, Fate::kLost);
  pqxx::connection connection(postgres_.address().as_host());
  pqxx::work work(connection);
  EXPECT_THROW(keep_answer(work, "late"), pqxx::unique_violation);
}

TEST_F(StreamStoreTest, APlugInsTransactionKeepsForItsOwnTenantOnly) {
  pqxx::connection connection(postgres_.address().as_host());
  pqxx::work work(connection);
  EXPECT_THROW(work.exec("select toolhost.keep_answer('" + kStream + "', 7, 0, '')"), pqxx::sql_error) << "no tenant";
}

TEST_F(StreamStoreTest, LettersArriveInOrder) {
  const auto other = start();
  for (int i = 0; i < 20; ++i) other->send(store_->host(), std::to_string(i));
  EXPECT_TRUE(eventually([&] { return recorder_.messages().size() == 20; }));
  const auto messages = recorder_.messages();
  for (std::size_t i = 0; i < messages.size(); ++i) EXPECT_EQ(messages[i], std::to_string(i));
  EXPECT_EQ(postgres_.run_sql("select count(*) from toolhost.host_messages"), "0");
}

TEST_F(StreamStoreTest, EndedSessionsAreToldAndRemembered) {
  StreamStore::SessionHash hash{};
  hash[0] = 0xAB;
  start()->end_session(KeyId{7}, hash, StreamStore::Clock::now() + 1h);
  EXPECT_TRUE(eventually([&] { return recorder_.knows(hash); }));
  Recorder later;
  const auto other = start();
  other->set_listener(&later);
  EXPECT_TRUE(eventually([&] { return later.knows(hash); }));
  other->set_listener(nullptr);
}

TEST_F(StreamStoreTest, KeepsItsNumberWhenTheConnectionWasLost) {
  const auto host = store_->host();
  postgres_.run_sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'toolhost_app'");
  EXPECT_TRUE(eventually([&] { return !store_->is_available(); }));
  EXPECT_TRUE(eventually([&] { return store_->is_available(); }));
  EXPECT_EQ(store_->host(), host);
  start()->send(host, "still here");
  EXPECT_TRUE(eventually([&] { return recorder_.messages() == std::vector<std::string>{"still here"}; }));
}

TEST_F(StreamStoreTest, WhatWaitsForTheDatabaseIsBoundedAndTold) {
  postgres_.run_sql("alter role toolhost_app nologin");
  postgres_.run_sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'toolhost_app'");
  EXPECT_TRUE(eventually([&] { return !store_->is_available(); }));
  const std::string message(std::size_t{4} << 20, 'x');
  for (int i = 10; i < 30; ++i)
    store_->keep({.stream = kStream.substr(0, kStream.size() - 2) + std::to_string(i),
                  .tenant = tenant_,
                  .key = KeyId{7},
                  .message = message,
                  .expires = StreamStore::Clock::now() + 1h});
  EXPECT_EQ(events_.count("are dropped"), 1);
  postgres_.run_sql("alter role toolhost_app login");
  EXPECT_TRUE(eventually([&] {
    return postgres_.run_sql("select count(*) || ' ' || min(right(stream::text, 2)) from toolhost.kept_answers") ==
           "16 14";
  }));
  EXPECT_EQ(events_.count("is lost"), 1);
  EXPECT_EQ(events_.count("is back; 4 of what waited were dropped"), 1);
}

}  // namespace
}  // namespace toolhost::storage
