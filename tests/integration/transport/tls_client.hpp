#pragma once
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cerrno>
#include <csignal>
#include <string>

#include "integration/transport/raw_client.hpp"
#include "integration/transport/test_certificates.hpp"

namespace toolhost::transport::testing {

using TlsTicket = std::unique_ptr<SSL_SESSION, Freed<SSL_SESSION_free>>;

struct TlsClientConfig {
  int highest_version = TLS1_3_VERSION;
  std::string alpn;                        ///< as on the wire; empty: none is offered
  const TestCertificate* trust = nullptr;  ///< the chain has to lead to it; null: any will do
  SSL_SESSION* ticket = nullptr;           ///< of an earlier connection
  int receive_buffer_bytes = 0;
};

/// RawClient inside of TLS. Throws std::runtime_error when the handshake fails.
class TlsClient final : public RawClient {
 public:
  explicit TlsClient(std::uint16_t port, const TlsClientConfig& config = {})
      : RawClient(port, config.receive_buffer_bytes), context_(SSL_CTX_new(TLS_client_method())) {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to a socket that the server has closed
    // What is too old or too weak is to be refused by the server.
    SSL_CTX_set_security_level(context_.get(), 0);
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context_.get(), config.highest_version);
    SSL_CTX_set_mode(context_.get(), SSL_MODE_AUTO_RETRY);
    if (config.trust) {
      X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), config.trust->certificate.get());
      SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    }
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), descriptor());
    if (!config.alpn.empty()) {
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(config.alpn.data()),
                          static_cast<unsigned>(config.alpn.size()));
    }
    if (config.ticket) SSL_set_session(ssl_.get(), config.ticket);
    ERR_clear_error();
    if (SSL_connect(ssl_.get()) == 1) return;
    const char* reason = ERR_reason_error_string(ERR_peek_error());
    const std::string text = reason ? reason : "the connection ended";
    ERR_clear_error();
    throw std::runtime_error(text);
  }

  [[nodiscard]] std::string server_name() const {
    const std::unique_ptr<X509, Freed<X509_free>> certificate(SSL_get1_peer_certificate(ssl_.get()));
    char name[256] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name, sizeof name);
    return name;
  }
  [[nodiscard]] std::string version() const { return SSL_get_version(ssl_.get()); }
  [[nodiscard]] std::string cipher() const { return SSL_get_cipher_name(ssl_.get()); }
  [[nodiscard]] std::string alpn() const {
    const unsigned char* name = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &length);
    return {reinterpret_cast<const char*>(name), length};
  }
  [[nodiscard]] bool is_resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  /// With TLS 1.3 behind the first bytes from the server.
  [[nodiscard]] TlsTicket ticket() const { return TlsTicket(SSL_get1_session(ssl_.get())); }
  /// The server said that it ends, instead of ending.
  [[nodiscard]] bool was_told_of_the_end() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }
  /// Asks for new keys, which the server has to answer while it may be writing.
  void update_keys() { SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED); }

 protected:
  ssize_t transmit(std::string_view bytes) override {
    return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
  }
  ssize_t receive(char* room, std::size_t size) override {
    ERR_clear_error();
    errno = 0;
    const int count = SSL_read(ssl_.get(), room, static_cast<int>(size));
    if (count > 0) return count;
    const bool waits = SSL_get_error(ssl_.get(), count) == SSL_ERROR_WANT_READ;
    return waits ? -1 : 0;
  }

 private:
  std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>> context_;
  std::unique_ptr<SSL, Freed<SSL_free>> ssl_;
};

}  // namespace toolhost::transport::testing
