#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/caller.hpp"
#include "portal/page_frame.hpp"
#include "storage/portal_store.hpp"

namespace toolhost::portal {

/// A tenant as its people see it.
struct TenantChoice {
  TenantId id{};
  std::string name, title;
  Role role = Role::kAgent;
  [[nodiscard]] const std::string& shown() const noexcept { return title.empty() ? name : title; }
};

/// What every page of a signed-in person is made with.
struct Scene {
  const Site& site;
  const Viewer& viewer;
  std::string_view notice;                  ///< of what was just done
  std::span<const TenantChoice> tenants{};  ///< the person's
  /// The title of one of the person's tenants; of another the name.
  [[nodiscard]] std::string_view title_of(std::string_view tenant) const noexcept;
};

/// Where pages of keys stand: the person's own, or those of a tenant for its admins.
struct KeyPlace {
  std::string path = "/mcp/keys";  ///< in front of "/17/delete"
  std::string back = "/mcp/keys";  ///< the list
  bool is_team = false;
  [[nodiscard]] Tab tab() const noexcept { return is_team ? Tab::kTeam : Tab::kKeys; }
};

enum class KeyStatus { kActive, kEnding, kReplaced, kExpired, kRevoked };
KeyStatus status_of(const storage::PortalKey& key, Moment now) noexcept;
Html status_badge(KeyStatus status);
/// "hdsk_4fT9kQ…"
std::string shown_prefix(const storage::KeyRow& key);
/// What the key may do, in words: "Everything its owner may", "Only look things up", "Only tickets.*".
std::string scopes_text(const std::vector<std::string>& scopes);

/// The table of keys; on pages of the team with whose they are, else, where it matters, with the tenant.
Html keys_table(const Scene& scene, const std::vector<storage::PortalKey>& keys, const KeyPlace& place,
                bool with_tenant);

/// The person's keys; without any, how to begin.
Page keys_page(const Scene& scene, const std::vector<storage::PortalKey>& keys, bool with_tenant);

// ---- forms

/// What a person has entered to make a key; shown again when something is wrong.
struct KeyForm {
  std::string name, tenant, expiry = "never", date, scope = "all";
  std::vector<std::string> plugins;  ///< ticked
  std::string once;                  ///< the token that lets the form be used once
  FieldProblems problems;
};
/// Ids of the plugins whose tools a key may be bound to.
using PluginIds = std::vector<std::string>;
Page create_page(const Scene& scene, const KeyForm& form, const std::vector<TenantChoice>& tenants,
                 const PluginIds& plugins);

/// The one page with a key on it.
struct NewKeyView {
  std::string_view key;  ///< the whole key
  storage::PortalKey row;
  std::string base_url;
  bool has_namesake = false;
  std::optional<storage::PortalKey> replaced;  ///< the key whose place it takes
};
Page shown_once_page(const Scene& scene, const NewKeyView& view);
/// What the same form shows when it is sent again.
Page no_longer_shown_page(const Scene& scene);

Page rename_page(const Scene& scene, const KeyPlace& place, const storage::PortalKey& key, std::string_view name,
                 const FieldProblems& problems);
/// Whether a key was used lately, so that its name has to be typed to delete it.
bool needs_its_name(const storage::PortalKey& key, Moment now);
Page delete_page(const Scene& scene, const KeyPlace& place, const storage::PortalKey& key,
                 const FieldProblems& problems);
Page replace_page(const Scene& scene, const storage::PortalKey& key, std::string_view once,
                  const FieldProblems& problems);

}  // namespace toolhost::portal
