#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace toolhost {

/// RFC 4648 section 5, without padding.
std::string to_base64url(std::string_view bytes);
/// Nothing when the text is not exactly what to_base64url() makes (stray bits in the last character included).
std::optional<std::string> from_base64url(std::string_view text);

}  // namespace toolhost
