#pragma once
#include <array>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <type_traits>

namespace toolhost {

/// One enumerator and how clients and the database spell it.
template <class E>
struct EnumValue {
  E value;
  const char* name;
};
template <class E>
constexpr EnumValue<E> value(E value, const char* name) noexcept {
  return {value, name};
}

namespace detail {

template <class E, std::size_t N>
constexpr std::array<EnumValue<E>, N> enum_values(const EnumValue<E> (&list)[N]) {
  return std::to_array(list);
}

template <class E>
concept NamedEnum = std::is_enum_v<E> && requires { th_enum_values(std::type_identity<E>{}); };

template <NamedEnum E>
constexpr auto names_of = th_enum_values(std::type_identity<E>{});

/// How E spells `value`. Throws std::logic_error for a value that TH_ENUM does not list.
template <NamedEnum E>
std::string_view enum_name(E value) {
  for (const auto& [candidate, name] : names_of<E>) {
    if (candidate == value) return name;
  }
  throw std::logic_error("an enumerator is missing from TH_ENUM");
}

template <NamedEnum E>
std::optional<E> enum_value(std::string_view text) noexcept {
  for (const auto& [candidate, name] : names_of<E>) {
    if (text == name) return candidate;
  }
  return std::nullopt;
}

}  // namespace detail
}  // namespace toolhost

/// Names the enumerators of E; in E's own namespace, after E:
///   TH_ENUM(Priority, value(Priority::kLow, "low"), value(Priority::kHigh, "high"))
#define TH_ENUM(E, ...)                                                                   \
  [[maybe_unused]] inline constexpr auto th_enum_values(std::type_identity<E>) noexcept { \
    using ::toolhost::value;                                                              \
    return ::toolhost::detail::enum_values<E>({__VA_ARGS__});                             \
  }
