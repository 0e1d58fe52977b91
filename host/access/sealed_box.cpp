#include "access/sealed_box.hpp"

#include <openssl/evp.h>

#include <cstdlib>
#include <memory>

#include "access/crypto.hpp"
#include "base/base64url.hpp"

namespace toolhost::access {
namespace {

constexpr std::size_t kNonceBytes = 12, kTagBytes = 16;
constexpr std::size_t kMostBytes = std::size_t{64} * 1024;  // of what a client sends back

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

unsigned char* bytes_of(std::string& text) noexcept {
  return reinterpret_cast<unsigned char*>(text.data());
}
const unsigned char* bytes_of(std::string_view text) noexcept {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Secret derive(const Secret& sealing_key, std::string_view purpose) {
  const auto digest = Hmac(sealing_key).digest({"toolhost.box/1:", purpose});
  return Secret(std::string(digest.begin(), digest.end()));
}

}  // namespace

SealedBox::SealedBox(const Secret& sealing_key, std::string_view purpose) : key_(derive(sealing_key, purpose)) {}

std::string SealedBox::seal(std::string_view text) const {
  // Nonce, ciphertext, tag.
  std::string sealed(kNonceBytes + text.size() + kTagBytes, '\0');
  unsigned char* const nonce = bytes_of(sealed);
  unsigned char* const body = nonce + kNonceBytes;
  fill_random({nonce, kNonceBytes});
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int written = 0;
  require(cipher != nullptr &&
          EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytes_of(key_.reveal()), nonce) == 1 &&
          EVP_EncryptUpdate(cipher.get(), body, &written, bytes_of(text), static_cast<int>(text.size())) == 1 &&
          EVP_EncryptFinal_ex(cipher.get(), body + written, &written) == 1 &&
          EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, body + text.size()) == 1);
  return to_base64url(sealed);
}

std::optional<std::string> SealedBox::open(std::string_view sealed) const {
  if (sealed.size() > kMostBytes) return std::nullopt;
  auto bytes = from_base64url(sealed);
  if (!bytes || bytes->size() < kNonceBytes + kTagBytes) return std::nullopt;
  std::string text(bytes->size() - kNonceBytes - kTagBytes, '\0');
  unsigned char* const nonce = bytes_of(*bytes);
  const unsigned char* const body = nonce + kNonceBytes;
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int written = 0;
  require(cipher != nullptr &&
          EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytes_of(key_.reveal()), nonce) == 1 &&
          EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, nonce + kNonceBytes + text.size()) == 1 &&
          EVP_DecryptUpdate(cipher.get(), bytes_of(text), &written, body, static_cast<int>(text.size())) == 1);
  if (EVP_DecryptFinal_ex(cipher.get(), bytes_of(text) + written, &written) != 1) return std::nullopt;
  return text;
}

}  // namespace toolhost::access
