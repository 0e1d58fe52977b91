#pragma once
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/database_address.hpp"

namespace toolhost::storage {

class JobLimit;

using KeyHash = std::array<std::uint8_t, 32>;

struct TenantRow {
  TenantId id{};
  std::string name;  ///< [a-z0-9][a-z0-9-]{0,62}
  std::string title;
  std::string time_zone;   ///< IANA name, checked against PostgreSQL's list
  std::string created_at;  ///< RFC 3339, UTC
};

/// The issuer of people who sign in without a provider, by typing an address; no URL, so no provider can be it.
inline constexpr std::string_view kLocalIssuer = "local";

struct KeyRow {
  KeyId id{};
  TenantId tenant_id{};
  std::string tenant;
  std::string tenant_time_zone;
  std::string name;
  std::string owner;   ///< e-mail address, or empty
  std::string prefix;  ///< "hdsk_" and six characters
  KeyHash hash{};
  int pepper_version = 1;
  std::string created_at;                   ///< RFC 3339, UTC
  std::optional<std::string> last_used_at;  ///< RFC 3339, UTC; lags up to 5 s
  std::int64_t usage_count = 0;             ///< authenticated tool calls; lags up to 5 s
  std::vector<std::string> scopes;          ///< empty: whatever the owner's role may
  std::optional<std::chrono::system_clock::time_point> expires_at;
  bool disabled = false;
  std::optional<KeyId> replaced_by;  ///< set by rotate_key(); this key ends at expires_at
  std::optional<PersonId> person;    ///< who made it in the portal
  bool is_of_trial = false;          ///< that person's issuer is kLocalIssuer
  bool is_owner_doubted = false;     ///< the issuer says no longer that the person's address is theirs
};

/// A key to be made.
struct NewKeyRow {
  TenantId tenant{};
  std::string name, owner, prefix;
  KeyHash hash{};
  int pepper_version = 1;
  std::vector<std::string> scopes;
  std::optional<std::chrono::system_clock::time_point> expires_at;
  std::optional<PersonId> person = {};
};

/// Who changes something, for the audit: "cli:root@host", "portal:ana@acme.example", ...
struct Actor {
  std::string name;
};

/// Calls of one tool on one day (UTC).
struct ToolUse {
  std::chrono::sys_days day;
  std::string tool;  ///< empty: none that the caller may know
  std::int64_t calls = 0, errors = 0;
};
struct KeyUse {
  KeyId id{};
  std::int64_t calls = 0;
  std::chrono::system_clock::time_point last_used;
  std::vector<ToolUse> tools = {};
};

/// Tenants and keys: the host's own tables, through libpqxx as the host role. What changes them is recorded in the
/// tenant's audit by the same transaction. One object is one connection and belongs to one thread at a time; a lost
/// connection is reported as kUnavailable and replaced at the next call, with a limit at once.
class DirectoryStore {
 public:
  /// `limit` of each call: borrowed; null: none.
  static std::unique_ptr<DirectoryStore> create(const DatabaseAddress& address, JobLimit* limit = nullptr);
  virtual ~DirectoryStore() = default;

  /// kConflict when the name is taken; kInvalidArgument for a bad name or time zone, with what is allowed.
  virtual Result<TenantRow> create_tenant(std::string name, std::string title, std::string time_zone,
                                          const Actor& actor) = 0;
  /// What people call it, and its time zone; every host knows within a second. kInvalidArgument as above; a tenant that
  /// does not exist is none.
  virtual Result<> update_tenant(const std::string& name, const std::string& title, const std::string& time_zone) = 0;
  virtual Result<std::vector<TenantRow>> tenants() = 0;
  /// kNotFound names the tenants that exist.
  virtual Result<TenantRow> tenant(std::string_view name) = 0;

  virtual Result<KeyRow> insert_key(const NewKeyRow& key, const Actor& actor) = 0;
  /// All keys, or one tenant's; oldest first.
  virtual Result<std::vector<KeyRow>> keys(std::optional<TenantId> tenant) = 0;
  /// Deletes for good and notifies every host in the same transaction. By hash, or by prefix (kConflict lists the
  /// matches when several keys share it, kNotFound otherwise).
  virtual Result<KeyRow> delete_key_by_hash(const KeyHash& hash, const Actor& actor) = 0;
  virtual Result<KeyRow> delete_key_by_prefix(std::string_view prefix, const Actor& actor) = 0;
  /// By prefix, as above; nothing happens when it is so already. A disabled key is refused with "Access denied" until
  /// it is enabled again.
  virtual Result<KeyRow> set_key_disabled(std::string_view prefix, bool disabled, const Actor& actor) = 0;
  /// Makes a key like the one with this prefix (name, owner, scopes, same span of life); the old one ends `overlap`
  /// from now (at most 366 days), or at its own end when that is earlier. Ends are whole seconds. kConflict for a key
  /// that was replaced before or is disabled. The new row.
  virtual Result<KeyRow> rotate_key(std::string_view prefix, std::string new_prefix, const KeyHash& hash,
                                    int pepper_version, std::chrono::seconds overlap, const Actor& actor) = 0;
  /// Adds uses, all or none of them.
  virtual Result<> record_uses(const std::vector<KeyUse>& uses) = 0;
};

/// Watches the keys for changes on a connection and thread of its own: LISTEN, plus a round trip every second that
/// proves the server can still tell us.
class KeyWatch {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    /// The whole truth: on start, after every reconnect and after every notification. Called on the watch's thread.
    virtual void on_keys(std::vector<KeyRow> keys) = 0;
    /// The tenants that there are, before each on_keys().
    virtual void on_tenants(std::vector<TenantRow> /*tenants*/) {}
    /// The server confirmed just now that nothing has changed since the last on_keys().
    virtual void on_confirmed() = 0;
  };
  /// Returns once the first on_keys() was delivered, or with kUnavailable.
  static Result<std::unique_ptr<KeyWatch>> start(const DatabaseAddress& address, Listener& listener);
  virtual ~KeyWatch() = default;  ///< stops and joins the thread
};

}  // namespace toolhost::storage
