#include "app/config/start_check.hpp"

#include <cerrno>
#include <fstream>
#include <system_error>

#include "app/commands/console.hpp"
#include "transport/https_client.hpp"
#include "transport/tls_certificate.hpp"

namespace toolhost::app {
namespace {

namespace fs = std::filesystem;

/// What was read from it is gone.
bool is_read_once(const std::string& path) {
  std::error_code ignored;
  const auto type = fs::status(path, ignored).type();
  return type == fs::file_type::fifo || type == fs::file_type::socket || type == fs::file_type::character;
}

class StartCheck {
 public:
  StartCheck(const HostConfig& config, std::vector<ConfigProblem>& problems) : config_(config), problems_(problems) {}

  void check_files() {
    check_redirect_port();
    check_metrics_port();
    if (config_.portal.enabled) check_sign_in();
  }

  void check_machine() {
    check_certificate();
    check_secret("database.url", config_.database_url_reference, resolve_database_url);
    check_secret("keys.pepper", config_.pepper, resolve_key);
    check_secret("mcp.sealing_key", config_.sealing_key, resolve_key);
    check_plugin_secrets();
    check_tracing();
    check_issuers();
    check_trusted_keys();
    if (!config_.portal.enabled || config_.portal.client_id.empty()) return;
    check_secret("portal.sign_in.client_secret", config_.portal.client_secret, resolve);
    check_authorities("portal.sign_in.ca_file", config_.portal.ca_file);
  }

 private:
  void check_redirect_port() {
    const auto& http = config_.http;
    if (http.tls && http.redirect_port && *http.redirect_port != 0 && *http.redirect_port == http.port)
      add("http.redirect_port",
          "is the port of HTTPS itself, 'http.port'; plain HTTP needs one of its own, such as 80");
  }

  void check_metrics_port() {
    const auto& [address, port, own_listener] = config_.metrics;
    if (!own_listener || port == 0 || address != config_.http.address) return;
    const bool is_redirect = config_.http.tls && config_.http.redirect_port == port;
    if (port != config_.http.port && !is_redirect) return;
    add("metrics.port",
        "is also " + std::string(is_redirect ? "'http.redirect_port'" : "'http.port'") +
            "; choose another port, or leave out 'metrics': then they are answered at the main address");
  }

  void check_sign_in() {
    const auto& portal = config_.portal;
    if (!portal.client_id.empty()) return;
    std::string given;
    const auto name = [&](bool is_given, const char* key) {
      if (is_given) given += (given.empty() ? "'" : ", '") + std::string(key) + "'";
    };
    name(portal.issuer != PortalSettings().issuer, "issuer");
    name(portal.client_secret.has_value(), "client_secret");
    name(!portal.provider_name.empty(), "name");
    name(!portal.ca_file.empty(), "ca_file");
    if (given.empty()) return;
    add("portal.sign_in", "has " + given + " but no 'client_id', so nobody signs in with a provider; write the " +
                              "client_id that the provider gave, or remove the rest");
  }

  template <class Resolve>
  void check_secret(const std::string& key, const std::optional<SecretReference>& reference, Resolve resolve_it) {
    if (!reference) return;
    if (const auto why = why_unusable(*reference, resolve_it); !why.empty()) add(key, why);
  }
  /// Empty: it is there, or will be.
  template <class Resolve>
  static std::string why_unusable(const SecretReference& reference, Resolve resolve_it) {
    if (reference.text.starts_with("file:") && is_read_once(reference.text.substr(5))) return {};
    const auto secret = resolve_it(reference);
    return secret ? std::string() : "cannot be used: " + secret.error().message;
  }

  bool is_readable(const std::string& key, const std::string& path) {
    errno = 0;
    std::ifstream in(path, std::ios::binary);
    if (in && in.peek() != std::ifstream::traits_type::eof()) return true;
    const std::string why = errno == 0 ? "it is empty" : std::generic_category().message(errno);
    add(key, "names " + path + ", which cannot be read: " + why);
    return false;
  }

  void check_certificate() {
    const auto& tls = config_.http.tls;
    if (!tls || is_read_once(tls->certificate) || is_read_once(tls->key)) return;
    const bool has_certificate = is_readable("http.tls.certificate", tls->certificate);
    const bool has_key = is_readable("http.tls.key", tls->key);
    if (!has_certificate || !has_key) return;
    const auto quiet = observability::create_fan_out({});
    const auto loaded = transport::TlsCertificate::load(*tls, *quiet);
    if (loaded) return;
    const auto& message = loaded.error().message;
    add(message.starts_with("the TLS key") ? "http.tls.key" : "http.tls.certificate", "cannot be used: " + message);
  }

  void check_authorities(const std::string& key, const std::string& file) {
    if (file.empty() || is_read_once(file) || !is_readable(key, file)) return;
    const auto client = transport::HttpsClient::create({.ca_file = file});
    if (!client)
      add(key,
          "names " + file + ", which holds no certificates in PEM form; it must hold '-----BEGIN CERTIFICATE-----'");
  }

  void check_issuers() {
    const auto& issuers = config_.keys.tokens.issuers;
    for (std::size_t at = 0; at < issuers.size(); ++at)
      check_authorities("authorization.issuers[" + std::to_string(at) + "].ca_file", issuers[at].ca_file);
  }

  void check_trusted_keys() {
    for (const auto& [name, file] : config_.plugins.trust.keys) {
      const auto key = plugin_runtime::fingerprint_of(file);
      if (!key) add("plugin_trust.keys", "has the key " + name + ", which cannot be used: " + key.error().message);
    }
  }

  void check_plugin_secrets() {
    for (const auto& [index, secrets] : config_.plugin_secrets) {
      const auto& [file, line, column] = config_.plugin_places[index].entry;
      for (const auto& [name, reference] : secrets) {
        if (const auto why = why_unusable(reference, resolve); !why.empty())
          problems_.push_back({file, line, column, printable("'plugins[].secrets." + name + "' " + why)});
      }
    }
  }

  void check_tracing() {
    if (config_.tracing.otlp.empty()) return;
    check_authorities("tracing.ca_file", config_.tracing.ca_file);
    for (const auto& [name, value] : config_.tracing.headers) {
      if (value.names_place()) check_secret("tracing.headers." + name, value, resolve);
    }
  }

  /// At the key, or at the nearest section around it that stands in the file.
  void add(const std::string& key, const std::string& message) {
    auto place = config_.places.find(key);
    for (auto at = key.rfind('.'); place == config_.places.end() && at != std::string::npos;
         at = key.rfind('.', at - 1))
      place = config_.places.find(key.substr(0, at));
    const bool is_built_in = place == config_.places.end();
    const auto& [file, line, column] = is_built_in ? ConfigPlace{.file = "built-in default"} : place->second;
    problems_.push_back({file, line, column, printable("'" + key + "' " + message)});
  }

  const HostConfig& config_;
  std::vector<ConfigProblem>& problems_;
};

}  // namespace

std::vector<ConfigProblem> check_start(const HostConfig& config, Machine machine) {
  std::vector<ConfigProblem> problems;
  StartCheck check(config, problems);
  check.check_files();
  if (machine == Machine::kServing) check.check_machine();
  sort_by_place(problems, config.files);
  return problems;
}

}  // namespace toolhost::app
