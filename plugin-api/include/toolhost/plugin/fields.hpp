#pragma once
#include <toolhost/plugin/enums.hpp>
#include <toolhost/plugin/json.hpp>
#include <toolhost/plugin/sql.hpp>
#include <toolhost/plugin/values.hpp>

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

/// TH_FIELDS describes a struct once; JSON Schema, decoding of arguments and encoding of results follow from it.
/// Members may be bool, integers, floating point, std::string, enums named by TH_ENUM, Uuid, Time, Json, described
/// structs, and std::vector, std::optional, Nullable and OneOrMany of these.
namespace toolhost {

namespace detail {

/// What a field demands of its value. Numbers and text: of the innermost value, through vectors and optionals.
struct Rules {
  bool has_range = false, has_items = false;
  bool whole = true;  ///< the range was given in integers
  std::int64_t low = 0, high = 0;
  double low_real = 0, high_real = 0;
  std::uint64_t min_items = 0, max_items = 0;
  const char* pattern = nullptr;
  const char* format = nullptr;
};

}  // namespace detail

/// One member of a described struct; made by field().
template <class S, class M>
struct Field {
  using Member = M;
  const char* name;
  M S::* member;
  const char* description;
  detail::Rules rules{};
  bool has_default = false;
  const char* default_text = nullptr;
  bool is_sensitive = false;
  const char* header_name = nullptr;

  /// Numbers: least and greatest value. Text: least and greatest number of characters. In a vector: of each element.
  template <class Number>
  constexpr Field range(Number low, Number high) const {
    Field changed = *this;
    changed.rules.has_range = true;
    changed.rules.whole = std::integral<Number>;
    if constexpr (std::integral<Number>) {
      changed.rules.low = static_cast<std::int64_t>(low);
      changed.rules.high = static_cast<std::int64_t>(high);
    } else {
      changed.rules.low_real = low;
      changed.rules.high_real = high;
    }
    return changed;
  }
  /// Vectors and OneOrMany: least and greatest number of elements.
  constexpr Field items(std::uint64_t least, std::uint64_t greatest) const {
    Field changed = *this;
    changed.rules.has_items = true;
    changed.rules.min_items = least;
    changed.rules.max_items = greatest;
    return changed;
  }
  /// Text: a regular expression (ECMA 262) that must match somewhere in it.
  constexpr Field pattern(const char* expression) const {
    Field changed = *this;
    changed.rules.pattern = expression;
    return changed;
  }
  /// Text: "date", "date-time", "email", "uri", "uuid"; the host checks these.
  constexpr Field format(const char* name_of_format) const {
    Field changed = *this;
    changed.rules.format = name_of_format;
    return changed;
  }
  /// Callers may leave it out; then it keeps the value that a value-initialised struct has, which the schema states.
  constexpr Field defaulted() const {
    Field changed = *this;
    changed.has_default = true;
    return changed;
  }
  /// Callers may leave it out; the sentence, added to the description, says what happens then.
  constexpr Field default_note(const char* note) const {
    Field changed = *this;
    changed.default_text = note;
    return changed;
  }
  /// The host's audit never stores its value, whatever it is.
  constexpr Field sensitive() const {
    Field changed = *this;
    changed.is_sensitive = true;
    return changed;
  }
  /// A bool, integer, text or enum directly in a tool's arguments: HTTP clients repeat it in the field Mcp-Param-<name>,
  /// for gateways on the way ("x-mcp-header"). Never for secrets.
  constexpr Field header(const char* name_behind_prefix) const {
    Field changed = *this;
    changed.header_name = name_behind_prefix;
    return changed;
  }
};

/// `name`: the member of the JSON object; `description`: for the model.
template <class S, class M>
constexpr Field<S, M> field(const char* name, M S::* member, const char* description = "") noexcept {
  return {name, member, description};
}

namespace detail {

template <class T>
concept Described = requires { th_fields(std::type_identity<T>{}); };

template <Described T>
constexpr auto fields_of = th_fields(std::type_identity<T>{});

template <class T>
inline constexpr bool is_one_or_many = false;
template <class T>
inline constexpr bool is_one_or_many<OneOrMany<T>> = true;

enum class Direction { kInput, kOutput };

// ---- Encoding ----

template <class T>
void encode(std::string& out, const T& value);

/// False for a member that is left out of the object.
template <class M>
bool is_present(const M& member) {
  if constexpr (is_optional<M>) return member.has_value();
  if constexpr (is_nullable<M>) return !member.is_absent();
  return true;
}

template <class Elements>
void encode_array(std::string& out, const Elements& elements) {
  out.push_back('[');
  bool first = true;
  for (const auto& element : elements) {
    if (!first) out.push_back(',');
    first = false;
    encode(out, static_cast<const typename Elements::value_type&>(element));
  }
  out.push_back(']');
}

template <Described T>
void encode_object(std::string& out, const T& value) {
  out.push_back('{');
  bool first = true;
  const auto member = [&](const auto& field) {
    const auto& content = value.*field.member;
    if (!is_present(content)) return;
    if (!first) out.push_back(',');
    first = false;
    append_json_string(out, field.name);
    out.push_back(':');
    encode(out, content);
  };
  std::apply([&](const auto&... fields) { (member(fields), ...); }, fields_of<T>);
  out.push_back('}');
}

/// Appends `value` as compact JSON.
template <class T>
void encode(std::string& out, const T& value) {
  if constexpr (std::same_as<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (NamedEnum<T>) {
    append_json_string(out, enum_name(value));
  } else if constexpr (std::integral<T> || std::floating_point<T>) {
    append_json_number(out, value);
  } else if constexpr (TextLike<T>) {
    append_json_string(out, value);
  } else if constexpr (std::same_as<T, Uuid> || std::same_as<T, Time>) {
    append_json_string(out, value.str());
  } else if constexpr (std::same_as<T, Json>) {
    out += value.text;
  } else if constexpr (is_optional<T>) {
    if (value) {
      encode(out, *value);
    } else {
      out += "null";
    }
  } else if constexpr (is_nullable<T>) {
    encode(out, value.value());
  } else if constexpr (is_vector<T>) {
    encode_array(out, value);
  } else if constexpr (is_one_or_many<T>) {
    encode_array(out, value.values);
  } else if constexpr (Described<T>) {
    encode_object(out, value);
  } else {
    static_assert(always_false<T>, "describe this type with TH_FIELDS or TH_ENUM, in its own namespace");
  }
}

// ---- Decoding ----

template <class T>
void decode(JsonReader& reader, T& value);

template <Described T>
void decode_object(JsonReader& reader, T& value) {
  constexpr auto& fields = fields_of<T>;
  constexpr std::size_t kCount = std::tuple_size_v<std::remove_cvref_t<decltype(fields)>>;
  std::array<bool, kCount> seen{};  // of equal names the first counts, as it does for the host
  reader.object([&](std::string_view name) {
    std::size_t index = 0;
    const auto take = [&](const auto& field) {
      const std::size_t here = index++;
      if (name != field.name || seen[here]) return false;
      seen[here] = true;
      decode(reader, value.*field.member);
      return true;
    };
    const bool taken = std::apply([&](const auto&... field) { return (take(field) || ...); }, fields);
    if (!taken) reader.raw();
  });
}

template <class Text>
Text parse_text(JsonReader& reader, const char* what) {
  std::string text;
  reader.string(text);
  const auto parsed = Text::parse(text);
  if (!parsed) throw Error(TH_E_INVALID, "'" + text + "' is not " + what);
  return *parsed;
}

/// Reads the next value into `value`.
template <class T>
void decode(JsonReader& reader, T& value) {
  if constexpr (std::same_as<T, bool>) {
    value = reader.boolean();
  } else if constexpr (NamedEnum<T>) {
    std::string name;
    reader.string(name);
    const auto found = enum_value<T>(name);
    if (!found) throw Error(TH_E_INVALID, "'" + name + "' is not one of the allowed values");
    value = *found;
  } else if constexpr (std::integral<T>) {
    const std::int64_t number = reader.i64();
    if (!std::in_range<T>(number))
      throw Error(TH_E_INVALID, "the number " + std::to_string(number) + " is out of range");
    value = static_cast<T>(number);
  } else if constexpr (std::floating_point<T>) {
    value = static_cast<T>(reader.f64());
  } else if constexpr (std::same_as<T, std::string>) {
    reader.string(value);
  } else if constexpr (std::same_as<T, Uuid>) {
    value = parse_text<Uuid>(reader, "a UUID");
  } else if constexpr (std::same_as<T, Time>) {
    value = parse_text<Time>(reader, "a timestamp such as 2026-11-23T09:30:00Z");
  } else if constexpr (std::same_as<T, Json>) {
    value = Json(reader.raw());
  } else if constexpr (is_optional<T>) {
    if (reader.null()) {
      value.reset();
    } else {
      decode(reader, value.emplace());
    }
  } else if constexpr (is_nullable<T>) {
    if (reader.null()) {
      value = nullptr;
    } else {
      std::remove_cvref_t<decltype(*value)> content{};
      decode(reader, content);
      value = std::move(content);
    }
  } else if constexpr (is_vector<T>) {
    value.clear();
    reader.array([&] {
      typename T::value_type element{};
      decode(reader, element);
      value.push_back(std::move(element));
    });
  } else if constexpr (is_one_or_many<T>) {
    if (reader.peek() == '[') {
      decode(reader, value.values);
    } else {
      value.values.resize(1);
      decode(reader, value.values.front());
    }
  } else if constexpr (Described<T>) {
    decode_object(reader, value);
  } else {
    static_assert(always_false<T>, "describe this type with TH_FIELDS or TH_ENUM, in its own namespace");
  }
}

// ---- Schema ----

/// Collects the keywords of one schema object.
class Keywords {
 public:
  explicit Keywords(std::string& out) : out_(out) { out_.push_back('{'); }
  Keywords(const Keywords&) = delete;
  Keywords& operator=(const Keywords&) = delete;
  ~Keywords() { out_.push_back('}'); }

  /// Begins a keyword whose value the caller appends.
  std::string& key(std::string_view name) {
    if (out_.back() != '{') out_.push_back(',');
    append_json_string(out_, name);
    out_.push_back(':');
    return out_;
  }
  void text(std::string_view name, std::string_view value) { append_json_string(key(name), value); }
  template <class Number>
  void number(std::string_view name, Number value) {
    append_json_number(key(name), value);
  }
  void type(std::string_view name, bool or_null) {
    if (!or_null) return text("type", name);
    key("type") += "[\"" + std::string(name) + "\",\"null\"]";
  }

 private:
  std::string& out_;
};

/// How the schema of one value is to be written.
struct SchemaStyle {
  Direction direction = Direction::kInput;
  Rules rules{};
  bool or_null = false;
  unsigned depth = 0;
};

template <class T>
void schema_keywords(Keywords& keywords, std::string& out, const SchemaStyle& style);

template <class T>
void append_schema(std::string& out, const SchemaStyle& style) {
  Keywords keywords(out);
  schema_keywords<T>(keywords, out, style);
}

inline void range_keywords(Keywords& keywords, const Rules& rules) {
  if (!rules.has_range) return;
  if (rules.whole) {
    keywords.number("minimum", rules.low);
    keywords.number("maximum", rules.high);
  } else {
    keywords.number("minimum", rules.low_real);
    keywords.number("maximum", rules.high_real);
  }
}

inline void string_keywords(Keywords& keywords, const SchemaStyle& style, const char* format) {
  keywords.type("string", style.or_null);
  if (style.rules.has_range) {
    if (style.rules.low > 0) keywords.number("minLength", style.rules.low);
    keywords.number("maxLength", style.rules.high);
  }
  if (style.rules.pattern != nullptr) keywords.text("pattern", style.rules.pattern);
  if (style.rules.format != nullptr) format = style.rules.format;
  if (format != nullptr) keywords.text("format", format);
}

template <class Field>
bool is_required(const Field& field, Direction direction) {
  using M = typename Field::Member;
  if (is_optional<M> || is_nullable<M>) return false;
  return direction == Direction::kOutput || (!field.has_default && field.default_text == nullptr);
}

template <Described T>
void object_keywords(Keywords& keywords, std::string& out, const SchemaStyle& style) {
  if (style.depth > 16) throw std::length_error("a schema nests more than 16 levels deep; is the type recursive?");
  keywords.type("object", style.or_null);
  std::string required;
  keywords.key("properties");
  {
    Keywords properties(out);
    const auto property = [&](const auto& field) {
      using M = typename std::remove_cvref_t<decltype(field)>::Member;
      if (is_required(field, style.direction)) {
        if (!required.empty()) required.push_back(',');
        append_json_string(required, field.name);
      }
      properties.key(field.name);
      Keywords value(out);
      schema_keywords<M>(value, out, {style.direction, field.rules, false, style.depth + 1});
      std::string description = field.description;
      if (field.default_text != nullptr) {
        if (!description.empty()) description += description.back() == '.' ? " " : ". ";
        description += field.default_text;
      }
      if (!description.empty()) value.text("description", description);
      if (field.has_default && style.direction == Direction::kInput) encode(value.key("default"), T{}.*field.member);
      if (field.is_sensitive) value.key("x-sensitive") += "true";
      if (field.header_name != nullptr) value.text("x-mcp-header", field.header_name);
    };
    std::apply([&](const auto&... fields) { (property(fields), ...); }, fields_of<T>);
  }
  if (!required.empty()) keywords.key("required") += '[' + required + ']';
  keywords.key("additionalProperties") += "false";
}

/// Appends the keywords that describe T.
template <class T>
void schema_keywords(Keywords& keywords, std::string& out, const SchemaStyle& style) {
  SchemaStyle inner = style;
  if constexpr (std::same_as<T, bool>) {
    keywords.type("boolean", style.or_null);
  } else if constexpr (NamedEnum<T>) {
    keywords.type("string", style.or_null);
    keywords.key("enum").push_back('[');
    for (const auto& [value, name] : names_of<T>) {
      if (out.back() != '[') out.push_back(',');
      append_json_string(out, name);
    }
    out += style.or_null ? ",null]" : "]";
  } else if constexpr (std::integral<T>) {
    keywords.type("integer", style.or_null);
    if (std::unsigned_integral<T> && !style.rules.has_range) keywords.number("minimum", 0);
    range_keywords(keywords, style.rules);
  } else if constexpr (std::floating_point<T>) {
    keywords.type("number", style.or_null);
    range_keywords(keywords, style.rules);
  } else if constexpr (std::same_as<T, Uuid>) {
    string_keywords(keywords, style, "uuid");
  } else if constexpr (std::same_as<T, Time>) {
    string_keywords(keywords, style, "date-time");
  } else if constexpr (TextLike<T>) {
    string_keywords(keywords, style, nullptr);
  } else if constexpr (std::same_as<T, Json>) {
    // any value: no keyword
  } else if constexpr (is_optional<T>) {
    schema_keywords<typename T::value_type>(keywords, out, style);
  } else if constexpr (is_nullable<T>) {
    inner.or_null = true;
    schema_keywords<std::remove_cvref_t<decltype(*std::declval<T>())>>(keywords, out, inner);
  } else if constexpr (is_vector<T>) {
    keywords.type("array", style.or_null);
    inner.or_null = false;
    inner.rules.has_items = false;
    append_schema<typename T::value_type>(keywords.key("items"), inner);
    if (style.rules.has_items) {
      if (style.rules.min_items > 0) keywords.number("minItems", style.rules.min_items);
      keywords.number("maxItems", style.rules.max_items);
    }
  } else if constexpr (is_one_or_many<T>) {
    using Element = typename decltype(T::values)::value_type;
    keywords.key("anyOf").push_back('[');
    append_schema<Element>(out, inner);
    out.push_back(',');
    inner.or_null = false;
    append_schema<std::vector<Element>>(out, inner);
    out.push_back(']');
  } else if constexpr (Described<T>) {
    object_keywords<T>(keywords, out, style);
  } else {
    static_assert(always_false<T>, "describe this type with TH_FIELDS or TH_ENUM, in its own namespace");
  }
}

/// JSON Schema 2020-12 of T, compact.
template <Described T>
std::string schema_of(Direction direction) {
  std::string schema;
  append_schema<T>(schema, {direction, {}, false, 0});
  return schema;
}

}  // namespace detail
}  // namespace toolhost

/// Describes the members of struct T; in T's own namespace, after T and the types it uses:
///   TH_FIELDS(NewTicket, field("title", &NewTicket::title, "Short summary").range(1, 200),
///                        field("priority", &NewTicket::priority, "How urgent").defaulted())
#define TH_FIELDS(T, ...)                                                            \
  [[maybe_unused]] inline constexpr auto th_fields(std::type_identity<T>) noexcept { \
    using ::toolhost::field;                                                         \
    return std::make_tuple(__VA_ARGS__);                                             \
  }
