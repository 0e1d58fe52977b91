#include "app/file_watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <future>
#include <thread>

namespace toolhost::app {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr FileWatchConfig kQuick{.quiet = 20ms, .at_most = 500ms, .look_again = 60s, .look_again_blind = 60s};

/// A directory of its own, and how often its watch was heard.
class FileWatchTest : public testing::Test {
 protected:
  FileWatchTest() {
    std::string name = (fs::temp_directory_path() / "toolhost-watch-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
  }
  ~FileWatchTest() override {
    watch_.reset();
    fs::remove_all(directory_);
  }

  void start(const WatchedPaths& paths) {
    watch_ = FileWatch::start(paths, [this] { ++heard_; }, kQuick);
    ASSERT_TRUE(hears(1)) << "once at the start";
  }
  /// Whether the watch has been heard so often, within five seconds.
  bool hears(int times) const {
    for (int tries = 0; tries < 500 && heard_ < times; ++tries) std::this_thread::sleep_for(10ms);
    std::this_thread::sleep_for(60ms);  // not once more
    return heard_ == times;
  }
  static void write(const fs::path& file, std::string_view text) { std::ofstream(file) << text; }

  fs::path directory_;
  std::atomic<int> heard_ = 0;
  std::unique_ptr<FileWatch> watch_;
};

TEST_F(FileWatchTest, HearsAFileThatIsWrittenInPlaceAndOneThatIsRenamedOver) {
  const auto file = directory_ / "host.yaml";
  write(file, "a: 1");
  start({file});

  write(file, "a: 2");
  EXPECT_TRUE(hears(2));
  write(directory_ / ".host.yaml.swp", "a: 3");
  fs::rename(directory_ / ".host.yaml.swp", file);
  EXPECT_TRUE(hears(3));
}

TEST_F(FileWatchTest, PassesOverNeighboursAndFilesThatAreOnlyTouched) {
  const auto file = directory_ / "host.yaml";
  write(file, "a: 1");
  start({file});

  write(directory_ / "notes.txt", "nothing to do with it");
  fs::last_write_time(file, fs::file_time_type::clock::now());
  write(file, "a: 1");
  EXPECT_TRUE(hears(1));
}

TEST_F(FileWatchTest, HearsFilesThatComeAndGoInADirectoryThatIsNotThereYet) {
  const auto tenants = directory_ / "tenants";
  start({tenants});

  fs::create_directory(tenants);
  write(tenants / "acme.yaml", "name: acme");
  EXPECT_TRUE(hears(2));
  write(tenants / "acme.yaml", "name: acme2");
  EXPECT_TRUE(hears(3));
  fs::remove(tenants / "acme.yaml");
  EXPECT_TRUE(hears(4));
  write(tenants / "readme.txt", "no tenant");
  EXPECT_TRUE(hears(4));
}

TEST_F(FileWatchTest, HearsALinkOnTheWayThatIsSwapped) {
  for (const char* version : {"..1", "..2"}) {
    fs::create_directory(directory_ / version);
    write(directory_ / version / "host.yaml", version);
  }
  fs::create_directory_symlink("..1", directory_ / "..data");
  fs::create_symlink("..data/host.yaml", directory_ / "host.yaml");
  start({directory_ / "host.yaml"});

  fs::create_directory_symlink("..2", directory_ / "..data_tmp");
  fs::rename(directory_ / "..data_tmp", directory_ / "..data");
  EXPECT_TRUE(hears(2));
  write(directory_ / "..2" / "host.yaml", "written behind the link");
  EXPECT_TRUE(hears(3));
}

TEST_F(FileWatchTest, TakesManyChangesInARowForOne) {
  const auto file = directory_ / "host.yaml";
  write(file, "a: 0");
  start({file});

  for (int round = 1; round <= 20; ++round) write(file, "a: " + std::to_string(round));
  EXPECT_TRUE(hears(2));
}

TEST_F(FileWatchTest, WatchesOtherPathsWhenItIsTold) {
  const auto first = directory_ / "first.yaml", second = directory_ / "second.yaml";
  write(first, "1");
  write(second, "1");
  start({first});

  watch_->watch({second});
  EXPECT_TRUE(hears(2));
  write(first, "2");
  EXPECT_TRUE(hears(2));
  write(second, "2");
  EXPECT_TRUE(hears(3));
}

TEST_F(FileWatchTest, WatchesThePathsThatItWasToldLast) {
  const auto first = directory_ / "first.yaml", second = directory_ / "second.yaml";
  write(first, "1");
  write(second, "1");
  std::promise<void> go_on;
  watch_ = FileWatch::start(
      {first},
      [this, may_go_on = go_on.get_future().share()] {
        ++heard_;
        may_go_on.wait();
      },
      kQuick);
  for (int tries = 0; tries < 500 && heard_ == 0; ++tries) std::this_thread::sleep_for(10ms);
  watch_->watch({second});  // while the watch's thread is busy
  watch_->watch({first});
  go_on.set_value();
  ASSERT_TRUE(hears(2)) << "once for the other paths";

  write(first, "2");
  EXPECT_TRUE(hears(3));
}

}  // namespace
}  // namespace toolhost::app
