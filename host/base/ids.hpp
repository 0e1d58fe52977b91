#pragma once
#include <cstdint>

namespace toolhost {

/// Row ids of the host's own tables. They never leave the server and are not interchangeable.
enum class TenantId : std::int32_t {};
enum class KeyId : std::int64_t {};
enum class PersonId : std::int64_t {};

constexpr std::int32_t value(TenantId id) noexcept {
  return static_cast<std::int32_t>(id);
}
constexpr std::int64_t value(KeyId id) noexcept {
  return static_cast<std::int64_t>(id);
}
constexpr std::int64_t value(PersonId id) noexcept {
  return static_cast<std::int64_t>(id);
}

}  // namespace toolhost
