#include "protocol/event_token.hpp"

#include <charconv>

#include "base/hex.hpp"

namespace toolhost::protocol {
namespace {

constexpr char kFormatOfToken = 1;
constexpr std::size_t kStreamBytes = 16;
// The number stands outside of the seal. No stream comes near, and what is added to it does not wrap.
constexpr std::uint32_t kMostNumber = 1U << 30;

template <class Number>
void put(std::string& out, Number number) {
  for (unsigned i = 0; i < sizeof number; ++i) out += static_cast<char>(static_cast<std::uint64_t>(number) >> (8 * i));
}

/// Reads what put() wrote; zero once the bytes have run out.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  template <class Number>
  Number number() {
    std::uint64_t value = 0;
    const auto bytes = take(sizeof(Number));
    for (std::size_t i = 0; i < bytes.size(); ++i)
      value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    return static_cast<Number>(value);
  }
  std::string_view take(std::size_t count) {
    if (rest_.size() < count) {
      is_short_ = true;
      return {};
    }
    const auto bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }
  std::string_view rest() { return take(rest_.size()); }
  [[nodiscard]] bool is_short() const noexcept { return is_short_; }

 private:
  std::string_view rest_;
  bool is_short_ = false;
};

std::optional<EventToken> read(std::string_view bytes) {
  Reader reader(bytes);
  if (reader.number<char>() != kFormatOfToken) return std::nullopt;
  EventToken token;
  const auto kind = reader.number<std::uint8_t>();
  token.kind = static_cast<EventToken::Kind>(kind);
  token.key = static_cast<KeyId>(reader.number<std::int64_t>());
  token.stream = reader.take(kStreamBytes);
  token.host = reader.number<std::uint32_t>();
  token.expires = reader.number<std::uint32_t>();
  token.may_have_saved = reader.number<std::uint8_t>() != 0;
  token.rpc_id = reader.rest();
  const bool is_whole = !reader.is_short() && kind <= static_cast<std::uint8_t>(EventToken::Kind::kSse);
  return is_whole && token.rpc_id.size() <= EventToken::kLongestRpcId ? std::optional(std::move(token)) : std::nullopt;
}

}  // namespace

std::string EventTokens::seal(const EventToken& token) const {
  std::string bytes;
  bytes += kFormatOfToken;
  put(bytes, static_cast<std::uint8_t>(token.kind));
  put(bytes, value(token.key));
  bytes += token.stream;
  put(bytes, token.host);
  put(bytes, token.expires);
  put(bytes, static_cast<std::uint8_t>(token.may_have_saved));
  bytes += token.rpc_id;
  return box_.seal(bytes);
}

std::optional<EventTokens::Place> EventTokens::open(std::string_view event_id, KeyId key,
                                                    std::chrono::system_clock::time_point now) const {
  const auto dot = event_id.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto digits = event_id.substr(dot + 1);
  Place place;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), place.number);
  if (error != std::errc() || end != digits.data() + digits.size() || place.number > kMostNumber) return std::nullopt;
  const auto bytes = box_.open(event_id.substr(0, dot));
  auto token = bytes ? read(*bytes) : std::nullopt;
  if (!token || token->key != key) return std::nullopt;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  if (token->expires != 0 && seconds > std::int64_t{token->expires}) return std::nullopt;
  place.token = std::move(*token);
  return place;
}

std::string uuid_text(std::string_view bytes) {
  std::string text = to_hex(bytes);
  for (const std::size_t at : {20U, 16U, 12U, 8U}) text.insert(at, 1, '-');
  return text;
}

}  // namespace toolhost::protocol
