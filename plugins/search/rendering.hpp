#pragma once
#include <string>

#include "search_types.hpp"

namespace search {

/// The text block of a result, for models and people.
std::string render(const FoundPage& page);

}  // namespace search
