#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/api_key.hpp"
#include "portal/csrf.hpp"
#include "portal/pages_keys.hpp"
#include "portal/pages_sign_in.hpp"
#include "portal/portal.hpp"
#include "portal/portal_request.hpp"
#include "portal/sealed_cookie.hpp"
#include "portal/sessions.hpp"
#include "storage/job_limit.hpp"

namespace toolhost::portal {

using storage::kLocalIssuer;

/// What all requests share. Immutable, or safe from any thread.
struct Premises {
  Premises(PortalConfig config, PortalParts parts);

  const PortalConfig config;
  const storage::DatabaseAddress database;
  const Site site;
  const Secret pepper;
  const FormTokens tokens;
  const SealedCookie sign_in_cookie;
  const std::function<access::PolicyPtr()> policy;
  const std::function<std::vector<std::string>()> plugins;
  const std::function<bool(std::string_view)> knows_key;
  access::KeyAttempts& attempts;
  const std::unique_ptr<OidcProvider> provider;
  observability::EventSink& events;
};

/// What one thread works with.
struct Desk {
  /// `limit`: of what the database may take; borrowed, null: none.
  Desk(const storage::DatabaseAddress& address, int keys_per_person, storage::JobLimit* limit = nullptr);
  const std::unique_ptr<storage::PortalStore> store;
  const std::unique_ptr<storage::DirectoryStore> directory;
  Sessions sessions;
};

/// One request that is being answered.
class Visit {
 public:
  Visit(const Premises& premises, Desk& desk, const PortalRequest& request);
  /// Whether a path is that of a page, whatever the method.
  static bool knows(std::string_view path);
  /// False: answer() uses nothing of the desk and does not wait.
  [[nodiscard]] bool needs_desk() const;
  /// Finds the page for the path, checks who asks and where a form comes from, and answers.
  Page answer();
  /// Behind answer(): whether the request was of a session.
  [[nodiscard]] bool is_of_somebody() const noexcept { return person_.has_value(); }

 private:
  using Action = Page (Visit::*)();
  struct Route;
  static const std::vector<Route>& routes();

  void find_route();
  Page run(const Route& route);
  [[nodiscard]] Page not_that_way() const;
  /// Fills in person_, viewer_ and tenants_; a page when that fails or they may not be here.
  std::optional<Page> identify();
  /// For pages that anybody may see: in the person's frame when somebody is signed in.
  void recognize();
  [[nodiscard]] Page to_sign_in() const;
  [[nodiscard]] std::optional<Page> refuse_foreign_form() const;

  // pages anybody may see
  Page home();
  Page sign_in();
  Page start_sign_in();
  Page end_sign_in();
  Page sign_in_locally();
  Page help();
  // of somebody who is signed in
  Page sign_out();
  Page keys();
  Page create_form();
  Page create();
  Page key();
  Page rename_form();
  Page rename();
  Page delete_form();
  Page remove();
  Page replace_form();
  Page replace();
  Page activity();
  Page connect();
  Page check();
  Page check_live();
  Page account();
  Page end_session();
  Page sign_out_everywhere();
  // of a tenant's admins
  Page team();

  // sign_in.cpp
  [[nodiscard]] SignInView sign_in_view() const;
  /// The message is shown, the detail told to the log.
  [[nodiscard]] Page sign_in_failed(const Error& why) const;
  [[nodiscard]] Page sign_in_failed(std::string why) const;
  /// The attempt that this request ends; nothing when this browser began none with its state.
  struct OpenAttempt;
  [[nodiscard]] std::optional<OpenAttempt> open_attempt() const;
  [[nodiscard]] std::string free_attempt_cookie() const;
  Page end_attempt(const SignInAttempt& attempt);
  /// Of somebody who is not let in: what their keys and sessions may rests on what the provider says today.
  Result<> take_note_of(const storage::NewPerson& person);
  [[nodiscard]] std::string redirect_uri() const { return request_.base_url + "/mcp/sign-in/callback"; }
  Page welcome(const storage::NewPerson& person, std::string_view next);

  /// What the issuer of people who sign in now is called; whoever signed in otherwise has to do it anew.
  [[nodiscard]] std::string_view issuer() const noexcept;
  /// The tenants that name this address, with its role in each.
  Result<std::vector<TenantChoice>> tenants_of(std::string_view email, std::string_view hosted_domain);
  /// A key that is refused for its owner (access::KeyState::kOwnerLeft) is shown as one that is switched off.
  void mark_ended(storage::PortalKey& key) const;
  [[nodiscard]] Scene scene() const;
  [[nodiscard]] const TenantChoice* tenant_named(std::string_view name) const;
  [[nodiscard]] storage::Actor actor() const { return {"portal:" + person_->person.email}; }
  [[nodiscard]] PersonId person() const { return person_->person.id; }
  [[nodiscard]] std::string once() const;

  /// Whose keys the path speaks of, and which of them.
  struct Reach {
    KeyPlace place;
    storage::KeyScope scope;
    KeyId id{};
  };
  /// Nothing: the path names no key, or a tenant that the person is no admin of.
  [[nodiscard]] std::optional<Reach> reach() const;
  struct Target {
    Reach reach;
    storage::PortalKey key;
  };
  Result<Target> target();
  [[nodiscard]] Page show_new_key(const access::NewKey& key, NewKeyView view) const;
  /// The token of a form that may be sent once; nothing when it is none.
  [[nodiscard]] std::optional<storage::OnceToken> read_once() const;
  /// The key that the form wants, or what is wrong with it.
  storage::NewPortalKey wanted_key(KeyForm& form) const;
  Page create_form_again(KeyForm form);

  [[nodiscard]] Page not_found() const;
  [[nodiscard]] Page failed(const Error& error) const;
  [[nodiscard]] const Viewer* viewer() const { return person_ ? &viewer_ : nullptr; }

  const Premises& premises_;
  Desk& desk_;
  const PortalRequest& request_;
  const Route* route_ = nullptr;         ///< null: no page, or not for this method
  std::string allowed_;                  ///< the methods of the path, as Allow lists them; empty: no such page
  std::vector<std::string_view> parts_;  ///< of the path, as match_path() gives them
  std::optional<SignedIn> person_;
  Viewer viewer_;
  std::vector<TenantChoice> tenants_;
};

}  // namespace toolhost::portal
