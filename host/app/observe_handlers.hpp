#pragma once
#include <functional>

#include "access/gatekeeper.hpp"
#include "app/admin_socket.hpp"
#include "app/top_view.hpp"
#include "observability/audit_journal.hpp"
#include "observability/log.hpp"
#include "observability/metrics.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "protocol/mcp_endpoint.hpp"
#include "storage/audit_shipper.hpp"
#include "transport/http.hpp"

namespace toolhost::app {

/// The parts whose numbers are metrics; all outlive the last scrape.
struct ObservedHost {
  const plugin_runtime::PluginHost& plugins;
  const access::Gatekeeper& gatekeeper;
  const protocol::McpEndpoint& mcp;
  const transport::HttpServer& server;
  const observability::AuditJournal& journal;
  const storage::AuditShipper& shipper;
};
void add_host_metrics(observability::Metrics& metrics, const ObservedHost& host);
/// The counts of `status` that these parts know.
void count(HostStatus& status, const ObservedHost& host);

/// Sets the least severe lines of the log, for all that write to it.
using SetLogLevel = std::function<void(observability::Severity)>;

/// Answers to the commands "top", "status" and "log-level". The arguments outlive the server that calls them; the
/// functions are called on its thread.
AdminHandlers observe_handlers(const observability::Metrics& metrics, const observability::LogSink& log,
                               SetLogLevel set_level, std::function<HostStatus()> status);

}  // namespace toolhost::app
