#include "storage/audit_chain.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <utility>

namespace toolhost::storage {
namespace {

constexpr std::size_t kHashBytes = 32;
constexpr std::string_view kTold = "checkpoint of tenant ";
constexpr std::string_view kBegins = ", where its chain begins";

/// Takes words off the beginning of a text.
struct Words {
  std::string_view left;
  bool is_good = true;

  bool skip(std::string_view word) {
    if (!left.starts_with(word)) return false;
    left.remove_prefix(word.size());
    return true;
  }
  void expect(std::string_view word) { is_good = skip(word) && is_good; }
  template <class T>
  T number() {
    T number = 0;
    const auto [end, error] = std::from_chars(left.data(), left.data() + left.size(), number);
    is_good = is_good && error == std::errc() && number >= 0;
    left.remove_prefix(static_cast<std::size_t>(end - left.data()));
    return number;
  }
  AuditHash hash() {
    AuditHash hash = from_hex(left.substr(0, 2 * kHashBytes));
    is_good = is_good && hash.size() == kHashBytes;
    left.remove_prefix(std::min(2 * kHashBytes, left.size()));
    return hash;
  }
  std::string until(char end) {
    std::string text(left.substr(0, left.find(end)));
    left.remove_prefix(text.size());
    return text;
  }
};

// OpenSSL's digests fail only when memory is exhausted; a wrong one would be worse than the end of the process.
void require(bool done) noexcept {
  if (!done) std::abort();
}

}  // namespace

std::string text_of(const AuditCheckpoint& checkpoint) {
  return std::string(kTold) + std::to_string(checkpoint.tenant_id) + " at row " + std::to_string(checkpoint.sequence) +
         std::string(checkpoint.begins ? kBegins : "") + ": hash " + to_hex(checkpoint.hash) + ", sealed " +
         checkpoint.sealed_at + " with " + to_hex(checkpoint.mac);
}

Result<std::optional<AuditCheckpoint>> checkpoint_in(std::string_view line) {
  const auto at = line.find(kTold);
  if (at == std::string_view::npos) return std::optional<AuditCheckpoint>();
  Words words{line.substr(at + kTold.size())};
  AuditCheckpoint checkpoint;
  checkpoint.tenant_id = words.number<std::int32_t>();
  words.expect(" at row ");
  checkpoint.sequence = words.number<std::int64_t>();
  checkpoint.begins = words.skip(kBegins);
  words.expect(": hash ");
  checkpoint.hash = words.hash();
  words.expect(", sealed ");
  checkpoint.sealed_at = words.until(' ');
  words.expect(" with ");
  checkpoint.mac = words.hash();
  if (!words.is_good) return Error{Errc::kInvalidArgument, "a checkpoint cannot be read", ""};
  return std::optional(std::move(checkpoint));
}

struct ChainHasher::Context {
  EVP_MD* algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  EVP_MD_CTX* digest = EVP_MD_CTX_new();

  Context() { require(algorithm != nullptr && digest != nullptr); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() {
    EVP_MD_CTX_free(digest);
    EVP_MD_free(algorithm);
  }
};

ChainHasher::ChainHasher() : context_(std::make_unique<Context>()) {}
ChainHasher::~ChainHasher() = default;

AuditHash ChainHasher::link(std::string_view previous, std::int64_t sequence, std::string_view record) {
  std::array<unsigned char, 8> number{};
  for (std::size_t at = 0; at < number.size(); ++at) {
    number[at] = static_cast<unsigned char>(static_cast<std::uint64_t>(sequence) >> (8 * (7 - at)));
  }
  AuditHash hash(kHashBytes, '\0');
  unsigned size = 0;
  EVP_MD_CTX* const digest = context_->digest;
  require(EVP_DigestInit_ex2(digest, context_->algorithm, nullptr) == 1 &&
          EVP_DigestUpdate(digest, previous.data(), previous.size()) == 1 &&
          EVP_DigestUpdate(digest, number.data(), number.size()) == 1 &&
          EVP_DigestUpdate(digest, record.data(), record.size()) == 1 &&
          EVP_DigestFinal_ex(digest, reinterpret_cast<unsigned char*>(hash.data()), &size) == 1 && size == kHashBytes);
  return hash;
}

AuditHash CheckpointSeal::mac_of(const AuditCheckpoint& checkpoint) const {
  // The first line keeps it apart from whatever else is sealed with the same secret.
  const std::string text = "toolhost audit checkpoint\n" + std::to_string(checkpoint.tenant_id) + "\n" +
                           std::to_string(checkpoint.sequence) + "\n" + (checkpoint.begins ? "begins" : "holds") +
                           "\n" + to_hex(checkpoint.hash) + "\n" + checkpoint.sealed_at;
  const std::string_view key = secret_.reveal();
  AuditHash mac(kHashBytes, '\0');
  unsigned size = 0;
  require(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
               reinterpret_cast<const unsigned char*>(text.data()), text.size(),
               reinterpret_cast<unsigned char*>(mac.data()), &size) != nullptr &&
          size == kHashBytes);
  return mac;
}

bool CheckpointSeal::fits(const AuditCheckpoint& checkpoint) const {
  const AuditHash mac = mac_of(checkpoint);
  return mac.size() == checkpoint.mac.size() && CRYPTO_memcmp(mac.data(), checkpoint.mac.data(), mac.size()) == 0;
}

}  // namespace toolhost::storage
