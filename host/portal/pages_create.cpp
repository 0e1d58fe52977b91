#include <algorithm>

#include "portal/pages_connect.hpp"
#include "portal/pages_keys.hpp"

namespace toolhost::portal {
namespace {

constexpr std::string_view kSuggestions[] = {"Claude Desktop", "Claude Code",        "ChatGPT",   "Gemini",
                                             "Cursor",         "Visual Studio Code", "My laptop", "My phone"};

struct Choice {
  std::string_view value, word, hint;
};

void radio(Html& out, std::string_view name, const Choice& choice, std::string_view chosen) {
  out << R"(<label class="choice"><input type="radio" name=")"_html << name << R"(" value=")"_html << choice.value
      << "\""_html << (choice.value == chosen ? " checked"_html : ""_html) << "><span>"_html << choice.word;
  if (!choice.hint.empty()) out << "<span>"_html << choice.hint << "</span>"_html;
  out << "</span></label>"_html;
}

void name_field(Html& out, const KeyForm& form) {
  out << R"(<div class="field"><label for="name">Name</label><p class="hint" id="name-hint">What will use the key, )"_html
      << R"(for example “Claude Desktop”.</p>)"_html << field_error(form.problems, "name")
      << R"(<input type="text" id="name" name="name" list="names" required maxlength="60" autocomplete="off" value=")"_html
      << form.name << "\""_html << describes(form.problems, "name", true) << R"(><datalist id="names">)"_html;
  for (const auto name : kSuggestions) out << R"(<option value=")"_html << name << R"("></option>)"_html;
  out << "</datalist></div>"_html;
}

void tenant_field(Html& out, const KeyForm& form, const std::vector<TenantChoice>& tenants) {
  if (tenants.size() == 1) {
    out << R"(<input type="hidden" name="tenant" value=")"_html << tenants.front().name << R"(">)"_html;
    out << R"(<p class="hint">The key opens the data of <strong>)"_html << tenants.front().shown()
        << "</strong>.</p>"_html;
    return;
  }
  out << R"(<div class="field"><label for="tenant">Tenant</label><p class="hint" id="tenant-hint">Whose tickets and )"_html
      << R"(tasks the key opens.</p>)"_html << field_error(form.problems, "tenant")
      << R"(<select id="tenant" name="tenant" required)"_html << describes(form.problems, "tenant", true) << ">"_html;
  if (form.tenant.empty()) out << R"(<option value="">Choose…</option>)"_html;
  for (const auto& tenant : tenants) {
    out << R"(<option value=")"_html << tenant.name << "\""_html
        << (tenant.name == form.tenant ? " selected"_html : ""_html) << ">"_html << tenant.shown() << "</option>"_html;
  }
  out << "</select></div>"_html;
}

void expiry_field(Html& out, const KeyForm& form) {
  static constexpr Choice kChoices[] = {{"never", "Never", ""},
                                        {"30", "30 days", ""},
                                        {"90", "90 days", ""},
                                        {"365", "1 year", ""},
                                        {"date", "On a day", ""}};
  out << R"(<fieldset id="expiry"><legend>Expires</legend><p class="hint">Choose an end for a key that is needed only )"_html
      << R"(for a while, such as for a workshop. You can delete any key at any time.</p>)"_html
      << field_error(form.problems, "expiry") << R"(<div class="choices row">)"_html;
  for (const auto& choice : kChoices) radio(out, "expiry", choice, form.expiry);
  out << R"(</div><div class="field day"><label for="date">Last day on which it works</label>)"_html
      << field_error(form.problems, "date") << R"(<input type="date" id="date" name="date" value=")"_html << form.date
      << "\""_html << describes(form.problems, "date", false) << "></div></fieldset>"_html;
}

void scope_field(Html& out, const KeyForm& form, const std::vector<TenantChoice>& tenants, const PluginIds& plugins) {
  const bool only_views =
      std::ranges::all_of(tenants, [](const TenantChoice& tenant) { return tenant.role == Role::kViewer; });
  out << R"(<fieldset id="scope"><legend>What may it do?</legend>)"_html;
  if (only_views) {
    out << R"(<p class="hint">Your role is viewer: you look things up, and so does your key.</p>)"_html
        << R"(<input type="hidden" name="scope" value="read">)"_html;
  } else {
    out << field_error(form.problems, "scope") << R"(<div class="choices">)"_html;
    radio(out, "scope", {"all", "Everything I may do", "Create and change tickets and tasks, and look things up"},
          form.scope);
    radio(out, "scope", {"read", "Only look things up", "It can change nothing"}, form.scope);
    out << "</div>"_html;
  }
  out << "</fieldset>"_html;
  if (plugins.size() < 2) return;
  out << R"(<fieldset><legend>Only with these tools</legend><p class="hint">Without a tick: with all of them.</p>)"_html
      << R"(<div class="choices row">)"_html;
  for (const auto& plugin : plugins) {
    out << R"(<label class="choice"><input type="checkbox" name="plugin" value=")"_html << plugin << "\""_html
        << (std::ranges::find(form.plugins, plugin) != form.plugins.end() ? " checked"_html : ""_html) << "><span>"_html
        << plugin << "</span></label>"_html;
  }
  out << "</div></fieldset>"_html;
}

void replaced_note(Html& out, const storage::PortalKey& old, Moment now) {
  Html text;
  if (status_of(old, now) == KeyStatus::kEnding && old.row.expires_at) {
    text << "<p>The old key <code>"_html << shown_prefix(old.row) << "</code> works until "_html
         << exact_text(*old.row.expires_at) << ". Put the new key into your assistant before that.</p>"_html;
  } else {
    text << "<p>The old key <code>"_html << shown_prefix(old.row) << "</code> has stopped working.</p>"_html;
  }
  out << callout(Tone::kInfo, "This key takes the place of the old one", text);
}

}  // namespace

Page create_page(const Scene& scene, const KeyForm& form, const std::vector<TenantChoice>& tenants,
                 const PluginIds& plugins) {
  Html out;
  out << R"(<div class="narrow"><a class="back" href="/mcp/keys">)"_html << icon(Icon::kArrow)
      << "Your API keys</a>"_html << page_head("Create a new key", {}) << error_summary(form.problems)
      << R"(<form class="fields card" method="post" action="/mcp/keys/new">)"_html << token_field(scene.viewer)
      << R"(<input type="hidden" name="once" value=")"_html << form.once << R"(">)"_html;
  name_field(out, form);
  tenant_field(out, form, tenants);
  expiry_field(out, form);
  scope_field(out, form, tenants, plugins);
  out << R"(<div class="form-foot"><button class="primary">)"_html << icon(Icon::kKey)
      << R"(Create Key</button><a class="button" href="/mcp/keys">Cancel</a></div></form></div>)"_html;
  return framed({scene.site, &scene.viewer, Tab::kKeys, "Create a new key", {}}, out,
                form.problems.empty() ? 200 : 422);
}

Page shown_once_page(const Scene& scene, const NewKeyView& view) {
  Html lead, out;
  lead
      << "“"_html << view.row.row.name
      << "” is ready. This is the only time that it is shown: copy it into your assistant before you leave this page."_html;
  out << page_head("Copy your key now", lead);
  if (view.replaced) replaced_note(out, *view.replaced, scene.viewer.now);
  if (view.has_namesake) {
    Html text;
    text << "<p>It works all the same. Rename one of them to tell them apart.</p>"_html;
    out << callout(Tone::kWarn, "You have another key of this name", text);
  }
  out << R"(<section class="card" aria-label="Your key"><label for="key">Your API key</label>)"_html
      << R"(<div class="secret"><input type="text" id="key" readonly autocomplete="off" spellcheck="false" data-select data-secret )"_html
      << R"(value=")"_html << view.key << R"("><button type="button" class="primary" data-copy="key" hidden>)"_html
      << icon(Icon::kCopy) << R"(<span>Copy</span></button></div><p class="hint">37 characters, beginning with )"_html
      << R"(<code>hdsk_</code>. Treat it as a password: do not send it to anybody, and keep it out of shared files.</p></section>)"_html
      << snippets_card("Connect your assistant", "Choose yours. Address and key are filled in.", view.base_url,
                       view.key)
      << R"(<div class="head after"><p class="lead">)"_html
      << R"(Is your assistant set up? See whether it arrives.</p><div class="actions">)"_html
      << R"(<a class="button" href="/mcp/check">)"_html << icon(Icon::kPulse)
      << R"(Check the connection</a><a class="button primary" href="/mcp/keys">I have stored it</a></div></div>)"_html;
  return framed({scene.site, &scene.viewer, Tab::kKeys, "Copy your key now", {}}, out);
}

}  // namespace toolhost::portal
