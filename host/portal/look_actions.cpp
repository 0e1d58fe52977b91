#include <algorithm>

#include "portal/pages_account.hpp"
#include "portal/pages_activity.hpp"
#include "portal/pages_check.hpp"
#include "portal/pages_connect.hpp"
#include "portal/pages_help.hpp"
#include "portal/visit.hpp"

namespace toolhost::portal {
namespace {

Result<CheckView> what_arrived(const Premises& premises, Desk& desk, PersonId person, const std::string& address) {
  CheckView view;
  auto keys = desk.store->keys_of(person);
  if (!keys) return keys.error();
  view.keys = std::move(*keys);
  view.address = address;
  std::vector<std::string> prefixes;
  for (const auto& key : view.keys) prefixes.push_back(key.row.prefix);
  premises.attempts.watch();
  view.attempts = premises.attempts.of(prefixes, address);
  return view;
}

}  // namespace

Page Visit::key() {
  auto found = target();
  if (!found) return failed(found.error());
  auto days = desk_.store->days_of(found->reach.scope, found->reach.id, kChartDays);
  if (!days) return failed(days.error());
  auto errors = desk_.store->recent_errors(found->reach.scope, found->reach.id, kShownErrors);
  if (!errors) return failed(errors.error());
  return key_page(scene(), found->reach.place, {std::move(found->key), std::move(*days), std::move(*errors)});
}

Page Visit::activity() {
  ActivityView view;
  auto keys = desk_.store->keys_of(person());
  if (!keys) return failed(keys.error());
  view.keys = std::move(*keys);
  const auto asked = parse_id(request_.query.get("key"));
  if (asked) view.chosen = KeyId{*asked};
  if (!view.chosen) {
    auto days = desk_.store->days_of_all(person(), kChartDays);
    if (!days) return failed(days.error());
    view.days = std::move(*days);
    return activity_page(scene(), view);
  }
  auto days = desk_.store->days_of(person(), *view.chosen, kChartDays);
  if (!days) return failed(days.error());
  auto errors = desk_.store->recent_errors(person(), *view.chosen, kShownErrors);
  if (!errors) return failed(errors.error());
  view.days = std::move(*days);
  view.errors = std::move(*errors);
  return activity_page(scene(), view);
}

Page Visit::connect() {
  return connect_page(scene(), request_.base_url);
}

Page Visit::help() {
  recognize();
  return help_page(premises_.site, viewer());
}

Page Visit::check() {
  const auto view = what_arrived(premises_, desk_, person(), request_.address);
  return view ? check_page(scene(), *view) : failed(view.error());
}

Page Visit::check_live() {
  const auto view = what_arrived(premises_, desk_, person(), request_.address);
  return view ? check_fragment(*view, viewer_.now) : failed(view.error());
}

Page Visit::team() {
  TeamView view;
  std::ranges::copy_if(tenants_, std::back_inserter(view.tenants),
                       [](const TenantChoice& tenant) { return tenant.role == Role::kAdmin; });
  if (view.tenants.empty()) return not_found();
  const auto asked = request_.query.get("tenant");
  const auto found = asked.empty() ? view.tenants.begin() : std::ranges::find(view.tenants, asked, &TenantChoice::name);
  if (found == view.tenants.end()) return not_found();
  view.chosen = *found;
  auto keys = desk_.store->keys_of(view.chosen.id);
  if (!keys) return failed(keys.error());
  auto days = desk_.store->days_of_all(view.chosen.id, kChartDays);
  if (!days) return failed(days.error());
  view.keys = std::move(*keys);
  std::ranges::for_each(view.keys, [this](auto& key) { mark_ended(key); });
  view.days = std::move(*days);
  return team_page(scene(), view);
}

Page Visit::account() {
  auto sessions = desk_.store->sessions_of(person());
  if (!sessions) return failed(sessions.error());
  return account_page(scene(),
                      {.tenants = tenants_, .sessions = std::move(*sessions), .current = person_->session.number});
}

Page Visit::end_session() {
  const auto number = parse_id(parts_.front());
  if (!number) return not_found();
  const auto ended = desk_.store->end_session_of(person(), *number);
  if (!ended) return failed(ended.error());
  return see_other("/mcp/account?done=session-ended");
}

Page Visit::sign_out() {
  const auto name = session_cookie_name(request_.is_secure);
  if (const auto ended = desk_.sessions.end(request_.cookies.get(name)); !ended) return failed(ended.error());
  auto page = see_other("/mcp/sign-in?done=signed-out");
  page.headers += set_session_cookie({}, request_.is_secure);
  return page;
}

Page Visit::sign_out_everywhere() {
  if (const auto ended = desk_.store->end_sessions_of(person()); !ended) return failed(ended.error());
  auto page = see_other("/mcp/sign-in?done=signed-out-everywhere");
  page.headers += set_session_cookie({}, request_.is_secure);
  return page;
}

}  // namespace toolhost::portal
