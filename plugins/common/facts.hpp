#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "changes.hpp"

/// The parts that text blocks are made of.
namespace helpdesk {

/// " · due 2026-11-30", or nothing.
void add_fact(std::string& out, std::string_view label, const std::optional<std::string>& fact);

/// The same for what people wrote.
void add_quoted(std::string& out, std::string_view label, const std::optional<std::string>& text);

/// "vpn, wifi"
std::string joined(const std::vector<std::string>& texts);

/// A line for each.
void add_warnings(std::string& out, const std::optional<std::vector<std::string>>& warnings);

/// "Server time 2026-11-23T14:05:09+01:00 (Mon, Europe/Berlin)"; `server_time` begins with a date.
std::string clock_line(std::string_view server_time, std::string_view time_zone);

/// What optional members of results hold: nothing instead of an empty list.
std::optional<std::vector<std::string>> unless_empty(std::vector<std::string> texts);

/// A line: who changed what, when.
void add_event(std::string& out, const HistoryEvent& event);

}  // namespace helpdesk
