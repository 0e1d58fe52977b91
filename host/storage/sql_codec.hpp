#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "storage/sql_value.hpp"

namespace toolhost::storage {

/// Between SqlValue and PostgreSQL's wire formats. Parameters travel as text, bytes as they are (binary format);
/// results come as text.

/// Appends the parameter's text and a final NUL to `arena`. kInvalidArgument for text with a NUL in it, which
/// PostgreSQL cannot store. Not for kNull and kBytes, which need no text.
Result<> append_parameter(std::string& arena, const SqlValue& value);

/// The value of a result column of type `oid`. Text-like members are borrowed from `text`; UUIDs and bytes are decoded
/// in place, so a cell can be decoded once.
SqlValue decode_column(std::uint32_t oid, std::span<char> cell);

/// "2026-01-31 12:00:00.5+00" (PostgreSQL, ISO style, UTC; also with a space and no zone, and dates) as microseconds
/// since 1970; INT64_MAX and INT64_MIN for infinity.
std::int64_t parse_timestamp(std::string_view text);
/// The other way, as PostgreSQL reads it.
std::string format_timestamp(std::int64_t microseconds);

}  // namespace toolhost::storage
