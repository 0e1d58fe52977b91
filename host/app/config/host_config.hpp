#pragma once
#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "access/gatekeeper.hpp"
#include "access/policy_config.hpp"
#include "app/metrics_endpoint.hpp"
#include "base/source_place.hpp"
#include "observability/log.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "portal/identity.hpp"
#include "protocol/mcp_endpoint.hpp"
#include "transport/http.hpp"

namespace toolhost::app {

/// A secret named by where it stands: `env:NAME`, `file:/path`. Its text is read when needed and is never printed.
struct SecretReference {
  std::string text;
  /// Else it is no reference, where a text may stand as well.
  [[nodiscard]] bool names_place() const { return text.starts_with("env:") || text.starts_with("file:"); }
};
/// kInvalidArgument with the cure when the variable or file is missing or empty. A trailing line end of a file is
/// dropped.
Result<Secret> resolve(const SecretReference& reference);
/// The same for what is to be kept secret by its length: kInvalidArgument also below 32 bytes.
Result<Secret> resolve_key(const SecretReference& reference);
/// The same for the URL of a database: kInvalidArgument also when it is none.
Result<Secret> resolve_database_url(const SecretReference& reference);

/// What a tenant is; what may be done in it is in HostConfig::policy.
struct TenantConfig {
  std::string name, title, time_zone = "UTC";
  bool says_title = false, says_time_zone = false;  ///< else the default, for new tenants only
  SourcePlace place;
};

struct ReloadConfig {
  bool watch = true;  ///< files are read anew when they change
};

struct AuditConfig {
  std::chrono::hours retention{std::chrono::hours(24) * 400};
  std::chrono::seconds checkpoint_every{3600};
  bool keeps_calls = true;  ///< else only what was refused, and changes
};

/// Where people sign in and make their keys.
struct PortalSettings {
  bool enabled = true;
  std::string issuer{portal::kGoogleIssuer};
  std::string client_id;                         ///< empty: nobody signs in with a provider
  std::optional<SecretReference> client_secret;  ///< empty: a public client
  std::string ca_file, provider_name;
  bool allows_local_sign_in = true;  ///< where nobody but this computer can come; see uses_local_sign_in()
  std::string support;               ///< told to people whom no tenant names
  int keys_per_person = 20;
};

/// Where the spans of calls go; events carry the clients' trace ids in any case.
struct TracingSettings {
  struct Header {
    std::string name;
    SecretReference value;  ///< or the text itself, when it names no place
  };
  std::string otlp;  ///< URL that takes OTLP/HTTP; empty: nobody collects
  std::vector<Header> headers;
  std::string ca_file;
  double sample = 1.0;  ///< of the calls that no client has decided about, 0 to 1
};

/// A place in a file of configuration, from 1.
struct ConfigPlace {
  std::string file;
  int line = 0, column = 0;
};
/// Where the values of a settings object stand, by JSON pointer (RFC 6901); "" is the object itself.
using SettingsPlaces = std::map<std::string, ConfigPlace, std::less<>>;
/// Where the values of the host's file stand, by key: "http.tls.key".
using KeyPlaces = std::map<std::string, ConfigPlace, std::less<>>;

/// What one plugin may read through "toolhost.secrets/1": where each stands, by the name that the plugin uses.
using PluginSecretReferences = std::map<std::string, SecretReference, std::less<>>;

/// Where an entry of `plugins` stands.
struct PluginPlace {
  ConfigPlace entry;
  SettingsPlaces settings;
};

/// What one tenant sets of one plugin, as it stands in the file.
struct TenantSettings {
  std::string tenant, plugin;  ///< the plugin's id, as written
  std::string json;            ///< an object
  ConfigPlace entry;
  SettingsPlaces places;
};

/// Everything an operator can say, with its defaults. config/README.md describes each key.
struct HostConfig {
  std::filesystem::path file;        ///< where it was read from; empty: built-in defaults
  std::filesystem::path tenant_dir;  ///< each *.yaml and *.yml in it is a tenant; absolute; empty without a file
  bool has_tenant_dir = false;       ///< it was there
  KeyPlaces places;                  ///< of what the host's file says
  std::vector<std::string> files;    ///< all that were read, as problems and places name them, in that order
  std::filesystem::path data_dir;    ///< see default_data_directory()
  std::filesystem::path plugin_dir;  ///< relative plugin files are looked up here
  std::string public_url;            ///< what people put before /sse in their assistant; empty: from address and port
  std::optional<std::string> database_url;                ///< without a password
  std::optional<SecretReference> database_url_reference;  ///< or where the whole URL stands
  std::optional<SecretReference> pepper;                  ///< empty: made once in data_dir/secrets
  std::optional<SecretReference> sealing_key;
  transport::HttpServerConfig http;
  access::GatekeeperConfig keys;
  observability::LogConfig log;
  MetricsConfig metrics;
  ReloadConfig reload;
  AuditConfig audit;
  TracingSettings tracing;
  plugin_runtime::PluginHostConfig plugins;  ///< with tenant_settings laid over each plugin's own
  std::vector<PluginPlace> plugin_places;    ///< one for each of plugins.plugins
  std::map<std::size_t, PluginSecretReferences>
      plugin_secrets;  ///< by index in plugins.plugins; of those that have any
  protocol::McpConfig mcp;
  PortalSettings portal;
  access::PolicyConfig policy;                  ///< who may do what; has an entry for each of `tenants`
  std::vector<TenantConfig> tenants;            ///< created when missing; empty: "demo" on the very first start
  std::vector<TenantSettings> tenant_settings;  ///< as written
  std::chrono::seconds drain{10};               ///< how long a stopping host waits for running calls
};

/// Whether the portal lets people in without a proof, for a first look: nothing but loopback is listened on, named in
/// public or allowed as a host, no proxy is trusted and no sign-in provider configured.
bool uses_local_sign_in(const HostConfig& config);
/// Whether this is an address that only this machine reaches.
bool is_loopback_address(const std::string& address);

/// Where a path leads from the directory in which the process was when this was first asked: a host that runs goes on
/// to find its files when that directory is gone. Never throws.
std::filesystem::path absolute_path(const std::filesystem::path& path);
/// Where the file of a plugin is: absolute, and the same text for the same path.
std::filesystem::path plugin_file(const HostConfig& config, const plugin_runtime::PluginSpec& plugin);
/// What the configuration says about this file (absolute); nothing when it does not name it.
plugin_runtime::PluginPins pins_of(const HostConfig& config, const std::filesystem::path& file);
/// $XDG_DATA_HOME/toolhost, else ~/.local/share/toolhost.
std::filesystem::path default_data_directory();
/// Beside the program, wherever it is: ../lib/toolhost/plugins when installed, ../plugins in a build tree.
std::filesystem::path default_plugin_directory();
/// What a host without a configuration file runs with: the plugins that ship with it, nothing else changed.
HostConfig default_config();

}  // namespace toolhost::app
