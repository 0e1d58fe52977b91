#include "plugin_runtime/sealed_token.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <stdexcept>

#include "base/base64url.hpp"

namespace toolhost::plugin_runtime {
namespace {

std::array<std::uint8_t, 32> hmac(std::string_view key, std::string_view data) {
  std::array<std::uint8_t, 32> mac{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(data.data()),
           data.size(), mac.data(), &size) == nullptr)
    throw std::runtime_error("HMAC-SHA-256 failed");  // libcrypto without SHA-256, or out of memory
  return mac;
}

std::string_view as_text(const std::array<std::uint8_t, 32>& mac) {
  return {reinterpret_cast<const char*>(mac.data()), mac.size()};
}

}  // namespace

TokenSealer::TokenSealer(const Secret& sealing_key, std::string_view plugin_id)
    : key_(std::string(as_text(hmac(sealing_key.reveal(), "toolhost.token/1:" + std::string(plugin_id))))) {}

TokenSealer::Mac TokenSealer::mac_of(TenantId tenant, std::string_view data) const {
  // The tenant has a fixed length, so no pair of tenant and data runs into another.
  const auto id = static_cast<std::uint32_t>(value(tenant));
  std::string bound{static_cast<char>(id >> 24), static_cast<char>(id >> 16), static_cast<char>(id >> 8),
                    static_cast<char>(id)};
  bound += data;
  return hmac(key_.reveal(), bound);
}

std::string TokenSealer::seal(TenantId tenant, std::string_view data) const {
  std::string sealed(as_text(mac_of(tenant, data)));
  sealed += data;
  return to_base64url(sealed);
}

std::optional<std::string> TokenSealer::open(TenantId tenant, std::string_view token) const {
  auto sealed = from_base64url(token);
  if (!sealed || sealed->size() < sizeof(Mac)) return std::nullopt;
  const auto mac = mac_of(tenant, std::string_view(*sealed).substr(sizeof(Mac)));
  if (CRYPTO_memcmp(mac.data(), sealed->data(), mac.size()) != 0) return std::nullopt;
  return sealed->substr(sizeof(Mac));
}

}  // namespace toolhost::plugin_runtime
