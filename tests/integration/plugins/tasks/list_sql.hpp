#pragma once
#include <string>
#include <string_view>

/// The statement of list_tasks for a window ("today") of due dates at a moment (RFC 3339) in a time zone, with its
/// parameters filled in. In a library of its own: the plugin API and the host both have a toolhost::Error.
[[gnu::visibility("default")]] std::string list_sql(std::string_view window, std::string_view now,
                                                    std::string_view zone);
