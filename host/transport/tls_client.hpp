#pragma once
#include <string>

#include <openssl/ssl.h>

#include "base/result.hpp"
#include "transport/url.hpp"

namespace toolhost::transport {

/// What a client's context demands of servers: TLS 1.2, and a certificate that the PEM file vouches for, or that the
/// system trusts when the name is empty (SSL_CERT_FILE and SSL_CERT_DIR as OpenSSL reads them). kInvalidArgument when
/// the file cannot be used.
Result<> trust(SSL_CTX* context, const std::string& ca_file);
/// The server must prove to be this URL's host. kInvalidArgument for a name that TLS cannot check.
Result<> expect_host(SSL* tls, const Url& url);
/// Why a handshake failed, in words of an operator; empty when it was not the certificate.
std::string certificate_problem(const SSL* tls);

}  // namespace toolhost::transport
