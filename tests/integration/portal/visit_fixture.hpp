#pragma once
#include <gmock/gmock.h>

#include <map>
#include <mutex>

#include "access/policy.hpp"
#include "portal/visit.hpp"
#include "support/temp_postgres.hpp"
#include "transport/url.hpp"

namespace toolhost::portal {

using transport::Method;

inline constexpr const char* kBase = "http://127.0.0.1:8080";

/// Keeps what was told of sign-ins and of requests that were refused.
struct PortalEvents final : observability::EventSink {
  void emit(const observability::Event& event) noexcept override {
    const std::lock_guard lock(mutex_);
    if (const auto* refused = std::get_if<observability::RequestRefused>(&event))
      lines_.push_back(std::string(refused->reason) + ": " + std::string(refused->detail));
    if (const auto* entered = std::get_if<observability::PersonSignedIn>(&event))
      lines_.push_back("signed in: " + std::string(entered->email));
  }
  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

/// acme: Ana is an admin, everybody of acme.example an agent; globex: Gil is an admin.
inline access::PolicyConfig two_tenants() {
  access::PolicyConfig config{.defaults = access::built_in_defaults()};
  config.tenants["acme"].people.members = {{.email = "ana@acme.example", .name = "Ana", .role = Role::kAdmin},
                                           {.email = "*@acme.example", .role = Role::kAgent}};
  config.tenants["globex"].people.members = {{.email = "gil@globex.example", .name = "Gil", .role = Role::kAdmin}};
  return config;
}

/// A browser: it keeps cookies and sends Origin with forms.
class Browser {
 public:
  Browser(const Premises& premises, Desk& desk, std::string base = kBase)
      : base_(std::move(base)), premises_(premises), desk_(desk) {}

  Page get(std::string path) {
    auto request = about(std::move(path));
    return send(request);
  }
  Page post(std::string path, const transport::FormFields& fields) { return post(std::move(path), fields, base_); }
  Page post(std::string path, const transport::FormFields& fields, std::string origin) {
    auto request = about(std::move(path));
    request.method = Method::kPost;
    request.origin = std::move(origin);
    request.form = *parse_form(transport::form_encoded(fields));
    return send(request);
  }
  /// With the session's token.
  Page submit(std::string path, transport::FormFields fields) {
    const auto token = this->token();
    fields.emplace_back("token", token);
    return post(std::move(path), fields);
  }
  Page sign_in(std::string_view email) { return post("/mcp/sign-in/local", {{"email", email}, {"next", "/mcp/keys"}}); }

  std::string token() { return value_of(get("/mcp/keys").body, "token"); }
  static std::string value_of(const std::string& page, const std::string& field) {
    const auto mark = "name=\"" + field + "\" value=\"";
    const auto at = page.find(mark);
    if (at == std::string::npos) return {};
    return page.substr(at + mark.size(), page.find('"', at + mark.size()) - at - mark.size());
  }
  /// The session's cookie.
  std::string& session() { return cookies[base_.starts_with("https://") ? "__Host-toolhost" : "toolhost"]; }

  std::map<std::string, std::string> cookies;  ///< by name

 private:
  PortalRequest about(std::string target) const {
    PortalRequest request;
    const auto mark = target.find('?');
    if (mark != std::string::npos) request.query = *parse_form(std::string_view(target).substr(mark + 1));
    request.path = target.substr(0, mark);
    request.target = target;
    request.base_url = base_;
    request.is_secure = base_.starts_with("https://");
    request.address = "127.0.0.1";
    request.user_agent = "Test";
    for (const auto& [name, value] : cookies)
      if (!value.empty()) request.cookies.add(name, value);
    return request;
  }
  Page send(const PortalRequest& request) {
    auto page = Visit(premises_, desk_, request).answer();
    constexpr std::string_view kSet = "Set-Cookie: ";
    for (auto at = page.headers.find(kSet); at != std::string::npos; at = page.headers.find(kSet, at + 1)) {
      const auto begin = at + kSet.size();
      const auto equals = page.headers.find('=', begin);
      cookies[page.headers.substr(begin, equals - begin)] =
          page.headers.substr(equals + 1, page.headers.find(';', begin) - equals - 1);
    }
    return page;
  }
  const std::string base_;
  const Premises& premises_;
  Desk& desk_;
};

/// The tenants acme and globex in a database, and what a portal over it needs.
class VisitFixture : public testing::Test {
 protected:
  VisitFixture() {
    postgres_.run_sql("truncate toolhost.tenants, toolhost.people cascade");
    for (const auto* name : {"acme", "globex"}) {
      const auto made = desk_.directory->create_tenant(name, name, "UTC", {"test"});
      EXPECT_TRUE(made) << made.error().message;
    }
  }

  PortalParts parts(std::unique_ptr<OidcProvider> provider = nullptr) {
    static const Secret kPepper(std::string(32, 'p')), kSealing(std::string(32, 's'));
    return {.database = postgres_.address(),
            .pepper = kPepper,
            .sealing_key = kSealing,
            .policy = [this] { return policy_; },
            .plugins = [] { return std::vector<std::string>{"tickets", "tasks"}; },
            .knows_key = [](std::string_view) { return true; },
            .attempts = attempts_,
            .provider = std::move(provider),
            .events = events_};
  }
  void set_policy(const access::PolicyConfig& config) { policy_ = access::Policy::compile(config); }

  /// The whole key of a page that shows one.
  static std::string key_in(const std::string& page) {
    const auto at = page.find("value=\"hdsk_");
    return at == std::string::npos ? std::string() : page.substr(at + 7, 37);
  }
  /// Makes a key; its id.
  static std::int64_t make_key(Browser& browser, std::string_view name, std::string_view tenant = "acme") {
    const auto once = Browser::value_of(browser.get("/mcp/keys/new").body, "once");
    const auto page = browser.submit(
        "/mcp/keys/new", {{"name", name}, {"tenant", tenant}, {"expiry", "never"}, {"scope", "all"}, {"once", once}});
    EXPECT_EQ(key_in(page.body).size(), 37U) << page.body;
    const auto list = browser.get("/mcp/keys").body;
    const auto at = list.find("href=\"/mcp/keys/", list.find("rowheader"));
    return std::stoll(list.substr(at + 16));
  }

  test_support::TempPostgres& postgres_ = test_support::TempPostgres::shared();
  access::PolicyPtr policy_ = access::Policy::compile(two_tenants());
  PortalEvents events_;
  access::KeyAttempts attempts_;
  Desk desk_{postgres_.address(), 3};
};

}  // namespace toolhost::portal
