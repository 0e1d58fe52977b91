#include "portal/pages_keys.hpp"

#include <algorithm>

#include "access/tenant_rights.hpp"

namespace toolhost::portal {
namespace {

using storage::PortalKey;

constexpr std::chrono::days kSoon{7};  // a key that ends within them is marked

Html link_back(std::string_view path, std::string_view word) {
  Html out;
  out << R"(<a class="back" href=")"_html << path << R"(">)"_html << icon(Icon::kArrow) << word << "</a>"_html;
  return out;
}

void action(Html& out, const KeyPlace& place, const PortalKey& key, std::string_view what, Icon shape,
            std::string_view word, bool is_risky) {
  out << R"(<a class="button square)"_html << (is_risky ? " risky"_html : ""_html) << R"(" href=")"_html << place.path
      << "/"_html << value(key.row.id) << "/"_html << what << R"(" title=")"_html << word << R"(" data-dialog>)"_html
      << icon(shape) << R"(<span class="hidden">)"_html << word << " “"_html << key.row.name << "”</span></a>"_html;
}

void last_used(Html& out, const PortalKey& key, Moment now) {
  if (key.last_used_at) {
    out << time_tag(*key.last_used_at, now);
  } else {
    out << R"(<span class="muted">Never</span>)"_html;
  }
}

/// When a key ends or has ended, below its status.
void end_of(Html& out, const PortalKey& key, Moment now) {
  if (!key.row.expires_at || key.row.disabled) return;
  const bool is_soon = *key.row.expires_at > now && *key.row.expires_at - now < kSoon;
  out << R"(<span class="sub)"_html << (is_soon ? " soon"_html : ""_html) << R"(">)"_html
      << (*key.row.expires_at <= now ? "Ended " : "Ends ") << time_tag(*key.row.expires_at, now) << "</span>"_html;
}

void row_of(Html& out, const Scene& scene, const PortalKey& key, const KeyPlace& place, bool with_tenant) {
  const auto& viewer = scene.viewer;
  const auto status = status_of(key, viewer.now);
  const bool is_over = status == KeyStatus::kExpired || status == KeyStatus::kReplaced;
  out << R"(<tr role="row")"_html << (is_over ? R"( class="dim")"_html : ""_html)
      << R"(><th scope="row" role="rowheader"><a href=")"_html << place.path << "/"_html << value(key.row.id)
      << R"(">)"_html << key.row.name << "</a>"_html;
  if (place.is_team) {
    out << R"(<span class="muted">)"_html << (key.row.owner.empty() ? "No owner" : key.row.owner) << "</span>"_html;
  } else if (with_tenant) {
    out << R"(<span class="muted">)"_html << scene.title_of(key.row.tenant) << "</span>"_html;
  }
  out << R"(</th><td role="cell" class="half" data-label="Key"><code>)"_html << shown_prefix(key.row)
      << R"(</code></td><td role="cell" class="half" data-label="Status">)"_html << status_badge(status);
  end_of(out, key, viewer.now);
  out << R"(</td><td role="cell" data-label="Created">)"_html << date_tag(key.created_at)
      << R"(</td><td role="cell" data-label="Last used">)"_html;
  last_used(out, key, viewer.now);
  out << R"(</td><td role="cell" class="num" data-label="Calls">)"_html << grouped(key.row.usage_count)
      << R"(</td><td role="cell" class="acts"><div class="row-actions">)"_html;
  if (!place.is_team && status == KeyStatus::kActive) action(out, place, key, "replace", Icon::kSwap, "Replace", false);
  action(out, place, key, "delete", Icon::kTrash, "Delete", true);
  out << "</div></td></tr>"_html;
}

void empty_state(Html& out) {
  out << R"(<section class="card empty" aria-labelledby="empty">)"_html << icon(Icon::kKey)
      << R"(<h2 id="empty">Connect your first assistant</h2><p>An API key lets an assistant such as Claude, ChatGPT or )"_html
      << R"(Gemini create and find tickets and tasks for you. It takes about two minutes.</p>)"_html
      << R"(<ol class="steps"><li><strong>Create a key</strong><span>Give it the name of the assistant, for example )"_html
      << R"(“Claude Desktop”.</span></li><li><strong>Copy it</strong><span>The key is shown once. We show you )"_html
      << R"(where to paste it, ready to copy.</span></li><li><strong>Ask for something</strong><span>“Show me all )"_html
      << R"(open tickets.” The connection check tells you that it works.</span></li></ol>)"_html
      << R"(<a class="button primary" href="/mcp/keys/new">)"_html << icon(Icon::kPlus)
      << "Create New Key</a></section>"_html;
}

}  // namespace

std::string_view Scene::title_of(std::string_view tenant) const noexcept {
  const auto found = std::ranges::find(tenants, tenant, &TenantChoice::name);
  return found == tenants.end() ? tenant : std::string_view(found->shown());
}

KeyStatus status_of(const PortalKey& key, Moment now) noexcept {
  if (key.row.disabled) return KeyStatus::kRevoked;
  const bool has_ended = key.row.expires_at && *key.row.expires_at <= now;
  if (key.row.replaced_by) return has_ended ? KeyStatus::kReplaced : KeyStatus::kEnding;
  return has_ended ? KeyStatus::kExpired : KeyStatus::kActive;
}

Html status_badge(KeyStatus status) {
  switch (status) {
    case KeyStatus::kActive:
      return badge(Tone::kGood, Icon::kCheck, "Active");
    case KeyStatus::kEnding:
      return badge(Tone::kWarn, Icon::kClock, "Being replaced");
    case KeyStatus::kReplaced:
      return badge(Tone::kQuiet, Icon::kSwap, "Replaced");
    case KeyStatus::kExpired:
      return badge(Tone::kQuiet, Icon::kClock, "Expired");
    case KeyStatus::kRevoked:
      return badge(Tone::kBad, Icon::kCross, "Revoked");
  }
  return {};
}

std::string shown_prefix(const storage::KeyRow& key) {
  return key.prefix + "…";
}

std::string scopes_text(const std::vector<std::string>& scopes) {
  const bool writes = std::ranges::find(scopes, "write") != scopes.end();
  const bool reads = !writes && std::ranges::find(scopes, "read") != scopes.end();
  std::string tools;
  for (const auto& scope : scopes) {
    if (scope != "read" && scope != "write" && scope != access::kFindsTools)
      tools += (tools.empty() ? "" : ", ") + scope;
  }
  if (tools.empty()) return reads ? "Only look things up" : "Everything its owner may";
  return (reads ? "Only look things up, with " : "Only ") + tools;
}

Html keys_table(const Scene& scene, const std::vector<PortalKey>& keys, const KeyPlace& place, bool with_tenant) {
  Html out;
  out << R"(<div class="scroll"><table class="cards" role="table"><caption class="hidden">)"_html
      << (place.is_team ? "API keys of the tenant, newest first" : "Your API keys, newest first")
      << R"(</caption><thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">Name</th>)"_html
      << R"(<th scope="col" role="columnheader">Key</th><th scope="col" role="columnheader">Status</th>)"_html
      << R"(<th scope="col" role="columnheader">Created</th><th scope="col" role="columnheader">Last used</th>)"_html
      << R"(<th scope="col" role="columnheader" class="num">Calls</th><th scope="col" role="columnheader">)"_html
      << R"(<span class="hidden">Actions</span></th></tr></thead><tbody role="rowgroup">)"_html;
  for (const auto& key : keys) row_of(out, scene, key, place, with_tenant);
  out << "</tbody></table></div>"_html;
  return out;
}

Page keys_page(const Scene& scene, const std::vector<PortalKey>& keys, bool with_tenant) {
  Html lead, actions, out;
  lead
      << "A key lets one of your assistants work for you. Make one for each assistant and device, so that you can tell "
         "them apart and delete a single one."_html;
  if (!keys.empty())
    actions << R"(<a class="button primary" href="/mcp/keys/new">)"_html << icon(Icon::kPlus)
            << "Create New Key</a>"_html;
  out << page_head("Your API keys", lead, actions);
  if (keys.empty()) {
    empty_state(out);
  } else {
    out << R"(<section class="card flush" aria-label="Keys">)"_html << keys_table(scene, keys, {}, with_tenant)
        << "</section>"_html;
  }
  return framed({scene.site, &scene.viewer, Tab::kKeys, "Your API keys", scene.notice}, out);
}

Page no_longer_shown_page(const Scene& scene) {
  Html out, lead;
  lead << "It was shown once, when it was made. Nobody can show it again, not even an administrator."_html;
  out << R"(<div class="narrow">)"_html << link_back("/mcp/keys", "Your API keys")
      << page_head("This key can no longer be displayed", lead)
      << R"(<div class="card stack"><p>If you have stored )"_html
      << R"(it, all is well: go on with your assistant. If you have lost it, create a new key and delete the lost )"_html
      << R"(one.</p><div class="form-foot"><a class="button primary" href="/mcp/keys">Show my keys</a>)"_html
      << R"(<a class="button" href="/mcp/keys/new">)"_html << icon(Icon::kPlus)
      << "Create New Key</a></div></div></div>"_html;
  return framed({scene.site, &scene.viewer, Tab::kKeys, "This key can no longer be displayed", {}}, out, 409);
}

bool needs_its_name(const PortalKey& key, Moment now) {
  return key.last_used_at && now - *key.last_used_at < std::chrono::days(7) &&
         status_of(key, now) != KeyStatus::kExpired && status_of(key, now) != KeyStatus::kReplaced;
}

// ---- changing one key; each stands alone and in a dialog

namespace {

Page key_form_page(const Scene& scene, const KeyPlace& place, std::string_view title, const Html& lead,
                   const Html& form, bool is_wrong) {
  Html out;
  out << R"(<div class="narrow">)"_html << link_back(place.back, place.is_team ? "Keys of the team" : "Your API keys")
      << R"(<div class="card" data-dialog-content>)"_html << page_head(title, lead) << form << "</div></div>"_html;
  return framed({scene.site, &scene.viewer, place.tab(), std::string(title), {}}, out, is_wrong ? 422 : 200);
}

Html form_begin(const KeyPlace& place, const PortalKey& key, std::string_view what, const Viewer& viewer) {
  Html out;
  out << R"(<form class="fields" method="post" action=")"_html << place.path << "/"_html << value(key.row.id)
      << "/"_html << what << R"(">)"_html << token_field(viewer);
  return out;
}

Html form_end(const KeyPlace& place, std::string_view word, Markup kind) {
  Html out;
  out << R"(<div class="form-foot"><button class=")"_html << kind << R"(">)"_html << word
      << R"(</button><a class="button" href=")"_html << place.back << R"(" data-cancel>Cancel</a></div></form>)"_html;
  return out;
}

Html what_stops(const PortalKey& key, Moment now) {
  Html text;
  if (key.last_used_at) {
    text << "<p>It was last used "_html << time_tag(*key.last_used_at, now) << " and has made "_html
         << counted(key.row.usage_count, "call", "calls")
         << " in all. The assistant that holds it gets the answer “Invalid API key” from now on.</p>"_html;
  } else {
    text << "<p>It has made no tool call yet. If an assistant holds it already, that one loses access.</p>"_html;
  }
  return callout(key.last_used_at ? Tone::kBad : Tone::kInfo,
                 key.last_used_at ? "Any AI assistant using this key immediately loses access" : "It was not used yet",
                 text);
}

}  // namespace

Page rename_page(const Scene& scene, const KeyPlace& place, const PortalKey& key, std::string_view name,
                 const FieldProblems& problems) {
  Html lead, form;
  lead << "Only the name changes. The key itself goes on working as it is."_html;
  form << error_summary(problems) << form_begin(place, key, "rename", scene.viewer)
       << R"(<div class="field"><label for="name">Name</label>)"_html << field_error(problems, "name")
       << R"(<input type="text" id="name" name="name" required maxlength="60" autocomplete="off" value=")"_html << name
       << "\""_html << describes(problems, "name", false) << "></div>"_html
       << form_end(place, "Save the name", "primary"_html);
  return key_form_page(scene, place, "Rename “" + key.row.name + "”", lead, form, !problems.empty());
}

Page delete_page(const Scene& scene, const KeyPlace& place, const PortalKey& key, const FieldProblems& problems) {
  Html lead, form;
  lead << "Key <code>"_html << shown_prefix(key.row) << "</code>. Deleting is permanent and works at once."_html;
  form << error_summary(problems) << what_stops(key, scene.viewer.now)
       << form_begin(place, key, "delete", scene.viewer);
  if (needs_its_name(key, scene.viewer.now)) {
    form << R"(<div class="field"><label for="confirm">Type the key’s name to delete it</label><p class="hint" )"_html
         << R"(id="confirm-hint">It was used in the last seven days. Its name is <strong>)"_html << key.row.name
         << "</strong>; you may type <code>"_html << key.row.prefix << "</code> instead.</p>"_html
         << field_error(problems, "confirm")
         << R"(<input type="text" id="confirm" name="confirm" required autocomplete="off" autocapitalize="off" )"_html
         << R"(spellcheck="false")"_html << describes(problems, "confirm", true) << "></div>"_html;
  }
  form << form_end(place, "Delete this key", "danger"_html);
  return key_form_page(scene, place, "Delete “" + key.row.name + "”?", lead, form, !problems.empty());
}

Page replace_page(const Scene& scene, const PortalKey& key, std::string_view once, const FieldProblems& problems) {
  struct Overlap {
    std::string_view seconds, word, hint;
  };
  static constexpr Overlap kOverlaps[] = {{"86400", "In a day", "Time enough to change one assistant"},
                                          {"3600", "In an hour", ""},
                                          {"604800", "In a week", "For keys on several devices"},
                                          {"0", "At once", "When somebody else may have seen the key"}};
  const KeyPlace place;
  Html lead, form;
  lead << "You get a new key with the same name and rights. The old one, <code>"_html << shown_prefix(key.row)
       << "</code>, goes on working for a while, so that nothing is interrupted."_html;
  form << error_summary(problems) << form_begin(place, key, "replace", scene.viewer)
       << R"(<input type="hidden" name="once" value=")"_html << once
       << R"("><fieldset id="overlap"><legend>When does the old key end?</legend>)"_html
       << field_error(problems, "overlap") << R"(<div class="choices">)"_html;
  for (const auto& overlap : kOverlaps) {
    form << R"(<label class="choice"><input type="radio" name="overlap" value=")"_html << overlap.seconds << "\""_html
         << (&overlap == kOverlaps ? " checked"_html : ""_html) << "><span>"_html << overlap.word;
    if (!overlap.hint.empty()) form << "<span>"_html << overlap.hint << "</span>"_html;
    form << "</span></label>"_html;
  }
  form << "</div></fieldset>"_html << form_end(place, "Replace this key", "primary"_html);
  return key_form_page(scene, place, "Replace “" + key.row.name + "”", lead, form, !problems.empty());
}

}  // namespace toolhost::portal
