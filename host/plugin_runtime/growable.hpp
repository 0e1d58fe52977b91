#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include <toolhost/plugin.h>

#include "base/result.hpp"

namespace toolhost::plugin_runtime {

/// Copies a struct of a plugin that may be older or newer than this host's header (plugin.h R4): what is missing is
/// zero, what this host does not know must be. `oldest_bytes`: its size in the minor that brought it. kInvalidArgument
/// names it as `what`.
template <class T>
Result<T> copy_growable(const T* source, std::size_t oldest_bytes, const std::string& what) {
  constexpr std::size_t kMaxStructBytes = 4096;
  const auto refusal = [&](const std::string& reason) { return Error{Errc::kInvalidArgument, what + reason, {}}; };
  if (source == nullptr) return refusal(" is NULL");
  std::uint32_t size = 0;
  std::memcpy(&size, source, sizeof(size));
  if (size < oldest_bytes || size > kMaxStructBytes)
    return refusal(" has struct_size " + std::to_string(size) + ", but it is at least " + std::to_string(oldest_bytes) +
                   " and at most " + std::to_string(kMaxStructBytes) +
                   " bytes long; set it to sizeof of the struct in toolhost/plugin.h");
  const auto* bytes = reinterpret_cast<const unsigned char*>(source);
  if (size > sizeof(T) && std::any_of(bytes + sizeof(T), bytes + size, [](unsigned char byte) { return byte != 0; }))
    return refusal(" uses fields that this host (plugin ABI 1." + std::to_string(TH_ABI_MINOR) +
                   ") does not know; upgrade the host, or build the plugin with a lower TH_ABI_TARGET");
  T copy{};
  std::memcpy(&copy, source, std::min<std::size_t>(size, sizeof(T)));
  return copy;
}

}  // namespace toolhost::plugin_runtime
