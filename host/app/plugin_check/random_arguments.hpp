#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/json_schema.hpp"

namespace toolhost::app {

/// The same numbers for the same seed, on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t next() noexcept;
  /// Less than `bound`, which is not 0.
  std::uint64_t below(std::uint64_t bound) noexcept { return next() % bound; }
  bool one_in(std::uint64_t n) noexcept { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

/// Makes arguments of a tool from its input schema.
class RandomArguments {
 public:
  /// `schema_json` compiles, and is the one of `schema`, which outlives this object.
  RandomArguments(std::string_view schema_json, const JsonSchema& schema, std::uint64_t seed);

  /// An object that conforms, as JSON; empty when none was found (a "pattern" or a "not" that needs a person: give the
  /// member "examples").
  std::string valid();
  /// One that conforms with what is required, and nothing else. As valid().
  std::string smallest();
  /// Something near one that conforms: a member missing, of another kind, out of range, or added. It may conform all
  /// the same.
  std::string near_miss();

 private:
  enum class Size { kSmallest, kAny };
  std::string find(Size size);
  void append(std::string& out, const json::Value& schema, Size size, unsigned depth);
  void append_object(std::string& out, const json::Value& schema, Size size, unsigned depth);
  void append_array(std::string& out, const json::Value& schema, Size size, unsigned depth);
  void append_text(std::string& out, const json::Value& schema, Size size);
  void append_number(std::string& out, const json::Value& schema, bool is_integer);
  bool append_given(std::string& out, const json::Value& schema);
  std::string odd_value();

  json::Document document_;
  const JsonSchema& schema_;
  Random random_;
};

}  // namespace toolhost::app
