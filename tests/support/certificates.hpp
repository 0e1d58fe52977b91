#pragma once
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

namespace toolhost::test_support {

/// Calls an OpenSSL function when its object ends.
template <auto kFree>
struct Freed {
  template <class T>
  void operator()(T* object) const noexcept {
    kFree(object);
  }
};
using PrivateKey = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Memory = std::unique_ptr<BIO, Freed<BIO_free>>;

/// For steps of OpenSSL that only fail when memory is exhausted or the test is wrong.
inline void require(bool done, const char* what) {
  if (!done) throw std::runtime_error(what);
}

template <class Write>
std::string pem_of(Write&& write) {
  const Memory memory(BIO_new(BIO_s_mem()));
  require(write(memory.get()) == 1, "PEM");
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

/// A certificate and its key, both as PEM.
struct Certified {
  std::string certificate, key;
};

/// What a certificate says. Names: "DNS:localhost,IP:127.0.0.1".
struct CertificateWish {
  std::string names = "DNS:localhost,IP:127.0.0.1,IP:::1";
  std::chrono::seconds begins_in = -std::chrono::hours(2);
  std::chrono::seconds ends_in = std::chrono::hours(2);
};

/// A certificate authority of the test's own.
class TestAuthority {
 public:
  TestAuthority() : key_(EVP_EC_gen("P-256")) {
    certificate_ = make(key_.get(), "Test Authority", {}, true);
    sign(*certificate_);
  }

  [[nodiscard]] std::string certificate() const { return pem_of_certificate(*certificate_); }

  [[nodiscard]] Certified issue(const CertificateWish& wish = {}) const {
    const PrivateKey key(EVP_EC_gen("P-256"));
    const Certificate certificate = make(key.get(), "Test Server", wish, false);
    sign(*certificate);
    return {pem_of_certificate(*certificate), pem_of([&](BIO* to) {
              return PEM_write_bio_PrivateKey(to, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
            })};
  }

 private:
  static std::string pem_of_certificate(X509& certificate) {
    return pem_of([&](BIO* to) { return PEM_write_bio_X509(to, &certificate); });
  }

  [[nodiscard]] Certificate make(EVP_PKEY* key, const char* name, const CertificateWish& wish,
                                 bool is_authority) const {
    static long serial = 0;
    Certificate made(X509_new());
    X509_set_version(made.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), static_cast<long>(wish.begins_in.count()));
    X509_gmtime_adj(X509_getm_notAfter(made.get()), static_cast<long>(wish.ends_in.count()));
    X509_set_pubkey(made.get(), key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
    X509_set_issuer_name(made.get(), X509_get_subject_name(is_authority ? made.get() : certificate_.get()));
    extend(*made, NID_basic_constraints, is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (!is_authority) extend(*made, NID_subject_alt_name, wish.names.c_str());
    return made;
  }

  static void extend(X509& certificate, int what, const char* text) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, &certificate, &certificate, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>> extension(
        X509V3_EXT_conf_nid(nullptr, &context, what, text));
    require(extension != nullptr && X509_add_ext(&certificate, extension.get(), -1) == 1, text);
  }

  void sign(X509& certificate) const { require(X509_sign(&certificate, key_.get(), EVP_sha256()) > 0, "X509_sign"); }

  PrivateKey key_;
  Certificate certificate_;
};

}  // namespace toolhost::test_support
