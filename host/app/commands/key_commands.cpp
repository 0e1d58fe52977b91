#include "app/commands/key_commands.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "access/api_key.hpp"
#include "access/policy.hpp"
#include "access/tenant_rights.hpp"
#include "access/tool_pattern.hpp"
#include "app/commands/console.hpp"
#include "app/commands/moment.hpp"
#include "app/config/config_check.hpp"
#include "base/json_writer.hpp"
#include "base/similar_name.hpp"

namespace toolhost::app {
namespace {

constexpr std::size_t kLongestName = 60;
constexpr int kPepperVersion = 1;

struct KeyOptions {
  std::string tenant, name, owner, expires, tool_list, overlap = "24h", key;
  std::vector<std::string> scopes;
  bool as_json = false;
};

Error wrong(std::string message) {
  return {Errc::kInvalidArgument, std::move(message), ""};
}

void warn(const std::string& text) {
  std::cerr << "toolhost: warning: " << printable(text) << "\n";
}

// ---- create

/// "ana@acme.example": a name and a domain, nothing that a terminal would hide.
bool looks_like_email(std::string_view text) {
  const auto at = text.find('@');
  const bool has_both = at != std::string_view::npos && at > 0 && at + 1 < text.size();
  return has_both && text.find('@', at + 1) == std::string_view::npos && text.size() <= 320 &&
         text.find_first_of(" *,;<>\"") == std::string_view::npos && printable(text) == text;
}

Result<storage::NewKeyRow> checked(const KeyOptions& options, Moment now) {
  if (options.name.size() > kLongestName || options.name.find_first_not_of(' ') == std::string::npos)
    return wrong("--name must have 1 to " + std::to_string(kLongestName) + " bytes, not only spaces");
  // Whatever a terminal could not show as it is: control characters, marks of direction, bytes that are not UTF-8.
  if (printable(options.name) != options.name)
    return wrong("--name must be readable text in UTF-8, without control characters; got " + options.name);
  if (!options.owner.empty() && !looks_like_email(options.owner))
    return wrong("--owner must be a person's e-mail address, such as ana@acme.com; got '" + options.owner + "'");
  storage::NewKeyRow key;
  key.name = options.name;
  key.owner = options.owner;
  for (const auto& scope : options.scopes) {
    if (const auto allowed = access::check_scope(scope); !allowed) return allowed.error();
    if (std::find(key.scopes.begin(), key.scopes.end(), scope) == key.scopes.end()) key.scopes.push_back(scope);
  }
  if (options.tool_list == "find") key.scopes.emplace_back(access::kFindsTools);
  if (options.expires.empty()) return key;
  key.expires_at = parse_moment(options.expires, now);
  if (!key.expires_at) {
    return wrong("--expires must be a time from now such as 90d, a date such as 2027-01-31, or RFC 3339 such as " +
                 rfc3339(now) + "; got '" + options.expires + "'");
  }
  if (*key.expires_at <= now) return wrong("--expires " + options.expires + " is in the past");
  return key;
}

/// What the role may at most in this tenant: the tenant's own word, else the defaults'.
access::Scopes scopes_of(const access::PolicyConfig& policy, const std::string& tenant, Role role) {
  const auto index = static_cast<std::size_t>(role);
  const auto own = policy.tenants.find(tenant);
  if (own != policy.tenants.end() && own->second.roles[index].scopes) return *own->second.roles[index].scopes;
  return policy.defaults.roles[index].scopes.value_or(access::Scopes());
}

/// What names no tools.
bool is_level(std::string_view scope) {
  return scope == "read" || scope == "write" || scope == access::kFindsTools;
}

bool is_within(const std::string& scope, const access::Scopes& role) {
  const auto holds = [&](std::string_view text) {
    return std::any_of(role.begin(), role.end(), [&](const auto& held) { return held.text == text; });
  };
  if (scope == "read" || scope == access::kFindsTools) return true;
  if (scope == "write") return !holds("read") || holds("write");
  const bool has_patterns =
      std::any_of(role.begin(), role.end(), [](const auto& held) { return !is_level(held.text); });
  return !has_patterns || std::any_of(role.begin(), role.end(), [&](const auto& held) {
    return !is_level(held.text) && access::is_like(scope, held.text);
  });
}

/// Says what is allowed and probably not meant.
void warn_of_scopes(const storage::NewKeyRow& key, const std::string& tenant, const access::PolicyConfig& policy) {
  const auto& person = key.owner.empty() ? key.name : key.owner;
  const Role role = access::Policy::compile(policy)->membership().role_of(tenant, person);
  const auto of_role = scopes_of(policy, tenant, role);
  for (const auto& scope : key.scopes) {
    if (is_within(scope, of_role)) continue;
    warn(person + " is " + (role == Role::kViewer ? "a " : "an ") + to_string(role) + " in " + tenant +
         ", who may not hold '" + scope + "': a key may only do what its owner's role may as well");
  }
}

/// Says which scopes no tool of the configured plugins has; nothing when one of those cannot be asked.
void warn_of_unknown_scopes(const std::vector<std::string>& scopes, const HostConfig& config) {
  if (std::all_of(scopes.begin(), scopes.end(), is_level)) return;
  std::vector<ConfigProblem> problems;
  const auto installed = describe_plugins(config, problems);
  if (!problems.empty()) return;
  for (const auto& scope : scopes) {
    const bool is_whole = scope.find('.') != std::string::npos;
    bool is_known = is_level(scope);
    std::vector<std::string> names{"read", "write"};
    for (const auto& plugin : installed.plugins) {
      if (is_whole) names.push_back(plugin.id + ".*");
      for (const auto& tool : plugin.tools) {
        is_known |= access::matches(scope, {.name = tool, .plugin = plugin.id});
        names.push_back(is_whole ? plugin.id + "." + tool : tool);
      }
    }
    if (is_known) continue;
    const auto near = similar_name(scope, names);
    warn("no plugin that is configured has a tool that '" + scope + "' matches" +
         (near ? "; did you mean '" + std::string(*near) + "'?" : ""));
  }
}

/// A key without an owner stands for a person of its name.
void warn_of_namesakes(const storage::NewKeyRow& key, const std::vector<storage::KeyRow>& others) {
  if (!key.owner.empty()) return;
  const bool has_namesake = std::any_of(others.begin(), others.end(), [&](const auto& other) {
    return (other.owner.empty() ? other.name : other.owner) == key.name;
  });
  if (!has_namesake) return;
  warn("there is a key for \"" + key.name +
       "\" already: what either of them does is done in one person's name, and each sees the other's as its own. "
       "--owner EMAIL says whose a key is");
}

int create_key(const CommonOptions& common, const KeyOptions& options) {
  auto key = checked(options, std::chrono::system_clock::now());
  if (!key) return fail(key.error());
  return with_context(common, [&](CommandContext& context) -> int {
    const auto pepper = load_pepper(context.config);
    if (!pepper) return fail(pepper.error());
    const auto tenant = context.directory->tenant(options.tenant);
    if (!tenant) return fail(tenant.error());
    const auto others = context.directory->keys(tenant->id);
    if (!others) return fail(others.error());
    const auto made = access::generate_key(*pepper);
    key->tenant = tenant->id;
    key->prefix = made.prefix;
    key->hash = made.hash;
    key->pepper_version = kPepperVersion;
    const auto stored = context.directory->insert_key(*key, command_actor());
    if (!stored) return fail(stored.error());
    std::cout << made.text.reveal() << std::endl;
    std::cerr << "created key " << made.prefix << "... for tenant " << tenant->name
              << (stored->expires_at ? " until " + rfc3339(*stored->expires_at) : "")
              << "; it is shown only this once\n";
    warn_of_unknown_scopes(key->scopes, context.config);
    warn_of_scopes(*key, tenant->name, context.config.policy);
    warn_of_namesakes(*key, *others);
    return kExitOk;
  });
}

// ---- list

std::string status_of(const storage::KeyRow& key, Moment now) {
  if (key.disabled) return "disabled";
  if (key.replaced_by) return "replaced";
  return key.expires_at && *key.expires_at <= now ? "expired" : "active";
}

void write_text_or_null(JsonWriter& json, std::string_view name, const std::optional<std::string>& text) {
  json.key(name);
  if (text) {
    json.string(*text);
  } else {
    json.null();
  }
}

void print_json(const std::vector<storage::KeyRow>& keys, Moment now) {
  const auto prefix_of = [&](const std::optional<KeyId>& id) -> std::optional<std::string> {
    const auto found = std::find_if(keys.begin(), keys.end(), [&](const auto& key) { return id && key.id == *id; });
    return found == keys.end() ? std::nullopt : std::optional(found->prefix);
  };
  std::string out;
  JsonWriter json(out);
  json.begin_array();
  for (const auto& key : keys) {
    json.begin_object().member("prefix", key.prefix).member("tenant", key.tenant).member("name", key.name);
    json.member("owner", key.owner).member("status", status_of(key, now)).key("scopes").begin_array();
    for (const auto& scope : key.scopes) json.string(scope);
    json.end_array().member("created_at", key.created_at);
    write_text_or_null(json, "expires_at", key.expires_at ? std::optional(rfc3339(*key.expires_at)) : std::nullopt);
    write_text_or_null(json, "replaced_by", prefix_of(key.replaced_by));
    write_text_or_null(json, "last_used_at", key.last_used_at);
    json.key("usage_count").integer(key.usage_count).end_object();
  }
  json.end_array();
  std::cout << out << "\n";
}

void print_table(const std::vector<storage::KeyRow>& keys, Moment now) {
  std::vector<std::vector<std::string>> rows{
      {"KEY", "TENANT", "NAME", "OWNER", "STATUS", "SCOPES", "EXPIRES", "CREATED", "LAST USED", "CALLS"}};
  for (const auto& key : keys) {
    const std::string end = key.expires_at ? rfc3339(*key.expires_at) : "never";
    const bool ends_soon = key.replaced_by && !key.disabled && key.expires_at && *key.expires_at > now;
    std::string scopes;
    for (const auto& scope : key.scopes) scopes += (scopes.empty() ? "" : " ") + scope;
    if (scopes == access::kFindsTools) scopes = "all " + scopes;
    rows.push_back({key.prefix + "...", key.tenant, key.name, key.owner.empty() ? "-" : key.owner,
                    status_of(key, now) + (ends_soon ? " (until " + end + ")" : ""), scopes.empty() ? "all" : scopes,
                    end, key.created_at, key.last_used_at.value_or("never"), std::to_string(key.usage_count)});
  }
  std::cout << columns(rows);
}

int list_keys(const CommonOptions& common, const KeyOptions& options) {
  const auto list = [&](CommandContext& context) -> int {
    std::optional<TenantId> tenant_id;
    if (!options.tenant.empty()) {
      const auto tenant = context.directory->tenant(options.tenant);
      if (!tenant) return fail(tenant.error());
      tenant_id = tenant->id;
    }
    const auto keys = context.directory->keys(tenant_id);
    if (!keys) return fail(keys.error());
    const auto now = std::chrono::system_clock::now();
    options.as_json ? print_json(*keys, now) : print_table(*keys, now);
    return kExitOk;
  };
  return with_context(common, list);
}

// ---- change

/// A key as somebody names it on the command line.
struct NamedKey {
  std::string text;
  bool is_whole = false;
  [[nodiscard]] std::string prefix() const { return text.substr(0, access::kKeyPrefixLength); }
};

Result<NamedKey> named_key(std::string text) {
  while (text.ends_with('.')) text.pop_back();  // as `key list` shows it
  const auto flaw = access::describe_malformed_key(text);
  // Longer than a prefix and not a key: a key with a slip in it, which must not be repeated on the screen.
  if (!flaw.empty() && text.size() > access::kKeyPrefixLength) {
    return wrong("this is neither a key (" + std::string(flaw) + ") nor its first " +
                 std::to_string(access::kKeyPrefixLength) + " characters; 'toolhost key list' shows them");
  }
  return NamedKey{std::move(text), flaw.empty()};
}

/// hdsk_4fT9kQ... ("Laptop", tenant acme)
std::string description_of(const storage::KeyRow& key) {
  return key.prefix + "... (\"" + printable(key.name) + "\", tenant " + key.tenant + ")";
}

int delete_key(const CommonOptions& common, const KeyOptions& options) {
  const auto named = named_key(options.key);
  if (!named) return fail(named.error());
  const auto remove = [&](CommandContext& context) -> int {
    Result<storage::KeyRow> deleted = Error{};
    if (named->is_whole) {
      const auto pepper = load_pepper(context.config);
      if (!pepper) return fail(pepper.error());
      deleted = context.directory->delete_key_by_hash(access::hash_key(*pepper, named->text), command_actor());
    } else {
      deleted = context.directory->delete_key_by_prefix(named->text, command_actor());
    }
    if (!deleted) return fail(deleted.error());
    std::cerr << "deleted key " << description_of(*deleted) << "; it stops working on every host within a second\n";
    return kExitOk;
  };
  return with_context(common, remove);
}

int set_disabled(const CommonOptions& common, const KeyOptions& options, bool disabled) {
  const auto named = named_key(options.key);
  if (!named) return fail(named.error());
  const auto change = [&](CommandContext& context) -> int {
    const auto key = context.directory->set_key_disabled(named->prefix(), disabled, command_actor());
    if (!key) return fail(key.error());
    std::cerr << (disabled ? "disabled key " : "enabled key ") << description_of(*key)
              << (disabled ? "; it is refused on every host within a second, until it is enabled again\n"
                           : "; it works on every host within a second\n");
    if (!disabled && key->expires_at && *key->expires_at <= std::chrono::system_clock::now())
      warn("this key expired at " + rfc3339(*key->expires_at) + " all the same");
    return kExitOk;
  };
  return with_context(common, change);
}

int rotate_key(const CommonOptions& common, const KeyOptions& options) {
  const auto named = named_key(options.key);
  if (!named) return fail(named.error());
  const auto overlap = parse_span(options.overlap);
  if (!overlap) return fail(wrong("--overlap must be a time such as 24h, 7d or 0; got '" + options.overlap + "'"));
  const auto rotate = [&](CommandContext& context) -> int {
    const auto pepper = load_pepper(context.config);
    if (!pepper) return fail(pepper.error());
    const auto made = access::generate_key(*pepper);
    const auto key = context.directory->rotate_key(named->prefix(), made.prefix, made.hash, kPepperVersion, *overlap,
                                                   command_actor());
    if (!key) return fail(key.error());
    std::cout << made.text.reveal() << std::endl;
    std::cerr << "created key " << description_of(*key)
              << (key->expires_at ? " until " + rfc3339(*key->expires_at) : "") << "; it is shown only this once\n";
    const auto keys = context.directory->keys(key->tenant_id);
    if (!keys) return fail(keys.error());
    for (const auto& old : *keys) {
      if (old.replaced_by != key->id || !old.expires_at) continue;
      const bool has_ended = *old.expires_at <= std::chrono::system_clock::now();
      std::cerr << "the key it replaces, " << old.prefix << "..., " << (has_ended ? "ended at " : "works until ")
                << rfc3339(*old.expires_at) << "\n";
    }
    return kExitOk;
  };
  return with_context(common, rotate);
}

}  // namespace

void add_key_commands(CLI::App& app, CommonOptions& common, int& exit_code) {
  const auto options = std::make_shared<KeyOptions>();
  auto* group = app.add_subcommand("key", "Create, list, rotate, disable and delete API keys")->require_subcommand(1);
  const auto command = [&](const char* name, const char* text) {
    auto* added = group->add_subcommand(name, text);
    add_common(*added, common);
    return added;
  };
  const auto names_key = [&](CLI::App* added) {
    added->add_option("KEY_OR_PREFIX", options->key, "The whole key, or its first 11 characters")->required();
  };

  auto* create = command("create", "Create an API key and print it, alone, on standard output");
  create->add_option("--tenant", options->tenant, "The tenant whose data the key opens")->required()->type_name("NAME");
  create->add_option("--name", options->name, "What the key is for, e.g. \"Claude Desktop\"")
      ->required()
      ->type_name("TEXT");
  create->add_option("--owner", options->owner, "E-mail address of the person who uses it")->type_name("EMAIL");
  create
      ->add_option("--scope", options->scopes,
                   "What it may do: read, write, or tools such as 'tickets.*'; may be repeated (default: all that the "
                   "owner's role may)")
      ->type_name("SCOPE")
      ->allow_extra_args(false);
  create
      ->add_option("--tool-list", options->tool_list,
                   "full (default), or find: two tools that find and call all others, for lists that would fill a "
                   "model's context")
      ->check(CLI::IsMember({"full", "find"}))
      ->type_name("WORD");
  create
      ->add_option("--expires", options->expires,
                   "When it ends: 90d, 2027-01-31 (as that day begins, in UTC) or RFC 3339 (default: never)")
      ->type_name("WHEN");
  create->callback([options, &common, &exit_code] { exit_code = create_key(common, *options); });

  auto* list = command("list", "List the keys; never their text");
  list->add_option("--tenant", options->tenant, "Only this tenant's")->type_name("NAME");
  list->add_flag("--json", options->as_json, "Print JSON for programs");
  list->callback([options, &common, &exit_code] { exit_code = list_keys(common, *options); });

  auto* rotate = command("rotate", "Print a new key in place of one, which goes on working for a while");
  names_key(rotate);
  rotate->add_option("--overlap", options->overlap, "How long both work: 24h (default), 7d, 0")->type_name("TIME");
  rotate->footer("The new key has the name, owner, scopes and span of life of the old one.");
  rotate->callback([options, &common, &exit_code] { exit_code = rotate_key(common, *options); });

  auto* disable = command("disable", "Refuse a key until it is enabled; its streams and calls end within a second");
  names_key(disable);
  disable->callback([options, &common, &exit_code] { exit_code = set_disabled(common, *options, true); });
  auto* enable = command("enable", "Let a disabled key in again");
  names_key(enable);
  enable->callback([options, &common, &exit_code] { exit_code = set_disabled(common, *options, false); });

  auto* remove = command("delete", "Delete a key for good; its streams and calls end within a second");
  names_key(remove);
  remove->callback([options, &common, &exit_code] { exit_code = delete_key(common, *options); });
}

}  // namespace toolhost::app
