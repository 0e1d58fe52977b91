#pragma once
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace toolhost::fuzz {

/// What must hold whatever the bytes are. Ends the process with the sentence, which the fuzzer reports with the bytes.
inline void require(bool holds, std::string_view sentence) {
  if (holds) return;
  std::fprintf(stderr, "broken: %.*s\n", static_cast<int>(sentence.size()), sentence.data());
  std::abort();
}

/// The bytes up to `end`, which are taken away with it; all of them when there is none.
inline std::string_view take_line(std::string_view& bytes, char end = '\n') {
  const auto at = bytes.find(end);
  const auto line = bytes.substr(0, at);
  bytes.remove_prefix(at == std::string_view::npos ? bytes.size() : at + 1);
  return line;
}

}  // namespace toolhost::fuzz
