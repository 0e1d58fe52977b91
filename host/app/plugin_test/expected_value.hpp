#pragma once
#include <map>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"

namespace toolhost::app {

/// What earlier answers of a case gave names to: JSON texts by name.
using Captures = std::map<std::string, std::string, std::less<>>;

// In an expected value, a text is one of these; everything else is itself, numbers by their value:
//   $any         anything
//   $name        what was captured under this name (a-z, 0-9, _; begins with a letter)
//   /regular/    a text in which this is found (RE2)
//   $=literally  the rest, whatever it looks like
//   plain text   itself; ${name} in it stands for what was captured. So it does in a regular expression, as plain text.

/// How much of the actual value an expected one has to name.
enum class Extent {
  kWhole,
  kPart,  ///< of objects any members, of arrays items in their order; others may stand beside them
};
[[nodiscard]] bool matches(const json::Value& expected, const json::Value& actual, const Captures& captures,
                           Extent extent = Extent::kWhole);

/// The expected value as JSON, with the actual one in place of whatever matches it: what is left is the difference.
std::string unmatched(const json::Value& expected, const json::Value& actual, const Captures& captures,
                      Extent extent = Extent::kWhole);

/// A value as an expected one that matches it and nothing else: JSON.
std::string literally(const json::Value& actual);
/// The same, but what `expected` says where it matches, so that patterns in it stay.
std::string literally(const json::Value& actual, const json::Value& expected, const Captures& captures);

/// `value` as JSON with what was captured in place of $name and ${name}. kNotFound names a name that nothing has.
Result<std::string> filled_in(const json::Value& value, const Captures& captures);
/// A text likewise; what it names has to be a text or a number.
Result<std::string> filled_in(std::string_view text, const Captures& captures);

/// What is wrong with a text as an expected value, or in arguments (`is_expected` false): a regular expression that is
/// none, a name that is not in `known`. Empty: nothing.
std::string problem_in(std::string_view text, const Captures& known, bool is_expected);
/// Whether values can be captured under it.
bool is_capture_name(std::string_view name);

/// JSON on several lines, indented by two; arrays of plain values that fit on a line stand on one.
std::string on_lines(const json::Value& value);
/// The same for people, and no JSON: without commas at the ends of lines, which would differ by what follows, and a
/// text of several lines stands on lines of its own.
std::string for_reading(const json::Value& value);
/// The lines that differ: "- " before those of `expected` only and "+ "
/// before those of `actual` only, with two lines around them; "..." where some are left out. Empty when they are equal.
std::string difference(std::string_view expected, std::string_view actual);

}  // namespace toolhost::app
