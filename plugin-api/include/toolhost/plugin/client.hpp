#pragma once
#include <toolhost/plugin/error.hpp>
#include <toolhost/plugin/fields.hpp>
#include <toolhost/plugin/json.hpp>
#include <toolhost/plugin/values.hpp>

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if TH_ABI_TARGET >= 1
/// What a call says to its client and asks of it; used through Call. Needs TH_ABI_TARGET 1.
namespace toolhost {

namespace detail {

/// Thrown by Call::ask() when the client is being asked: the handler ends here and runs again with the answer. No
/// std::exception, so that a handler's own catch lets it pass; do not swallow it by catch (...).
struct Asked {};

/// The JSON text of a member of an object; nothing when it is not there.
inline std::optional<std::string_view> member(std::string_view object, std::string_view name) {
  JsonReader reader(object);
  std::optional<std::string_view> found;
  if (reader.peek() != '{') return found;
  reader.object([&](std::string_view key) {
    const std::string_view value = reader.raw();
    if (key == name && !found) found = value;
  });
  return found;
}

template <class T>
std::optional<T> member_as(std::string_view object, std::string_view name) {
  const auto value = member(object, name);
  if (!value || *value == "null") return std::nullopt;
  JsonReader reader(*value);
  T decoded{};
  decode(reader, decoded);
  return decoded;
}

}  // namespace detail

/// One block of content. Borrows what it is given: pass it on at once.
class Content {
 public:
  static Content text(std::string_view text) {
    Content made(TH_C_TEXT);
    made.raw_.text = to_th(text);
    return made;
  }
  /// `bytes` raw, e.g. a PNG file; `mime_type` e.g. "image/png".
  static Content image(std::string_view bytes, std::string_view mime_type) {
    return media(TH_C_IMAGE, bytes, mime_type);
  }
  static Content audio(std::string_view bytes, std::string_view mime_type) {
    return media(TH_C_AUDIO, bytes, mime_type);
  }
  /// A resource that the client may read.
  static Content link(std::string_view uri, std::string_view name) {
    Content made(TH_C_LINK);
    made.raw_.uri = to_th(uri);
    made.raw_.name = to_th(name);
    return made;
  }
  /// A resource itself, as text or as bytes.
  static Content resource(std::string_view uri, std::string_view text, std::string_view mime_type = {}) {
    Content made = media(TH_C_RESOURCE, {}, mime_type);
    made.raw_.uri = to_th(uri);
    made.raw_.text = to_th(text);
    return made;
  }
  static Content blob(std::string_view uri, std::string_view bytes, std::string_view mime_type = {}) {
    Content made = media(TH_C_RESOURCE, bytes, mime_type);
    made.raw_.uri = to_th(uri);
    made.raw_.flags = TH_C_IS_BYTES;
    return made;
  }

  /// Of a link.
  Content& title(std::string_view text) { return set(raw_.title, text); }
  Content& description(std::string_view text) { return set(raw_.description, text); }
  Content& mime_type(std::string_view type) { return set(raw_.mime_type, type); }
  Content& icons(std::string_view json) { return set(raw_.icons_json, json); }
  Content& size(std::int64_t bytes) {
    raw_.size = bytes;
    return *this;
  }
  /// Of any kind: JSON objects.
  Content& annotations(std::string_view json) { return set(raw_.annotations_json, json); }
  Content& meta(std::string_view json) { return set(raw_.meta_json, json); }

  [[nodiscard]] const th_content& raw() const noexcept { return raw_; }

 private:
  explicit Content(std::uint32_t kind) noexcept {
    raw_.struct_size = sizeof raw_;
    raw_.kind = kind;
  }
  static Content media(std::uint32_t kind, std::string_view bytes, std::string_view mime_type) {
    Content made(kind);
    made.raw_.bytes = to_th(bytes);
    made.raw_.mime_type = to_th(mime_type);
    return made;
  }
  Content& set(th_str& field, std::string_view text) {
    field = to_th(text);
    return *this;
  }
  th_content raw_{};
};

/// A question to the client: what kind, and the "params" of the MCP request. Made of Form, Url, Sampling and Roots.
struct Ask {
  std::uint32_t kind;
  std::string params;
};

/// Asks the person to fill in a form. Fields come in the order in which they were added; all are required, unless
/// optional() follows.
///   Form("Close T-17?").boolean("ok", "Close it")
class Form {
 public:
  explicit Form(std::string_view message) : message_(message) {}

  Form& text(std::string_view name, std::string_view description = {}) { return simple(name, "string", description); }
  Form& integer(std::string_view name, std::string_view description = {}) {
    return simple(name, "integer", description);
  }
  Form& number(std::string_view name, std::string_view description = {}) { return simple(name, "number", description); }
  Form& boolean(std::string_view name, std::string_view description = {}) {
    return simple(name, "boolean", description);
  }
  /// One of these words.
  Form& choice(std::string_view name, std::initializer_list<std::string_view> words,
               std::string_view description = {}) {
    std::string schema = R"({"type":"string","enum":[)";
    for (const std::string_view word : words) {
      if (schema.back() != '[') schema.push_back(',');
      detail::append_json_string(schema, word);
    }
    schema.push_back(']');
    return described(name, std::move(schema), description);
  }
  /// With a schema of your own, of the kinds that MCP allows in forms.
  Form& property(std::string_view name, std::string_view schema_json) {
    fields_.push_back({std::string(name), std::string(schema_json), true});
    return *this;
  }
  /// The field added last may stay empty.
  Form& optional() {
    if (!fields_.empty()) fields_.back().required = false;
    return *this;
  }

  operator Ask() const {
    std::string params = R"({"message":)", required;
    detail::append_json_string(params, message_);
    params += R"(,"requestedSchema":{"type":"object","properties":{)";
    for (const auto& field : fields_) {
      if (&field != &fields_.front()) params.push_back(',');
      detail::append_json_string(params, field.name);
      params += ':' + field.schema;
      if (!field.required) continue;
      if (!required.empty()) required.push_back(',');
      detail::append_json_string(required, field.name);
    }
    params.push_back('}');
    if (!required.empty()) params += R"(,"required":[)" + required + ']';
    return {TH_ASK_FORM, params + "}}"};
  }

 private:
  struct Property {
    std::string name, schema;
    bool required;
  };
  Form& simple(std::string_view name, const char* type, std::string_view description) {
    return described(name, R"({"type":")" + std::string(type) + '"', description);
  }
  Form& described(std::string_view name, std::string schema, std::string_view description) {
    if (!description.empty()) {
      schema += R"(,"description":)";
      detail::append_json_string(schema, description);
    }
    return property(name, schema + '}');
  }
  std::string message_;
  std::vector<Property> fields_;
};

/// Sends the person to a web page, for what must not pass through the assistant.
struct Url {
  std::string message, url;

  operator Ask() const {
    std::string params = R"({"message":)";
    detail::append_json_string(params, message);
    params += R"(,"url":)";
    detail::append_json_string(params, url);
    return {TH_ASK_URL, params + '}'};
  }
};

/// Asks the assistant's model.
class Sampling {
 public:
  explicit Sampling(std::int64_t max_tokens) : max_tokens_(max_tokens) {}

  Sampling& user(std::string_view text) { return message("user", text); }
  Sampling& assistant(std::string_view text) { return message("assistant", text); }
  Sampling& system(std::string_view text) {
    more_ += R"(,"systemPrompt":)";
    detail::append_json_string(more_, text);
    return *this;
  }
  /// Any other member of the params, as JSON.
  Sampling& with(std::string_view name, std::string_view json) {
    more_.push_back(',');
    detail::append_json_string(more_, name);
    more_.append(":").append(json);
    return *this;
  }

  operator Ask() const {
    return {TH_ASK_SAMPLING,
            R"({"messages":[)" + messages_ + R"(],"maxTokens":)" + std::to_string(max_tokens_) + more_ + '}'};
  }

 private:
  Sampling& message(const char* role, std::string_view text) {
    if (!messages_.empty()) messages_.push_back(',');
    messages_ += R"({"role":")" + std::string(role) + R"(","content":{"type":"text","text":)";
    detail::append_json_string(messages_, text);
    messages_ += "}}";
    return *this;
  }
  std::int64_t max_tokens_;
  std::string messages_, more_;
};

/// Asks which directories or files the assistant works on.
struct Roots {
  operator Ask() const { return {TH_ASK_ROOTS, "{}"}; }
};

/// A place that the assistant works on.
struct Root {
  std::string uri, name;
};

/// The client's answer to one question.
class Answer {
 public:
  explicit Answer(std::string_view result_json) : json_(result_json) {}

  /// Of a form or a page: what the person did.
  [[nodiscard]] bool accepted() const { return action() == "accept"; }
  [[nodiscard]] bool declined() const { return action() == "decline"; }
  [[nodiscard]] bool cancelled() const { return action() == "cancel"; }
  [[nodiscard]] std::string action() const {
    return detail::member_as<std::string>(json_, "action").value_or(std::string());
  }

  /// Of a form: one field; nothing when it was left empty. Throws Error when it is of another kind.
  template <class T>
  [[nodiscard]] std::optional<T> get(std::string_view name) const {
    return detail::member_as<T>(content_json(), name);
  }
  /// Of a form: all of it, as a struct described by TH_FIELDS.
  template <class T>
  [[nodiscard]] T content() const {
    detail::JsonReader reader(content_json());
    T decoded{};
    detail::decode(reader, decoded);
    return decoded;
  }
  [[nodiscard]] std::string_view content_json() const { return detail::member(json_, "content").value_or("{}"); }

  /// Of the model: its text, all blocks of it.
  [[nodiscard]] std::string text() const {
    std::string text;
    const std::string_view content = content_json();
    const auto add = [&](std::string_view block) {
      text += detail::member_as<std::string>(block, "text").value_or(std::string());
    };
    detail::JsonReader reader(content);
    if (reader.peek() != '[') {
      add(content);
    } else {
      reader.array([&] { add(reader.raw()); });
    }
    return text;
  }

  /// Of Roots.
  [[nodiscard]] std::vector<Root> roots() const {
    std::vector<Root> found;
    detail::JsonReader reader(detail::member(json_, "roots").value_or("[]"));
    reader.array([&] {
      const std::string_view root = reader.raw();
      found.push_back({detail::member_as<std::string>(root, "uri").value_or(std::string()),
                       detail::member_as<std::string>(root, "name").value_or(std::string())});
    });
    return found;
  }

  /// The whole result of the MCP request.
  [[nodiscard]] const std::string& json() const noexcept { return json_; }

 private:
  std::string json_;
};

}  // namespace toolhost
#endif
