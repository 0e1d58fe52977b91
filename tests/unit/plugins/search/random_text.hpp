#pragma once
#include <array>
#include <cstddef>
#include <random>
#include <string>
#include <string_view>

namespace search {

/// The same texts in every run: random bytes, and random sequences of pieces that mean something to a parser.
class RandomText {
 public:
  template <std::size_t N>
  std::string of_pieces(const std::array<std::string_view, N>& pieces, std::size_t most) {
    std::string text;
    for (std::size_t left = below(most + 1); left > 0; --left) text += pieces[below(N)];
    return text;
  }
  std::string of_bytes(std::size_t most) {
    std::string text(below(most + 1), '\0');
    for (char& byte : text) byte = static_cast<char>(below(256));
    return text;
  }
  std::size_t below(std::size_t end) { return engine_() % end; }

 private:
  std::mt19937 engine_{20261123};  // NOLINT(bugprone-random-generator-seed)
};

}  // namespace search
