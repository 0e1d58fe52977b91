#pragma once
#include <string>

namespace toolhost {

/// Where a line of configuration stands, so that whoever is stopped by it can be told.
struct SourcePlace {
  std::string file;  ///< empty: built in
  int line = 0;      ///< from 1; 0: the file as a whole

  bool operator==(const SourcePlace&) const = default;

  [[nodiscard]] std::string text() const {
    if (file.empty()) return "built-in default";
    return line > 0 ? file + ":" + std::to_string(line) : file;
  }
};

}  // namespace toolhost
