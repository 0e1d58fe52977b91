#include "portal/portal.hpp"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/ip/address_v6.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "portal/assets.hpp"
#include "portal/known_visitors.hpp"
#include "portal/router.hpp"
#include "portal/visit.hpp"
#include "portal/work_pool.hpp"
#include "storage/job_limit.hpp"
#include "transport/url.hpp"

namespace toolhost::portal {
namespace {

namespace asio = boost::asio;
using transport::HttpRequest;
using transport::HttpResponse;
using transport::Method;

// Referrer-Policy is not "no-referrer": with that, browsers send "Origin: null" with a form.
constexpr std::string_view kPageFields =
    "Content-Security-Policy: default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src "
    "'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'\r\n"
    "Cache-Control: no-store\r\n"
    "Referrer-Policy: same-origin\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Permissions-Policy: camera=(), geolocation=(), microphone=()\r\n"
    "Vary: Accept, Cookie\r\n";
constexpr std::string_view kAssetFields =
    "Cache-Control: public, max-age=31536000, immutable\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n";

/// RFC 6797. It holds for every port of the host: only where people open the usual one, and never on a loopback name,
/// where other programs are developed.
constexpr std::string_view kOnlyHttps = "Strict-Transport-Security: max-age=31536000\r\n";
bool is_https_alone(std::string_view base_url) {
  const auto url = transport::parse_url(base_url);
  return url && url->is_https && url->port == 443 && !url->is_loopback();
}

void respond(HttpResponse& response, Page page) {
  response.status = page.status;
  response.content_type = page.content_type;
  response.headers.append(kPageFields).append(page.headers);
  response.body = std::move(page.body);
}

/// Of an IPv6 address the network, which is one person's (RFC 6177).
std::string network_of(std::string_view address) {
  if (address.starts_with("::ffff:") || address.find(':') == std::string_view::npos) return std::string(address);
  boost::system::error_code ec;
  const auto parsed = asio::ip::make_address_v6(address, ec);
  if (ec) return std::string(address);
  const auto bytes = parsed.to_bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size() / 2};
}

asio::awaitable<void> done() {
  co_return;
}

class PortalOverHttp final : public Portal {
 public:
  PortalOverHttp(PortalConfig config, PortalParts parts)
      : premises_(std::move(config), std::move(parts)),
        limit_(premises_.config.database_limit),
        lobby_(make_desk()),
        desks_(premises_.config.threads, limits(), [this] { return make_desk(); }),
        doors_(premises_.config.threads, limits(), [this] { return make_desk(); }) {}

  void stop() override {
    limit_.end_all();
    if (premises_.provider != nullptr) premises_.provider->stop();
    doors_.stop();
    desks_.stop();
  }

  asio::awaitable<void> handle(const HttpRequest& request, HttpResponse& response) override {
    const auto* asset = find_asset(request.path);
    if (asset == nullptr) return answer(request, response);
    response.status = 200;
    response.content_type = asset->content_type;
    response.headers.append(kAssetFields);
    response.body = asset->content;
    return done();
  }

 private:
  std::unique_ptr<Desk> make_desk() {
    return std::make_unique<Desk>(premises_.database, premises_.config.keys_per_person, &limit_);
  }
  [[nodiscard]] WorkPoolLimits limits() const {
    return {premises_.config.max_waiting, premises_.config.max_waiting_of_address};
  }

  asio::awaitable<void> answer(const HttpRequest& request, HttpResponse& response) {
    auto wanted = make_portal_request(request, premises_.config.public_url);
    if (request.is_https && is_https_alone(wanted.base_url)) response.headers.append(kOnlyHttps);
    if (!Visit(premises_, *lobby_, wanted).needs_desk()) {
      respond(response, page_for(*lobby_, wanted));
      co_return;
    }
    auto page = co_await asio::async_initiate<decltype(asio::use_awaitable), void(std::shared_ptr<Page>)>(
        [this](auto handler, PortalRequest given) { post(std::move(handler), std::move(given)); }, asio::use_awaitable,
        std::move(wanted));
    respond(response, std::move(*page));
  }

  template <class Handler>
  void post(Handler handler, PortalRequest request) {
    const auto shared = std::make_shared<Handler>(std::move(handler));
    const auto finish = [shared](std::shared_ptr<Page> page) {
      asio::post(asio::get_associated_executor(*shared),
                 [shared, page = std::move(page)]() mutable { std::move (*shared)(std::move(page)); });
    };
    auto& pool = waits_for_provider(request.path) ? doors_ : desks_;
    const auto sender = sender_of(request);
    const bool is_posted = pool.post(sender, [this, finish, request = std::move(request)](Desk& desk) {
      finish(std::make_shared<Page>(page_for(desk, request)));
    });
    if (!is_posted) finish(std::make_shared<Page>(busy()));
  }

  bool waits_for_provider(std::string_view path) const {
    if (path == "/mcp/sign-in/start") return premises_.provider != nullptr && !premises_.provider->is_ready();
    return path == "/mcp/sign-in/callback";
  }

  /// Whose turn it is among those who wait.
  [[nodiscard]] std::string sender_of(const PortalRequest& request) const {
    auto visitor = visitors_.find(request.cookies.get(session_cookie_name(request.is_secure)));
    return visitor.empty() ? network_of(request.address) : visitor;
  }

  Page page_for(Desk& desk, const PortalRequest& request) noexcept try {
    Visit visit(premises_, desk, request);
    auto page = visit.answer();
    if (visit.is_of_somebody()) visitors_.add(request.cookies.get(session_cookie_name(request.is_secure)));
    return page;
  } catch (const std::exception& error) {
    premises_.events.emit(observability::HostNotice{observability::Severity::kError, "portal", error.what()});
    return error_page(premises_.site, nullptr, 500, "Something went wrong here",
                      "It is the server’s fault, and its operators find the reason in the log. Try again.");
  }

  Page busy() const {
    auto page = error_page(premises_.site, nullptr, 503, "Too many people at once", "Wait a moment, then reload.");
    page.headers += "Retry-After: 2\r\n";
    return page;
  }

  const Premises premises_;
  storage::JobLimit limit_;
  KnownVisitors visitors_;
  const std::unique_ptr<Desk> lobby_;  // of visits that need none; never used
  // Last: their threads use the rest. A slow sign-in provider holds up nobody who is signed in.
  WorkPool<Desk> desks_, doors_;
};

}  // namespace

std::unique_ptr<Portal> Portal::create(PortalConfig config, PortalParts parts) {
  return std::make_unique<PortalOverHttp>(std::move(config), std::move(parts));
}

bool is_for_portal(const HttpRequest& request) noexcept {
  const auto path = request.path;
  if (!path.starts_with("/mcp") || (path.size() > 4 && path[4] != '/')) return false;
  // No MCP client asks for pages: GET /mcp of theirs is for an event stream, and they look for metadata below it.
  const bool is_browser =
      (request.method == Method::kGet || request.method == Method::kHead) && accepts_html(request.accept);
  if (path.size() == 4) return is_browser;
  if (path.starts_with("/mcp/.well-known")) return false;
  return is_browser || find_asset(path) != nullptr || Visit::knows(path);
}

}  // namespace toolhost::portal
