#pragma once
#include <span>
#include <string>
#include <vector>

#include "access/policy.hpp"
#include "app/config/host_config.hpp"
#include "plugin_runtime/plugin_host.hpp"

namespace toolhost::app {

/// A configuration and what was compiled of it; borrowed.
struct ConfigView {
  const HostConfig& config;
  const access::Policy& policy;
};

/// What changes for people between two configurations, one line each, tenant by tenant: "acme loses delete_task
/// (viewer, agent)", "acme: open streams of a key 100 -> 10". `tools` are those that run.
std::vector<std::string> describe_changes(const ConfigView& before, const ConfigView& after,
                                          std::span<const plugin_runtime::Tool* const> tools);

/// What changes for the host as a whole, and takes effect at once: "log.level info -> debug".
std::vector<std::string> describe_setting_changes(const HostConfig& before, const HostConfig& after);

/// What `wanted` says otherwise than the host runs with, and only a restart changes: "http.port 8080 -> 9090". Values
/// that may be secret are not shown.
std::vector<std::string> describe_restart_changes(const HostConfig& running, const HostConfig& wanted);

/// What changes for tenants between two settings of one plugin: "acme: settings of tasks change: lists".
std::vector<std::string> describe_tenant_settings(const plugin_runtime::PluginSpec& before,
                                                  const plugin_runtime::PluginSpec& after);

/// What is said, wherever it stands: equal for files that differ in their comments only.
access::PolicyConfig without_places(access::PolicyConfig policy);

}  // namespace toolhost::app
