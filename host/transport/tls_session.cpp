#include "transport/tls_session.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <new>

namespace toolhost::transport {
namespace {

// The socket, as OpenSSL sees it. Its own would end the process with SIGPIPE when the client is gone.

void set_descriptor(BIO* bio, int descriptor) {
  BIO_set_data(bio,
               reinterpret_cast<void*>(static_cast<std::intptr_t>(descriptor)));  // NOLINT(performance-no-int-to-ptr)
}

int descriptor_of(BIO* bio) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

int send_bytes(BIO* bio, const char* bytes, int count) {
  ssize_t sent = 0;
  do {
    sent = ::send(descriptor_of(bio), bytes, static_cast<std::size_t>(count), MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  BIO_clear_retry_flags(bio);
  if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int receive_bytes(BIO* bio, char* room, int count) {
  ssize_t received = 0;
  do {
    received = ::recv(descriptor_of(bio), room, static_cast<std::size_t>(count), MSG_DONTWAIT);
  } while (received < 0 && errno == EINTR);
  BIO_clear_retry_flags(bio);
  if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) BIO_set_retry_read(bio);
  return static_cast<int>(received);
}

long control_socket(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;  // nothing is held back
}

BIO_METHOD* socket_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "toolhost socket");
    if (made == nullptr) throw std::bad_alloc();
    BIO_meth_set_write(made, send_bytes);
    BIO_meth_set_read(made, receive_bytes);
    BIO_meth_set_ctrl(made, control_socket);
    return made;
  }();
  return method;
}

}  // namespace

TlsSession::TlsSession(ssl_ctx_st& context, int descriptor) : ssl_(SSL_new(&context)) {
  BIO* bio = BIO_new(socket_method());
  if (!ssl_ || bio == nullptr) {
    BIO_free(bio);
    throw std::bad_alloc();
  }
  set_descriptor(bio, descriptor);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);  // which owns it from here on
}

void TlsSession::Free::operator()(ssl_st* ssl) const noexcept {
  SSL_free(ssl);
}

TlsSession::Progress TlsSession::outcome(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_NONE:
      return Progress::kDone;
    case SSL_ERROR_WANT_READ:
      return Progress::kWantsRead;
    case SSL_ERROR_WANT_WRITE:
      return Progress::kWantsWrite;
    default:
      break;
  }
  const unsigned long error = ERR_peek_error();
  const int reason = ERR_GET_REASON(error);
  met_plain_http_ = reason == SSL_R_HTTP_REQUEST || reason == SSL_R_HTTPS_PROXY_REQUEST;
  const char* text = reason == SSL_R_UNEXPECTED_EOF_WHILE_READING ? nullptr : ERR_reason_error_string(error);
  fault_ = text == nullptr ? std::string_view() : text;
  ERR_clear_error();
  return Progress::kEnded;
}

TlsSession::Progress TlsSession::handshake() {
  const std::scoped_lock lock(mutex_);
  ERR_clear_error();  // SSL_get_error() looks at the thread's queue
  return outcome(SSL_accept(ssl_.get()));
}

TlsSession::Progress TlsSession::read(std::span<char> room, std::size_t& count) {
  const std::scoped_lock lock(mutex_);
  ERR_clear_error();
  return outcome(SSL_read_ex(ssl_.get(), room.data(), room.size(), &count));
}

TlsSession::Progress TlsSession::write(std::string_view bytes, std::size_t& count) {
  const std::scoped_lock lock(mutex_);
  ERR_clear_error();
  return outcome(SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &count));
}

bool TlsSession::has_pending() const {
  const std::scoped_lock lock(mutex_);
  return SSL_has_pending(ssl_.get()) == 1;
}

void TlsSession::close() {
  const std::scoped_lock lock(mutex_);
  if (SSL_is_init_finished(ssl_.get()) == 0) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());  // the client's own is not waited for (RFC 8446, 6.1)
  ERR_clear_error();
}

void TlsSession::abandon() {
  const std::scoped_lock lock(mutex_);
  set_descriptor(SSL_get_rbio(ssl_.get()), -1);
}

}  // namespace toolhost::transport
