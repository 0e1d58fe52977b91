#include "plugin_runtime/sealed_token.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <stdexcept>

namespace toolhost::plugin_runtime {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<std::int8_t, 256> kDigits = [] {
  std::array<std::int8_t, 256> digits{};
  digits.fill(-1);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i)
    digits[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  return digits;
}();

std::string encode(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() * 4 + 2) / 3);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char byte : bytes) {
    bits = (bits << 8) | static_cast<unsigned char>(byte);
    for (count += 8; count >= 6; count -= 6) text += kAlphabet[(bits >> (count - 6)) & 63];
  }
  if (count > 0) text += kAlphabet[(bits << (6 - count)) & 63];
  return text;
}

/// Only what encode() writes is accepted, so that a token has one spelling.
std::optional<std::string> decode(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const auto digit = kDigits[static_cast<unsigned char>(c)];
    if (digit < 0) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>((bits >> count) & 255);
  }
  if (text.size() % 4 == 1 || (bits & ((1U << count) - 1)) != 0) return std::nullopt;
  return bytes;
}

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
  return encode(sealed);
}

std::optional<std::string> TokenSealer::open(TenantId tenant, std::string_view token) const {
  auto sealed = decode(token);
  if (!sealed || sealed->size() < sizeof(Mac)) return std::nullopt;
  const auto mac = mac_of(tenant, std::string_view(*sealed).substr(sizeof(Mac)));
  if (CRYPTO_memcmp(mac.data(), sealed->data(), mac.size()) != 0) return std::nullopt;
  return sealed->substr(sizeof(Mac));
}

}  // namespace toolhost::plugin_runtime
