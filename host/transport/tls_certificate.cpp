#include "transport/tls_certificate.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/secret.hpp"

namespace toolhost::transport {
namespace {

using observability::EventSink;
using observability::HostNotice;
using observability::Severity;

constexpr std::size_t kMostBytes = std::size_t{1} << 20;
constexpr int kSecurityLevel = 2;  // 112 bits: RSA from 2,048, no SHA-1
// Of TLS 1.2; those of 1.3 are all like these.
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
// As ALPN writes a list of protocols: each with its length in front (RFC 7301, 3.1).
constexpr std::string_view kHttp11 = "\x08http/1.1";

template <auto function>
struct Freed {
  template <class Object>
  void operator()(Object* object) const noexcept {
    function(object);
  }
};
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Memory = std::unique_ptr<BIO, Freed<BIO_free>>;

/// What OpenSSL says, for the log; its queue is empty then.
std::string openssl_reason() {
  const unsigned long error = ERR_peek_error();
  const char* text = ERR_reason_error_string(error);
  std::string reason = text == nullptr ? "" : text;
  ERR_clear_error();
  return reason;
}

Error wrong(std::string message) {
  return {Errc::kInvalidArgument, std::move(message), openssl_reason()};
}

Result<Secret> read_file(const char* what, const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::string text(kMostBytes, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (!text.empty()) return Secret(std::move(text));
  const std::string why = errno == 0 ? "it is empty" : std::error_code(errno, std::generic_category()).message();
  return wrong(std::string("the TLS ") + what + " " + path + " cannot be read: " + why);
}

Memory memory_of(const Secret& text) {
  return Memory(BIO_new_mem_buf(text.reveal().data(), static_cast<int>(text.reveal().size())));
}

/// Nobody is asked for a passphrase: OpenSSL would ask the terminal.
int no_passphrase(char*, int, int, void* is_asked) {
  *static_cast<bool*>(is_asked) = true;
  return -1;
}

Result<std::vector<Certificate>> parse_chain(const Secret& text, const std::string& path) {
  std::vector<Certificate> chain;
  const Memory in = memory_of(text);
  while (X509* next = PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)) chain.emplace_back(next);
  const bool is_at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (chain.empty() || !is_at_end) {
    return wrong("the TLS certificate " + path +
                 " is not in PEM form; it must hold '-----BEGIN CERTIFICATE-----', the server's own certificate first");
  }
  ERR_clear_error();
  return chain;
}

Result<Key> parse_key(const Secret& text, const std::string& path) {
  bool is_asked = false;
  Key key(PEM_read_bio_PrivateKey(memory_of(text).get(), nullptr, no_passphrase, &is_asked));
  if (is_asked) {
    return wrong("the TLS key " + path +
                 " is protected by a passphrase, which nobody is there to type; 'openssl pkey -in FILE -out FILE' "
                 "writes it without one");
  }
  if (!key) return wrong("the TLS key " + path + " is not in PEM form; it must hold '-----BEGIN PRIVATE KEY-----'");
  return key;
}

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* length, const unsigned char* offered,
                    unsigned int offered_length, void*) {
  unsigned char* found = nullptr;
  const auto* ours = reinterpret_cast<const unsigned char*>(kHttp11.data());
  const int result = SSL_select_next_proto(&found, length, ours, kHttp11.size(), offered, offered_length);
  *chosen = found;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

Context make_context() {
  Context context(SSL_CTX_new(TLS_server_method()));
  if (!context) throw std::bad_alloc();
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_security_level(context.get(), kSecurityLevel);
  SSL_CTX_set_cipher_list(context.get(), kCiphers);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  // Clients keep their sessions in tickets; the server keeps none.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  // An idle connection has no buffers. A record that the socket did not take may be tried again from elsewhere.
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context.get(), 1);
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  return context;
}

struct Loaded {
  Context context;
  std::string until;  ///< when the certificate ends, as OpenSSL writes it
  bool has_ended = false;
};

std::string text_of(const ASN1_TIME* time) {
  const Memory out(BIO_new(BIO_s_mem()));
  ASN1_TIME_print(out.get(), time);
  char* text = nullptr;
  const long length = BIO_get_mem_data(out.get(), &text);
  return length > 0 ? std::string(text, static_cast<std::size_t>(length)) : std::string();
}

Result<Loaded> load_pair(const TlsConfig& config) {
  ERR_clear_error();
  const auto chain_text = read_file("certificate", config.certificate);
  if (!chain_text) return chain_text.error();
  auto chain = parse_chain(*chain_text, config.certificate);
  if (!chain) return chain.error();
  const auto key_text = read_file("key", config.key);
  if (!key_text) return key_text.error();
  const auto key = parse_key(*key_text, config.key);
  if (!key) return key.error();

  X509* own = chain->front().get();
  if (X509_check_private_key(own, key->get()) != 1) {
    return wrong("the TLS key " + config.key + " does not belong to the certificate " + config.certificate +
                 ", whose first certificate must be the server's own");
  }
  Loaded loaded{.context = make_context(), .until = text_of(X509_get0_notAfter(own))};
  loaded.has_ended = X509_cmp_current_time(X509_get0_notAfter(own)) < 0;
  SSL_CTX* context = loaded.context.get();
  if (SSL_CTX_use_certificate(context, own) != 1 || SSL_CTX_use_PrivateKey(context, key->get()) != 1)
    return wrong("the TLS certificate " + config.certificate + " is too weak; use RSA from 2,048 bits or P-256");
  for (std::size_t i = 1; i < chain->size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, (*chain)[i].get()) != 1)
      return wrong("a certificate in " + config.certificate + " is too weak; use RSA from 2,048 bits or P-256");
  }
  return loaded;
}

/// Which file a path leads to, and in which state it is; equal when nothing has happened.
using FileMark = std::array<std::int64_t, 6>;

FileMark mark_of(const std::string& path) {
  struct stat state{};
  if (::stat(path.c_str(), &state) != 0) return {};
  return {static_cast<std::int64_t>(state.st_dev),
          static_cast<std::int64_t>(state.st_ino),
          state.st_size,
          state.st_mtim.tv_sec,
          state.st_mtim.tv_nsec,
          state.st_ctim.tv_sec * 1'000'000'000 + state.st_ctim.tv_nsec};
}

using PairMark = std::pair<FileMark, FileMark>;

PairMark mark_of(const TlsConfig& config) {
  return {mark_of(config.certificate), mark_of(config.key)};
}

class WatchedCertificate final : public TlsCertificate {
 public:
  WatchedCertificate(const TlsConfig& config, EventSink& events, Loaded loaded, PairMark seen)
      : config_(config), events_(events), seen_(seen) {
    use(std::move(loaded), "HTTPS is served with the certificate ");
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "toolhost-tls");
      run();
    });
  }
  WatchedCertificate(const WatchedCertificate&) = delete;
  WatchedCertificate& operator=(const WatchedCertificate&) = delete;
  ~WatchedCertificate() override {
    {
      const std::scoped_lock lock(mutex_);
      is_stopping_ = true;
    }
    stop_.notify_all();
    thread_.join();
  }

  [[nodiscard]] std::unique_ptr<TlsSession> accept(int descriptor) const override {
    const std::scoped_lock lock(mutex_);
    return std::make_unique<TlsSession>(*context_, descriptor);  // which keeps the context
  }

 private:
  /// Whether the host goes on, after a while.
  bool pause() {
    std::unique_lock lock(mutex_);
    return !stop_.wait_for(lock, config_.look_again, [this] { return is_stopping_; });
  }

  void run() {
    while (pause()) {
      PairMark now = mark_of(config_);
      if (now == seen_) continue;
      // The two files are seldom replaced in the same moment: looks again until nothing happens any more.
      while (std::exchange(seen_, now) != now) {
        if (!pause()) return;
        now = mark_of(config_);
      }
      reload();
    }
  }

  void reload() {
    auto loaded = load_pair(config_);
    if (loaded) return use(std::move(*loaded), "HTTPS is from now on served with the certificate ");
    const Error& error = loaded.error();
    events_.emit(HostNotice{Severity::kError, "http",
                            error.message + (error.detail.empty() ? "" : " (" + error.detail + ")") +
                                "; the certificate that was in use before stays"});
  }

  void use(Loaded loaded, const char* what) {
    const std::string text =
        what + config_.certificate + ", " + (loaded.has_ended ? "which ended on " : "valid until ") + loaded.until;
    {
      const std::scoped_lock lock(mutex_);
      context_ = std::move(loaded.context);
    }
    events_.emit(HostNotice{loaded.has_ended ? Severity::kWarning : Severity::kInfo, "http", text});
  }

  const TlsConfig config_;
  EventSink& events_;
  PairMark seen_;  // the thread's own

  mutable std::mutex mutex_;
  std::condition_variable stop_;
  Context context_;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<TlsCertificate>> TlsCertificate::load(const TlsConfig& config, EventSink& events) {
  const PairMark seen = mark_of(config);  // before the files are read: what changes meanwhile is noticed
  auto loaded = load_pair(config);
  if (!loaded) return loaded.error();
  return std::unique_ptr<TlsCertificate>(
      std::make_unique<WatchedCertificate>(config, events, std::move(*loaded), seen));
}

}  // namespace toolhost::transport
