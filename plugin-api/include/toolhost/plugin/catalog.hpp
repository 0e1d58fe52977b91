#pragma once
#include <toolhost/plugin/call.hpp>
#include <toolhost/plugin/fields.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#if TH_ABI_TARGET >= 1
/// Resources, prompts and completions: what their methods are given. Needs TH_ABI_TARGET 1.
namespace toolhost {

/// The call that reads a resource. Push one text() or bytes() (or several, for a resource made of parts); none means that
/// there is no such thing.
class Reading : public Call {
 public:
  using Call::Call;

  /// What was asked for.
  [[nodiscard]] std::string uri() const {
    return detail::member_as<std::string>(args_json(), "uri").value_or(std::string());
  }
  /// A variable of the template, percent-decoded; empty when it has none of that name.
  [[nodiscard]] std::string variable(std::string_view name) const {
    const auto variables = detail::member(args_json(), "variables").value_or("{}");
    return detail::member_as<std::string>(variables, name).value_or(std::string());
  }
  void text(std::string_view text, std::string_view mime_type = {}) { content(Content::resource({}, text, mime_type)); }
  void bytes(std::string_view bytes, std::string_view mime_type = {}) { content(Content::blob({}, bytes, mime_type)); }
};

/// The call that makes a prompt.
class Prompting : public Call {
 public:
  using Call::Call;

  void user(std::string_view text) { message(TH_ROLE_USER, Content::text(text)); }
  void assistant(std::string_view text) { message(TH_ROLE_ASSISTANT, Content::text(text)); }
  /// `role`: TH_ROLE_*.
  void message(std::int32_t role, const Content& block) { check(prompt().message(handle(), role, &block.raw())); }
  /// What the prompt is for, with these arguments; else the declared description.
  void description(std::string_view text) { check(prompt().description(handle(), to_th(text))); }

 private:
  static const th_prompt_api& prompt() { return detail::need(detail::services.prompt, TH_SVC_PROMPT); }
  void check(th_status status) const { detail::check(handle(), status); }
};

/// The call that completes an argument of a prompt or a variable of a template.
class Completing : public Call {
 public:
  using Call::Call;

  /// Which argument, and what was typed so far.
  [[nodiscard]] std::string argument() const { return of("argument", "name"); }
  [[nodiscard]] std::string typed() const { return of("argument", "value"); }
  /// Another argument that is known already; empty when it is not.
  [[nodiscard]] std::string context(std::string_view name) const {
    const auto outer = detail::member(args_json(), "context").value_or("{}");
    return detail::member_as<std::string>(detail::member(outer, "arguments").value_or("{}"), name)
        .value_or(std::string());
  }
  /// Offers a value, best first.
  void value(std::string_view text) { check(complete().value(handle(), to_th(text))); }
  /// How many there are in all.
  void total(std::int64_t count) { check(complete().total(handle(), count)); }

 private:
  [[nodiscard]] std::string of(std::string_view object, std::string_view name) const {
    return detail::member_as<std::string>(detail::member(args_json(), object).value_or("{}"), name)
        .value_or(std::string());
  }
  static const th_complete_api& complete() { return detail::need(detail::services.complete, TH_SVC_COMPLETE); }
  void check(th_status status) const { detail::check(handle(), status); }
};

namespace plugin_options {

/// What resources and prompts under construction share.
template <class Self, class Def>
struct Offered {
  Def def{};

  Self&& title(const char* text) && { return set(def.title, text); }
  Self&& description(const char* text) && { return set(def.description, text); }
  /// MCP icons, a JSON array.
  Self&& icons(const char* json) && { return set(def.icons_json, json); }
  /// A JSON object that clients receive as _meta.
  Self&& meta(const char* json) && { return set(def.meta_json, json); }
  /// The longest that a call may take; otherwise the host's default holds.
  Self&& timeout(std::uint32_t milliseconds) && { return set(def.timeout_ms, milliseconds); }

 protected:
  template <class Member, class Value>
  Self&& set(Member& member, Value value) {
    member = value;
    return std::move(static_cast<Self&>(*this));
  }
};

/// One resource or template under construction.
struct Resource : Offered<Resource, th_resource_def> {
  Resource(const char* uri, const char* name, std::uint32_t flags, th_handler read, th_handler complete) {
    def.struct_size = sizeof def;
    def.flags = flags;
    def.uri = uri;
    def.name = name;
    def.read = read;
    def.complete = complete;
  }
  Resource&& mime_type(const char* type) && { return set(def.mime_type, type); }
  /// MCP annotations, a JSON object.
  Resource&& annotations(const char* json) && { return set(def.annotations_json, json); }
  Resource&& size(std::int64_t bytes) && { return set(def.size, bytes); }
  /// Never waits and uses no database: runs where the call arrived.
  Resource&& non_blocking() && { return set(def.flags, def.flags | TH_RESOURCE_NONBLOCKING); }
};

/// One prompt under construction.
struct Prompt : Offered<Prompt, th_prompt_def> {
  Prompt(const char* name, const th_prompt_argument* const* arguments, th_handler get, th_handler complete) {
    def.struct_size = sizeof def;
    def.name = name;
    def.arguments = arguments;
    def.get = get;
    def.complete = complete;
  }
  /// Never waits and uses no database: runs where the call arrived.
  Prompt&& non_blocking() && { return set(def.flags, def.flags | TH_PROMPT_NONBLOCKING); }
};

}  // namespace plugin_options

}  // namespace toolhost
#endif
