#include "app/config/authorization_section.hpp"

#include "app/config/tenant_sections.hpp"

#include <algorithm>

#include "access/signed_token.hpp"
#include "access/tool_pattern.hpp"
#include "transport/url.hpp"

namespace toolhost::app {
namespace {

constexpr const char* kPlaceOfScopes = "scopes of the token";
/// RFC 6749 section 3.3: printable, without blanks, quotes and backslashes.
constexpr const char* kScopeName = R"(^[!#-\\[\\]-~]+$)";
constexpr const char* kTenantName = "^[a-z0-9][a-z0-9-]{0,62}$";

bool is_scope_name(std::string_view text) {
  return !text.empty() && text.size() <= 128 &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f' && c != '"' && c != '\\'; });
}

/// An https URL without a query; http only to this machine.
void check_url(Section& section, const std::string& key, const std::string& text) {
  if (text.empty()) return;
  const auto url = transport::parse_url(text);
  if (!url || (!url->is_https && !url->is_loopback()) || url->target.find('?') != std::string::npos)
    section.bad(key, "an https URL without a query", text);
}

/// One text behind a name of the operator's own.
std::optional<std::string> value_of(const Slot& slot, const std::string& keywords, Problems& problems) {
  if (slot.schema != nullptr) {
    slot.schema->keywords = keywords;
    return std::nullopt;
  }
  if (slot.node.IsScalar()) return slot.node.Scalar();
  problems.add(slot.node, "'" + slot.name + "' must be a single value");
  return std::nullopt;
}

void read_tenant_of_token(Section section, access::TenantOfToken& tenant) {
  auto& problems = section.problems();
  section.text("name", "The tenant of every token of this issuer.", tenant.name, kTenantName);
  section.text("claim", "Or the claim that says it: its name, or a JSON pointer such as /acme/tenant.", tenant.claim);
  section.entries("values", "Values of the claim with their tenants; without them the claim holds the tenant's name.",
                  "", [&](const YAML::Node& name, const Slot& slot) {
                    if (auto value = value_of(slot, R"("type":"string")", problems))
                      tenant.values.emplace(name.Scalar(), std::move(*value));
                  });
  section.finish();
  if (section.is_usable() && tenant.name.empty() == tenant.claim.empty())
    section.add("", section.where() + " takes either 'name', a tenant, or 'claim', which says it in each token");
}

void read_role_of_token(Section section, access::RoleOfToken& role) {
  auto& problems = section.problems();
  section.text("claim", "The claim that says it: its name, or a JSON pointer such as /realm_access/roles.", role.claim);
  section.entries("values", "Values of the claim with their roles; of several the highest counts.", "",
                  [&](const YAML::Node& name, const Slot& slot) {
                    const auto value = value_of(slot, R"("enum":["viewer","agent","admin"])", problems);
                    const auto found = value ? role_named(*value) : std::nullopt;
                    if (found) role.values.emplace(name.Scalar(), *found);
                    if (value && !found)
                      problems.add(slot.node, "'" + slot.name + "' must be one of: viewer, agent, admin");
                  });
  section.choice("default", "The role of who has none of the values; without it they are not let in.", role.otherwise,
                 {{"viewer", Role::kViewer}, {"agent", Role::kAgent}, {"admin", Role::kAdmin}});
  section.finish();
  if (section.is_usable() && role.claim.empty() != role.values.empty())
    section.add("", section.where() + " takes 'claim' and its 'values' together");
}

void read_scope(const YAML::Node& name, const Slot& slot, std::vector<access::TokenScope>& scopes, Problems& problems) {
  Section section(slot, problems);
  access::TokenScope scope{.name = name.Scalar()};
  bool read_only = false;
  section.scalars("tools", "Names or patterns of tools; default: whatever the role may call.", kToolPattern, {},
                  [&](const YAML::Node& item) {
                    const auto& text = item.Scalar();
                    if (text == "read" || text == "write" || !access::check_scope(text)) {
                      problems.add(item, section.where("tools") + " must hold names, or patterns such as create_* or " +
                                             "tickets.*; got " + in_quotes(text));
                    } else {
                      scope.opens.push_back({text, {kPlaceOfScopes, 0}});
                    }
                  });
  section.flag("read_only", "Only tools that declare that they are read-only.", read_only);
  section.finish();
  if (slot.schema != nullptr) return;
  if (section.has("tools") && scope.opens.empty() && section.node()["tools"].size() == 0)
    section.add("tools", section.where("tools") + " is empty; leave it out to open whatever the role may call");
  if (!is_scope_name(scope.name))
    problems.add(name, in_quotes(scope.name) + " is no name of a scope: no blanks, quotes and backslashes");
  if (read_only) scope.opens.push_back({"read", {kPlaceOfScopes, 0}});
  scopes.push_back(std::move(scope));
}

void check_algorithms(Section& section, const std::vector<std::string>& algorithms) {
  const auto known = access::signature_algorithms();
  for (const auto& algorithm : algorithms)
    if (std::ranges::find(known, algorithm) == known.end())
      section.bad("algorithms", "some of: RS256, PS256, ES256", algorithm);
  if (algorithms.empty()) section.add("algorithms", section.where("algorithms") + " must name at least one");
}

void read_issuer(const Slot& slot, std::vector<access::TokenIssuer>& issuers, Problems& problems) {
  Section section(slot, problems);
  access::TokenIssuer issuer;
  section.text("issuer", "The issuer as its tokens spell it: https, or http on this computer.", issuer.issuer,
               "^https?://.+$");
  section.require("issuer", "an issuer of tokens needs 'issuer', such as https://idp.example.com");
  section.text("jwks_url", "Where its keys are; default: as its metadata says.", issuer.jwks_url, "^https?://.+$");
  section.text("ca_file", "PEM file of certificate authorities to trust instead of the system's.", issuer.ca_file);
  section.texts("algorithms", "Signatures that are accepted: RS256, PS256, ES256.", issuer.algorithms);
  section.texts("audiences", "What its tokens may be for; default: the resource, and the same with /sse.",
                issuer.audiences);
  read_tenant_of_token(section.section("tenant", "Whose tokens they are."), issuer.tenant);
  section.require("tenant", "an issuer of tokens needs 'tenant': {name: acme}, or {claim: org_id}");
  read_role_of_token(
      section.section("role", "What people may; default: as the tenant names the token's verified e-mail address."),
      issuer.role);
  section.entries("scopes", "What each scope opens; default: a token opens whatever its role may call.", kScopeName,
                  [&](const YAML::Node& name, const Slot& scope) { read_scope(name, scope, issuer.scopes, problems); });
  section.finish();
  if (!section.is_usable()) return;
  if (section.has("ca_file"))
    problems.note("authorization.issuers[" + std::to_string(issuers.size()) + "].ca_file", section.node()["ca_file"]);
  check_url(section, "issuer", issuer.issuer);
  check_url(section, "jwks_url", issuer.jwks_url);
  check_algorithms(section, issuer.algorithms);
  issuers.push_back(std::move(issuer));
}

void check_issuers(Section& section, const access::TokenConfig& tokens) {
  if (tokens.issuers.empty()) section.add("issuers", "'authorization' needs 'issuers': whose access tokens are let in");
  for (auto issuer = tokens.issuers.begin(); issuer != tokens.issuers.end(); ++issuer) {
    const auto is_same = [&](const auto& other) { return other.issuer == issuer->issuer; };
    if (std::any_of(tokens.issuers.begin(), issuer, is_same))
      section.add("issuers", "'authorization.issuers' names " + in_quotes(issuer->issuer) + " twice");
  }
}

}  // namespace

void read_authorization(Section section, HostConfig& config) {
  access::TokenConfig tokens;
  section.text("resource", "What this host is to the issuers, and tokens are made for; default: public_url and /mcp.",
               tokens.resource, "^https?://.+$");
  section.texts("scopes_supported", "Scopes that clients ask for first; default: all that the issuers' entries name.",
                tokens.scopes);
  section.list("issuers", "Whose access tokens are let in, beside API keys.", "issuer: https://idp.example.com",
               [&](const Slot& slot) { read_issuer(slot, tokens.issuers, section.problems()); });
  section.finish();
  if (!section.is_usable()) return;
  if (tokens.resource.empty() && !config.public_url.empty()) tokens.resource = config.public_url + "/mcp";
  if (tokens.resource.empty()) {
    section.add("resource",
                "'authorization' needs 'http.public_url' or 'authorization.resource', the address that people give to "
                "their assistants, such as https://mcp.example.com/mcp");
  }
  check_url(section, "resource", tokens.resource);
  for (const auto& scope : tokens.scopes)
    if (!is_scope_name(scope)) section.bad("scopes_supported", "names of scopes", scope);
  check_issuers(section, tokens);
  config.keys.tokens = std::move(tokens);
}

}  // namespace toolhost::app
