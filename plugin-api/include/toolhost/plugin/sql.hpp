#pragma once
#include <toolhost/plugin/enums.hpp>
#include <toolhost/plugin/error.hpp>
#include <toolhost/plugin/services.hpp>
#include <toolhost/plugin/values.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

/// SQL parameters and rows. Parameters may be bool, integers, double, text, Uuid, Time, Json, Bytes, enums named by
/// TH_ENUM, std::vector of text (text[]), and std::optional or Nullable of these (NULL when there is no value).
namespace toolhost {

/// Marks the last statement of a call: call.exec(toolhost::last, "insert ...", ...).
struct Last {};
inline constexpr Last last{};

namespace detail {

template <class T>
concept TextLike = std::convertible_to<const T&, std::string_view>;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_vector = false;
template <class T, class A>
inline constexpr bool is_vector<std::vector<T, A>> = true;
template <class T>
inline constexpr bool is_nullable = false;
template <class T>
inline constexpr bool is_nullable<Nullable<T>> = true;

template <class T>
inline constexpr bool always_false = false;

/// '{"a","b"}': how PostgreSQL writes an array.
template <class Texts>
std::string array_literal(const Texts& texts) {
  std::string literal = "{";
  for (const std::string_view text : texts) {
    literal += literal.size() == 1 ? "\"" : ",\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') literal.push_back('\\');
      literal.push_back(c);
    }
    literal.push_back('"');
  }
  literal.push_back('}');
  return literal;
}

/// The elements of a one-dimensional array literal. Throws std::logic_error for any other text, and for a NULL element.
inline std::vector<std::string> parse_array_literal(std::string_view literal) {
  const auto broken = [] { return std::logic_error("the column is not a one-dimensional array without NULL"); };
  if (literal.size() < 2 || literal.front() != '{' || literal.back() != '}') throw broken();
  literal = literal.substr(1, literal.size() - 2);
  std::vector<std::string> elements;
  std::size_t at = 0;
  while (at < literal.size()) {
    std::string element;
    if (literal[at] == '"') {
      for (++at; at < literal.size() && literal[at] != '"'; ++at) {
        if (literal[at] == '\\' && at + 1 < literal.size()) ++at;
        element.push_back(literal[at]);
      }
      if (at++ == literal.size()) throw broken();
    } else {
      const std::size_t comma = std::min(literal.find(',', at), literal.size());
      element = literal.substr(at, comma - at);
      if (element == "NULL" || element.find('{') != std::string::npos) throw broken();
      at = comma;
    }
    elements.push_back(std::move(element));
    if (at < literal.size() && literal[at++] != ',') throw broken();
  }
  return elements;
}

inline th_value text_value(std::uint32_t type, std::string_view text) noexcept {
  th_value value{};
  value.type = type;
  value.u.s = to_th(text);
  return value;
}
inline th_value number_value(std::uint32_t type, std::int64_t number) noexcept {
  th_value value{};
  value.type = type;
  value.u.i64 = number;
  return value;
}

/// The argument as a parameter, borrowing from it, or from `scratch` where a text must be made first.
template <class T>
th_value to_value(const T& argument, std::string& scratch) {
  if constexpr (std::is_same_v<T, std::nullopt_t> || std::is_same_v<T, std::nullptr_t>) {
    return number_value(TH_V_NULL, 0);
  } else if constexpr (is_optional<T>) {
    return argument ? to_value(*argument, scratch) : number_value(TH_V_NULL, 0);
  } else if constexpr (is_nullable<T>) {
    return argument.has_value() ? to_value(*argument, scratch) : number_value(TH_V_NULL, 0);
  } else if constexpr (NamedEnum<T>) {
    return text_value(TH_V_TEXT, enum_name(argument));
  } else if constexpr (std::same_as<T, bool>) {
    return number_value(TH_V_BOOL, argument ? 1 : 0);
  } else if constexpr (std::integral<T>) {
    if (!std::in_range<std::int64_t>(argument)) throw Error(TH_E_INVALID, "a number does not fit 64 bits with a sign");
    return number_value(TH_V_I64, static_cast<std::int64_t>(argument));
  } else if constexpr (std::floating_point<T>) {
    th_value value{};
    value.type = TH_V_F64;
    value.u.f64 = static_cast<double>(argument);
    return value;
  } else if constexpr (std::same_as<T, Uuid>) {
    return text_value(TH_V_UUID, {reinterpret_cast<const char*>(argument.bytes.data()), argument.bytes.size()});
  } else if constexpr (std::same_as<T, Time>) {
    return number_value(TH_V_TIME, argument.us);
  } else if constexpr (std::same_as<T, Json>) {
    return text_value(TH_V_JSON, argument.text);
  } else if constexpr (std::same_as<T, Bytes>) {
    return text_value(TH_V_BYTES, argument.bytes);
  } else if constexpr (TextLike<T>) {
    return text_value(TH_V_TEXT, argument);
  } else if constexpr (is_vector<T>) {
    if constexpr (NamedEnum<typename T::value_type>) {
      std::vector<std::string_view> names;
      for (const auto& element : argument) names.push_back(enum_name(element));
      scratch = array_literal(names);
    } else {
      scratch = array_literal(argument);
    }
    return text_value(TH_V_TEXT, scratch);
  } else {
    static_assert(always_false<T>, "this type is no SQL parameter");
  }
}

}  // namespace detail

/// Parameters whose number is known only at run time, as for a list of filters. Keeps copies:
///   Values values;  sql += " and status = $" + std::to_string(values.add(status));  call.query(sql, values);
class Values {
 public:
  /// Appends one and returns its number: n for $n.
  template <class T>
  std::size_t add(const T& argument) {
    std::string scratch;
    th_value value = detail::to_value(argument, scratch);
    if (value.type >= TH_V_TEXT && value.type != TH_V_TIME) {
      texts_.emplace_back(view(value.u.s));
      value.u.s = to_th(texts_.back());
    }
    values_.push_back(value);
    return values_.size();
  }
  [[nodiscard]] const th_value* data() const noexcept { return values_.data(); }
  [[nodiscard]] std::size_t size() const noexcept { return values_.size(); }

 private:
  std::deque<std::string> texts_;  // a deque, since growing it moves no text
  std::vector<th_value> values_;
};

namespace detail {

/// The parameters of one statement. Valid while the arguments are.
template <class... Args>
class Parameters {
 public:
  explicit Parameters(const Args&... args) {
    [[maybe_unused]] std::size_t i = 0;
    ((values_[i] = to_value(args, scratch_[i]), ++i), ...);
  }
  Parameters(const Parameters&) = delete;
  Parameters& operator=(const Parameters&) = delete;
  [[nodiscard]] const th_value* data() const noexcept { return values_.data(); }
  [[nodiscard]] std::size_t size() const noexcept { return sizeof...(Args); }

 private:
  std::array<std::string, sizeof...(Args)> scratch_;
  std::array<th_value, sizeof...(Args)> values_;
};
template <>
class Parameters<Values> {
 public:
  explicit Parameters(const Values& values) noexcept : values_(values) {}
  [[nodiscard]] const th_value* data() const noexcept { return values_.data(); }
  [[nodiscard]] std::size_t size() const noexcept { return values_.size(); }

 private:
  const Values& values_;
};

}  // namespace detail

/// One row, borrowed from Rows until its next next(). Columns count from 0. Reading a column as what it is not, or NULL
/// as a value, throws std::logic_error: a mistake of the plugin, which ends the call with TH_E_INTERNAL.
class Row {
 public:
  Row() = default;
  Row(const th_value* values, std::size_t columns) noexcept : values_(values), columns_(columns) {}

  /// False after the last row.
  explicit operator bool() const noexcept { return values_ != nullptr; }
  [[nodiscard]] std::size_t columns() const noexcept { return columns_; }
  [[nodiscard]] const th_value& value(std::size_t column) const {
    if (column >= columns_) throw std::logic_error("the row has no column " + std::to_string(column));
    return values_[column];
  }
  [[nodiscard]] bool is_null(std::size_t column) const { return value(column).type == TH_V_NULL; }
  /// Text, numeric and JSON columns, as text. Borrowed like the row.
  [[nodiscard]] std::string_view text(std::size_t column) const {
    const th_value& found = value(column);
    if (found.type != TH_V_TEXT && found.type != TH_V_NUMERIC && found.type != TH_V_JSON) wrong(column, "text");
    return view(found.u.s);
  }
  [[nodiscard]] std::int64_t i64(std::size_t column) const { return typed(column, TH_V_I64, "an integer").u.i64; }
  /// Floating-point, integer and numeric columns.
  [[nodiscard]] double f64(std::size_t column) const {
    const th_value& found = value(column);
    if (found.type == TH_V_I64) return static_cast<double>(found.u.i64);
    if (found.type == TH_V_NUMERIC) return std::stod(std::string(view(found.u.s)));
    return typed(column, TH_V_F64, "a number").u.f64;
  }
  [[nodiscard]] bool boolean(std::size_t column) const { return typed(column, TH_V_BOOL, "a boolean").u.i64 != 0; }
  /// Microseconds since 1970-01-01T00:00Z.
  [[nodiscard]] std::int64_t time_us(std::size_t column) const { return typed(column, TH_V_TIME, "a timestamp").u.i64; }
  /// JSON text. Borrowed like the row.
  [[nodiscard]] std::string_view json(std::size_t column) const { return view(typed(column, TH_V_JSON, "JSON").u.s); }
  /// Raw bytes. Borrowed like the row.
  [[nodiscard]] std::string_view bytes(std::size_t column) const {
    return view(typed(column, TH_V_BYTES, "bytea").u.s);
  }
  [[nodiscard]] Uuid uuid(std::size_t column) const {
    const th_value& found = typed(column, TH_V_UUID, "a UUID");
    th_uuid raw{};
    if (found.u.s.len != sizeof raw.b) wrong(column, "a UUID");
    std::memcpy(raw.b, found.u.s.ptr, sizeof raw.b);
    return Uuid(raw);
  }

  /// The column as any type that a parameter may have, plus std::string; std::optional<T> for columns that may be NULL.
  template <class T>
  [[nodiscard]] T get(std::size_t column) const {
    if constexpr (detail::is_optional<T>) {
      return is_null(column) ? T() : T(get<typename T::value_type>(column));
    } else if constexpr (detail::NamedEnum<T>) {
      const auto found = detail::enum_value<T>(text(column));
      if (!found) wrong(column, "a name that TH_ENUM lists");
      return *found;
    } else if constexpr (std::same_as<T, bool>) {
      return boolean(column);
    } else if constexpr (std::integral<T>) {
      const std::int64_t number = i64(column);
      if (!std::in_range<T>(number)) wrong(column, "a number of that size");
      return static_cast<T>(number);
    } else if constexpr (std::floating_point<T>) {
      return static_cast<T>(f64(column));
    } else if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
      return T(text(column));
    } else if constexpr (std::same_as<T, Uuid>) {
      return uuid(column);
    } else if constexpr (std::same_as<T, Time>) {
      return Time{time_us(column)};
    } else if constexpr (std::same_as<T, Json>) {
      return Json(json(column));
    } else if constexpr (std::same_as<T, std::vector<std::string>>) {
      return detail::parse_array_literal(text(column));
    } else {
      static_assert(detail::always_false<T>, "no column has this type");
    }
  }

 private:
  const th_value& typed(std::size_t column, std::uint32_t type, const char* what) const {
    const th_value& found = value(column);
    if (found.type != type) wrong(column, what);
    return found;
  }
  [[noreturn]] void wrong(std::size_t column, const char* what) const {
    throw std::logic_error("column " + std::to_string(column) + (is_null(column) ? " is NULL, not " : " is not ") +
                           what);
  }

  const th_value* values_ = nullptr;
  std::size_t columns_ = 0;
};

/// The rows of one query: `while (const Row row = rows.next()) ...`. The next statement of the call ends them.
class Rows {
 public:
  Rows(const th_db_api& db, th_call* call, th_rows* rows)
      : db_(&db), call_(call), rows_(rows), columns_(db.columns(rows)) {}
  Rows(Rows&& other) noexcept
      : db_(other.db_), call_(other.call_), rows_(std::exchange(other.rows_, nullptr)), columns_(other.columns_) {}
  Rows& operator=(Rows&&) = delete;
  ~Rows() {
    if (rows_ != nullptr) db_->close(rows_);
  }

  /// The next row, or an empty one when none is left. Throws SqlError.
  [[nodiscard]] Row next() {
    const th_value* values = nullptr;
    const th_status status = db_->next(rows_, &values);
    if (status == TH_END) return {};
    detail::check_sql(call_, status);
    return {values, columns_};
  }
  [[nodiscard]] std::size_t columns() const noexcept { return columns_; }
  [[nodiscard]] std::string_view column_name(std::size_t column) const { return view(db_->column_name(rows_, column)); }

 private:
  const th_db_api* db_;
  th_call* call_;
  th_rows* rows_;
  std::size_t columns_;
};

}  // namespace toolhost
