#pragma once
#include <cstdint>
#include <string_view>

namespace toolhost::storage {

/// One SQL parameter or result value. Text-like members are borrowed.
struct SqlValue {
  enum class Type : std::uint32_t { kNull, kBool, kInteger, kFloat, kText, kBytes, kJson, kUuid, kTime, kNumeric };
  Type type = Type::kNull;
  std::int64_t integer = 0;  ///< kBool 0/1, kInteger, kTime (microseconds since 1970-01-01T00:00Z)
  double number = 0;         ///< kFloat
  std::string_view text;     ///< kText, kBytes (raw), kJson, kUuid (16 raw bytes), kNumeric (decimal text)
};

}  // namespace toolhost::storage
