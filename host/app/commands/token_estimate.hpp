#pragma once
#include <cstddef>
#include <string_view>

namespace toolhost::app {

/// About how many tokens a language model sees in this UTF-8 text: what o200k_base makes of it (GPT-4o and later;
/// others' numbers are similar), within a tenth for descriptions and schemas of tools in the usual languages.
std::size_t estimated_tokens(std::string_view text);

}  // namespace toolhost::app
