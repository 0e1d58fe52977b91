#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "access/api_key.hpp"

namespace toolhost::access {
namespace {

/// A directory of its own for each test.
class SecretFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "toolhost-secret-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string file() const { return (directory_ / "secrets" / "pepper").string(); }

  std::filesystem::path directory_;
};

TEST_F(SecretFile, IsMadeOnFirstUseAndKept) {
  const auto made = load_or_create_secret(file());
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->reveal().size(), 32U);
  struct stat status{};
  ASSERT_EQ(stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(load_or_create_secret(file())->reveal(), made->reveal());
}

TEST_F(SecretFile, IsMadeInADirectoryOfTheOwnersAlone) {
  ASSERT_TRUE(load_or_create_secret(file()));
  struct stat status{};
  ASSERT_EQ(stat(std::filesystem::path(file()).parent_path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
}

TEST_F(SecretFile, LeavesNoDraftsBehind) {
  ASSERT_TRUE(load_or_create_secret(file()));
  const auto parent = std::filesystem::path(file()).parent_path();
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(parent), {}), 1);
}

TEST_F(SecretFile, IsTheSameForEverybodyWhoMakesItAtATime) {
  std::array<std::string, 8> secrets;
  std::vector<std::thread> threads;
  for (auto& secret : secrets) {
    threads.emplace_back([&secret, name = file()] { secret = load_or_create_secret(name)->reveal(); });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& secret : secrets) EXPECT_EQ(secret, secrets[0]);
}

TEST_F(SecretFile, IsRefusedWhenOthersMayReadIt) {
  ASSERT_TRUE(load_or_create_secret(file()));
  ASSERT_EQ(chmod(file().c_str(), 0640), 0);
  const auto refused = load_or_create_secret(file());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kInvalidArgument);
  EXPECT_NE(refused.error().message.find("chmod 600 " + file()), std::string::npos);
}

TEST_F(SecretFile, IsRefusedWhenTruncated) {
  ASSERT_TRUE(load_or_create_secret(file()));
  std::filesystem::resize_file(file(), 31);
  const auto refused = load_or_create_secret(file());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kInvalidArgument);
  EXPECT_NE(refused.error().message.find("32 bytes"), std::string::npos);
}

TEST_F(SecretFile, IsNotFollowedThroughALink) {
  std::filesystem::create_directories(std::filesystem::path(file()).parent_path());
  std::filesystem::create_symlink("/dev/zero", file());
  const auto refused = load_or_create_secret(file());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kUnavailable);
}

}  // namespace
}  // namespace toolhost::access
