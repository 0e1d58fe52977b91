#include "portal/pages_help.hpp"

namespace toolhost::portal {
namespace {

struct Part {
  Markup id, title, text;
};

constexpr Part kParts[] = {
    {"use"_html, "What can I ask for?"_html,
     R"(<p>Ask in your own words. Your assistant finds the right tool.</p><ul class="steps-text">
<li>“Create a support ticket about the printer on the 3rd floor not working. Mark it as high priority.”</li>
<li>“Show me all open tickets.” “List the 5 most recent tickets.”</li>
<li>“Find tickets about network issues.” “What’s the status of my printer ticket?”</li>
<li>“Add a note to ticket XYZ789 saying the issue has been resolved.”</li>
<li>“Create a task to order new printer cartridges, due next week.”</li></ul>)"_html},
    {"invalid"_html, "My assistant says “Invalid API key”"_html,
     R"(<p>Open the <a href="/mcp/check">connection check</a> and let the assistant try again: it says what arrived and what
is wrong with it. Most often:</p><ul class="steps-text"><li>The key was not copied completely. It has 37 characters and begins
with <code>hdsk_</code>, with no spaces around it.</li><li>The key was deleted. <a href="/mcp/keys">Your keys</a> shows those that
exist.</li><li>It stands in another file than the one that the assistant reads. <a href="/mcp/connect">Which file it is</a>.</li>
</ul>)"_html},
    {"nothing"_html, "My assistant does not connect at all"_html,
     R"(<ul class="steps-text"><li>Compare the address in its configuration with <a href="/mcp/connect">the one that it has to
be</a>.</li><li>Quit the assistant completely and start it again. Most read their configuration only then.</li><li>See whether
your key is active. One that is revoked, expired or replaced is refused.</li></ul>)"_html},
    {"denied"_html, "My assistant says “Access denied”, or misses a tool"_html,
     R"(<p>The connection works, but your key or your role may not do this. A key made to “only look things up” changes
nothing, and a key opens one tenant only. <a href="/mcp/account">Your account</a> shows your roles; an administrator can give you
another one. “Access denied” is also said when a key has expired or was revoked.</p>)"_html},
    {"lost"_html, "I have lost my key. Can I see it again?"_html,
     R"(<p>No, nobody can: only a fingerprint of it is kept. <a href="/mcp/keys/new">Create a new key</a> and delete the old
one. Replace, in <a href="/mcp/keys">the list of your keys</a>, does both when you choose that the old one ends at once.</p>)"_html},
    {"leaked"_html, "Somebody else may have seen my key"_html,
     R"(<p>Delete it at once; it stops working within a second. Then create a new one. <a href="/mcp/activity">Activity</a>
shows what was done with it.</p>)"_html},
    {"expire"_html, "Do keys expire?"_html,
     R"(<p>Only if you chose so when you made them. To exchange a key now and then is a good habit: Replace gives you a new one
while the old one goes on working as long as you say.</p>)"_html},
    {"many"_html, "How many keys may I have? May two assistants share one?"_html,
     R"(<p>You may have many; when there are too many, the form says so. Sharing works, but a key for each assistant and
device is better: you see which one did what, and deleting one does not stop the others.</p>)"_html},
    {"safe"_html, "How do I keep my keys safe?"_html,
     R"(<ul class="steps-text"><li>Treat a key as a password: never put it into a mail, a chat or a code repository.</li><li>One
key for each assistant and device, with a name that says which.</li><li>Delete keys that you do not use any more.</li><li>Let
assistants that only read have a key that can only look things up.</li><li>Look at the activity from time to time.</li></ul>)"_html},
    {"count"_html, "What is counted as a call?"_html,
     R"(<p>Each time an assistant uses a tool with your key. “Last used” and the numbers may lag some seconds behind.</p>)"_html},
};

}  // namespace

Page help_page(const Site& site, const Viewer* viewer) {
  Html lead, out;
  lead << "What your assistants can do with "_html << site.product << ", and what helps when they cannot."_html;
  out << R"(<div class="narrow">)"_html << page_head("Questions and answers", lead)
      << R"(<div class="card help">)"_html;
  for (const auto& part : kParts) {
    out << R"(<section aria-labelledby=")"_html << part.id << R"("><h2 id=")"_html << part.id << R"(">)"_html
        << part.title << "</h2>"_html << part.text << "</section>"_html;
  }
  out << "</div></div>"_html;
  return framed({site, viewer, Tab::kNone, "Questions and answers", {}}, out);
}

}  // namespace toolhost::portal
