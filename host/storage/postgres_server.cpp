#include "storage/postgres_server.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <map>
#include <thread>
#include <vector>

#include "storage/libpq.hpp"

namespace toolhost::storage {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr int kOldestVersion = 15;
constexpr std::size_t kLongestSocketDirectory = 107 - sizeof("/.s.PGSQL.5432.lock") + 1;  // sun_path holds 107 bytes
constexpr std::uintmax_t kLargestLog = 10 << 20;
constexpr std::string_view kDraft = "postgres.new";  // how a cluster begins whose initialisation is not done

Error no_server(std::string message, std::string detail = {}) {
  return Error{Errc::kUnavailable, std::move(message), std::move(detail)};
}

std::string system_message(int code) {
  return std::generic_category().message(code);
}

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) noexcept : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_ = -1;
};

/// The user that the server runs as.
struct ServerUser {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  bool must_switch = false;  // this process is root, the server may not be
};

Result<ServerUser> user_from(const passwd& entry, bool must_switch) {
  ServerUser user{entry.pw_name, entry.pw_uid, entry.pw_gid, {}, must_switch};
  int count = 64;
  user.groups.resize(static_cast<std::size_t>(count));
  if (getgrouplist(entry.pw_name, entry.pw_gid, user.groups.data(), &count) < 0) count = 0;
  user.groups.resize(static_cast<std::size_t>(count));
  return user;
}

// PostgreSQL refuses root. An existing cluster keeps its owner, so that a change of the host's user does not lock it
// out.
Result<ServerUser> choose_user(const fs::path& cluster) {
  struct stat info{};
  const bool exists = ::stat(cluster.c_str(), &info) == 0;
  const auto owner_name = [](uid_t uid) {
    const passwd* entry = getpwuid(uid);
    return entry != nullptr ? std::string(entry->pw_name) : "user " + std::to_string(uid);
  };
  if (geteuid() != 0) {
    if (exists && info.st_uid != geteuid()) {
      return no_server("the database in " + cluster.string() + " belongs to " + owner_name(info.st_uid) +
                       "; run Toolhost as that user or as root, or choose another data directory");
    }
    const passwd* self = getpwuid(geteuid());
    if (self != nullptr) return user_from(*self, false);
    return ServerUser{std::to_string(geteuid()), geteuid(), getegid(), {}, false};
  }
  if (exists && info.st_uid == 0) {
    return no_server(
        "the database in " + cluster.string() +
        " belongs to root, and PostgreSQL refuses to run as root; give it to an ordinary user (chown -R postgres)");
  }
  const passwd* entry = exists ? getpwuid(info.st_uid) : getpwnam("postgres");
  if (entry == nullptr && !exists) entry = getpwnam("nobody");
  if (entry == nullptr) {
    return no_server(
        "PostgreSQL must not run as root and there is no user for it; create one named postgres (adduser --system "
        "postgres)");
  }
  return user_from(*entry, true);
}

// The directory of the programs: the cluster's own version, or the newest for a new cluster.
Result<fs::path> choose_programs(const fs::path& root, const fs::path& cluster) {
  std::map<int, fs::path> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root, ignored)) {
    const int version = std::atoi(entry.path().filename().c_str());
    const fs::path bin = entry.path() / "bin";
    if (version > 0 && ::access((bin / "postgres").c_str(), X_OK) == 0 &&
        ::access((bin / "initdb").c_str(), X_OK) == 0) {
      found.emplace(version, bin);
    }
  }
  std::ifstream version_file(cluster / "PG_VERSION");
  if (int version = 0; version_file >> version) {
    if (const auto it = found.find(version); it != found.end()) return it->second;
    return no_server("the database in " + cluster.string() + " was made by PostgreSQL " + std::to_string(version) +
                     ", whose programs are not in " + root.string() + "; install the package postgresql-" +
                     std::to_string(version));
  }
  if (found.empty() || found.rbegin()->first < kOldestVersion) {
    return no_server("the PostgreSQL programs are missing (looked for " + root.string() +
                     "/*/bin/postgres, version 15 or newer); install the package postgresql, or set database.url to "
                     "a server of yours");
  }
  return found.rbegin()->second;
}

Result<> make_directory(const fs::path& directory, const ServerUser* owner, mode_t mode) {
  if (::mkdir(directory.c_str(), mode) != 0 && errno != EEXIST) {
    return no_server("cannot create " + directory.string() + ": " + system_message(errno));
  }
  if (owner == nullptr) return {};
  // By descriptor and never through a link: whoever else may write in the parent could make it lead anywhere.
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0) {
    return no_server("cannot use " + directory.string() + ": " + system_message(errno) +
                     "; it must be a directory and no link");
  }
  const bool is_given = !owner->must_switch || ::fchown(descriptor, owner->uid, owner->gid) == 0;
  const bool is_closed = is_given && ::fchmod(descriptor, mode) == 0;
  const int error = errno;
  ::close(descriptor);
  if (!is_given) {
    return no_server("cannot give " + directory.string() + " to " + owner->name + ": " + system_message(error));
  }
  if (!is_closed) {
    return no_server("cannot change the mode of " + directory.string() + ": " + system_message(error));
  }
  return {};
}

// A directory that others may have made first (its parent is /tmp) counts only when it is ours and closed to everybody
// else.
Result<> make_private_directory(const fs::path& directory, const ServerUser& owner) {
  if (::mkdir(directory.c_str(), 0700) == 0) return make_directory(directory, &owner, 0700);
  struct stat info{};
  if (errno != EEXIST || ::lstat(directory.c_str(), &info) != 0) {
    return no_server("cannot create " + directory.string() + ": " + system_message(errno));
  }
  if (!S_ISDIR(info.st_mode) || info.st_uid != owner.uid || (info.st_mode & 077) != 0) {
    return no_server(directory.string() + " exists and is not a private directory of " + owner.name +
                     "; remove it, or choose a data directory with a shorter path");
  }
  return {};
}

std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

/// What a child process needs. Everything is laid out before the fork: after it only async-signal-safe calls are
/// allowed.
struct Launch {
  std::string program;
  std::vector<std::string> by_path;        // arguments that name the directories by their paths
  std::vector<std::string> by_descriptor;  // arguments that name them as /proc/self/fd/N
  std::string must_reach;                  // chooses by_path when the user reaches this directory
  const ServerUser* user = nullptr;
  int log = -1;
  std::array<int, 2> keep{-1, -1};
};

[[noreturn]] void fail_in_child(const char* what) {
  const int code = errno;
  const auto write_text = [](const char* text) { [[maybe_unused]] const auto n = ::write(2, text, std::strlen(text)); };
  std::array<char, 16> digits{};
  std::size_t at = digits.size() - 1;
  for (int rest = code; at > 0 && (rest > 0 || at == digits.size() - 1); rest /= 10) {
    digits[--at] = static_cast<char>('0' + rest % 10);
  }
  write_text(what);
  write_text(" failed, errno ");
  write_text(&digits[at]);
  write_text("\n");
  ::_exit(127);
}

// Raw system calls: glibc's setuid() would signal the threads of the parent that this child does not have.
void become(const ServerUser& user) {
  if (::syscall(SYS_setgroups, user.groups.size(), user.groups.data()) != 0) fail_in_child("setgroups");
  if (::syscall(SYS_setresgid, user.gid, user.gid, user.gid) != 0) fail_in_child("setgid");
  if (::syscall(SYS_setresuid, user.uid, user.uid, user.uid) != 0) fail_in_child("setuid");
}

Result<pid_t> launch(const Launch& what) {
  const auto pointers = [](const std::vector<std::string>& arguments) {
    std::vector<char*> out;
    for (const std::string& argument : arguments) out.push_back(const_cast<char*>(argument.c_str()));
    out.push_back(nullptr);
    return out;
  };
  const std::vector<char*> by_path = pointers(what.by_path);
  const std::vector<char*> by_descriptor = pointers(what.by_descriptor);
  const std::vector<std::string> environment_text{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"};
  const std::vector<char*> environment = pointers(environment_text);
  sigset_t nothing;
  sigemptyset(&nothing);
  const FileDescriptor null_input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const pid_t parent = ::getpid();

  const pid_t child = ::fork();
  if (child < 0) return no_server("cannot start a process for PostgreSQL: " + system_message(errno));
  if (child > 0) return child;

  ::dup2(null_input.get(), 0);
  ::dup2(what.log, 1);
  ::dup2(what.log, 2);
  ::setsid();
  if (what.user->must_switch) become(*what.user);
  // Changing the user clears the parent-death signal, so it comes after; the parent may have gone before it was set.
  ::prctl(PR_SET_PDEATHSIG, SIGINT);
  if (::getppid() != parent) ::_exit(1);
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &nothing, nullptr);
  ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  for (const int fd : what.keep) {
    if (fd >= 0) ::fcntl(fd, F_SETFD, 0);
  }
  if (::chdir("/") != 0) fail_in_child("chdir");
  // When a directory above is closed to the user, the descriptor still opens: a link of /proc/self/fd skips the walk.
  const bool reaches = ::access(what.must_reach.c_str(), R_OK | W_OK | X_OK) == 0;
  ::execve(what.program.c_str(), (reaches ? by_path : by_descriptor).data(), environment.data());
  fail_in_child(what.program.c_str());
}

std::string describe_exit(int status) {
  if (WIFSIGNALED(status)) return "killed by signal " + std::to_string(WTERMSIG(status));
  return "exit status " + std::to_string(WEXITSTATUS(status));
}

// Processes whose working directory is the cluster's are its postmaster and backends, and nothing else is.
std::vector<pid_t> processes_of(const fs::path& cluster) {
  std::vector<pid_t> found;
  struct stat home{};
  if (::stat(cluster.c_str(), &home) != 0) return found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0) continue;
    struct stat cwd{};
    if (::stat((entry.path() / "cwd").c_str(), &cwd) != 0 || cwd.st_dev != home.st_dev || cwd.st_ino != home.st_ino)
      continue;
    std::ifstream name_file(entry.path() / "comm");
    std::string name;
    if (std::getline(name_file, name) && name.starts_with("postgres")) found.push_back(pid);
  }
  return found;
}

class Server final : public PostgresServer {
 public:
  Server(fs::path data, fs::path programs, bool is_durable, ServerUser user)
      : data_(std::move(data)),
        cluster_(data_ / "postgres"),
        log_path_(data_ / "postgres.log"),
        programs_(std::move(programs)),
        is_durable_(is_durable),
        user_(std::move(user)),
        socket_directory_(data_ / "run") {
    // A socket's path is limited to 107 bytes; a longer one moves to a short directory of its own.
    if (socket_directory_.native().size() <= kLongestSocketDirectory) return;
    std::array<char, 64> name{};
    std::snprintf(name.data(), name.size(), "/tmp/toolhost-%u-%016llx", static_cast<unsigned>(user_.uid),
                  static_cast<unsigned long long>(fnv1a(data_.native())));
    socket_directory_ = name.data();
    socket_is_outside_ = true;
  }

  const fs::path& socket_directory() const noexcept override { return socket_directory_; }
  pid_t pid() const noexcept override { return pid_; }

  bool accepts_connections() const override {
    std::string conninfo;
    append_conninfo(conninfo, "host", socket_directory_.native());
    append_conninfo(conninfo, "port", "5432");
    append_conninfo(conninfo, "dbname", "postgres");
    append_conninfo(conninfo, "user", "toolhost_admin");
    append_conninfo(conninfo, "connect_timeout", "2");
    return PQping(conninfo.c_str()) == PQPING_OK;
  }

  Result<> start(Deadline deadline) override {
    if (auto opened = open_log(); !opened) return opened.error();
    if (auto made = make_socket_directory(); !made) return made.error();
    remove_drafts();
    if (!fs::exists(cluster_ / "PG_VERSION")) {
      if (auto initialised = initialise(deadline); !initialised) return initialised.error();
    }
    if (auto cleared = end_leftovers(deadline); !cleared) return cleared.error();
    return start_server(deadline);
  }

  bool has_ended(std::string& how) override {
    int status = 0;
    if (pid_ <= 0 || ::waitpid(pid_, &status, WNOHANG) != pid_) return false;
    pid_ = -1;
    how = describe_exit(status);
    return true;
  }

  void stop(std::chrono::milliseconds limit) override {
    // SIGTERM would wait for every client to leave; SIGINT rolls their transactions back and stops at once.
    for (const int signal_number : {SIGINT, SIGQUIT, SIGKILL}) {
      if (pid_ <= 0) break;
      ::kill(pid_, signal_number);
      wait_for_end(Deadline::after(limit));
    }
    if (socket_is_outside_) ::rmdir(socket_directory_.c_str());
  }

 private:
  Result<> open_log() {
    std::error_code ignored;
    const bool too_large = fs::exists(log_path_, ignored) && fs::file_size(log_path_, ignored) > kLargestLog;
    const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | (too_large ? O_TRUNC : 0);
    log_ = FileDescriptor(::open(log_path_.c_str(), flags, 0600));
    if (log_.get() < 0) return no_server("cannot write " + log_path_.string() + ": " + system_message(errno));
    return {};
  }

  Result<> make_socket_directory() {
    if (socket_is_outside_) return make_private_directory(socket_directory_, user_);
    return make_directory(socket_directory_, &user_, 0700);
  }

  Result<FileDescriptor> open_directory(const fs::path& directory) const {
    FileDescriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0) return no_server("cannot open " + directory.string() + ": " + system_message(errno));
    return fd;
  }

  // What interrupted initialisations have left. One that is just ending may still be at it, which is no harm: it has a
  // directory of its own, and the next start removes what this one cannot.
  void remove_drafts() const {
    std::error_code ignored;
    std::vector<fs::path> drafts;
    for (const auto& entry : fs::directory_iterator(data_, ignored))
      if (entry.path().filename().native().starts_with(kDraft)) drafts.push_back(entry.path());
    for (const auto& draft : drafts) fs::remove_all(draft, ignored);
  }

  // Under a temporary name first: an initialisation that is interrupted leaves no half cluster behind.
  Result<> initialise(Deadline deadline) {
    std::string name = data_ / (std::string(kDraft) + "-XXXXXX");
    if (::mkdtemp(name.data()) == nullptr) return no_server("cannot create " + name + ": " + system_message(errno));
    const fs::path draft = name;
    if (auto made = make_directory(draft, &user_, 0700); !made) return made.error();
    auto directory = open_directory(draft);
    if (!directory) return directory.error();

    Launch request;
    request.program = programs_ / "initdb";
    const auto arguments = [&](const std::string& target) {
      std::vector<std::string> words{request.program,
                                     "-D",
                                     target,
                                     "-U",
                                     "toolhost_admin",
                                     "--auth=trust",
                                     "--encoding=UTF8",
                                     "--locale=C.UTF-8",
                                     "--data-checksums",
                                     "--no-instructions"};
      if (!is_durable_) words.emplace_back("--no-sync");
      return words;
    };
    request.by_path = arguments(draft);
    request.by_descriptor = arguments("/proc/self/fd/" + std::to_string(directory->get()));
    request.must_reach = draft;
    request.user = &user_;
    request.log = log_.get();
    request.keep = {directory->get(), -1};
    const auto log_start = ::lseek(log_.get(), 0, SEEK_END);
    auto child = launch(request);
    if (!child) return child.error();
    pid_ = *child;
    const auto status = wait_for_end(deadline);
    if (!status) {
      stop(1s);
      return no_server("initialising the database in " + cluster_.string() + " took too long", last_words(log_start));
    }
    if (*status != 0) {
      return no_server("cannot initialise the database in " + cluster_.string() + " (" + describe_exit(*status) +
                       "); PostgreSQL says: " + last_words(log_start));
    }
    // Replaces an empty directory; one with files but no PG_VERSION is nobody's to overwrite, and is reported.
    std::error_code code;
    fs::rename(draft, cluster_, code);
    if (code) return no_server("cannot put the new database at " + cluster_.string() + ": " + code.message());
    return {};
  }

  // A host that was killed leaves a server that is shutting down; a postmaster that was killed leaves backends that
  // notice it; a machine that was switched off leaves a pid file that may now name anybody.
  Result<> end_leftovers(Deadline deadline) {
    const auto begun = Deadline::Clock::now();
    int sent = 0;
    for (;;) {
      const std::vector<pid_t> left = processes_of(cluster_);
      if (left.empty()) break;
      const auto waited = Deadline::Clock::now() - begun;
      // They end by themselves; after a second they are asked, after three told.
      const int signal_number = waited > 3s ? SIGQUIT : waited > 1s ? SIGINT : 0;
      if (signal_number != sent) {
        for (const pid_t pid : left) ::kill(pid, signal_number);
        sent = signal_number;
      }
      if (deadline.has_passed()) {
        return no_server("an earlier PostgreSQL (process " + std::to_string(left.front()) + ") still runs in " +
                         cluster_.string() + " and does not stop");
      }
      std::this_thread::sleep_for(20ms);
    }
    std::error_code ignored;
    fs::remove(cluster_ / "postmaster.pid", ignored);
    return {};
  }

  std::vector<std::string> server_arguments(const std::string& cluster, const std::string& sockets) const {
    // The programs find each other by the path they are called with.
    std::vector<std::string> arguments{programs_ / "postgres", "-D", cluster};
    for (const char* setting :
         {"listen_addresses=", "port=5432", "unix_socket_permissions=0700", "cluster_name=toolhost",
          "max_connections=120", "shared_buffers=128MB", "huge_pages=off", "jit=off", "max_wal_size=1GB",
          "logging_collector=off", "log_destination=stderr", "log_timezone=UTC", "timezone=UTC",
          "client_connection_check_interval=1s", "idle_in_transaction_session_timeout=10min"}) {
      arguments.emplace_back("-c");
      arguments.emplace_back(setting);
    }
    if (!is_durable_) {
      for (const char* setting : {"fsync=off", "synchronous_commit=off", "full_page_writes=off"}) {
        arguments.emplace_back("-c");
        arguments.emplace_back(setting);
      }
    }
    arguments.emplace_back("-c");
    arguments.emplace_back("unix_socket_directories=" + sockets);
    return arguments;
  }

  Result<> start_server(Deadline deadline) {
    auto cluster = open_directory(cluster_);
    if (!cluster) return cluster.error();
    auto sockets = open_directory(socket_directory_);
    if (!sockets) return sockets.error();
    const auto by_number = [](const FileDescriptor& fd) { return "/proc/self/fd/" + std::to_string(fd.get()); };
    Launch request;
    request.program = programs_ / "postgres";
    request.by_path = server_arguments(cluster_, socket_directory_);
    request.by_descriptor = server_arguments(by_number(*cluster), by_number(*sockets));
    request.must_reach = cluster_;
    request.user = &user_;
    request.log = log_.get();
    request.keep = {cluster->get(), sockets->get()};
    const auto log_start = ::lseek(log_.get(), 0, SEEK_END);
    auto child = launch(request);
    if (!child) return child.error();
    pid_ = *child;
    while (!accepts_connections()) {
      std::string how;
      if (has_ended(how)) {
        return no_server("PostgreSQL did not start (" + how + "); its last words: " + last_words(log_start));
      }
      if (deadline.has_passed()) {
        stop(2s);
        return no_server("PostgreSQL did not become ready in time; its last words: " + last_words(log_start));
      }
      std::this_thread::sleep_for(10ms);
    }
    return {};
  }

  std::optional<int> wait_for_end(Deadline deadline) {
    for (;;) {
      int status = 0;
      const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
      if (ended == pid_ || (ended < 0 && errno == ECHILD)) {
        pid_ = -1;
        return status;
      }
      if (deadline.has_passed()) return std::nullopt;
      std::this_thread::sleep_for(5ms);
    }
  }

  // The end of what was written to the log since `start`, on one line.
  std::string last_words(off_t start) const {
    constexpr off_t kMost = 1500;
    std::ifstream log(log_path_, std::ios::binary | std::ios::ate);
    const off_t end = log.tellg();
    if (end <= 0) return "(nothing)";
    const off_t from = std::max({start, end - kMost, off_t{0}});
    std::string text(static_cast<std::size_t>(std::max<off_t>(end - from, 0)), '\0');
    log.seekg(from);
    log.read(text.data(), static_cast<std::streamsize>(text.size()));
    return text.empty() ? "(nothing)" : one_line(text);
  }

  const fs::path data_;
  const fs::path cluster_;
  const fs::path log_path_;
  const fs::path programs_;
  const bool is_durable_;
  const ServerUser user_;
  fs::path socket_directory_;
  bool socket_is_outside_ = false;
  FileDescriptor log_;
  pid_t pid_ = -1;
};

}  // namespace

Result<std::unique_ptr<PostgresServer>> PostgresServer::locate(const Config& config) {
  std::error_code code;
  const fs::path data = fs::weakly_canonical(config.data_directory, code);
  if (code) return no_server("cannot use the data directory " + config.data_directory.string() + ": " + code.message());
  auto user = choose_user(data / "postgres");
  if (!user) return user.error();
  auto programs = choose_programs(config.programs, data / "postgres");
  if (!programs) return programs.error();
  return std::unique_ptr<PostgresServer>(
      std::make_unique<Server>(data, std::move(*programs), config.is_durable, std::move(*user)));
}

}  // namespace toolhost::storage
