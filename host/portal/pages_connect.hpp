#pragma once
#include <string_view>

#include "portal/pages_keys.hpp"

namespace toolhost::portal {

/// What to paste into each assistant, in parts that open and close.
Html snippets_card(std::string_view title, std::string_view lead, std::string_view base_url, std::string_view key);

/// How to connect, with a placeholder where the key goes.
Page connect_page(const Scene& scene, std::string_view base_url);

}  // namespace toolhost::portal
