#pragma once
#include <string>
#include <vector>

namespace toolhost {
class Call;
}

namespace helpdesk::tickets {

/// The categories in the tenant's settings; none: any text is one.
std::vector<std::string> categories_of(const toolhost::Call& call);

/// One of `categories` as they write it; any text when there are none. Throws Refusal, with all of them, nearest first.
std::string read_category(const std::string& category, const std::vector<std::string>& categories);

}  // namespace helpdesk::tickets
