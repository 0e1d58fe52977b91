// Last-Event-ID as anybody may send it, and what stands behind its seal. The first byte says what the rest is.
#include <algorithm>
#include <array>
#include <cstring>

#include "protocol/event_token.hpp"
#include "require.hpp"

using namespace toolhost;
using fuzz::require;
using protocol::EventToken;

namespace {

const auto kNow = std::chrono::system_clock::time_point(std::chrono::seconds(1'000));

const protocol::EventTokens& tokens() {
  static const protocol::EventTokens made{Secret(std::string(32, 'k'))};
  return made;
}

/// A token made of the bytes: kind, flags, key, host, the id of the request.
EventToken token_of(std::string_view bytes) {
  std::array<unsigned char, 8> head{};
  std::memcpy(head.data(), bytes.data(), std::min(bytes.size(), head.size()));
  bytes.remove_prefix(std::min(bytes.size(), head.size()));
  EventToken token{.kind = static_cast<EventToken::Kind>(head[0] % 3),
                   .key = KeyId(head[1] * 256 + head[2]),
                   .stream = std::string(16, static_cast<char>(head[3])),
                   .host = head[4],
                   .may_have_saved = (head[5] & 1) != 0};
  token.expires = (head[5] & 2) != 0 ? 2'000 : 0;
  token.rpc_id = bytes.substr(0, EventToken::kLongestRpcId);
  return token;
}

void seal(std::string_view bytes) {
  const auto token = token_of(bytes);
  const auto id = tokens().seal(token);
  const auto place = tokens().open(id + ".17", token.key, kNow);
  require(place && place->number == 17, "an id opens to its place");
  require(place->token.stream == token.stream && place->token.rpc_id == token.rpc_id &&
              place->token.kind == token.kind && place->token.host == token.host &&
              place->token.may_have_saved == token.may_have_saved,
          "an id says what was sealed");
  require(!tokens().open(id + ".17", KeyId(70'000), kNow), "another key's id does not open");
  auto altered = id;
  const auto at = bytes.empty() ? 0 : static_cast<unsigned char>(bytes.back()) * altered.size() / 256;
  altered[at] = altered[at] == 'A' ? 'B' : 'A';
  require(!tokens().open(altered + ".17", token.key, kNow), "an altered id does not open");
  const auto late = kNow + std::chrono::seconds(1'001);
  require(tokens().open(id + ".0", token.key, late).has_value() == (token.expires == 0), "an id ends with its time");
}

void open_behind_the_seal(std::string_view bytes) {
  static const access::SealedBox box(Secret(std::string(32, 'k')), "event stream");
  const auto number = fuzz::take_line(bytes, '.');
  const auto place = tokens().open(box.seal(bytes) + "." + std::string(number), KeyId(7), kNow);
  require(!place || place->token.rpc_id.size() <= EventToken::kLongestRpcId, "no request id is longer than allowed");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (*data % 3) {
    case 0:
      require(!tokens().open(bytes, KeyId(7), kNow), "an id that nobody sealed does not open");
      break;
    case 1:
      seal(bytes);
      break;
    default:
      open_behind_the_seal(bytes);
  }
  return 0;
}
