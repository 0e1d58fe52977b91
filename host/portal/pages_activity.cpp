#include "portal/pages_activity.hpp"

#include <algorithm>

namespace toolhost::portal {
namespace {

using storage::PortalKey;

struct Sum {
  std::int64_t calls = 0, errors = 0;
};
Sum sum_of(const std::vector<storage::DayRow>& rows) {
  Sum sum;
  for (const auto& row : rows) {
    sum.calls += row.calls;
    sum.errors += row.errors;
  }
  return sum;
}

void figures(Html& out, const std::vector<DayCount>& days) {
  out << R"(<details class="figures"><summary>Show the figures</summary><div class="scroll"><table><caption )"_html
      << R"(class="hidden">Calls per day</caption><thead><tr><th scope="col">Day</th><th scope="col" class="num">Calls)"_html
      << R"(</th><th scope="col" class="num">Failed</th></tr></thead><tbody>)"_html;
  for (auto day = days.rbegin(); day != days.rend(); ++day) {
    out << R"(<tr><th scope="row">)"_html << date_tag(day->day) << R"(</th><td class="num">)"_html
        << grouped(day->calls) << R"(</td><td class="num">)"_html << grouped(day->errors) << "</td></tr>"_html;
  }
  out << "</tbody></table></div></details>"_html;
}

void fact(Html& out, std::string_view name, const Html& text) {
  out << "<div><dt>"_html << name << "</dt><dd>"_html << text << "</dd></div>"_html;
}
Html text_of(std::string_view text) {
  Html out;
  out << text;
  return out;
}
Html big(std::string_view text) {
  Html out;
  out << R"(<span class="big num">)"_html << text << "</span>"_html;
  return out;
}

Html ends(const PortalKey& key, Moment now) {
  return key.row.expires_at ? time_tag(*key.row.expires_at, now) : text_of("Never");
}
Html used(const PortalKey& key, Moment now) {
  return key.last_used_at ? time_tag(*key.last_used_at, now) : text_of("Never");
}

Html facts_of(const Scene& scene, const PortalKey& key, const KeyPlace& place) {
  const auto now = scene.viewer.now;
  Html out, code;
  code << "<code>"_html << shown_prefix(key.row) << "</code>"_html;
  out << R"(<section class="card flush" aria-label="About this key"><dl class="facts">)"_html;
  fact(out, "Status", status_badge(status_of(key, now)));
  fact(out, "Key", code);
  fact(out, "Calls", text_of(grouped(key.row.usage_count)));
  fact(out, "Last used", used(key, now));
  fact(out, "Created", date_tag(key.created_at));
  fact(out, key.row.expires_at && *key.row.expires_at <= now ? "Ended" : "Ends", ends(key, now));
  fact(out, "Tenant", text_of(scene.title_of(key.row.tenant)));
  if (place.is_team) fact(out, "Owner", text_of(key.row.owner.empty() ? "Nobody" : key.row.owner));
  fact(out, "What it may do", text_of(scopes_text(key.row.scopes)));
  if (!key.replaced_by_prefix.empty()) fact(out, "Replaced by", text_of(key.replaced_by_prefix + "…"));
  out << "</dl></section>"_html;
  return out;
}

void key_action(Html& out, const KeyPlace& place, const PortalKey& key, std::string_view what, Icon shape,
                std::string_view word) {
  out << R"(<a class="button" data-dialog href=")"_html << place.path << "/"_html << value(key.row.id) << "/"_html
      << what << R"(">)"_html << icon(shape) << word << "</a>"_html;
}

void explain_status(Html& out, const PortalKey& key, Moment now) {
  switch (status_of(key, now)) {
    case KeyStatus::kActive:
    case KeyStatus::kReplaced:
      return;
    case KeyStatus::kExpired:
      out << callout(Tone::kWarn, "This key has ended. Create a new one and put it into your assistant.", {});
      return;
    case KeyStatus::kEnding:
      out << callout(Tone::kWarn, "Put the new key into your assistant before this one ends.", {});
      return;
    case KeyStatus::kRevoked:
      out << callout(Tone::kBad,
                     "This key is switched off: by an administrator, or because its owner does not belong to the "
                     "tenant any more or "
                     "has not proved their address.",
                     {});
      return;
  }
}

void key_filter(Html& out, const ActivityView& view) {
  out << R"(<form class="filter" method="get" action="/mcp/activity"><div><label for="key">Key</label>)"_html
      << R"(<select id="key" name="key"><option value="">All my keys</option>)"_html;
  for (const auto& key : view.keys) {
    out << R"(<option value=")"_html << value(key.row.id) << "\""_html
        << (view.chosen == key.row.id ? " selected"_html : ""_html) << ">"_html << key.row.name << " ("_html
        << shown_prefix(key.row) << ")</option>"_html;
  }
  out << "</select></div><button>Show</button></form>"_html;
}

void keys_card(Html& out, const std::vector<PortalKey>& keys, Moment now) {
  out << R"(<section class="card flush" aria-labelledby="by-key"><div class="card-head"><h2 id="by-key">By key</h2>)"_html
      << R"(</div><div class="scroll"><table><caption class="hidden">Calls of each key since it was made</caption>)"_html
      << R"(<thead><tr><th scope="col">Key</th><th scope="col">Last used</th><th scope="col" class="num">Calls</th>)"_html
      << "</tr></thead><tbody>"_html;
  for (const auto& key : keys) {
    out << R"(<tr><th scope="row"><a href="/mcp/activity?key=)"_html << value(key.row.id) << R"(">)"_html
        << key.row.name << "</a></th><td>"_html << used(key, now) << R"(</td><td class="num">)"_html
        << grouped(key.row.usage_count) << "</td></tr>"_html;
  }
  out << "</tbody></table></div></section>"_html;
}

}  // namespace

std::string_view outcome_text(std::string_view outcome, std::string_view reason) noexcept {
  if (reason == "key_disabled") return "Refused: the key is revoked";
  if (reason == "key_expired") return "Refused: the key has ended";
  if (reason == "owner_left") return "Refused: the key’s owner is no member any more";
  if (reason == "role") return "Refused: your role may not do this";
  if (reason == "scope") return "Refused: this key may not do this";
  if (reason == "rule" || reason == "tool" || reason == "plugin") return "Refused by a rule of the tenant";
  if (reason.ends_with("_rate")) return "Refused: too many calls at once; it may be tried again";
  if (reason.ends_with("_concurrency")) return "Refused: too many calls at a time; it may be tried again";
  if (reason == "request_size") return "Refused: the request was too large";
  if (reason == "busy") return "Refused: the server was busy; it may be tried again";
  if (outcome == "tool_error") return "The tool could not do it; the assistant was told why";
  if (outcome == "invalid_arguments") return "The assistant filled in something wrong and was told what";
  if (outcome == "unknown_tool") return "The assistant asked for a tool that does not exist for this key";
  if (outcome == "timeout") return "It took too long";
  if (outcome == "unavailable") return "A part of the server was away; it may be tried again";
  if (outcome == "denied") return "Refused";
  if (outcome == "limit") return "Refused: too many calls; it may be tried again";
  return "The server failed; its operators find the reason in the log";
}

Html days_card(const std::vector<storage::DayRow>& rows, Moment now) {
  const auto days = by_day(rows, std::chrono::floor<std::chrono::days>(now), kChartDays);
  const auto sum = sum_of(rows);
  std::string label = counted(sum.calls, "call", "calls") + " in the last 30 days";
  if (sum.errors > 0) label += ", " + grouped(sum.errors) + " of them failed";
  Html out;
  out << R"(<section class="card" aria-labelledby="days"><div class="card-head"><h2 id="days">Calls per day</h2>)"_html
      << R"(<p class="muted">)"_html << label << "</p></div>"_html << day_chart(days, label)
      << R"(<p class="legend" aria-hidden="true"><span><i></i>Worked</span><span><i class="failed"></i>Failed or )"_html
      << "refused</span></p>"_html;
  figures(out, days);
  out << "</section>"_html;
  return out;
}

Html tools_card(const std::vector<storage::DayRow>& rows) {
  Html out;
  out << R"(<section class="card flush" aria-labelledby="tools"><div class="card-head"><h2 id="tools">By tool</h2>)"_html
      << R"(<p class="muted">Last 30 days</p></div>)"_html;
  const auto tools = by_tool(rows);
  if (tools.empty()) {
    out << R"(<div class="waiting muted">No calls yet. Ask your assistant something, for example “Show me all open )"_html
        << R"(tickets”.</div></section>)"_html;
    return out;
  }
  std::int64_t most = 0;
  for (const auto& tool : tools) most = std::max(most, tool.calls);
  out << R"(<div class="scroll"><table><caption class="hidden">Calls by tool in the last 30 days</caption><thead><tr>)"_html
      << R"(<th scope="col">Tool</th><th scope="col" class="num">Calls</th><th scope="col" class="num">Failed</th>)"_html
      << "</tr></thead><tbody>"_html;
  for (const auto& tool : tools) {
    out << R"(<tr><th scope="row">)"_html << (tool.tool.empty() ? "Unknown tools" : tool.tool)
        << share_bar(tool.calls, most) << R"(</th><td class="num">)"_html << grouped(tool.calls)
        << R"(</td><td class="num">)"_html << grouped(tool.errors) << "</td></tr>"_html;
  }
  out << "</tbody></table></div></section>"_html;
  return out;
}

Html errors_card(const std::vector<storage::KeyError>& errors, Moment now) {
  Html out;
  out << R"(<section class="card flush" aria-labelledby="failed"><div class="card-head"><h2 id="failed">What did not )"_html
      << "work lately</h2></div>"_html;
  if (errors.empty()) {
    out << R"(<div class="waiting muted">)"_html << icon(Icon::kCheck) << "Nothing failed.</div></section>"_html;
    return out;
  }
  out << R"(<ul class="arrivals">)"_html;
  for (const auto& error : errors) {
    const bool is_temporary = error.outcome == "limit" || error.outcome == "unavailable" || error.outcome == "timeout";
    out << R"(<li><span class="dot )"_html << (is_temporary ? "warn"_html : "bad"_html) << R"(">)"_html
        << icon(is_temporary ? Icon::kClock : Icon::kCross) << "</span><div><p><strong>"_html
        << (error.tool.empty() ? "A request" : error.tool) << "</strong></p><p>"_html
        << outcome_text(error.outcome, error.reason);
    if (error.count > 1) out << ", "_html << counted(error.count, "time", "times");
    out << ".</p></div>"_html << time_tag(error.at, now) << "</li>"_html;
  }
  out << "</ul></section>"_html;
  return out;
}

Page key_page(const Scene& scene, const KeyPlace& place, const KeyView& view) {
  const auto& key = view.key;
  const auto now = scene.viewer.now;
  Html actions, out;
  key_action(actions, place, key, "rename", Icon::kPencil, "Rename");
  if (!place.is_team && status_of(key, now) == KeyStatus::kActive)
    key_action(actions, place, key, "replace", Icon::kSwap, "Replace");
  key_action(actions, place, key, "delete", Icon::kTrash, "Delete");
  out << R"(<a class="back" href=")"_html << place.back << R"(">)"_html << icon(Icon::kArrow)
      << (place.is_team ? "Keys of the team" : "Your API keys") << "</a>"_html << page_head(key.row.name, {}, actions);
  explain_status(out, key, now);
  out << facts_of(scene, key, place) << days_card(view.days, now) << R"(<div class="grid">)"_html
      << tools_card(view.days) << errors_card(view.errors, now) << "</div>"_html;
  return framed({scene.site, &scene.viewer, place.tab(), key.row.name, scene.notice}, out);
}

Page activity_page(const Scene& scene, const ActivityView& view) {
  const auto now = scene.viewer.now;
  Html lead, out;
  lead << "What your assistants did with your keys. Calls that you cannot explain? Delete that key."_html;
  out << page_head("Activity", lead);
  out << R"(<div class="stack">)"_html;
  if (!view.keys.empty()) key_filter(out, view);
  out << days_card(view.days, now) << R"(<div class="grid">)"_html << tools_card(view.days);
  if (view.chosen) {
    out << errors_card(view.errors, now);
  } else if (!view.keys.empty()) {
    keys_card(out, view.keys, now);
  }
  out << "</div></div>"_html;
  return framed({scene.site, &scene.viewer, Tab::kActivity, "Activity", {}}, out);
}

Page team_page(const Scene& scene, const TeamView& view) {
  const auto now = scene.viewer.now;
  const auto& title = view.chosen.shown();
  const auto sum = sum_of(view.days);
  const auto active =
      std::ranges::count_if(view.keys, [&](const PortalKey& key) { return status_of(key, now) == KeyStatus::kActive; });
  const auto unused = std::ranges::count_if(view.keys, [&](const PortalKey& key) {
    return status_of(key, now) == KeyStatus::kActive &&
           now - key.last_used_at.value_or(key.created_at) > std::chrono::days(90);
  });
  Html lead, out;
  lead << "Every API key of the tenant and what is done with them. As an administrator you can rename and delete keys, "
          "but nobody can look at one."_html;
  out << page_head("Keys of " + title, lead);
  if (view.tenants.size() > 1) {
    out << R"(<form class="filter" method="get" action="/mcp/team"><div><label for="tenant">Tenant</label>)"_html
        << R"(<select id="tenant" name="tenant">)"_html;
    for (const auto& tenant : view.tenants) {
      out << R"(<option value=")"_html << tenant.name << "\""_html
          << (tenant.name == view.chosen.name ? " selected"_html : ""_html) << ">"_html << tenant.shown()
          << "</option>"_html;
    }
    out << "</select></div><button>Show</button></form>"_html;
  }
  out << R"(<div class="stack"><section class="card flush" aria-label="At a glance"><dl class="facts">)"_html;
  fact(out, "Keys that work", big(grouped(active)));
  fact(out, "Calls in 30 days", big(grouped(sum.calls)));
  fact(out, "Failed or refused", big(grouped(sum.errors)));
  fact(out, "Unused for 90 days", big(grouped(unused)));
  out << "</dl></section>"_html << days_card(view.days, now)
      << R"(<section class="card flush" aria-labelledby="keys"><div class="card-head"><h2 id="keys">Keys</h2></div>)"_html;
  if (view.keys.empty()) {
    out << R"(<div class="waiting muted">Nobody has made a key yet.</div>)"_html;
  } else {
    const KeyPlace place{"/mcp/team/" + view.chosen.name + "/keys", "/mcp/team?tenant=" + view.chosen.name, true};
    out << keys_table(scene, view.keys, place, false);
  }
  out << "</section>"_html << tools_card(view.days) << "</div>"_html;
  return framed({scene.site, &scene.viewer, Tab::kTeam, "Keys of " + title, scene.notice}, out);
}

}  // namespace toolhost::portal
