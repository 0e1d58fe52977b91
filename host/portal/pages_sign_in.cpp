#include "portal/pages_sign_in.hpp"

#include "transport/url.hpp"

namespace toolhost::portal {
namespace {

void mark(Html& out) {
  out << R"(<svg class="mark" viewBox="0 0 24 24" aria-hidden="true"><rect class="tile" width="24" height="24" rx="6"/>)"_html
      << R"(<g class="line"><circle cx="9" cy="14.5" r="3"/><path d="m11.2 12.3 6-6m-2.2 2.2 2.3 2.3"/></g></svg>)"_html;
}

/// Google's sign, in the colours that its rules for buttons ask for.
void google_sign(Html& out) {
  out << R"(<svg viewBox="0 0 48 48" aria-hidden="true"><path fill="#EA4335" d="M24 9.5c3.54 0 6.71 1.22 9.21 3.6)"_html
      << R"(l6.85-6.85C35.9 2.38 30.47 0 24 0 14.62 0 6.51 5.38 2.56 13.22l7.98 6.19C12.43 13.72 17.74 9.5 24 9.5z"/>)"_html
      << R"(<path fill="#4285F4" d="M46.98 24.55c0-1.57-.15-3.09-.38-4.55H24v9.02h12.94c-.58 2.96-2.26 5.48-4.78 7.18)"_html
      << R"(l7.73 6c4.51-4.18 7.09-10.36 7.09-17.65z"/><path fill="#FBBC05" d="M10.53 28.59c-.48-1.45-.76-2.99-.76-4.59)"_html
      << R"(s.27-3.14.76-4.59l-7.98-6.19C.92 16.46 0 20.12 0 24c0 3.88.92 7.54 2.56 10.78l7.97-6.19z"/>)"_html
      << R"(<path fill="#34A853" d="M24 48c6.48 0 11.93-2.13 15.89-5.81l-7.73-6c-2.15 1.45-4.92 2.3-8.16 2.3-6.26 0-)"_html
      << R"(11.57-4.22-13.47-9.91l-7.98 6.19C6.51 42.62 14.62 48 24 48z"/></svg>)"_html;
}

void provider_button(Html& out, const SignInView& view) {
  out << R"(<a class="button provider" href="/mcp/sign-in/start?next=)"_html << transport::form_encoded(view.next)
      << R"(">)"_html;
  if (view.kind == SignInKind::kGoogle) {
    google_sign(out);
    out << "Sign in with Google"_html;
  } else {
    out << icon(Icon::kPerson) << "Sign in with "_html << view.provider;
  }
  out << "</a>"_html;
}

void local_form(Html& out, const SignInView& view) {
  FieldProblems problems;
  if (!view.message.empty()) problems.push_back({"email", std::string(view.message)});
  Html text;
  text << "<p>No password is asked for, so anybody on this computer can sign in. It is switched off as soon as a "
          "public address or a sign-in provider such as Google is configured.</p>"_html;
  out << callout(Tone::kWarn, "Trial sign-in", text)
      << R"(<form class="fields" method="post" action="/mcp/sign-in/local"><input type="hidden" name="next" value=")"_html
      << view.next << R"("><div class="field"><label for="email">Your e-mail address</label>)"_html
      << field_error(problems, "email")
      << R"(<input type="email" id="email" name="email" required maxlength="254" autocomplete="email" value=")"_html
      << view.email << "\""_html << describes(problems, "email", false)
      << R"(></div><button class="primary provider">Sign in</button></form>)"_html;
}

void not_set_up(Html& out) {
  Html text;
  text << "<p>Whoever runs this server names a sign-in provider in its configuration, under "
          "<code>portal.sign_in</code>, "
          "and its address as <code>http.public_url</code>. Until then, they create keys on the command line.</p>"_html;
  out << callout(Tone::kInfo, "Signing in is not set up here yet", text);
}

}  // namespace

Page sign_in_page(const Site& site, const SignInView& view) {
  Html out;
  out << R"(<div class="door"><section class="card">)"_html;
  mark(out);
  out << R"(<h1>Connect your AI assistant</h1><p class="lead">Sign in to create an API key for Claude, ChatGPT, Gemini or )"_html
      << R"(another assistant, so that it can work with your )"_html << site.product << ".</p>"_html;
  if (!view.problem.empty()) {
    Html text;
    text << "<p>"_html << view.problem << "</p>"_html;
    out << R"(<div role="alert">)"_html << callout(Tone::kBad, "Signing in did not work", text) << "</div>"_html;
  }
  switch (view.kind) {
    case SignInKind::kGoogle:
    case SignInKind::kProvider:
      provider_button(out, view);
      out << R"(<p class="fine">You must use an account that has access to the system. We see your name and e-mail )"_html
          << "address, nothing else.</p>"_html;
      break;
    case SignInKind::kLocal:
      local_form(out, view);
      break;
    case SignInKind::kNone:
      not_set_up(out);
      break;
  }
  out << "</section></div>"_html;
  return framed({site, nullptr, Tab::kNone, "Sign in", view.notice}, out, view.message.empty() ? 200 : 422);
}

Page no_access_page(const Site& site, std::string_view email, std::string_view support) {
  Html out;
  out << R"(<div class="door"><section class="card">)"_html;
  mark(out);
  out << R"(<h1>Your account has no access</h1><p class="lead">You are known as <strong>)"_html << email
      << "</strong>, but no tenant of this system names that address.</p>"_html;
  Html text;
  text << "<p>"_html
       << (support.empty() ? std::string_view("Ask whoever runs this system, or your administrator, to add your e-mail "
                                              "address. Then sign in again.")
                           : support)
       << "</p>"_html;
  out << callout(Tone::kInfo, "Whom to ask", text)
      << R"(<a class="button provider" href="/mcp/sign-in/start?another">Sign in with another account</a></section></div>)"_html;
  return framed({site, nullptr, Tab::kNone, "No access", {}}, out, 403);
}

Page error_page(const Site& site, const Viewer* viewer, unsigned status, std::string_view title,
                std::string_view text) {
  Html out;
  out << R"(<div class="narrow"><div class="card empty">)"_html << icon(status == 404 ? Icon::kInfo : Icon::kWarning)
      << "<h1>"_html << title << "</h1><p>"_html << text << R"(</p><a class="button primary" href="/mcp">)"_html
      << (viewer != nullptr ? "Show my keys" : "Go to the portal") << "</a></div></div>"_html;
  return framed({site, viewer, Tab::kNone, std::string(title), {}}, out, status);
}

}  // namespace toolhost::portal
