#include "app/config/tenant_sections.hpp"

#include <algorithm>
#include <set>

#include "app/config/time_zone_name.hpp"
#include "base/lower.hpp"

namespace toolhost::app {
namespace {

constexpr const char* kNamePattern = "^[a-z0-9][a-z0-9-]{0,62}$";
constexpr std::size_t kLongestTitle = 200;

/// As the directory of tenants has it.
bool is_tenant_name(std::string_view name) {
  const auto is_letter_or_digit = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= 63 && is_letter_or_digit(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return is_letter_or_digit(c) || c == '-'; });
}

/// "ana@acme.com", or "*@acme.com" for everybody of that domain.
bool is_email(std::string_view text) {
  const auto at = text.find('@');
  if (at == 0 || at == std::string_view::npos || at + 1 == text.size() || text.size() > 320) return false;
  if (text.find('@', at + 1) != std::string_view::npos) return false;
  const bool has_space = std::any_of(text.begin(), text.end(), [](unsigned char c) { return c <= ' ' || c == 0x7f; });
  const auto star = text.rfind('*');
  return !has_space && (star == std::string_view::npos || (star == 0 && at == 1));
}

void read_role(Section& section, const std::string& key, const char* about, Role& role) {
  section.choice(key, about, role,
                 {{to_string(Role::kViewer), Role::kViewer},
                  {to_string(Role::kAgent), Role::kAgent},
                  {to_string(Role::kAdmin), Role::kAdmin}});
}

void read_member(Section section, Members& members, std::set<std::string>& seen) {
  Member member;
  section.text("email", "The person's address, or *@acme.com for everybody else of that domain.", member.email,
               "^[^@ ]+@[^@ ]+$");
  section.require("email", "a member needs 'email': a person's address, or *@acme.com for everybody of that domain");
  section.text("name", "How tickets and tasks call the person; not for a whole domain.", member.name);
  read_role(section, "role", "What the person is, and so each of their keys.", member.role);
  member.place = section.place();
  section.finish();
  if (!section.is_usable() || member.email.empty()) return;
  if (!is_email(member.email)) {
    section.bad("email", "an e-mail address, or *@acme.com for everybody of that domain", member.email);
  } else if (!seen.insert(lower(member.email)).second) {
    section.add("", "member " + in_quotes(member.email) + " is listed twice; keep one of them");
  } else if (member.email.starts_with('*') && !member.name.empty()) {
    section.bad("name", "absent for a whole domain", member.name);
  } else {
    members.push_back(std::move(member));
  }
}

void read_settings(Section& section, ReadTenant& tenant) {
  auto& problems = section.problems();
  section.entries("settings", "Plugin settings by plugin id, laid over the plugin's own key by key.", "",
                  [&](const YAML::Node& name, const Slot& slot) {
                    if (slot.schema != nullptr) {
                      slot.schema->keywords = R"("type":["object","null"])";
                      return;
                    }
                    if (slot.node.IsNull()) return;
                    if (!slot.node.IsMap())
                      return problems.add(slot.node, "'" + slot.name + "' must be a mapping of keys to values");
                    TenantSettings settings{.plugin = name.Scalar(), .entry = problems.place(name)};
                    append_settings(settings.json, settings.places, slot.node, problems);
                    tenant.settings.push_back(std::move(settings));
                  });
}

/// A name that cannot be one is told once, and forgotten.
void check_names(Section& section, TenantConfig& tenant) {
  std::string& name = tenant.name;
  if (!name.empty() && !is_tenant_name(name)) {
    section.bad("name", "1 to 63 of a-z, 0-9 and '-', beginning with a letter or digit", name);
    name.clear();
  }
  if (tenant.title.size() > kLongestTitle) section.bad("title", "at most 200 bytes long", tenant.title);
  if (!section.has("time_zone")) return;
  if (const auto flaw = flaw_of_time_zone(tenant.time_zone))
    section.add("time_zone", section.where("time_zone") + ": " + *flaw);
}

}  // namespace

void read_tenant(Section& section, ReadTenant& tenant, const HostConfig& host) {
  tenant.config.place = tenant.policy.place = section.place();
  section.text("name", "The tenant's name; in a file of its own, the file's name without .yaml.", tenant.config.name,
               kNamePattern);
  section.require("name", "a tenant needs 'name': lower-case letters, digits and hyphens");
  section.text("title", "The name for people; default: the name.", tenant.config.title);
  section.text("time_zone", "IANA time zone of the tenant's people, e.g. Europe/Berlin.", tenant.config.time_zone);
  tenant.config.says_title = section.has("title");
  tenant.config.says_time_zone = section.has("time_zone");
  check_names(section, tenant.config);
  auto& people = tenant.policy.people;
  read_role(section, "default_role", "Of keys whose owner is no member, and of keys without an owner.",
            people.default_role);
  if (section.has("default_role")) people.default_place = section.place("default_role");
  std::set<std::string> seen;
  section.list("members", "People, whom tickets and tasks then know by name.", "email: ana@acme.com",
               [&](const Slot& slot) { read_member({slot, section.problems()}, people.members, seen); });
  read_settings(section, tenant);
  read_policy(section, tenant.policy, host);
  section.finish();
  if (tenant.config.title.empty()) tenant.config.title = tenant.config.name;
}

}  // namespace toolhost::app
