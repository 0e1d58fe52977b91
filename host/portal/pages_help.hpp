#pragma once
#include "portal/page_frame.hpp"

namespace toolhost::portal {

/// Questions and answers, for everybody: what assistants can do, how to keep keys safe, what to do when it does not
/// work. `viewer` is null when nobody is signed in.
Page help_page(const Site& site, const Viewer* viewer);

}  // namespace toolhost::portal
