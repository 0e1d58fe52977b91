// The embedded server as a program of its own: starts, stops, deaths, two processes, awkward directories. Each test has
// its own directory.
#include "storage/embedded_postgres.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "storage/libpq.hpp"
#include "storage/migrator.hpp"
#include "support/temp_postgres.hpp"

namespace toolhost::storage {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;
using Clock = std::chrono::steady_clock;

class EmbeddedPostgresTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/toolhost-test-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;  // mkdtemp makes it 0700: as root, closed to the user that the server runs as
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }

  /// Puts a copy of an initialised, stopped database into place: a tenth of the time of another initialisation.
  void use_initialised() {
    static const struct Initialised {
      Initialised() {
        test_support::NullEvents events;
        EXPECT_NE(checked(EmbeddedPostgres::open({.data_directory = directory}, events)), nullptr);
      }
      ~Initialised() {
        std::error_code ignored;
        fs::remove_all(directory, ignored);
      }
      fs::path directory = "/tmp/toolhost-test-initialised-" + std::to_string(::getpid());
    } initialised;
    ASSERT_EQ(
        std::system(
            ("cp -a '" + initialised.directory.string() + "' '" + config().data_directory.string() + "'").c_str()),
        0);
  }

  EmbeddedPostgres::Config config() const { return {.data_directory = directory_ / "data"}; }

  std::unique_ptr<EmbeddedPostgres> open() { return checked(EmbeddedPostgres::open(config(), events_)); }
  std::unique_ptr<EmbeddedPostgres> own() { return checked(EmbeddedPostgres::own(config(), events_)); }
  static std::unique_ptr<EmbeddedPostgres> checked(Result<std::unique_ptr<EmbeddedPostgres>> server) {
    EXPECT_TRUE(server) << server.error().message;
    return server ? std::move(*server) : nullptr;
  }

  static std::string run_sql(const DatabaseAddress& address, const std::string& sql) {
    const PgConnectionPtr connection(PQconnectdb(address.as_admin().c_str()));
    const PgResultPtr result(PQexec(connection.get(), sql.c_str()));
    if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) return PQerrorMessage(connection.get());
    return PQntuples(result.get()) > 0 ? PQgetvalue(result.get(), 0, 0) : "";
  }

  pid_t postmaster() const {
    std::ifstream file(config().data_directory / "postgres" / "postmaster.pid");
    pid_t pid = -1;
    file >> pid;
    return file ? pid : -1;
  }

  // A zombie has ended too; who reaps it is init's business.
  static bool is_running(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string stat;
    return std::getline(file, stat) && stat.substr(stat.rfind(')')).substr(0, 3) != ") Z";
  }
  static bool ends_within(pid_t pid, std::chrono::milliseconds limit) {
    const auto until = Clock::now() + limit;
    while (is_running(pid)) {
      if (Clock::now() > until) return false;
      std::this_thread::sleep_for(10ms);
    }
    return true;
  }

  /// A child process that runs `job`, says so with one byte, and then waits for the end of its input. Killed at the end
  /// of the test.
  struct Child {
    pid_t pid = -1;
    int ready = -1;
    int input = -1;
    ~Child() {
      ::close(input);
      if (pid > 0) {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
      }
      ::close(ready);
    }
    bool is_ready() const {
      char byte = 0;
      return ::read(ready, &byte, 1) == 1;
    }
    void kill_hard() {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
      pid = -1;
    }
    int wait_for_end() {
      ::close(std::exchange(input, -1));
      int status = 0;
      ::waitpid(pid, &status, 0);
      pid = -1;
      return status;
    }
  };
  template <class Job>
  std::unique_ptr<Child> start_child(Job job) {
    std::array<int, 2> ready{};
    std::array<int, 2> input{};
    EXPECT_EQ(::pipe(ready.data()), 0);
    EXPECT_EQ(::pipe(input.data()), 0);
    auto child = std::make_unique<Child>();
    child->pid = ::fork();
    if (child->pid == 0) {
      ::close(ready[0]);
      ::close(input[1]);
      {
        const auto kept = job();
        if (kept == nullptr) ::_exit(3);
        [[maybe_unused]] const auto told = ::write(ready[1], "r", 1);
        char byte = 0;
        [[maybe_unused]] const auto got = ::read(input[0], &byte, 1);
      }
      ::_exit(0);
    }
    ::close(ready[1]);
    ::close(input[0]);
    child->ready = ready[0];
    child->input = input[1];
    return child;
  }

  fs::path directory_;
  test_support::NullEvents events_;
};

TEST_F(EmbeddedPostgresTest, StartsServesStopsAndKeepsItsData) {
  pid_t first = -1;
  {
    auto server = open();
    ASSERT_NE(server, nullptr);
    first = server->pid();
    EXPECT_EQ(postmaster(), first);
    EXPECT_EQ(run_sql(server->address(), "create table public.kept as select 7 as n; select n from public.kept"), "7");
    EXPECT_EQ(run_sql(server->address(), "show listen_addresses"), "");
    EXPECT_EQ(run_sql(server->address(), "show data_checksums"), "on");
    EXPECT_EQ(run_sql(server->address(), "show server_encoding"), "UTF8");
    EXPECT_EQ(run_sql(server->address(), "show fsync"), "on");
    if (::geteuid() == 0) {
      struct stat process{};
      ASSERT_EQ(::stat(("/proc/" + std::to_string(first)).c_str(), &process), 0);
      EXPECT_NE(process.st_uid, 0U);
    }
    struct stat socket{};
    ASSERT_EQ(::stat((config().data_directory / "run").c_str(), &socket), 0);
    EXPECT_EQ(socket.st_mode & 077, 0U);
  }
  EXPECT_TRUE(ends_within(first, 1s));
  const auto begun = Clock::now();
  auto again = open();
  ASSERT_NE(again, nullptr);
  EXPECT_LT(Clock::now() - begun, 5s);
  EXPECT_EQ(run_sql(again->address(), "select n from public.kept"), "7");
}

TEST_F(EmbeddedPostgresTest, AClosedParentDirectoryAndALongPathAreNoObstacle) {
  directory_ /= std::string(60, 'd');
  const fs::path deep = directory_ / std::string(60, 'e') / "with space";
  fs::create_directories(deep);
  const EmbeddedPostgres::Config config{.data_directory = deep};
  {
    auto server = checked(EmbeddedPostgres::open(config, events_));
    ASSERT_NE(server, nullptr);
    EXPECT_EQ(run_sql(server->address(), "select 7"), "7");
    const std::string command = "psql -X -A -t -c 'select 8' '" + server->address().url() + "'";
    std::FILE* psql = ::popen(command.c_str(), "r");
    std::array<char, 16> line{};
    EXPECT_NE(std::fgets(line.data(), line.size(), psql), nullptr);
    ::pclose(psql);
    EXPECT_STREQ(line.data(), "8\n");
  }
  auto again = checked(EmbeddedPostgres::open(config, events_));
  ASSERT_NE(again, nullptr);
  directory_ = directory_.parent_path();
}

TEST_F(EmbeddedPostgresTest, ASecondProcessJoinsAndTheFirstWaitsForItBeforeStopping) {
  use_initialised();
  auto server = open();
  ASSERT_NE(server, nullptr);
  const pid_t pid = server->pid();
  auto child = start_child([&] {
    // The parent's object is this process's too after fork(); what counts is the new one.
    auto joined = open();
    EXPECT_EQ(joined->pid(), -1);
    return joined;
  });
  ASSERT_TRUE(child->is_ready());
  std::thread leaver([&] {
    std::this_thread::sleep_for(300ms);
    EXPECT_EQ(::kill(pid, 0), 0) << "still in use";
    child->wait_for_end();
  });
  const auto begun = Clock::now();
  server.reset();
  leaver.join();
  EXPECT_GE(Clock::now() - begun, 300ms);
  EXPECT_TRUE(ends_within(pid, 1s));
}

TEST_F(EmbeddedPostgresTest, AHostWaitsForAToolButNotForAnotherHost) {
  use_initialised();
  auto tool = start_child([&] { return open(); });
  ASSERT_TRUE(tool->is_ready());
  std::thread leaver([&] {
    std::this_thread::sleep_for(300ms);
    tool->wait_for_end();
  });
  auto host = own();
  leaver.join();
  ASSERT_NE(host, nullptr);
  EXPECT_GT(host->pid(), 0);

  auto second = start_child([&]() -> std::unique_ptr<EmbeddedPostgres> {
    const auto refused = EmbeddedPostgres::own(config(), events_);
    if (refused || refused.error().code != Errc::kConflict) return nullptr;
    if (refused.error().message.find("another Toolhost (process " + std::to_string(::getppid()) + ")") ==
        std::string::npos)
      return nullptr;
    return open();
  });
  EXPECT_TRUE(second->is_ready()) << "refused as a host, welcome as a tool";
}

TEST_F(EmbeddedPostgresTest, GuestsJoinAKeeperWhichKnowsWhenTheLastHasGone) {
  use_initialised();
  const auto nobody = EmbeddedPostgres::join(config(), events_);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code, Errc::kNotFound);

  auto keeper = checked(EmbeddedPostgres::keep(config(), events_));
  ASSERT_NE(keeper, nullptr);
  EXPECT_FALSE(keeper->is_used(false));
  auto guest = checked(EmbeddedPostgres::join(config(), events_));
  ASSERT_NE(guest, nullptr);
  EXPECT_EQ(guest->pid(), -1);
  EXPECT_EQ(run_sql(guest->address(), "select 7"), "7");
  EXPECT_TRUE(keeper->is_used(true));
  guest.reset();
  EXPECT_FALSE(keeper->is_used(true));
  std::thread late([&] {
    // Nobody can come any more; who tries waits for the end and finds nobody.
    const auto refused = EmbeddedPostgres::join(config(), events_);
    EXPECT_FALSE(refused);
  });
  std::this_thread::sleep_for(100ms);
  keeper.reset();
  late.join();
}

TEST_F(EmbeddedPostgresTest, AKeeperMakesWayForAHostWhoeverUsesTheServer) {
  use_initialised();
  auto keeper = checked(EmbeddedPostgres::keep(config(), events_));
  ASSERT_NE(keeper, nullptr);
  auto guest = checked(EmbeddedPostgres::join(config(), events_));
  EXPECT_FALSE(keeper->is_wanted());
  std::thread starting([&] {
    const auto host = own();
    ASSERT_NE(host, nullptr);
    EXPECT_EQ(run_sql(guest->address(), "select 7"), "7");
    guest.reset();
  });
  const auto until = Clock::now() + 10s;
  while (!keeper->is_wanted() && Clock::now() < until) std::this_thread::sleep_for(20ms);
  EXPECT_TRUE(keeper->is_wanted());
  const auto begun = Clock::now();
  keeper.reset();
  EXPECT_LT(Clock::now() - begun, 5s) << "the guest is not waited for";
  starting.join();
}

TEST_F(EmbeddedPostgresTest, TheServerDiesWithAKilledHostAndTheNextOneServesWithinFiveSeconds) {
  use_initialised();
  auto host = start_child([&] { return own(); });
  ASSERT_TRUE(host->is_ready());
  const pid_t server = postmaster();
  ASSERT_GT(server, 0);
  host->kill_hard();
  const auto begun = Clock::now();
  auto next = own();
  ASSERT_NE(next, nullptr);
  EXPECT_LT(Clock::now() - begun, 5s);
  EXPECT_TRUE(ends_within(server, 0ms));
  EXPECT_EQ(run_sql(next->address(), "select 7"), "7");
}

TEST_F(EmbeddedPostgresTest, APidFileThatNamesAStrangerIsRemoved) {
  use_initialised();
  const fs::path file = config().data_directory / "postgres" / "postmaster.pid";
  // A process of the server's own user: PostgreSQL alone would take it for a running server.
  struct stat cluster{};
  ASSERT_EQ(::stat(file.parent_path().c_str(), &cluster), 0);
  const pid_t stranger = ::fork();
  if (stranger == 0) {
    if (::geteuid() == 0 && ::setuid(cluster.st_uid) != 0) ::_exit(1);
    for (;;) ::pause();
  }
  std::ofstream(file) << stranger << "\n/somewhere\n1\n5432\n/somewhere\n\n 1 1\nready\n";
  EXPECT_EQ(::chown(file.c_str(), cluster.st_uid, cluster.st_gid), 0);
  auto server = open();
  EXPECT_NE(server, nullptr);
  EXPECT_EQ(::kill(stranger, 0), 0) << "and it is left alone";
  ::kill(stranger, SIGKILL);
  ::waitpid(stranger, nullptr, 0);
}

TEST_F(EmbeddedPostgresTest, AKilledServerIsStartedAgain) {
  use_initialised();
  auto server = own();
  ASSERT_NE(server, nullptr);
  const pid_t first = server->pid();
  ::kill(first, SIGKILL);
  const auto begun = Clock::now();
  while (server->pid() == first || server->pid() < 0) {
    ASSERT_LT(Clock::now() - begun, 10s);
    server->supervise();
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_EQ(run_sql(server->address(), "select 7"), "7");
}

TEST_F(EmbeddedPostgresTest, AnInterruptedInitialisationIsBegunAnew) {
  const auto data = config().data_directory;
  for (const char* draft : {"postgres.new", "postgres.new-AbCdEf"}) {
    fs::create_directories(data / draft / "base");
    std::ofstream(data / draft / "PG_VERSION") << "15\n";
  }
  const auto drafts = [&] {
    return std::count_if(fs::directory_iterator(data), {}, [](const auto& entry) {
      return entry.path().filename().native().starts_with("postgres.new");
    });
  };
  EXPECT_NE(open(), nullptr);
  EXPECT_EQ(drafts(), 0);
  fs::create_directories(data / "postgres.new-AbCdEf" / "base");
  EXPECT_NE(open(), nullptr);
  EXPECT_EQ(drafts(), 0) << "also of a server that is initialised";
}

// initdb ends a moment after its host was killed, and removes what it made.
TEST_F(EmbeddedPostgresTest, AHostThatIsKilledWhileItInitialisesIsStartedAgainAtOnce) {
  const auto initialises = [&] {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(config().data_directory, ignored))
      if (entry.path().filename().native().starts_with("postgres.new") &&
          fs::exists(entry.path() / "PG_VERSION", ignored))
        return true;
    return false;
  };
  const pid_t host = ::fork();
  if (host == 0) {
    open();
    ::pause();
  }
  for (const auto begun = Clock::now(); !initialises(); std::this_thread::sleep_for(1ms))
    ASSERT_LT(Clock::now() - begun, 20s);
  ::kill(host, SIGKILL);
  ::waitpid(host, nullptr, 0);
  EXPECT_NE(open(), nullptr);
}

TEST_F(EmbeddedPostgresTest, SaysWhatIsMissingAndWhatToDo) {
  auto no_programs = config();
  no_programs.programs = "/nonexistent";
  EXPECT_THAT(EmbeddedPostgres::open(no_programs, events_).error().message,
              HasSubstr("install the package postgresql"));

  fs::create_directories(config().data_directory / "postgres");
  std::ofstream(config().data_directory / "postgres" / "PG_VERSION") << "9\n";
  if (::geteuid() == 0) {
    EXPECT_THAT(EmbeddedPostgres::open(config(), events_).error().message, HasSubstr("belongs to root"));
    fs::permissions(config().data_directory / "postgres", fs::perms::owner_all);
    ASSERT_EQ(::chown((config().data_directory / "postgres").c_str(), 1, 1), 0);
  }
  EXPECT_THAT(EmbeddedPostgres::open(config(), events_).error().message, HasSubstr("was made by PostgreSQL 9"));

  const EmbeddedPostgres::Config in_a_file{.data_directory = "/proc/version/data"};
  const auto refused = EmbeddedPostgres::open(in_a_file, events_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kUnavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("/proc/version/data"));
}

TEST_F(EmbeddedPostgresTest, AServerThatCannotStartShowsItsLastWords) {
  use_initialised();
  std::ofstream(config().data_directory / "postgres" / "postgresql.conf", std::ios::app) << "no_such_setting = 1\n";
  const auto refused = EmbeddedPostgres::open(config(), events_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("no_such_setting"));
}

}  // namespace
}  // namespace toolhost::storage
