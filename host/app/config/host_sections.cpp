#include "app/config/host_sections.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "app/config/authorization_section.hpp"
#include "base/lower.hpp"
#include "plugin_runtime/plugin_definition.hpp"
#include "transport/trusted_proxies.hpp"
#include "transport/url.hpp"

namespace toolhost::app {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr unsigned kMostThreads = 256;  // workers of one plugin

bool has_password(const std::string& url) {
  const auto scheme = url.find("://");
  const auto authority = scheme == std::string::npos ? 0 : scheme + 3;
  const auto at = url.find('@', authority);
  const bool in_authority =
      at != std::string::npos && url.substr(authority, at - authority).find(':') != std::string::npos;
  return in_authority || url.find("password=") != std::string::npos;
}

/// Without the prefix that other places of secrets have, too.
std::string file_named_by(Section& section, const std::string& key, const std::string& text) {
  if (text.starts_with("file:/")) return text.substr(5);
  section.add(key, section.where(key) + " must say where the file stands: file:/path");
  return {};
}

void read_tls(Section section, std::optional<transport::TlsConfig>& target) {
  transport::TlsConfig tls;
  section.text("certificate", "PEM file with the server's certificate and those in between; absolute path.",
               tls.certificate, "^/.+$");
  section.require("certificate", "HTTPS needs 'certificate': a PEM file, and 'key'");
  const auto key = section.special("key", "PEM file with its key, without a passphrase: file:/path.",
                                   R"("type":"string","pattern":"^file:/.+$")");
  section.require("key", "HTTPS needs 'key': where the key of the certificate stands, file:/path");
  if (!tls.certificate.empty() && !tls.certificate.starts_with('/'))
    section.bad("certificate", "an absolute path", tls.certificate);
  if (key) tls.key = file_named_by(section, "key", *key);
  section.finish();
  if (section.is_usable()) target = std::move(tls);
}

void check_proxies(Section& section, const std::vector<std::string>& proxies) {
  for (const auto& proxy : proxies) {
    if (!transport::parse_network(proxy))
      section.bad("trusted_proxies", "addresses or networks, such as 10.0.0.7 or 10.0.0.0/8", proxy);
  }
}

/// Never quoted: it may hold a password.
void check_public_url(Section& section, const std::string& text) {
  const auto url = transport::parse_url(text);
  std::string why;
  if (!text.starts_with("http://") && !text.starts_with("https://")) {
    why = "it does not begin with https:// or http://";
  } else if (!url) {
    why = url.error().message;
  } else if (url->target.find_first_not_of('/') != std::string::npos) {
    why = "it has a path or a query, and the host answers at /mcp, /sse and /messages of a name of its own";
  }
  if (why.empty()) return;
  section.add("public_url",
              "'http.public_url' must be scheme, name and perhaps port of what people open, such as "
              "https://mcp.example.com; " +
                  why);
}

void read_http(Section section, HostConfig& config) {
  auto& http = config.http;
  section.text("address", "Address to listen on; other than loopback see config/README.md.", http.address);
  section.integer("port", "Port to listen on; 0 takes any free one.", http.port, 0, 65535);
  section.text("public_url", "What people put before /sse; default: from address and port.", config.public_url,
               "^https?://[^/?#@ ]+/*$");
  section.integer("io_threads", "Threads that talk to clients; 0: one for each core, at most 4.", http.io_threads, 0,
                  64);
  section.integer("max_connections", "Open connections; further ones wait.", http.max_connections, 1, 1'000'000);
  section.bytes("max_header", "Bytes of a request's header.", http.max_header_bytes, 1 << 10, 1 << 20);
  section.bytes("max_body", "Bytes of a request's body.", http.max_body_bytes, 1 << 10, 64 << 20);
  section.bytes("max_stream_queue", "Unread answers of one stream; over it the stream is closed.",
                http.max_stream_queue_bytes, 64 << 10, 256 << 20);
  section.duration("request_limit", "From the first byte of a request to its last.", http.request_limit, seconds(1),
                   minutes(10));
  section.duration("idle_limit", "How long a kept-alive connection waits for a request.", http.idle_limit, seconds(1),
                   hours(1));
  section.duration("heartbeat", "Between comment lines on idle streams, which keep proxies from ending them.",
                   http.heartbeat, seconds(1), minutes(4));
  section.duration("stream_write_limit", "A reader that takes nothing for this long loses its stream.",
                   http.stream_write_limit, seconds(1), minutes(10));
  section.texts("allowed_origins", "Origins of browser pages beside loopback ones, e.g. https://inspector.example.com.",
                http.allowed_origins);
  section.texts("allowed_hosts", "Public names of this host beside that of public_url, e.g. mcp.example.com.",
                http.allowed_hosts);
  read_tls(section.section("tls", "HTTPS; default: plain HTTP."), http.tls);
  section.integer("redirect_port", "With tls: plain HTTP on this port is answered 308 to https.", http.redirect_port, 0,
                  65535);
  if (http.redirect_port && !section.has("tls")) section.add("redirect_port", "'http.redirect_port' needs 'http.tls'");
  section.texts("trusted_proxies", "Addresses and networks whose X-Forwarded-For, -Proto and -Host are believed.",
                http.trusted_proxies);
  check_proxies(section, http.trusted_proxies);
  if (!config.public_url.empty()) check_public_url(section, config.public_url);
  while (config.public_url.ends_with('/')) config.public_url.pop_back();
  http.public_url = config.public_url;
  section.finish();
}

void read_database(Section section, HostConfig& config) {
  const auto url = section.special(
      "url", "A PostgreSQL server: its URL without a password, or where the whole URL stands; default: a private one.",
      R"("type":"string","pattern":"^(postgresql://|postgres://|env:|file:).+$")");
  if (url && (url->starts_with("env:") || url->starts_with("file:"))) {
    config.database_url_reference = SecretReference{*url};
  } else if (url && !url->starts_with("postgresql://") && !url->starts_with("postgres://")) {
    // Not quoted: it may hold a password.
    section.add("url", "'database.url' must be postgresql://user@host/database, env:NAME or file:/path");
  } else if (url && has_password(*url)) {
    section.add("url",
                "'database.url' holds a password; write the URL into a file or the environment and refer to it: "
                "file:/path or env:NAME");
  } else if (url) {
    config.database_url = *url;
  }
  section.finish();
}

void read_keys(Section section, HostConfig& config) {
  section.secret("pepper", "32 bytes or more that API keys are hashed with; default: made in data_dir.", config.pepper);
  section.duration("trust_without_database", "After this long without the database every key is refused.",
                   config.keys.trust_without_database, seconds(2), hours(1));
  section.duration("usage_flush", "How far 'last used' and 'calls' of a key may lag.", config.keys.usage_flush,
                   seconds(1), minutes(10));
  section.integer("failed_sign_ins", "Refused keys that an address may present before it is answered 429.",
                  config.keys.failed_sign_ins, 1, 1'000'000);
  section.duration("failed_sign_in_period", "Then it may present one more each.", config.keys.failed_sign_in_period,
                   seconds(1), hours(1));
  section.finish();
}

void read_log(Section section, HostConfig& config) {
  using observability::LogFormat;
  using observability::Severity;
  section.choice("level", "The least severe lines that are written.", config.log.level,
                 {{"trace", Severity::kTrace},
                  {"debug", Severity::kDebug},
                  {"info", Severity::kInfo},
                  {"warning", Severity::kWarning},
                  {"error", Severity::kError},
                  {"critical", Severity::kCritical}});
  section.choice("format", "auto: text on a terminal, JSON otherwise.", config.log.format,
                 {{"auto", LogFormat::kAuto}, {"text", LogFormat::kText}, {"json", LogFormat::kJson}});
  section.finish();
}

void read_calls(Section section, HostConfig& config) {
  auto& plugins = config.plugins;
  section.integer("workers", "Blocking calls of one plugin at a time, and its database connections.", plugins.workers,
                  1, kMostThreads);
  section.integer("max_queued", "Waiting calls of one tenant at one plugin; over it a call is refused at once.",
                  plugins.max_queued_calls, 1, 100'000);
  section.duration("timeout", "How long a call may take, unless its tool says otherwise.", plugins.default_timeout,
                   milliseconds(100), minutes(10));
  section.duration("lost_worker_grace", "A handler that overstays its deadline by this is given up.",
                   plugins.lost_worker_grace, milliseconds(100), minutes(10));
  section.integer("max_lost_workers", "So many given up, and the plugin takes no more calls until they have returned.",
                  plugins.max_lost_workers, 1, 64);
  section.bytes("max_result", "Bytes of a call's result.", plugins.max_result_bytes, 4 << 10, 64 << 20);
  section.duration("drain", "How long a stopping host waits for running calls.", config.drain, seconds(0), minutes(10));
  section.finish();
}

void read_streams(Section section, protocol::StreamsConfig& streams) {
  section.duration("after", "A call that runs longer is answered as a stream, to clients that take one.", streams.after,
                   milliseconds(0), minutes(5));
  section.duration("keep", "How long a client that lost its stream may come back for the rest.", streams.keep,
                   seconds(1), hours(24));
  section.duration("retry", "How long clients are told to wait before they come back.", streams.retry,
                   milliseconds(100), minutes(1));
  section.bytes("memory", "Bytes kept for clients that may come back, of all keys together.", streams.memory, 1 << 20,
                std::size_t(16) << 30);
  section.finish();
}

void read_mcp(Section section, HostConfig& config) {
  section.text("name", "The server's name, for programs.", config.mcp.server_name);
  section.text("title", "The server's name, for people.", config.mcp.server_title);
  section.text("instructions", "Sent to every assistant when it connects.", config.mcp.instructions);
  section.integer("tools_page_size", "Tools in one answer to tools/list.", config.mcp.tools_page_size, 1, 1000);
  section.duration("session_idle_limit", "How long an unused session is kept.", config.mcp.session_idle_limit,
                   minutes(1), hours(24 * 7));
  section.integer("max_sessions_per_key", "Sessions of one key; over it the longest idle one gives way.",
                  config.mcp.max_sessions_per_key, 1, 1'000'000);
  section.integer("max_streams_per_key", "Open streams of one key.", config.mcp.max_streams_per_key, 1, 1'000'000);
  section.duration("ask_limit", "How long a person may think about a question that a tool asks.", config.mcp.ask_limit,
                   seconds(1), hours(24));
  read_streams(section.section("streams", "Answers that are streams, and coming back for them."), config.mcp.streams);
  section.integer("max_listeners", "Open subscriptions/listen of this host.", config.mcp.max_listeners, 1, 1'000'000);
  section.duration("list_ttl", "How long a client may keep a list before it asks again (2026-07-28).",
                   config.mcp.list_ttl, milliseconds(0), hours(24));
  section.secret("sealing_key", "32 bytes or more that seal session ids and cursors; default: made in data_dir.",
                 config.sealing_key);
  section.finish();
}

void read_metrics(Section section, HostConfig& config) {
  constexpr std::uint16_t kUsualPort = 9464;
  config.metrics.own_listener = section.has("address") || section.has("port");
  config.metrics.port = kUsualPort;
  section.text("address", "With an address or a port of their own the metrics are answered there, to everybody.",
               config.metrics.address);
  section.integer("port", "Port of that address; 0 takes any free one.", config.metrics.port, 0, 65535);
  section.finish();
}

void read_audit(Section section, HostConfig& config) {
  section.duration("retention", "How long rows are kept; whole months are dropped.", config.audit.retention, hours(24),
                   hours(24 * 36'500));
  section.duration("checkpoint_every", "How often each tenant's chain is sealed.", config.audit.checkpoint_every,
                   seconds(1), hours(24));
  section.choice("calls", "all, or none: only calls that were refused. Changes of keys and configuration always are.",
                 config.audit.keeps_calls, {{"all", true}, {"none", false}});
  section.finish();
}

void read_sign_in(Section section, PortalSettings& portal) {
  section.text("issuer", "The OpenID Connect provider whose accounts people sign in with.", portal.issuer,
               "^https?://.+$");
  section.text("client_id", "What the provider calls this host; without it nobody signs in.", portal.client_id);
  section.secret("client_secret", "What the provider gave with it.", portal.client_secret);
  section.text("name", "The provider's name on the button; default: Google, or the issuer's host.",
               portal.provider_name);
  section.text("ca_file", "PEM file of certificate authorities to trust instead of the system's.", portal.ca_file);
  const auto issuer = transport::parse_url(portal.issuer);
  if (!issuer) {
    section.bad("issuer", "a URL such as https://accounts.google.com", portal.issuer);
  } else if (!issuer->is_https && !issuer->is_loopback()) {
    section.bad("issuer", "an https URL", portal.issuer);
  }
  section.finish();
}

void read_portal(Section section, HostConfig& config) {
  auto& portal = config.portal;
  section.flag("enabled", "Whether there are pages at /mcp.", portal.enabled);
  read_sign_in(section.section("sign_in", "How people sign in."), portal);
  section.choice("local_sign_in",
                 "auto: without a provider, people on this computer sign in by an e-mail address, for a trial.",
                 portal.allows_local_sign_in, {{"auto", true}, {"off", false}});
  section.text("support", "Told to people who have no access: whom to ask.", portal.support);
  section.integer(
      "keys_per_person",
      "Keys that work, of one person in all tenants; with those that were replaced and end soon, twice as many.",
      portal.keys_per_person, 1, 1000);
  if (!portal.client_id.empty() && config.public_url.empty() && !is_loopback_address(config.http.address)) {
    section.add("sign_in",
                "'portal.sign_in' needs 'http.public_url', the address that people open, such as "
                "https://mcp.example.com: the provider sends them back there");
  }
  const auto public_url = transport::parse_url(config.public_url);
  if (!portal.client_id.empty() && public_url && !public_url->is_https && !public_url->is_loopback()) {
    section.add("sign_in",
                "'portal.sign_in' needs an https 'http.public_url': without HTTPS whoever listens takes over sessions "
                "and keys");
  }
  section.finish();
}

constexpr std::string_view kHeaderNameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
constexpr std::string_view kSecretNameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

/// False when it is no number from 0 to 1.
bool read_share(const std::string& text, double& share) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_share = error == std::errc() && end == text.data() + text.size() && number >= 0 && number <= 1;
  if (is_share) share = number;
  return is_share;
}

void read_tracing_header(const YAML::Node& name, const Slot& slot, TracingSettings& tracing, Problems& problems) {
  if (slot.schema != nullptr) {
    slot.schema->keywords = R"("type":"string")";
  } else if (!slot.node.IsScalar() || !transport::is_header_value(slot.node.Scalar())) {
    problems.add(slot.node, "'" + slot.name + "' must be a text, env:NAME or file:/path");
  } else if (name.Scalar().empty() || name.Scalar().find_first_not_of(kHeaderNameCharacters) != std::string::npos) {
    problems.add(name, "'tracing.headers' holds a name that no header field has");
  } else {
    tracing.headers.push_back({name.Scalar(), {slot.node.Scalar()}});
  }
}

void read_tracing(Section section, HostConfig& config) {
  auto& tracing = config.tracing;
  section.text("otlp", "Where spans of calls are sent, as OTLP over HTTP (JSON): https, or http on this computer.",
               tracing.otlp, "^https?://.+$");
  section.entries(
      "headers", "Header fields that are sent along; secrets as env:NAME or file:/path.", "^[A-Za-z0-9_-]+$",
      [&](const YAML::Node& name, const Slot& slot) { read_tracing_header(name, slot, tracing, section.problems()); });
  section.text("ca_file", "PEM file of certificate authorities to trust instead of the system's.", tracing.ca_file);
  const auto share = section.special("sample", "How many of the calls whose client has not decided are sent: 0 to 1.",
                                     R"("type":"number","minimum":0,"maximum":1)", "1");
  if (share && !read_share(*share, tracing.sample)) section.bad("sample", "a number from 0 to 1", *share);
  const auto url = transport::parse_url(tracing.otlp);
  if (!tracing.otlp.empty() && (!url || (!url->is_https && !url->is_loopback())))
    section.bad("otlp", "an https URL, or an http one of this computer, such as http://127.0.0.1:4318/v1/traces",
                tracing.otlp);
  if (tracing.otlp.empty() && section.is_usable() &&
      (section.has("headers") || section.has("ca_file") || section.has("sample")) && !section.has("otlp"))
    section.add("", "'tracing' needs 'otlp', the URL that takes the spans; without it nothing is sent");
  section.finish();
}

void read_reload(Section section, HostConfig& config) {
  section.flag("watch", "Read these files anew when they change.", config.reload.watch);
  section.finish();
}

constexpr std::string_view kHexDigits = "0123456789abcdef";

/// Of a library as DT_NEEDED names it: looked up by the system, and never a path.
bool is_library_name(std::string_view name) {
  const auto is_plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '+' || c == '-';
  };
  return !name.empty() && name.front() != '.' && name.front() != '-' && std::all_of(name.begin(), name.end(), is_plain);
}

void read_hash(Section& section, const char* key, const char* help, std::string& hash, const char* wanted) {
  const auto text = section.special(key, help, R"("type":"string","pattern":"^[0-9a-fA-F]{64}$")");
  if (!text) return;
  const auto digits = lower(*text);
  if (digits.size() == 64 && digits.find_first_not_of(kHexDigits) == std::string::npos)
    hash = digits;
  else
    section.bad(key, wanted, *text);
}

void read_pins(Section& section, plugin_runtime::PluginPins& pins, Problems& problems) {
  section.text("id", "The id that the plugin must have; another one is refused. Default: any.", pins.id,
               R"(^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$)");
  if (section.has("id") && !pins.id.empty() && !plugin_runtime::is_plugin_id(pins.id))
    section.bad("id", "the id of a plugin: lower-case letters, digits, '_' and '.', such as acme.tickets", pins.id);
  read_hash(section, "sha256", "SHA-256 of the one file that may be loaded (sha256sum FILE). Default: any.",
            pins.sha256, "64 hexadecimal digits, as sha256sum prints them");
  read_hash(section, "offers_sha256",
            "Hash of what it offers to clients: a version that offers anything else is refused. Default: any.",
            pins.offers_sha256, "64 hexadecimal digits, as 'toolhost plugin reload ID --dry-run' prints them");
  section.scalars("extra_needed", "Shared libraries that this plugin may need beside those that every plugin may.",
                  "^[A-Za-z0-9_+][A-Za-z0-9._+-]*$", "[]", [&](const YAML::Node& item) {
                    if (is_library_name(item.Scalar()))
                      pins.extra_needed.push_back(item.Scalar());
                    else
                      problems.add(item, section.where("extra_needed") +
                                             " must hold names of library files without a directory, such as "
                                             "libfoo.so.1; got " +
                                             in_quotes(item.Scalar()));
                  });
}

void read_trusted_key(const Slot& slot, std::vector<plugin_runtime::TrustedKey>& keys, Problems& problems) {
  Section section(slot, problems);
  plugin_runtime::TrustedKey key;
  std::string file;
  section.text("name", "What plugin lists and messages call the key.", key.name);
  section.require("name", "a trusted key needs 'name', such as acme");
  section.text("file", "PEM file with the Ed25519 public key; absolute path.", file, "^/.+$");
  section.require("file", "a trusted key needs 'file': the absolute path of a PEM file with an Ed25519 public key");
  section.finish();
  if (!file.empty() && !file.starts_with('/')) return section.bad("file", "an absolute path", file);
  if (key.name.empty() || file.empty()) return;
  if (std::any_of(keys.begin(), keys.end(), [&](const auto& other) { return other.name == key.name; }))
    return section.add("name", "two trusted keys have the name " + in_quotes(key.name) + "; rename one");
  key.file = file;
  keys.push_back(std::move(key));
}

void read_plugin_trust(Section section, plugin_runtime::PluginTrust& trust) {
  section.flag("require_sha256", "Refuse plugins whose entry names no sha256.", trust.require_sha256);
  section.flag("require_signature", "Refuse plugins that none of the keys has signed.", trust.require_signature);
  section.list("keys", "Whose signatures count. With any, a signature beside a plugin must be good.",
               "{name: acme, file: /etc/toolhost/acme.pub.pem}",
               [&](const Slot& slot) { read_trusted_key(slot, trust.keys, section.problems()); });
  if (trust.require_signature && !section.has("keys"))
    section.add("require_signature",
                "'plugin_trust.require_signature' needs 'plugin_trust.keys': whose signatures count; 'toolhost plugin "
                "keygen' makes a key");
  section.finish();
}

struct ReadPlugins {
  std::vector<plugin_runtime::PluginSpec> specs;
  std::vector<PluginPlace> places;
  std::map<std::size_t, PluginSecretReferences> secrets;
};

void read_plugin_secret(const YAML::Node& name, const Slot& slot, PluginSecretReferences& secrets, Problems& problems) {
  if (slot.schema != nullptr) {
    slot.schema->keywords = R"("type":"string","pattern":"^(env:|file:).+$")";
    return;
  }
  const auto& key = name.Scalar();
  const bool is_name = !key.empty() && key.size() <= 64 && key.find_first_not_of(kSecretNameCharacters) == key.npos;
  if (!is_name) return problems.add(name, "'plugins[].secrets' holds a name that is not 1 to 64 of A-Z a-z 0-9 _ . -");
  const SecretReference reference{slot.node.IsScalar() ? slot.node.Scalar() : std::string()};
  if (!reference.names_place())
    return problems.add(slot.node, "'" + slot.name +
                                       "' must say where the secret stands: env:NAME or file:/path; it is never "
                                       "written here");
  secrets[key] = reference;
}

void read_plugin(const Slot& slot, ReadPlugins& plugins, Problems& problems) {
  Section section(slot, problems);
  plugin_runtime::PluginSpec spec;
  PluginPlace place;
  std::string file;
  section.text("file", "The plugin's .so file: absolute, or relative to plugin_dir.", file);
  section.require("file", "a plugin needs 'file': an absolute path, or one relative to 'plugin_dir'");
  read_pins(section, spec.pins, problems);
  section.integer("workers", "Instead of calls.workers.", spec.workers, 1, kMostThreads);
  section.free_mapping("settings", "The plugin's own settings; its documentation names them.",
                       [&](const auto& node) { append_settings(spec.settings_json, place.settings, node, problems); });
  PluginSecretReferences secrets;
  section.entries("secrets", "What the plugin may read by name: env:NAME or file:/path of each.", "^[A-Za-z0-9_.-]+$",
                  [&](const auto& name, const Slot& value) { read_plugin_secret(name, value, secrets, problems); });
  section.finish();
  if (file.empty()) return;
  spec.file = file;
  place.entry = problems.place(slot.node);
  plugins.specs.push_back(std::move(spec));
  plugins.places.push_back(std::move(place));
  if (!secrets.empty()) plugins.secrets[plugins.specs.size() - 1] = std::move(secrets);
}

void read_host_sections(Section& root, HostConfig& config) {
  std::string path;
  root.text("data_dir",
            "Database, secrets, audit journal; default: ~/.local/share/toolhost. --data-dir goes before it.", path);
  if (!path.empty()) config.data_dir = std::exchange(path, {});
  root.text("plugin_dir", "Where relative plugin files are looked up; default: beside the program.", path);
  if (!path.empty()) config.plugin_dir = std::exchange(path, {});
  path = "tenants";
  root.text("tenant_dir", "Each *.yaml and *.yml in it is a tenant, named as the file; relative to this file.", path);
  config.tenant_dir = path;
  read_http(root.section("http", "The listener."), config);
  read_database(root.section("database", "Where the data is kept; default: a private PostgreSQL in data_dir."), config);
  read_keys(root.section("keys", "API keys."), config);
  read_authorization(root.section("authorization", "Access tokens of OAuth 2.1; default: only API keys are let in."),
                     config);
  read_log(root.section("log", "What is written to standard error."), config);
  read_calls(root.section("calls", "How calls of tools run."), config);
  read_mcp(root.section("mcp", "What assistants see of the host."), config);
  read_portal(root.section("portal", "The pages where people sign in and make their keys."), config);
  read_reload(root.section("reload", "When these files are read anew."), config);
  read_metrics(root.section("metrics", "/metrics for Prometheus; default: at the main address, to loopback only."),
               config);
  read_audit(root.section("audit", "The record of calls and changes."), config);
  read_tracing(root.section("tracing", "Traces of calls, for OpenTelemetry."), config);
  read_plugin_trust(root.section("plugin_trust", "Which plugin files may be loaded."), config.plugins.trust);
  ReadPlugins plugins;
  const bool are_listed =
      root.list("plugins", "What is loaded; default: tickets.so, tasks.so and search.so.", "file: tickets.so",
                [&](const Slot& slot) { read_plugin(slot, plugins, root.problems()); });
  if (are_listed) {
    config.plugins.plugins = std::move(plugins.specs);
    config.plugin_places = std::move(plugins.places);
    config.plugin_secrets = std::move(plugins.secrets);
  }
}

}  // namespace

void read_host_file(Section& root, HostConfig& config, const std::function<void(Section&, ReadTenant)>& take) {
  read_host_sections(root, config);
  Section defaults = root.section("defaults", "What holds in every tenant, also in those that no file names.");
  read_policy(defaults, config.policy.defaults, config);
  defaults.finish();
  root.list("tenants", "Tenants; created when missing. With none at all, the very first start makes \"demo\".",
            "name: acme", [&](const Slot& slot) {
              Section section(slot, root.problems());
              ReadTenant tenant;
              read_tenant(section, tenant, config);
              take(section, std::move(tenant));
            });
  root.finish();
}

}  // namespace toolhost::app
