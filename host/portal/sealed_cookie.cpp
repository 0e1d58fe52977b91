#include "portal/sealed_cookie.hpp"

#include <algorithm>
#include <array>

#include "access/crypto.hpp"
#include "base/base64url.hpp"
#include "base/json.hpp"
#include "base/json_writer.hpp"

namespace toolhost::portal {
namespace {

constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kMostNextBytes = 512;
constexpr std::chrono::minutes kClockDifference{1};

std::string fresh_secret() {
  std::array<std::uint8_t, kSecretBytes> bytes{};
  access::fill_random(bytes);
  return to_base64url({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

bool fits(std::string_view next) {
  return next.size() <= kMostNextBytes && std::ranges::all_of(next, [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

SignInAttempt SignInAttempt::begin(std::string_view next, std::chrono::system_clock::time_point now) {
  return {.state = fresh_secret(),
          .nonce = fresh_secret(),
          .verifier = fresh_secret(),
          .next = std::string(fits(next) ? next : std::string_view()),
          .started_at = now};
}

std::string SignInAttempt::challenge() const {
  const auto digest = access::sha256(verifier);
  return to_base64url({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

bool SignInAttempt::has_state(std::string_view said) const noexcept {
  return !state.empty() && access::equal_in_constant_time(state, said);
}

std::string SealedCookie::seal(const SignInAttempt& attempt) const {
  std::string text;
  JsonWriter(text)
      .begin_object()
      .member("state", attempt.state)
      .member("nonce", attempt.nonce)
      .member("verifier", attempt.verifier)
      .member("next", attempt.next)
      .key("started_at")
      .integer(std::chrono::duration_cast<std::chrono::seconds>(attempt.started_at.time_since_epoch()).count())
      .end_object();
  return box_.seal(text);
}

std::optional<SignInAttempt> SealedCookie::open(std::string_view cookie,
                                                std::chrono::system_clock::time_point now) const {
  const auto text = box_.open(cookie);
  if (!text) return std::nullopt;
  const auto document = json::acquire_document();
  const auto root = document->parse(*text);
  if (!root) return std::nullopt;
  auto state = json::text_in(*root, "state"), nonce = json::text_in(*root, "nonce"),
       verifier = json::text_in(*root, "verifier");
  auto next = json::text_in(*root, "next");
  std::int64_t seconds = 0;
  const bool has_time = json::find(*root, "started_at").get(seconds) == simdjson::SUCCESS;
  if (!state || !nonce || !verifier || !next || !has_time) return std::nullopt;
  const std::chrono::system_clock::time_point started_at{std::chrono::seconds(seconds)};
  if (now - started_at > kLifetime || started_at - now > kClockDifference) return std::nullopt;
  return SignInAttempt{.state = std::string(*state),
                       .nonce = std::string(*nonce),
                       .verifier = std::string(*verifier),
                       .next = std::string(*next),
                       .started_at = started_at};
}

}  // namespace toolhost::portal
