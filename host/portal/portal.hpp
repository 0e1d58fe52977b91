#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "access/key_attempts.hpp"
#include "access/policy.hpp"
#include "base/secret.hpp"
#include "observability/events.hpp"
#include "portal/oidc_provider.hpp"
#include "portal/portal_config.hpp"
#include "storage/database_address.hpp"
#include "transport/http.hpp"

namespace toolhost::portal {

/// What the portal works with; references are borrowed for its life.
struct PortalParts {
  storage::DatabaseAddress database;
  const Secret& pepper;                               ///< that keys are hashed with; copied
  const Secret& sealing_key;                          ///< of cookies and forms; copied
  std::function<access::PolicyPtr()> policy;          ///< who belongs to which tenant, now; any thread
  std::function<std::vector<std::string>()> plugins;  ///< ids of the plugins that serve, now; any thread
  std::function<bool(std::string_view)> knows_key;    ///< whether a key with this prefix works here yet; any thread
  access::KeyAttempts& attempts;
  std::unique_ptr<OidcProvider> provider;  ///< null: nobody can sign in with one
  observability::EventSink& events;
};

/// The pages where people sign in and make their keys: everything under /mcp that is not MCP's. Requests run on threads
/// of the portal's own, which may wait for the database and for the sign-in provider.
class Portal : public transport::HttpHandler {
 public:
  static std::unique_ptr<Portal> create(PortalConfig config, PortalParts parts);
  /// Answers nothing any more and joins the threads. Idempotent. After HttpServer::stop(), before its destructor.
  virtual void stop() = 0;
};

/// Whether a request is for the portal: of a browser for /mcp itself or any address below it, of anybody for a page
/// that there is. Never what is /mcp/.well-known.
bool is_for_portal(const transport::HttpRequest& request) noexcept;

}  // namespace toolhost::portal
