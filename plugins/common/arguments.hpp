#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace toolhost {
class Call;
}

/// What tools make of their arguments.
namespace helpdesk {

/// One line of what the caller gave; nothing when that is nothing to read.
std::optional<std::string> given(const std::optional<std::string>& argument);

/// The same for a filter: one that holds nothing to read is refused, because without it the answer would be another.
std::optional<std::string> given_filter(std::string_view parameter, const std::optional<std::string>& argument);

/// True for `word` in any case; `word` is in lower case.
bool is_word(std::string_view text, std::string_view word);

/// Refuses U+0000, which the database cannot store.
void refuse_nul(std::string_view parameter, std::string_view text);

/// Lines in lower case, each once, without empty ones.
std::vector<std::string> read_tags(const std::vector<std::string>& tags);

/// The same for a filter: nothing when there are none, and a Refusal when there are only empty ones.
std::optional<std::vector<std::string>> read_tag_filter(const std::vector<std::string>& tags);

/// The day in the tenant's time zone: "2026-11-23 (Mon, Europe/Berlin)".
std::string today(toolhost::Call& call);

/// Refuses what read_moment() does not take, and says how to write it. `takes_time`: the parameter is not only for
/// days.
[[noreturn]] void refuse_moment(std::string_view parameter, std::string_view given, std::string_view today,
                                bool takes_time = true);

/// 32 random bits, for make_ref().
std::uint32_t random_bits(toolhost::Call& call);

}  // namespace helpdesk
