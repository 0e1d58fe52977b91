#include "portal/pages_connect.hpp"

#include "portal/connection_snippets.hpp"

namespace toolhost::portal {
namespace {

void paste(Html& out, const Snippet& snippet) {
  out << R"(<div class="paste"><div class="paste-head"><span>)"_html << snippet.paste
      << R"(</span><button type="button" class="small" data-copy="paste-)"_html << snippet.id << R"(" hidden>)"_html
      << icon(Icon::kCopy) << R"(<span>Copy</span><span class="hidden"> for )"_html << snippet.title
      << R"(</span></button></div><pre tabindex="0" id="paste-)"_html << snippet.id << R"(" aria-label=")"_html
      << snippet.title << R"(" role="region">)"_html << snippet.text << "</pre></div>"_html;
}

}  // namespace

Html snippets_card(std::string_view title, std::string_view lead, std::string_view base_url, std::string_view key) {
  Html out;
  out << R"(<section class="card flush snippets" aria-labelledby="snippets"><div class="card-head"><h2 id="snippets">)"_html
      << title << R"(</h2><p class="muted">)"_html << lead << "</p></div>"_html;
  for (const auto& snippet : connection_snippets(base_url, key)) {
    out << R"(<details name="assistant" id=")"_html << snippet.id << R"("><summary>)"_html << snippet.title
        << R"(<span class="muted">)"_html << snippet.where << R"(</span></summary><div class="inside"><ol>)"_html;
    for (const auto& step : snippet.steps) out << "<li>"_html << step << "</li>"_html;
    out << "</ol>"_html;
    paste(out, snippet);
    if (!snippet.note.empty()) out << R"(<p class="hint">)"_html << snippet.note << "</p>"_html;
    out << "</div></details>"_html;
  }
  out << "</section>"_html;
  return out;
}

Page connect_page(const Scene& scene, std::string_view base_url) {
  Html lead, actions, out, text;
  lead << "Put your key where it says <code>"_html << kKeyPlaceholder
       << "</code>. If you have lost it, create a new one: a key is shown only once."_html;
  actions << R"(<a class="button primary" href="/mcp/keys/new">)"_html << icon(Icon::kPlus)
          << "Create New Key</a>"_html;
  out << page_head("Connect an assistant", lead, actions)
      << R"(<section class="card" aria-labelledby="address"><h2 id="address">The address</h2>)"_html
      << R"(<div class="secret"><input type="text" id="url" aria-label="Address of the server" readonly data-select value=")"_html
      << base_url << R"(/sse"><button type="button" data-copy="url" hidden>)"_html << icon(Icon::kCopy)
      << R"(<span>Copy</span></button></div><p class="hint">With the header <code>X-API-Key</code> or )"_html
      << R"(<code>Authorization: Bearer</code>. <code>)"_html << base_url
      << "/mcp</code> works as well.</p></section>"_html
      << snippets_card("Your assistant", "Choose yours. The address is filled in.", base_url, kKeyPlaceholder);
  return framed({scene.site, &scene.viewer, Tab::kConnect, "Connect an assistant", {}}, out);
}

}  // namespace toolhost::portal
