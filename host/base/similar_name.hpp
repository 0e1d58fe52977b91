#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace toolhost {

/// The name that `given` was probably meant to be: the nearest of `names` by edits (insert, drop, replace, swap
/// neighbours; case ignored), when it is near enough to be worth naming. "ticket" is nearly as near to
/// "ticket_id" as one edit. Borrowed from `names`.
std::optional<std::string_view> similar_name(std::string_view given, std::span<const std::string> names);

}  // namespace toolhost
