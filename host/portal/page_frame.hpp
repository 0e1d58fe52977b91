#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "portal/html.hpp"
#include "portal/times.hpp"

namespace toolhost::portal {

/// An answer of the portal: a page or a redirect.
struct Page {
  unsigned status = 200;
  std::string_view content_type = "text/html; charset=utf-8";  ///< static text
  std::string headers;  ///< further fields, each ended by CRLF; made of checked values only
  std::string body;
};
/// 303: the browser goes on with GET. `path` begins with "/".
Page see_other(std::string_view path);

/// What all pages of one host have in common.
struct Site {
  std::string product = "Toolhost";  ///< what people call the system
  bool is_trial = false;             ///< the local sign-in is on: every page of a signed-in person says so
};

/// Who looks at a page, and the token that their forms carry.
struct Viewer {
  std::string name, email;
  std::string form_token;
  bool is_admin = false;  ///< of some tenant: has the page of the team
  Moment now = std::chrono::system_clock::now();
};

enum class Tab { kNone, kKeys, kActivity, kConnect, kCheck, kTeam, kAccount };

/// The frame around a page: head, skip link, navigation, messages, footer.
struct Frame {
  const Site& site;
  const Viewer* viewer = nullptr;  ///< null: nobody is signed in
  Tab tab = Tab::kNone;
  std::string title;        ///< of the window
  std::string_view notice;  ///< what was just done; see notice_of()
};
Page framed(const Frame& frame, const Html& content, unsigned status = 200);

/// The sentence for what stands in `?done=`; empty for an unknown word, so that a link cannot put words into a page.
std::string_view notice_of(std::string_view done) noexcept;

// ---- parts of pages

enum class Icon {
  kKey,
  kCheck,
  kCross,
  kClock,
  kWarning,
  kInfo,
  kPlus,
  kTrash,
  kSwap,
  kPencil,
  kCopy,
  kChart,
  kPlug,
  kPulse,
  kPeople,
  kPerson,
  kArrow,
};
/// Decoration: hidden from screen readers, so words stand beside it or it has a label.
Html icon(Icon icon);

enum class Tone { kGood, kWarn, kBad, kInfo, kQuiet };
/// A status: icon and word, so that colour alone says nothing.
Html badge(Tone tone, Icon icon, std::string_view word);
Html callout(Tone tone, std::string_view title, const Html& text);
/// The one h1 of a page, a sentence below it, buttons beside it.
Html page_head(std::string_view title, const Html& lead, const Html& actions = {});
/// <time>: relative words, the exact moment as its title.
Html time_tag(Moment moment, Moment now);
/// <time>: the day.
Html date_tag(Moment moment);
/// The hidden field that every form of a signed-in person carries.
Html token_field(const Viewer& viewer);

/// A field that was filled in wrongly.
struct FieldProblem {
  std::string_view field;  ///< the id of its input; static text
  std::string message;
};
using FieldProblems = std::vector<FieldProblem>;
/// The box above a form that lists what is wrong, each linked to its field; nothing when all is well.
Html error_summary(const FieldProblems& problems);
/// The message of one field, below its label; `describedby` of its input names it.
Html field_error(const FieldProblems& problems, std::string_view field);
/// ` aria-invalid="true" aria-describedby="..."` as the field needs them; `hint`: it has one, with the id FIELD-hint.
Html describes(const FieldProblems& problems, std::string_view field, bool hint);

}  // namespace toolhost::portal
