#include "transport/tls_client.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <boost/asio/ip/address.hpp>

namespace toolhost::transport {

Result<> trust(SSL_CTX* context, const std::string& ca_file) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context);
  } else if (SSL_CTX_load_verify_file(context, ca_file.c_str()) != 1) {
    ERR_clear_error();
    return Error{Errc::kInvalidArgument,
                 "'" + ca_file + "' cannot be read as certificates. Write the path of a PEM file.", ""};
  }
  return {};
}

Result<> expect_host(SSL* tls, const Url& url) {
  boost::system::error_code is_name;
  boost::asio::ip::make_address(url.host, is_name);
  SSL_set_hostflags(tls, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const bool is_set =
      is_name ? SSL_set1_host(tls, url.host.c_str()) == 1 && SSL_set_tlsext_host_name(tls, url.host.c_str()) == 1
              : X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), url.host.c_str()) == 1;
  if (is_set) return {};
  return Error{Errc::kInvalidArgument, url.authority() + " is no name that TLS can check", ""};
}

std::string certificate_problem(const SSL* tls) {
  const long verdict = SSL_get_verify_result(tls);
  switch (verdict) {
    case X509_V_OK:
      return {};
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "shows a certificate that has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "shows a certificate that is not valid yet";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "shows a certificate for another host name";
    default:
      return std::string("shows a certificate that is not trusted (") + X509_verify_cert_error_string(verdict) + ")";
  }
}

}  // namespace toolhost::transport
