#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "access/gatekeeper.hpp"
#include "access/membership.hpp"
#include "observability/log.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "protocol/mcp_endpoint.hpp"
#include "transport/http.hpp"

namespace toolhost::app {

/// A secret named by where it stands: `env:NAME`, `file:/path`. Its text is read when needed and is never printed.
struct SecretReference {
  std::string text;
};
/// kInvalidArgument with the cure when the variable or file is missing or empty. A trailing line end of a file is
/// dropped.
Result<Secret> resolve(const SecretReference& reference);

struct TenantConfig {
  std::string name, title, time_zone = "UTC";
  access::TenantPeople people{};
};

/// Everything an operator can say, with its defaults. config/README.md describes each key.
struct HostConfig {
  std::filesystem::path file;        ///< where it was read from; empty: built-in defaults
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
  plugin_runtime::PluginHostConfig plugins;
  protocol::McpConfig mcp;
  std::vector<TenantConfig> tenants;  ///< created at start when missing; empty: "demo" on the very first start
  std::chrono::seconds drain{10};     ///< how long a stopping host waits for running calls
};

/// Who belongs to which of the configured tenants.
access::Membership membership_of(const HostConfig& config);
/// $XDG_DATA_HOME/toolhost, else ~/.local/share/toolhost.
std::filesystem::path default_data_directory();
/// Beside the program: ../plugins in a build tree, ../lib/toolhost/plugins when installed.
std::filesystem::path default_plugin_directory();
/// What a host without a configuration file runs with: the plugins that ship with it, nothing else changed.
HostConfig default_config();

}  // namespace toolhost::app
