#include "access/api_key.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/crc.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "access/crypto.hpp"
#include "base/lower.hpp"

namespace toolhost::access {
namespace {

constexpr std::string_view kBase62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kRandomCharacters = 26;  // 154 bits
constexpr std::size_t kChecksumCharacters = 6;
static_assert(kKeyLength == kKeyScheme.size() + kRandomCharacters + kChecksumCharacters);
constexpr std::size_t kSecretBytes = 32;

bool is_base62(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

std::array<char, kChecksumCharacters> checksum_of(std::string_view text) noexcept {
  boost::crc_32_type crc;
  crc.process_bytes(text.data(), text.size());
  std::uint32_t rest = crc.checksum();
  std::array<char, kChecksumCharacters> digits;
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, rest /= 62) *digit = kBase62[rest % 62];
  return digits;
}

void append_random_base62(std::string& out, std::size_t count) {
  constexpr unsigned kUnbiased = 256 / 62 * 62;  // a byte from here on would make the first characters likelier
  std::array<std::uint8_t, 64> bytes;
  for (const std::size_t wanted = out.size() + count; out.size() < wanted;) {
    fill_random(bytes);
    for (const std::uint8_t byte : bytes) {
      if (byte < kUnbiased && out.size() < wanted) out.push_back(kBase62[byte % 62]);
    }
  }
}

class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }

 private:
  int fd_;
};

Error file_error(const std::string& file, std::string_view what) {
  return {Errc::kUnavailable, "secret file " + file + ": " + std::string(what) + ": " + std::strerror(errno), ""};
}

Result<Secret> read_secret(const std::string& file, const Descriptor& descriptor) {
  struct stat status{};
  if (::fstat(descriptor.get(), &status) != 0) return file_error(file, "cannot be read");
  if (!S_ISREG(status.st_mode))
    return Error{Errc::kInvalidArgument, "secret file " + file + " is not a regular file", ""};
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Error{Errc::kInvalidArgument, "secret file " + file + " is open to other users; run: chmod 600 " + file, ""};
  }
  std::string bytes(kSecretBytes + 1, '\0');
  std::size_t length = 0;
  while (length < bytes.size()) {
    const ssize_t got = ::read(descriptor.get(), bytes.data() + length, bytes.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error(file, "cannot be read");
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  bytes.resize(length);
  Secret secret(std::move(bytes));
  if (length != kSecretBytes) {
    return Error{Errc::kInvalidArgument,
                 "secret file " + file + " does not hold " + std::to_string(kSecretBytes) +
                     " bytes; restore it from a backup (a new one makes every existing key invalid)",
                 ""};
  }
  return secret;
}

bool write_all(int fd, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

/// Publishes a complete file under its name, or leaves the one that another process was quicker to publish.
Result<> create_secret(const std::string& file) {
  const std::filesystem::path path(file);
  const std::string directory = path.has_parent_path() ? path.parent_path().string() : ".";
  std::error_code failed;
  // What is made here is the owner's alone; a directory that somebody else made stays as it is.
  if (std::filesystem::create_directories(directory, failed) && !failed)
    std::filesystem::permissions(directory, std::filesystem::perms::owner_all, failed);
  if (failed) return Error{Errc::kUnavailable, "directory " + directory + " cannot be made: " + failed.message(), ""};

  std::string random(kSecretBytes, '\0');
  fill_random({reinterpret_cast<std::uint8_t*>(random.data()), random.size()});
  const Secret secret(std::move(random));

  std::string draft = file + ".XXXXXX";
  const Descriptor descriptor(::mkostemp(draft.data(), O_CLOEXEC));  // mode 0600
  if (!descriptor.is_open()) return file_error(file, "cannot be made");
  Result<> result = boost::system::in_place_value;
  if (!write_all(descriptor.get(), secret.reveal()) || ::fsync(descriptor.get()) != 0) {
    result = file_error(file, "cannot be written");
  } else if (::link(draft.c_str(), file.c_str()) != 0 && errno != EEXIST) {
    // link() rather than rename(): it never replaces a secret that keys may depend on already.
    result = file_error(file, "cannot be made");
  }
  ::unlink(draft.c_str());
  if (!result) return result;

  const Descriptor parent(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent.is_open() || ::fsync(parent.get()) != 0) return file_error(file, "cannot be made durable");
  return result;
}

}  // namespace

NewKey generate_key(const Secret& pepper) {
  std::string text;
  text.reserve(kKeyLength);
  text.append(kKeyScheme);
  append_random_base62(text, kRandomCharacters);
  const auto checksum = checksum_of(text);
  text.append(checksum.data(), checksum.size());

  NewKey key;
  key.prefix = public_prefix(text);
  key.hash = hash_key(pepper, text);
  key.text = Secret(std::move(text));
  return key;
}

std::string_view describe_malformed_key(std::string_view text) noexcept {
  if (text.substr(0, kKeyScheme.size()) != kKeyScheme) return "does not start with hdsk_";
  if (text.size() != kKeyLength) {
    thread_local std::array<char, 48> buffer;
    const int length = std::snprintf(buffer.data(), buffer.size(), "%zu of %zu characters", text.size(), kKeyLength);
    return {buffer.data(), static_cast<std::size_t>(length)};
  }
  if (!std::all_of(text.begin() + kKeyScheme.size(), text.end(), is_base62)) {
    return "holds a character that is neither a letter nor a digit";
  }
  const auto checksum = checksum_of(text.substr(0, kKeyLength - kChecksumCharacters));
  if (text.substr(kKeyLength - kChecksumCharacters) != std::string_view(checksum.data(), checksum.size())) {
    return "checksum does not match";
  }
  return {};
}

std::string_view public_prefix(std::string_view key) noexcept {
  return key.substr(0, kKeyPrefixLength);
}

Result<std::string_view> presented_key(std::string_view x_api_key, std::string_view authorization) {
  if (!x_api_key.empty()) return x_api_key;
  if (authorization.empty()) {
    return Error{Errc::kUnauthenticated, "No API key: send it as X-API-Key or Authorization: Bearer", "no credential"};
  }
  const std::size_t space = authorization.find(' ');
  if (space != std::string_view::npos && equals_ignoring_case(authorization.substr(0, space), "bearer")) {
    const std::size_t begin = authorization.find_first_not_of(' ', space);
    if (begin != std::string_view::npos) return authorization.substr(begin);
  }
  return Error{Errc::kUnauthenticated, "Invalid API key", "Authorization is not of the form: Bearer KEY"};
}

storage::KeyHash hash_key(const Secret& pepper, std::string_view key) noexcept {
  return Hmac(pepper).digest({key});
}

Result<Secret> load_or_create_secret(const std::string& file) {
  for (bool created = false;; created = true) {
    const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (descriptor.is_open()) return read_secret(file, descriptor);
    if (errno != ENOENT || created) return file_error(file, "cannot be opened");
    if (const auto made = create_secret(file); !made) return made.error();
  }
}

}  // namespace toolhost::access
