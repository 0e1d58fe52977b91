#include "portal/pages_check.hpp"

#include <algorithm>
#include <functional>

namespace toolhost::portal {
namespace {

using access::KeyAttempt;
using access::KeyFlaw;
using access::KeyHeader;

constexpr std::size_t kMostShown = 12;

std::string in_header(const KeyAttempt& attempt) {
  switch (attempt.header) {
    case KeyHeader::kXApiKey:
      return " in X-API-Key";
    case KeyHeader::kAuthorization:
      return " in Authorization";
    case KeyHeader::kNone:
      break;
  }
  return {};
}

const storage::PortalKey* own_key(const KeyAttempt& attempt, const std::vector<storage::PortalKey>& keys) {
  if (attempt.prefix.empty()) return nullptr;
  const auto found =
      std::ranges::find_if(keys, [&](const storage::PortalKey& key) { return key.row.prefix == attempt.prefix; });
  return found == keys.end() ? nullptr : &*found;
}

/// What arrived, as the beginning of a sentence.
std::string subject_of(const KeyAttempt& attempt, const std::vector<storage::PortalKey>& keys) {
  std::string what = "A key";
  if (const auto* key = own_key(attempt, keys)) {
    what = "Your key “" + key->row.name + "”";
  } else if (attempt.flaw == KeyFlaw::kOtherText || attempt.flaw == KeyFlaw::kVariable ||
             attempt.flaw == KeyFlaw::kPlaceholder) {
    what = "A text";
  }
  if (!attempt.tail.empty() && attempt.flaw != KeyFlaw::kPlaceholder && attempt.flaw != KeyFlaw::kVariable)
    what += " ending in …" + attempt.tail;
  return what + " arrived" + in_header(attempt);
}

std::string characters(const KeyAttempt& attempt) {
  return std::to_string(attempt.length) + " of 37 characters";
}

std::string flaw_text(const KeyAttempt& attempt) {
  switch (attempt.flaw) {
    case KeyFlaw::kNone:
      return "It was accepted.";
    case KeyFlaw::kMissing:
      return "";
    case KeyFlaw::kNotBearer:
      return "It does not have the form “Bearer” and the key.";
    case KeyFlaw::kPlaceholder:
      return "It is the placeholder of the example, not a key.";
    case KeyFlaw::kVariable:
      return "It is the name of a variable that was not filled in.";
    case KeyFlaw::kBearerInside:
      return "The word “Bearer” stands where only the key belongs.";
    case KeyFlaw::kQuoted:
      return "It stands in quotation marks or brackets.";
    case KeyFlaw::kSpaces:
      return "There is a space inside.";
    case KeyFlaw::kOtherText:
      return "It does not begin with hdsk_, so it is not a key of this system (" + std::to_string(attempt.length) +
             " characters).";
    case KeyFlaw::kTooShort:
      return "It looks cut off: " + characters(attempt) + ".";
    case KeyFlaw::kTooLong:
      return "It is too long: " + std::to_string(attempt.length) + " characters instead of 37.";
    case KeyFlaw::kBadCharacter:
      return "It holds a character that is neither a letter nor a digit.";
    case KeyFlaw::kBadChecksum:
      return "It has the right length, but at least one character is wrong.";
    case KeyFlaw::kUnknown:
      return "It has the right form, but no such key exists here. It was deleted, or belongs to another system.";
    case KeyFlaw::kDisabled:
      return "It is revoked: an administrator has switched it off.";
    case KeyFlaw::kExpired:
      return "It has expired.";
    case KeyFlaw::kOwnerLeft:
      return "Whoever made it does not belong to its tenant any more, or has not proved their address.";
    case KeyFlaw::kUnchecked:
      return "It could not be checked: the database did not answer.";
  }
  return {};
}

Tone tone_of(const KeyAttempt& attempt) noexcept {
  if (attempt.flaw == KeyFlaw::kNone) return Tone::kGood;
  return attempt.flaw == KeyFlaw::kUnchecked || attempt.flaw == KeyFlaw::kMissing ? Tone::kWarn : Tone::kBad;
}

void arrival(Html& out, const KeyAttempt& attempt, const std::vector<storage::PortalKey>& keys, Moment now) {
  const auto tone = tone_of(attempt);
  out << R"(<li data-news=")"_html << attempt.number << R"("><span class="dot )"_html
      << (tone == Tone::kGood   ? "good"_html
          : tone == Tone::kWarn ? "warn"_html
                                : "bad"_html)
      << R"(">)"_html
      << icon(tone == Tone::kGood   ? Icon::kCheck
              : tone == Tone::kWarn ? Icon::kWarning
                                    : Icon::kCross)
      << "</span><div><p><strong>"_html << attempt_text(attempt, keys) << "</strong></p>"_html;
  if (const auto remedy = remedy_text(attempt); !remedy.empty()) out << "<p>"_html << remedy << "</p>"_html;
  out << R"(<p class="hint">From )"_html << attempt.address;
  if (attempt.count > 1) out << ", "_html << counted(attempt.count, "time", "times");
  out << "</p></div>"_html << time_tag(attempt.at, now) << "</li>"_html;
}

/// The last call that was counted, when nothing else is known: proof that it works if it is new.
void last_use(Html& out, const CheckView& view, Moment now) {
  const auto latest = std::ranges::max_element(view.keys, {}, &storage::PortalKey::last_used_at);
  if (latest == view.keys.end() || !latest->last_used_at) return;
  const bool is_new = now - *latest->last_used_at < std::chrono::minutes(15);
  out << R"(<ul class="arrivals"><li><span class="dot )"_html << (is_new ? "good"_html : "quiet"_html) << R"(">)"_html
      << icon(is_new ? Icon::kCheck : Icon::kClock) << "</span><div><p><strong>"_html
      << (is_new ? "Your assistant is connected" : "The last tool call with one of your keys")
      << R"(</strong></p><p>With your key “)"_html << latest->row.name << "”."_html << "</p></div>"_html
      << time_tag(*latest->last_used_at, now) << "</li></ul>"_html;
}

/// The latest, latest first; half of the room is for the person's own keys, since neighbours may be many.
std::vector<KeyAttempt> most_telling(const std::vector<KeyAttempt>& attempts) {
  std::vector<KeyAttempt> shown, rest;
  for (const auto& attempt : attempts) {
    const bool is_own = !attempt.prefix.empty() && shown.size() < kMostShown / 2;
    (is_own ? shown : rest).push_back(attempt);
  }
  rest.resize(std::min(rest.size(), kMostShown - shown.size()));
  shown.insert(shown.end(), rest.begin(), rest.end());
  std::ranges::sort(shown, std::greater(), &KeyAttempt::number);
  return shown;
}

Html list_of(const CheckView& view, Moment now) {
  Html out;
  if (view.attempts.empty()) {
    out << R"(<div class="waiting"><span class="pulse"></span><div><p><strong>Waiting for your assistant</strong></p>)"_html
        << R"(<p class="muted">Start it, or ask it something, for example “Show me all open tickets”.</p></div></div>)"_html;
    last_use(out, view, now);
    return out;
  }
  out << R"(<ul class="arrivals">)"_html;
  for (const auto& attempt : most_telling(view.attempts)) arrival(out, attempt, view.keys, now);
  out << "</ul>"_html;
  return out;
}

}  // namespace

std::string attempt_text(const KeyAttempt& attempt, const std::vector<storage::PortalKey>& keys) {
  if (attempt.flaw == KeyFlaw::kMissing) return "A request without a key arrived.";
  if (attempt.flaw == KeyFlaw::kNotBearer) return "Something" + in_header(attempt) + " arrived. " + flaw_text(attempt);
  return subject_of(attempt, keys) + ". " + flaw_text(attempt);
}

std::string remedy_text(const KeyAttempt& attempt) {
  switch (attempt.flaw) {
    case KeyFlaw::kNone:
      return {};
    case KeyFlaw::kMissing:
      return "Check that the assistant’s configuration holds the header X-API-Key, or Authorization: Bearer, with your "
             "key.";
    case KeyFlaw::kNotBearer:
      return "Write “Bearer”, one space, then the key; or use the header X-API-Key with the key alone.";
    case KeyFlaw::kPlaceholder:
      return "Put your own key where the example says hdsk_your_key_here, and restart the assistant.";
    case KeyFlaw::kVariable:
      return "Check that the variable’s name is the same under “env” and behind “--header”, and restart the assistant.";
    case KeyFlaw::kBearerInside:
      return attempt.header == KeyHeader::kXApiKey ? "In X-API-Key the key stands alone; remove the word “Bearer”."
                                                   : "The assistant adds “Bearer” itself; enter the key alone.";
    case KeyFlaw::kQuoted:
      return "Remove them, so that it begins with hdsk_.";
    case KeyFlaw::kSpaces:
      return "Copy the key again, without spaces and line ends.";
    case KeyFlaw::kOtherText:
      return "Copy the key that this portal showed you when you created it; it begins with hdsk_.";
    case KeyFlaw::kTooShort:
    case KeyFlaw::kTooLong:
    case KeyFlaw::kBadCharacter:
    case KeyFlaw::kBadChecksum:
      return "Copy the whole key again. If you no longer have it, create a new one and delete this one.";
    case KeyFlaw::kUnknown:
      return "Create a new key and put it into the assistant.";
    case KeyFlaw::kDisabled:
      return "Ask your administrator to enable it, or create a new one.";
    case KeyFlaw::kExpired:
      return "Create a new key and put it into the assistant.";
    case KeyFlaw::kOwnerLeft:
      return "Make a new key while you are signed in. If you cannot, ask your administrator to name you among the "
             "tenant’s people again.";
    case KeyFlaw::kUnchecked:
      return "Nothing is wrong with the key. Try again in a moment.";
  }
  return {};
}

Page check_page(const Scene& scene, const CheckView& view) {
  Html lead, actions, out;
  lead << "Leave this page open and ask your assistant something. Here you see what arrives from it, and what is wrong "
          "with it when something is."_html;
  actions
      << R"(<p class="live muted" data-with-script hidden><span class="pulse"></span>Looking every two seconds</p>)"_html
      << R"(<noscript><a class="button" href="/mcp/check">)"_html << icon(Icon::kSwap)
      << "Look again</a></noscript>"_html;
  out << page_head("Connection check", lead, actions)
      << R"(<div class="stack"><section class="card flush" aria-labelledby="arrived"><div class="card-head">)"_html
      << R"(<h2 id="arrived">What arrived</h2><p class="muted">From your keys; also what was refused from )"_html
      << view.address << R"(</p></div><div data-live="/mcp/check/live">)"_html << list_of(view, scene.viewer.now)
      << R"(</div></section><section class="card" aria-labelledby="nothing"><h2 id="nothing">Nothing arrives?</h2>)"_html
      << R"(<ul class="steps-text"><li>Check the address in the assistant’s configuration: <a href="/mcp/connect">)"_html
      << R"(what it has to be</a>.</li><li>Quit the assistant completely and start it again; most read their )"_html
      << R"(configuration only then.</li><li>“Access denied” is no fault of the connection: your key or your role may )"_html
      << R"(not do what was asked. Ask your administrator.</li></ul></section></div>)"_html;
  return framed({scene.site, &scene.viewer, Tab::kCheck, "Connection check", {}}, out);
}

Page check_fragment(const CheckView& view, Moment now) {
  Page page;
  page.body = list_of(view, now).text();
  return page;
}

}  // namespace toolhost::portal
