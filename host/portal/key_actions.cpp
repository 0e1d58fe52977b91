#include <algorithm>
#include <thread>

#include "portal/visit.hpp"
#include "storage/clean_text.hpp"

namespace toolhost::portal {
namespace {

using namespace std::chrono_literals;

/// The key's name as it is read, or what is shown of the key: a name can look like another.
bool names_key(std::string_view text, const storage::KeyRow& key) {
  const auto typed = storage::seen_text(text);
  return typed == storage::seen_text(key.name) || typed == key.prefix || typed == shown_prefix(key);
}

KeyForm form_of(const Fields& fields) {
  return {.name = std::string(fields.get("name")),
          .tenant = std::string(fields.get("tenant")),
          .expiry = std::string(fields.get("expiry")),
          .date = std::string(fields.get("date")),
          .scope = std::string(fields.get("scope")),
          .plugins = fields.all("plugin")};
}

std::optional<Moment> end_of(KeyForm& form, Moment now) {
  if (form.expiry == "never") return std::nullopt;
  for (const int days : {30, 90, 365})
    if (form.expiry == std::to_string(days)) return now + std::chrono::days(days);
  if (form.expiry != "date") {
    form.problems.push_back({"expiry", "Choose when the key expires."});
    return std::nullopt;
  }
  const auto end = end_of_day(form.date);
  if (!end) {
    form.problems.push_back({"date", "Enter the last day on which the key works."});
  } else if (*end <= now) {
    form.problems.push_back({"date", "Enter a day that is not over yet."});
  } else if (*end > now + std::chrono::days(3660)) {
    form.problems.push_back({"date", "Enter a day within the next ten years, or choose “Never”."});
  }
  return end;
}

std::vector<std::string> scopes_of(KeyForm& form, const PluginIds& plugins) {
  std::vector<std::string> scopes;
  if (form.scope == "read") {
    scopes.emplace_back("read");
  } else if (form.scope != "all") {
    form.problems.push_back({"scope", "Choose what the key may do."});
  }
  for (const auto& plugin : plugins)
    if (std::ranges::find(form.plugins, plugin) != form.plugins.end()) scopes.push_back(plugin + ".*");
  return scopes;
}

}  // namespace

std::optional<Visit::Reach> Visit::reach() const {
  const bool is_team = request_.path.starts_with("/mcp/team/");
  const auto id = parse_id(parts_.back());
  if (!id) return std::nullopt;
  if (!is_team) return Reach{.place = {}, .scope = person(), .id = KeyId{*id}};
  const auto* tenant = tenant_named(parts_.front());
  if (tenant == nullptr || tenant->role != Role::kAdmin) return std::nullopt;
  return Reach{.place = {"/mcp/team/" + tenant->name + "/keys", "/mcp/team?tenant=" + tenant->name, true},
               .scope = tenant->id,
               .id = KeyId{*id}};
}

Result<Visit::Target> Visit::target() {
  auto reached = reach();
  if (!reached) return Error{Errc::kNotFound, "there is no such key", ""};
  auto key = desk_.store->key_of(reached->scope, reached->id);
  if (!key) return key.error();
  mark_ended(*key);
  return Target{std::move(*reached), std::move(*key)};
}

// ---- create

Page Visit::create_form() {
  KeyForm form{.once = once()};
  if (tenants_.size() == 1) form.tenant = tenants_.front().name;
  return create_page(scene(), form, tenants_, premises_.plugins());
}

Page Visit::create_form_again(KeyForm form) {
  form.once = once();
  return create_page(scene(), form, tenants_, premises_.plugins());
}

storage::NewPortalKey Visit::wanted_key(KeyForm& form) const {
  storage::NewPortalKey key{.person = person(), .name = form.name};
  if (const auto name = storage::clean_key_name(form.name); !name)
    form.problems.push_back({"name", name.error().message});
  if (const auto* tenant = tenant_named(form.tenant)) {
    key.tenant = tenant->id;
  } else {
    form.problems.push_back({"tenant", "Choose the tenant that the key opens."});
  }
  key.expires_at = end_of(form, viewer_.now);
  key.scopes = scopes_of(form, premises_.plugins());
  return key;
}

Page Visit::create() {
  auto form = form_of(request_.form);
  auto wanted = wanted_key(form);
  if (!form.problems.empty()) return create_form_again(std::move(form));
  wanted.once = read_once();
  if (!wanted.once) return no_longer_shown_page(scene());
  const auto made = access::generate_key(premises_.pepper);
  wanted.prefix = made.prefix;
  wanted.hash = made.hash;
  auto stored = desk_.store->create_key_of(wanted, actor());
  if (stored) return show_new_key(made, {.row = std::move(stored->key), .has_namesake = stored->has_namesake});
  if (stored.error().code == Errc::kConflict) return no_longer_shown_page(scene());
  if (stored.error().code != Errc::kLimit && stored.error().code != Errc::kInvalidArgument)
    return failed(stored.error());
  form.problems.push_back({"name", stored.error().message});
  return create_form_again(std::move(form));
}

Page Visit::show_new_key(const access::NewKey& key, NewKeyView view) const {
  // Who pastes it at once finds it working.
  for (int i = 0; i < 200 && !premises_.knows_key(key.prefix); ++i) std::this_thread::sleep_for(5ms);
  premises_.attempts.watch();  // so that the connection check knows of a first call that comes before somebody looks
  view.key = key.text.reveal();
  view.base_url = request_.base_url;
  return shown_once_page(scene(), view);
}

// ---- rename, delete, replace

Page Visit::rename_form() {
  const auto found = target();
  if (!found) return failed(found.error());
  return rename_page(scene(), found->reach.place, found->key, found->key.row.name, {});
}

Page Visit::rename() {
  const auto found = target();
  if (!found) return failed(found.error());
  const auto name = request_.form.get("name");
  const auto renamed = desk_.store->rename_key(found->reach.scope, found->reach.id, name, actor());
  if (renamed)
    return see_other(found->reach.place.path + "/" + std::to_string(value(found->reach.id)) + "?done=renamed");
  if (renamed.error().code != Errc::kInvalidArgument) return failed(renamed.error());
  return rename_page(scene(), found->reach.place, found->key, name, {{"name", renamed.error().message}});
}

Page Visit::delete_form() {
  const auto found = target();
  return found ? delete_page(scene(), found->reach.place, found->key, {}) : failed(found.error());
}

Page Visit::remove() {
  const auto found = target();
  if (!found) return failed(found.error());
  if (needs_its_name(found->key, viewer_.now) && !names_key(request_.form.get("confirm"), found->key.row)) {
    return delete_page(scene(), found->reach.place, found->key,
                       {{"confirm", "Type the name exactly as it is written here, or " + found->key.row.prefix + "."}});
  }
  const auto deleted = desk_.store->delete_key_of(found->reach.scope, found->reach.id, actor());
  if (!deleted) return failed(deleted.error());
  const auto& back = found->reach.place.back;
  return see_other(back + (back.find('?') == std::string::npos ? "?" : "&") + "done=deleted");
}

Page Visit::replace_form() {
  const auto found = target();
  if (!found) return failed(found.error());
  if (tenant_named(found->key.row.tenant) == nullptr) return not_found();  // who has left makes no keys
  return replace_page(scene(), found->key, once(), {});
}

Page Visit::replace() {
  const auto found = target();
  if (!found) return failed(found.error());
  if (tenant_named(found->key.row.tenant) == nullptr) return not_found();
  const auto seconds = parse_id(request_.form.get("overlap"));
  const std::chrono::seconds overlap(seconds.value_or(0));
  const bool is_offered = std::ranges::find(storage::kReplaceOverlaps, overlap) != storage::kReplaceOverlaps.end();
  if (!is_offered || (!seconds && request_.form.get("overlap") != "0"))
    return replace_page(scene(), found->key, once(), {{"overlap", "Choose when the old key ends."}});
  const auto token = read_once();
  if (!token) return no_longer_shown_page(scene());
  const auto made = access::generate_key(premises_.pepper);
  auto stored = desk_.store->replace_key_of(
      person(), found->reach.id, {.prefix = made.prefix, .hash = made.hash, .once = token}, overlap, actor());
  if (!stored && stored.error().code == Errc::kConflict) {
    // Used before, or the key cannot be replaced: the key as it is now tells which.
    const auto now = desk_.store->key_of(found->reach.scope, found->reach.id);
    return now && now->row.replaced_by ? no_longer_shown_page(scene()) : failed(stored.error());
  }
  if (!stored && stored.error().code == Errc::kLimit)
    return replace_page(scene(), found->key, once(), {{"overlap", stored.error().message}});
  if (!stored) return failed(stored.error());
  auto old = desk_.store->key_of(found->reach.scope, found->reach.id);
  NewKeyView view{.row = std::move(*stored)};
  if (old) view.replaced = std::move(*old);
  return show_new_key(made, std::move(view));
}

}  // namespace toolhost::portal
