#pragma once
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/base64url.hpp"
#include "support/certificates.hpp"

namespace toolhost::test_support {

/// A key that signs as a provider would, and as nobody should; OpenSSL alone, so that it does not share the mistakes of
/// the library under test.
class SigningKey {
 public:
  static SigningKey rsa(std::string id, unsigned bits = 2048) { return {std::move(id), EVP_RSA_gen(bits)}; }
  static SigningKey ec(std::string id, const char* curve = "P-256") { return {std::move(id), EVP_EC_gen(curve)}; }

  [[nodiscard]] const std::string& id() const noexcept { return id_; }

  /// The public key as a JWK; `more`: further members, each with a comma before it.
  [[nodiscard]] std::string jwk(std::string_view more = "") const {
    const std::string start = id_.empty() ? "{" : R"({"kid":")" + id_ + "\",";
    if (EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_RSA) {
      return start + R"("kty":"RSA","n":")" + number(OSSL_PKEY_PARAM_RSA_N) + R"(","e":")" +
             number(OSSL_PKEY_PARAM_RSA_E) + "\"" + std::string(more) + "}";
    }
    return start + R"("kty":"EC","crv":"P-256","x":")" + number(OSSL_PKEY_PARAM_EC_PUB_X, 32) + R"(","y":")" +
           number(OSSL_PKEY_PARAM_EC_PUB_Y, 32) + "\"" + std::string(more) + "}";
  }

  [[nodiscard]] std::string public_pem() const {
    return pem_of([&](BIO* to) { return PEM_write_bio_PUBKEY(to, key_.get()); });
  }

  /// A token with exactly this header and these claims, signed with RS256, PS256 or ES256 whatever the header says.
  [[nodiscard]] std::string token(std::string_view algorithm, std::string_view header, std::string_view claims) const {
    const std::string input = to_base64url(header) + "." + to_base64url(claims);
    return input + "." + to_base64url(signature(algorithm, input));
  }
  /// The same with the usual header.
  [[nodiscard]] std::string token(std::string_view algorithm, std::string_view claims) const {
    const std::string kid = id_.empty() ? "" : R"(,"kid":")" + id_ + "\"";
    return token(algorithm, R"({"alg":")" + std::string(algorithm) + "\"" + kid + "}", claims);
  }

 private:
  SigningKey(std::string id, EVP_PKEY* key) : id_(std::move(id)), key_(key) { require(key != nullptr, "key"); }

  [[nodiscard]] std::string number(const char* name, int size = 0) const {
    BIGNUM* value = nullptr;
    require(EVP_PKEY_get_bn_param(key_.get(), name, &value) == 1, name);
    const std::unique_ptr<BIGNUM, Freed<BN_free>> owned(value);
    std::string bytes(static_cast<std::size_t>(size == 0 ? BN_num_bytes(value) : size), '\0');
    BN_bn2binpad(value, reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    return to_base64url(bytes);
  }

  [[nodiscard]] std::string signature(std::string_view algorithm, std::string_view input) const {
    const std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
    EVP_PKEY_CTX* how = nullptr;
    require(EVP_DigestSignInit(context.get(), &how, EVP_sha256(), nullptr, key_.get()) == 1, "sign");
    if (algorithm == "PS256") {
      EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING);
      EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST);
    }
    const auto* const data = reinterpret_cast<const unsigned char*>(input.data());
    std::size_t size = 0;
    require(EVP_DigestSign(context.get(), nullptr, &size, data, input.size()) == 1, "sign");
    std::string bytes(size, '\0');
    require(
        EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(bytes.data()), &size, data, input.size()) == 1,
        "sign");
    bytes.resize(size);
    return algorithm == "ES256" ? raw_ecdsa(bytes) : bytes;
  }

  /// RFC 7518 section 3.4: r and s, 32 bytes each, instead of ASN.1.
  static std::string raw_ecdsa(const std::string& der) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    const std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>> signature(
        d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
    std::string bytes(64, '\0');
    auto* const out = reinterpret_cast<unsigned char*>(bytes.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out + 32, 32);
    return bytes;
  }

  std::string id_;
  PrivateKey key_;
};

/// A token with HS256 under any text as the secret.
inline std::string hs256_token(std::string_view secret, std::string_view header, std::string_view claims) {
  const std::string input = to_base64url(header) + "." + to_base64url(claims);
  std::string mac(32, '\0');
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(input.data()), input.size(), reinterpret_cast<unsigned char*>(mac.data()),
       &size);
  return input + "." + to_base64url(mac);
}

inline std::string jwk_set(const std::vector<std::string>& keys) {
  std::string text = R"({"keys":[)";
  for (const auto& key : keys) text += (text.ends_with('[') ? "" : ",") + key;
  return text + "]}";
}

/// Members of a claims set with their values as JSON; an empty value leaves the member out.
using Claims = std::map<std::string, std::string>;
inline std::string json_of(Claims claims, const Claims& changes = {}) {
  for (const auto& [name, value] : changes) claims[name] = value;
  std::string text = "{";
  for (const auto& [name, value] : claims) {
    if (!value.empty()) text += (text == "{" ? "\"" : ",\"") + name + "\":" + value;
  }
  return text + "}";
}

}  // namespace toolhost::test_support
