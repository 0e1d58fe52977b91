// What the host hands out sealed and takes back from anybody: cursors, session ids, requestState. The first byte says
// what the rest is.
#include <string>

#include "access/sealed_box.hpp"
#include "plugin_runtime/sealed_token.hpp"
#include "protocol/request_state.hpp"
#include "protocol/session.hpp"
#include "require.hpp"

using namespace toolhost;
using fuzz::require;

namespace {

const Secret& key() {
  static const Secret secret(std::string(32, 'k'));
  return secret;
}

/// One character of a token becomes another one.
std::string altered(std::string token, std::string_view text) {
  const auto at = text.empty() ? 0 : static_cast<unsigned char>(text.front()) * token.size() / 256;
  token[at] = token[at] == 'A' ? 'B' : 'A';
  return token;
}

void present(std::string_view token) {
  static const access::SealedBox box(key(), "fuzzing");
  static const plugin_runtime::TokenSealer sealer(key(), "fuzzing");
  static const protocol::SessionSeal sessions(key());
  require(!sessions.open(KeyId(7), token), "a session id that nobody made does not open");
  require(!box.open(token), "a token that nobody sealed does not open");
  require(!sealer.open(TenantId(1), token), "a cursor that nobody sealed does not open");
}

void seal(std::string_view text) {
  static const access::SealedBox box(key(), "fuzzing"), other(key(), "something else");
  const auto token = box.seal(text);
  require(box.open(token) == std::optional<std::string>(text), "a box opens to what was sealed");
  require(!other.open(token), "no other purpose opens it");
  require(!box.open(altered(token, text)), "an altered box does not open");

  static const plugin_runtime::TokenSealer sealer(key(), "fuzzing"), stranger(key(), "stranger");
  const auto cursor = sealer.seal(TenantId(1), text);
  require(sealer.open(TenantId(1), cursor) == std::optional<std::string>(text), "a cursor opens to what was sealed");
  require(!sealer.open(TenantId(2), cursor), "no other tenant opens it");
  require(!stranger.open(TenantId(1), cursor), "no other plugin opens it");
  require(!sealer.open(TenantId(1), altered(cursor, text)), "an altered cursor does not open");
}

void make_session_id(std::string_view text) {
  static const protocol::SessionSeal sessions(key());
  const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
  protocol::SessionFacts facts;
  if (byte(0) % 5 < 4) facts.revision = static_cast<protocol::Revision>(byte(0) % 5);
  facts.capabilities = protocol::ClientCapabilities::from_bits(static_cast<std::uint16_t>(byte(1)));
  facts.kind = byte(2) % 2 == 0 ? protocol::SessionFacts::Kind::kHttp : protocol::SessionFacts::Kind::kSse;
  facts.host = byte(3) << 8 | byte(4);
  const auto id = sessions.make(KeyId(7), facts);
  const auto opened = sessions.open(KeyId(7), id);
  require(opened && opened->revision == facts.revision && opened->capabilities == facts.capabilities &&
              opened->kind == facts.kind && opened->host == facts.host,
          "a session id says what went into it");
  require(!sessions.open(KeyId(8), id), "another key's session id does not open");
  require(!sessions.open(KeyId(7), altered(id, text)), "an altered session id does not open");
}

/// Behind the seal: what a host of another version may have sealed. "FOR" stands for the digest of the request that the
/// state is opened with, which nobody would find.
void open_request_state(std::string text) {
  static const access::SealedBox box(key(), "request state");
  static const protocol::RequestState state(key(), std::chrono::seconds(600));
  static json::Document document;
  static const protocol::StateBinding binding{.key = KeyId(7),
                                              .tenant = TenantId(1),
                                              .method = "tools/call",
                                              .target = "ask",
                                              .arguments = *document.parse("{}")};
  static const std::string digest = [] {
    constexpr std::string_view kBefore = "\"for\":\"";
    auto made = *box.open(*state.seal({}, binding, {}));
    made.erase(0, made.find(kBefore) + kBefore.size());
    return made.substr(0, made.find('"'));
  }();
  (void)state.open(text, binding, {});
  if (const auto at = text.find("FOR"); at != std::string::npos) text.replace(at, 3, digest);
  const auto opened = state.open(box.seal(text), binding, {});
  if (!opened) return;
  const auto again = state.seal(*opened, binding, {});
  require(!again || state.open(*again, binding, {}).has_value(), "what opens can be sealed again");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (*data % 4) {
    case 0:
      present(text);
      break;
    case 1:
      seal(text);
      break;
    case 2:
      make_session_id(text);
      break;
    default:
      open_request_state(std::string(text));
  }
  return 0;
}
