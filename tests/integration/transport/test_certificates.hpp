#pragma once
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp

#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>

#include "transport/http.hpp"

namespace toolhost::transport::testing {

template <auto function>
struct Freed {
  template <class Object>
  void operator()(Object* object) const noexcept {
    function(object);
  }
};

/// A certificate and its key, made for the test.
struct TestCertificate {
  std::unique_ptr<X509, Freed<X509_free>> certificate;
  std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>> key;

  [[nodiscard]] std::string certificate_pem() const {
    return text([&](BIO* out) { return PEM_write_bio_X509(out, certificate.get()); });
  }
  [[nodiscard]] std::string key_pem(const std::string& passphrase = {}) const {
    return text([&](BIO* out) {
      const EVP_CIPHER* cipher = passphrase.empty() ? nullptr : EVP_aes_256_cbc();
      return PEM_write_bio_PKCS8PrivateKey(out, key.get(), cipher, passphrase.data(),
                                           static_cast<int>(passphrase.size()), nullptr, nullptr);
    });
  }

 private:
  template <class Write>
  static std::string text(const Write& write) {
    const std::unique_ptr<BIO, Freed<BIO_free>> out(BIO_new(BIO_s_mem()));
    if (write(out.get()) != 1) throw std::runtime_error("cannot write PEM");
    char* bytes = nullptr;
    const long length = BIO_get_mem_data(out.get(), &bytes);
    return {bytes, static_cast<std::size_t>(length)};
  }
};

struct CertificateWish {
  std::string name;
  const TestCertificate* issuer = nullptr;  ///< null: itself
  bool is_authority = false;
  int rsa_bits = 0;  ///< 0: P-256
  long ends_in_seconds = 3600;
};

inline TestCertificate make_certificate(const CertificateWish& wish) {
  TestCertificate made;
  made.key.reset(wish.rsa_bits == 0 ? EVP_EC_gen("P-256") : EVP_RSA_gen(static_cast<unsigned>(wish.rsa_bits)));
  made.certificate.reset(X509_new());
  X509* certificate = made.certificate.get();
  static long serial = 0;
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -7200);
  X509_gmtime_adj(X509_getm_notAfter(certificate), wish.ends_in_seconds);
  X509_set_pubkey(certificate, made.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(wish.name.c_str()), -1, -1, 0);
  const TestCertificate& issuer = wish.issuer ? *wish.issuer : made;
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer.certificate.get()));
  const auto extend = [&](int nid, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  };
  extend(NID_basic_constraints, wish.is_authority ? "critical,CA:TRUE" : "CA:FALSE");
  if (!wish.is_authority) extend(NID_subject_alt_name, "DNS:" + wish.name + ",IP:127.0.0.1");
  if (X509_sign(certificate, issuer.key.get(), EVP_sha256()) == 0) throw std::runtime_error("cannot sign");
  return made;
}

/// A certificate's file and that of its key, in a directory that ends with this object.
class CertificateFiles {
 public:
  CertificateFiles() {
    std::string name = (std::filesystem::temp_directory_path() / "toolhost-pair-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    directory_ = name;
  }
  explicit CertificateFiles(const TestCertificate& certificate) : CertificateFiles() { write(certificate); }
  ~CertificateFiles() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  CertificateFiles(const CertificateFiles&) = delete;
  CertificateFiles& operator=(const CertificateFiles&) = delete;

  void write(const TestCertificate& certificate) const {
    write_certificate(certificate.certificate_pem());
    write_key(certificate.key_pem());
  }
  void write_certificate(const std::string& text) const { replace("chain.pem", text); }
  void write_key(const std::string& text) const { replace("key.pem", text); }

  [[nodiscard]] TlsConfig config() const {
    return {.certificate = directory_ / "chain.pem",
            .key = directory_ / "key.pem",
            .look_again = std::chrono::milliseconds(20)};
  }

 private:
  /// As an editor does: a new file in the place of the old one.
  void replace(const char* name, const std::string& text) const {
    const auto fresh = directory_ / "fresh";
    std::ofstream(fresh, std::ios::binary) << text;
    std::filesystem::rename(fresh, directory_ / name);
  }

  std::filesystem::path directory_;
};

}  // namespace toolhost::transport::testing
