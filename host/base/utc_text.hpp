#pragma once
#include <array>
#include <chrono>
#include <ctime>
#include <string>

namespace toolhost {

/// A moment in UTC, in whole seconds, as `format` says (strftime); at most 63 bytes.
inline std::string utc_text(std::chrono::system_clock::time_point moment, const char* format) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(moment));
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  return {text.data(), std::strftime(text.data(), text.size(), format, &parts)};
}

}  // namespace toolhost
