#include "portal/page_frame.hpp"

#include <algorithm>
#include <array>

#include "portal/assets.hpp"

namespace toolhost::portal {
namespace {

struct TabLink {
  Tab tab;
  std::string_view path, word;
  Icon icon;
  std::string_view long_word = {};  ///< in front of `word`, not shown on a phone
};
constexpr std::array kTabs{
    TabLink{Tab::kKeys, "/mcp/keys", "Keys", Icon::kKey},
    TabLink{Tab::kActivity, "/mcp/activity", "Activity", Icon::kChart},
    TabLink{Tab::kConnect, "/mcp/connect", "Connect", Icon::kPlug},
    TabLink{Tab::kCheck, "/mcp/check", "check", Icon::kPulse, "Connection "},
    TabLink{Tab::kTeam, "/mcp/team", "Team", Icon::kPeople},
    TabLink{Tab::kAccount, "/mcp/account", "Account", Icon::kPerson},
};

// 24 units square, drawn with a line of 2; own drawings.
constexpr Markup path_of(Icon icon) noexcept {
  switch (icon) {
    case Icon::kKey:
      return R"(<circle cx="8" cy="15" r="4"/><path d="m11 12 8-8m-3 3 3 3m-6 0 2 2"/>)"_html;
    case Icon::kCheck:
      return R"(<circle cx="12" cy="12" r="9"/><path d="m8 12 3 3 5-6"/>)"_html;
    case Icon::kCross:
      return R"(<circle cx="12" cy="12" r="9"/><path d="m9 9 6 6m0-6-6 6"/>)"_html;
    case Icon::kClock:
      return R"(<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3 2"/>)"_html;
    case Icon::kWarning:
      return R"(<path d="M12 4 2.8 19.5h18.4L12 4Zm0 6v4.5m0 2.4v.1"/>)"_html;
    case Icon::kInfo:
      return R"(<circle cx="12" cy="12" r="9"/><path d="M12 11v5m0-8.2v.1"/>)"_html;
    case Icon::kPlus:
      return R"(<path d="M12 5v14M5 12h14"/>)"_html;
    case Icon::kTrash:
      return R"(<path d="M4 7h16M10 11v6m4-6v6M6 7l1 12a1.5 1.5 0 0 0 1.5 1.4h7A1.5 1.5 0 0 0 17 19l1-12M9 7V4.5A.5.5 0 0 1 9.5 4h5a.5.5 0 0 1 .5.5V7"/>)"_html;
    case Icon::kSwap:
      return R"(<path d="M4 9a8 8 0 0 1 14-3l2 2m0-5v5h-5m5 7a8 8 0 0 1-14 3l-2-2m0 5v-5h5"/>)"_html;
    case Icon::kPencil:
      return R"(<path d="m4 20 1-4L16 5l3 3L8 19l-4 1Zm10-13 3 3"/>)"_html;
    case Icon::kCopy:
      return R"(<rect x="9" y="9" width="11" height="11" rx="2"/><path d="M5.5 15H5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1h9a1 1 0 0 1 1 1v.5"/>)"_html;
    case Icon::kChart:
      return R"(<path d="M5 20v-7m5 7V5m5 15v-9m5 9V8"/>)"_html;
    case Icon::kPlug:
      return R"(<path d="M9 3v5m6-5v5M6 8h12v3a6 6 0 0 1-12 0V8Zm6 9v4"/>)"_html;
    case Icon::kPulse:
      return R"(<path d="M3 12h4l3-7 4 14 3-7h4"/>)"_html;
    case Icon::kPeople:
      return R"(<circle cx="9" cy="8" r="3.5"/><path d="M2.5 20a6.5 6.5 0 0 1 13 0M16 5a3.5 3.5 0 0 1 0 6.5m2 2.8a6.5 6.5 0 0 1 3.5 5.7"/>)"_html;
    case Icon::kPerson:
      return R"(<circle cx="12" cy="8" r="4"/><path d="M4.5 20.5a7.5 7.5 0 0 1 15 0"/>)"_html;
    case Icon::kArrow:
      return R"(<path d="M5 12h14m-6-6 6 6-6 6"/>)"_html;
  }
  return ""_html;
}

constexpr Markup class_of(Tone tone) noexcept {
  switch (tone) {
    case Tone::kGood:
      return "good"_html;
    case Tone::kWarn:
      return "warn"_html;
    case Tone::kBad:
      return "bad"_html;
    case Tone::kInfo:
      return "info"_html;
    case Tone::kQuiet:
      return "quiet"_html;
  }
  return "quiet"_html;
}

Icon icon_of(Tone tone) noexcept {
  switch (tone) {
    case Tone::kGood:
      return Icon::kCheck;
    case Tone::kBad:
      return Icon::kCross;
    case Tone::kWarn:
      return Icon::kWarning;
    case Tone::kInfo:
    case Tone::kQuiet:
      return Icon::kInfo;
  }
  return Icon::kInfo;
}

void head(Html& out, const Frame& frame) {
  out << R"(<!doctype html><html lang="en"><head><meta charset="utf-8">)"_html
      << R"(<meta name="viewport" content="width=device-width, initial-scale=1">)"_html
      << R"(<meta name="color-scheme" content="light dark"><meta name="robots" content="noindex"><title>)"_html
      << frame.title << " – "_html << frame.site.product << R"(</title><link rel="stylesheet" href=")"_html
      << asset_url(Asset::kStyle) << R"("><link rel="icon" type="image/svg+xml" href=")"_html << asset_url(Asset::kIcon)
      << R"("><script type="module" src=")"_html << asset_url(Asset::kScript) << R"("></script></head><body)"_html;
  // The browser's clock may be wrong; times are told by the server's.
  if (frame.viewer != nullptr) out << R"( data-now=")"_html << rfc3339(frame.viewer->now) << "\""_html;
  out << R"(><a class="skip" href="#main">Skip to the content</a>)"_html;
}

void brand(Html& out, const Frame& frame) {
  out << R"(<a class="brand" href="/mcp"><svg class="mark" viewBox="0 0 24 24" aria-hidden="true">)"_html
      << R"(<rect class="tile" width="24" height="24" rx="6"/><g class="line">)"_html
      << R"(<circle cx="9" cy="14.5" r="3"/><path d="m11.2 12.3 6-6m-2.2 2.2 2.3 2.3"/></g></svg>)"_html
      << "<span>"_html << frame.site.product << R"( <span class="muted">API keys</span></span></a>)"_html;
}

void person(Html& out, const Viewer& viewer) {
  out << R"(<div class="who"><span class="muted wide">)"_html << viewer.email
      << R"(</span><form method="post" action="/mcp/sign-out">)"_html << token_field(viewer)
      << R"(<button class="quiet small">Sign out</button></form></div>)"_html;
}

void navigation(Html& out, const Frame& frame) {
  out << R"(<nav aria-label="Portal"><ul class="tabs">)"_html;
  for (const auto& link : kTabs) {
    if (link.tab == Tab::kTeam && !frame.viewer->is_admin) continue;
    out << R"(<li><a href=")"_html << link.path << "\""_html;
    if (link.tab == frame.tab) out << R"( aria-current="page")"_html;
    out << ">"_html << icon(link.icon) << "<span>"_html;
    if (!link.long_word.empty()) out << R"(<span class="long">)"_html << link.long_word << "</span>"_html;
    out << "<span>"_html << link.word << "</span></span></a></li>"_html;
  }
  out << "</ul></nav>"_html;
}

}  // namespace

Page see_other(std::string_view path) {
  Page page;
  page.status = 303;
  page.content_type = {};
  page.headers = "Location: " + std::string(path) + "\r\n";
  return page;
}

Page framed(const Frame& frame, const Html& content, unsigned status) {
  Html out;
  head(out, frame);
  out << R"(<header class="top"><div class="bar">)"_html;
  brand(out, frame);
  if (frame.viewer != nullptr) person(out, *frame.viewer);
  out << "</div>"_html;
  if (frame.viewer != nullptr) navigation(out, frame);
  out << "</header>"_html;
  if (frame.site.is_trial && frame.viewer != nullptr) {
    out << R"(<aside class="trial" aria-label="Trial"><p>)"_html << icon(Icon::kInfo)
        << "<span><strong>Trial on this computer.</strong> Anybody who uses this computer can sign in here without a "
           "password.</span></p></aside>"_html;
  }
  out << R"(<main id="main" tabindex="-1">)"_html;
  if (!frame.notice.empty())
    out << R"(<div class="notice" role="status">)"_html << icon(Icon::kCheck) << "<p>"_html << frame.notice
        << "</p></div>"_html;
  out << content << R"(</main><footer class="foot"><p>Keys are shown once, kept as a fingerprint only, and stop )"_html
      << R"(working the moment you delete them.</p><p><a href="/mcp/help">Questions and answers</a></p></footer></body>)"_html
      << "</html>"_html;
  Page page;
  page.status = status;
  page.body = std::move(out).take();
  return page;
}

std::string_view notice_of(std::string_view done) noexcept {
  if (done == "deleted") return "The key is deleted. Assistants that used it have lost access.";
  if (done == "renamed") return "The key has its new name.";
  if (done == "session-ended") return "That device is signed out.";
  if (done == "ended") return "Your session has ended. Please sign in again.";
  if (done == "signed-out") return "You are signed out.";
  if (done == "signed-out-everywhere") return "You are signed out on all devices.";
  return {};
}

Html icon(Icon icon) {
  Html out;
  out << R"(<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">)"_html << path_of(icon) << "</svg>"_html;
  return out;
}

Html badge(Tone tone, Icon shape, std::string_view word) {
  Html out;
  out << R"(<span class="badge )"_html << class_of(tone) << R"(">)"_html << icon(shape) << word << "</span>"_html;
  return out;
}

Html callout(Tone tone, std::string_view title, const Html& text) {
  Html out;
  out << R"(<div class="callout )"_html << class_of(tone) << R"(">)"_html << icon(icon_of(tone))
      << "<div><p><strong>"_html << title << "</strong></p>"_html << text << "</div></div>"_html;
  return out;
}

Html page_head(std::string_view title, const Html& lead, const Html& actions) {
  Html out;
  out << R"(<div class="head"><div><h1>)"_html << title << "</h1>"_html;
  if (!lead.empty()) out << R"(<p class="lead">)"_html << lead << "</p>"_html;
  out << "</div>"_html;
  if (!actions.empty()) out << R"(<div class="actions">)"_html << actions << "</div>"_html;
  out << "</div>"_html;
  return out;
}

Html time_tag(Moment moment, Moment now) {
  Html out;
  out << R"(<time class="rel" datetime=")"_html << rfc3339(moment) << R"(" title=")"_html << exact_text(moment)
      << R"(">)"_html << relative_text(moment, now) << "</time>"_html;
  return out;
}

Html date_tag(Moment moment) {
  Html out;
  out << R"(<time datetime=")"_html << rfc3339(moment) << R"(" title=")"_html << exact_text(moment) << R"(">)"_html
      << date_text(moment) << "</time>"_html;
  return out;
}

Html token_field(const Viewer& viewer) {
  Html out;
  out << R"(<input type="hidden" name="token" value=")"_html << viewer.form_token << R"(">)"_html;
  return out;
}

Html error_summary(const FieldProblems& problems) {
  Html out;
  if (problems.empty()) return out;
  out << R"(<div class="callout bad" role="alert" id="errors" tabindex="-1" data-focus>)"_html << icon(Icon::kCross)
      << "<div><h2>"_html << (problems.size() == 1 ? "Something is not right yet" : "Some things are not right yet")
      << "</h2><ul>"_html;
  for (const auto& problem : problems) {
    out << R"(<li><a href="#)"_html << problem.field << R"(">)"_html << problem.message << "</a></li>"_html;
  }
  out << "</ul></div></div>"_html;
  return out;
}

Html field_error(const FieldProblems& problems, std::string_view field) {
  Html out;
  const auto found = std::ranges::find(problems, field, &FieldProblem::field);
  if (found == problems.end()) return out;
  out << R"(<p class="wrong" id=")"_html << field << R"(-error">)"_html << icon(Icon::kCross) << found->message
      << "</p>"_html;
  return out;
}

Html describes(const FieldProblems& problems, std::string_view field, bool hint) {
  Html out;
  const bool is_wrong = std::ranges::find(problems, field, &FieldProblem::field) != problems.end();
  if (is_wrong) out << R"( aria-invalid="true")"_html;
  if (!is_wrong && !hint) return out;
  out << R"( aria-describedby=")"_html;
  if (hint) out << field << "-hint"_html;
  if (is_wrong) out << (hint ? " "_html : ""_html) << field << "-error"_html;
  out << "\""_html;
  return out;
}

}  // namespace toolhost::portal
