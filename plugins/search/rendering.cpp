#include "rendering.hpp"

#include "facts.hpp"
#include "names.hpp"
#include "text.hpp"

namespace search {
namespace {

using helpdesk::add_fact;
using helpdesk::add_quoted;
using helpdesk::quote_line;

void add_hit(std::string& out, const FoundDocument& hit) {
  out.append("- **").append(hit.id).append("**");
  std::string state = hit.type.value_or("");
  for (const auto& fact : {hit.status, hit.priority}) {
    if (fact) state.append(state.empty() ? "" : ", ").append(*fact);
  }
  if (!state.empty()) out.append(" [").append(state).append("]");
  out.append(" ").append(quote_line(hit.title));
  add_quoted(out, "assignee", hit.assignee);
  add_quoted(out, "requester", hit.requester);
  add_quoted(out, "category", hit.category);
  if (hit.tags) add_quoted(out, "tags", helpdesk::joined(*hit.tags));
  add_fact(out, "due", hit.due_at);
  add_fact(out, "created", hit.created_at);
  add_fact(out, "updated", hit.updated_at);
  out.append(" · in ").append(helpdesk::joined_names(hit.matched_in)).append("\n");
  if (!hit.snippet.empty()) out.append("  > ").append(hit.snippet).append("\n");
}

void add_facet(std::string& out, std::string_view label, const std::optional<std::vector<FacetValue>>& values) {
  if (!values || values->empty()) return;
  out.append(label).append(":");
  for (const FacetValue& value : *values)
    out.append(" ").append(quote_line(value.value)).append(" ").append(std::to_string(value.count));
  out += '\n';
}

}  // namespace

std::string render(const FoundPage& page) {
  std::string out;
  if (page.corrected_query)
    out.append("Not all words as typed are there; searched for ")
        .append(quote_line(*page.corrected_query))
        .append(".\n");
  if (page.did_you_mean) out.append("Did you mean ").append(quote_line(*page.did_you_mean)).append("?\n");
  out.append(std::to_string(page.hits.size())).append(" of ").append(std::to_string(page.total)).append(" found\n");
  if (!page.hits.empty()) out += helpdesk::kQuoteMark;
  for (const FoundDocument& hit : page.hits) add_hit(out, hit);
  if (page.facets) {
    add_facet(out, "status", page.facets->status);
    add_facet(out, "priority", page.facets->priority);
    add_facet(out, "category", page.facets->category);
    add_facet(out, "assignee", page.facets->assignee);
    add_facet(out, "tag", page.facets->tag);
  }
  if (page.next_cursor)
    out.append("More: call again with the same arguments and cursor ").append(*page.next_cursor).append("\n");
  helpdesk::add_warnings(out, page.warnings);
  return out + helpdesk::clock_line(page.server_time, page.time_zone);
}

}  // namespace search
