#pragma once
#include <string>
#include <string_view>

namespace toolhost::storage {

/// What somebody else calls itself, as it can be stored and shown: at most so many characters, without those that are
/// hidden; what is not UTF-8 becomes U+FFFD.
std::string clean_text(std::string_view text, std::size_t most_characters);

/// A text as people read it: blanks of every kind, each run of them one space, none around it; without what is
/// is_invisible() but in emoji. Characters that are hidden stay, and bytes that are no UTF-8.
std::string seen_text(std::string_view text);

/// Of UTF-8, as PostgreSQL counts.
std::size_t count_characters(std::string_view text) noexcept;

}  // namespace toolhost::storage
