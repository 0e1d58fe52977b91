#include "portal/pages_account.hpp"

#include <utility>

namespace toolhost::portal {
namespace {

std::string_view role_text(Role role) noexcept {
  switch (role) {
    case Role::kViewer:
      return "Viewer: looks things up";
    case Role::kAgent:
      return "Agent: works with tickets and tasks";
    case Role::kAdmin:
      return "Admin: sees the keys of the whole team as well";
  }
  return "";
}

void tenants_card(Html& out, const std::vector<TenantChoice>& tenants) {
  out << R"(<section class="card flush" aria-labelledby="tenants"><div class="card-head"><h2 id="tenants">What you )"_html
      << R"(have access to</h2></div><table><caption class="hidden">Your tenants</caption><thead><tr><th scope="col">)"_html
      << R"(Tenant</th><th scope="col">Your role</th></tr></thead><tbody>)"_html;
  for (const auto& tenant : tenants) {
    out << R"(<tr><th scope="row">)"_html << tenant.shown() << "</th><td>"_html << role_text(tenant.role)
        << "</td></tr>"_html;
  }
  out << "</tbody></table></section>"_html;
}

void session_row(Html& out, const storage::SessionRow& session, const Scene& scene, bool is_current) {
  out << R"(<tr role="row"><th scope="row" role="rowheader">)"_html << browser_name(session.user_agent);
  if (is_current) out << R"(<span class="muted">This device</span>)"_html;
  out << R"(</th><td role="cell" data-label="Address">)"_html << session.address
      << R"(</td><td role="cell" data-label="Signed in">)"_html << time_tag(session.created_at, scene.viewer.now)
      << R"(</td><td role="cell" data-label="Last seen">)"_html << time_tag(session.last_seen_at, scene.viewer.now)
      << R"(</td><td role="cell">)"_html;
  if (!is_current) {
    out << R"(<form method="post" action="/mcp/account/sessions/)"_html << session.number << R"(/end">)"_html
        << token_field(scene.viewer) << R"(<button class="small">Sign out<span class="hidden"> )"_html
        << browser_name(session.user_agent) << "</span></button></form>"_html;
  }
  out << "</td></tr>"_html;
}

}  // namespace

std::string browser_name(std::string_view user_agent) {
  using Word = std::pair<std::string_view, std::string_view>;
  // The order counts: most browsers also call themselves Chrome, Safari and Mozilla.
  static constexpr Word kBrowsers[] = {{"Edg/", "Edge"},      {"OPR/", "Opera"},     {"Firefox/", "Firefox"},
                                       {"FxiOS/", "Firefox"}, {"CriOS/", "Chrome"},  {"HeadlessChrome/", "Chrome"},
                                       {"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"}};
  static constexpr Word kSystems[] = {{"iPhone", "iPhone"},   {"iPad", "iPad"},      {"Android", "Android"},
                                      {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"},
                                      {"Linux", "Linux"}};
  std::string name = "Unknown browser";
  for (const auto& [sign, word] : kBrowsers) {
    if (user_agent.find(sign) == std::string_view::npos) continue;
    name = word;
    break;
  }
  for (const auto& [sign, word] : kSystems)
    if (user_agent.find(sign) != std::string_view::npos) return name + " on " + std::string(word);
  return name;
}

Page account_page(const Scene& scene, const AccountView& view) {
  Html lead, out;
  lead << "Signed in as <strong>"_html << scene.viewer.email << "</strong>"_html;
  if (!scene.viewer.name.empty() && scene.viewer.name != scene.viewer.email)
    lead << " ("_html << scene.viewer.name << ")"_html;
  lead << "."_html;
  out << page_head("Account", lead) << R"(<div class="stack">)"_html;
  tenants_card(out, view.tenants);
  out << R"(<section class="card flush" aria-labelledby="sessions"><div class="card-head"><h2 id="sessions">Where you )"_html
      << R"(are signed in</h2></div><div class="scroll"><table class="cards" role="table"><caption class="hidden">Your )"_html
      << R"(sessions, seen last first</caption><thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">)"_html
      << R"(Device</th><th scope="col" role="columnheader">Address</th><th scope="col" role="columnheader">Signed in)"_html
      << R"(</th><th scope="col" role="columnheader">Last seen</th><th scope="col" role="columnheader">)"_html
      << R"(<span class="hidden">Actions</span></th></tr></thead><tbody role="rowgroup">)"_html;
  for (const auto& session : view.sessions) session_row(out, session, scene, session.number == view.current);
  out << R"(</tbody></table></div></section><section class="card" aria-labelledby="everywhere"><h2 id="everywhere">)"_html
      << R"(Sign out everywhere</h2><p class="hint">Ends every session of yours, this one as well. Your API keys go on )"_html
      << R"(working; delete those that you no longer trust.</p><form class="form-foot" method="post" )"_html
      << R"(action="/mcp/account/sign-out-everywhere">)"_html << token_field(scene.viewer)
      << "<button>Sign out everywhere</button></form></section></div>"_html;
  return framed({scene.site, &scene.viewer, Tab::kAccount, "Account", scene.notice}, out);
}

}  // namespace toolhost::portal
