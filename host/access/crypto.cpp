#include "access/crypto.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <utility>

namespace toolhost::access {

void require(bool is_done) noexcept {
  if (!is_done) std::abort();
}

void fill_random(std::span<std::uint8_t> bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t got = getrandom(bytes.data(), bytes.size(), 0);
    if (got > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(got));
    } else if (errno != EINTR) {
      std::abort();
    }
  }
}

bool equal_in_constant_time(std::string_view left, std::string_view right) noexcept {
  return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

std::array<std::uint8_t, 32> sha256(std::string_view text) noexcept {
  std::array<std::uint8_t, 32> digest{};
  if (EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1) std::abort();
  return digest;
}

struct Hmac::Context {
  EVP_MAC_CTX* mac = nullptr;

  Context() = default;
  explicit Context(EVP_MAC_CTX* owned) noexcept : mac(owned) {}
  Context(Context&& other) noexcept : mac(std::exchange(other.mac, nullptr)) {}
  Context& operator=(Context&& other) noexcept {
    std::swap(mac, other.mac);
    return *this;
  }
  ~Context() { EVP_MAC_CTX_free(mac); }
};

Hmac::Hmac(const Secret& key) noexcept {
  static std::atomic<std::uint64_t> last_id{0};
  id_ = ++last_id;

  EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  require(algorithm != nullptr);
  keyed_ = std::make_unique<Context>(EVP_MAC_CTX_new(algorithm));
  EVP_MAC_free(algorithm);
  char digest_name[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
                                   OSSL_PARAM_construct_end()};
  const std::string_view bytes = key.reveal();
  require(keyed_->mac != nullptr && EVP_MAC_init(keyed_->mac, reinterpret_cast<const unsigned char*>(bytes.data()),
                                                 bytes.size(), parameters) == 1);
}

Hmac::~Hmac() = default;

Hmac::Digest Hmac::digest(std::initializer_list<std::string_view> parts) const noexcept {
  // Fetching the algorithm and hashing the key cost several times the digest itself, and a context serves one thread at
  // a time: each thread keeps a keyed copy. The slots are few because a host has few keys; one too many only costs new
  // copies, of those that were made longest ago.
  struct Slot {
    std::uint64_t id = 0;
    Context context;
  };
  thread_local std::array<Slot, 8> slots;
  thread_local std::size_t next = 0;
  const auto known = std::find_if(slots.begin(), slots.end(), [this](const Slot& each) { return each.id == id_; });
  Slot& slot = known != slots.end() ? *known : slots[next++ % slots.size()];
  if (slot.id != id_) {
    slot.context = Context(EVP_MAC_CTX_dup(keyed_->mac));
    slot.id = id_;
    require(slot.context.mac != nullptr);
  }

  EVP_MAC_CTX* const mac = slot.context.mac;
  require(EVP_MAC_init(mac, nullptr, 0, nullptr) == 1);
  for (const std::string_view part : parts) {
    require(EVP_MAC_update(mac, reinterpret_cast<const unsigned char*>(part.data()), part.size()) == 1);
  }
  Digest digest;
  std::size_t written = 0;
  require(EVP_MAC_final(mac, digest.data(), &written, digest.size()) == 1 && written == digest.size());
  return digest;
}

}  // namespace toolhost::access
