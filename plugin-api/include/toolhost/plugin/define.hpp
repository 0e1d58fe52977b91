#pragma once
#include <toolhost/plugin/call.hpp>
#include <toolhost/plugin/catalog.hpp>
#include <toolhost/plugin/fields.hpp>
#include <toolhost/plugin/guarded.hpp>
#include <toolhost/plugin/later.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

/// TH_PLUGIN: from a class to the plugin's definition, its entry and its identity card.
namespace toolhost {

namespace detail {

template <class Method>
struct MethodTraits;
template <class Result, class Class, class Input, bool kNoexcept>
struct MethodTraits<Result (Class::*)(Call&, Input) noexcept(kNoexcept)> {
  using Output = Result;
  using Arguments = std::remove_cvref_t<Input>;
};
template <class Result, class Class, class Input, bool kNoexcept>
struct MethodTraits<Result (Class::*)(Call&, Input) const noexcept(kNoexcept)> {
  using Output = Result;
  using Arguments = std::remove_cvref_t<Input>;
};
template <class Result, class Class, bool kNoexcept>
struct MethodTraits<Result (Class::*)(Call&) noexcept(kNoexcept)> {
  using Output = Result;
  using Arguments = void;
};
template <class Result, class Class, bool kNoexcept>
struct MethodTraits<Result (Class::*)(Call&) const noexcept(kNoexcept)> {
  using Output = Result;
  using Arguments = void;
};

/// A plugin's object and the host it belongs to.
template <class Class>
struct Instance {
  explicit Instance(th_host* handle) : host(handle), object(make(host)) {}
  static Class make(Host& host) {
    if constexpr (std::is_constructible_v<Class, Host&>) {
      return Class(host);
    } else {
      return Class();
    }
  }
  Host host;
  Class object;
};

/// What the host calls for one tool: decode, run, encode.
template <class Class, auto kMethod>
th_status run_tool(void* instance, void*, th_call* handle) {
  using Traits = MethodTraits<decltype(kMethod)>;
  auto& self = *static_cast<Instance<Class>*>(instance);
  Call call(self.host.handle(), handle);
  const th_status status = guarded(self.host.handle(), handle, [&]() -> th_status {
    const auto run = [&]() -> decltype(auto) {
      if constexpr (std::is_void_v<typename Traits::Arguments>) {
        return (self.object.*kMethod)(call);
      } else {
        typename Traits::Arguments arguments{};
        JsonReader reader(call.args_json());
        decode(reader, arguments);
        return (self.object.*kMethod)(call, arguments);
      }
    };
    if constexpr (std::is_void_v<typename Traits::Output>) {
      run();
#if TH_ABI_TARGET >= 1
    } else if constexpr (LaterTraits<std::remove_cvref_t<typename Traits::Output>>::kIsLater) {
      run();
      return TH_PENDING;
#endif
    } else {
      std::string structured;
      encode(structured, run());
      check(handle, services.call->structured(handle, to_th(structured)));
    }
    return TH_OK;
  });
#if TH_ABI_TARGET >= 1
  // Whatever was thrown after that: the promise says how the call ends.
  if (call.is_deferred()) return TH_PENDING;
#endif
  return status;
}

/// Metadata must outlive every instance, and a plugin must have no static destructors: it is never freed.
inline const char* keep(std::string_view text) {
  auto* kept = new char[text.size() + 1];
  *std::copy(text.begin(), text.end(), kept) = '\0';
  return kept;
}
/// The same for a list, which it ends with NULL.
template <class Item>
const Item* keep_list(const std::vector<Item>& list) {
  auto* kept = new Item[list.size() + 1];
  *std::copy(list.begin(), list.end(), kept) = nullptr;
  return kept;
}

#if TH_ABI_TARGET >= 1
template <class Method>
struct PromptTraits;
template <class Class, class Input, bool kNoexcept>
struct PromptTraits<void (Class::*)(Prompting&, Input) noexcept(kNoexcept)> {
  using Arguments = std::remove_cvref_t<Input>;
};
template <class Class, class Input, bool kNoexcept>
struct PromptTraits<void (Class::*)(Prompting&, Input) const noexcept(kNoexcept)> {
  using Arguments = std::remove_cvref_t<Input>;
};
template <class Class, bool kNoexcept>
struct PromptTraits<void (Class::*)(Prompting&) noexcept(kNoexcept)> {
  using Arguments = void;
};
template <class Class, bool kNoexcept>
struct PromptTraits<void (Class::*)(Prompting&) const noexcept(kNoexcept)> {
  using Arguments = void;
};

/// What the host calls for a method that takes nothing but its kind of call.
template <class Class, auto kMethod, class CallType>
th_status run_with(void* instance, void*, th_call* handle) {
  auto& self = *static_cast<Instance<Class>*>(instance);
  return guarded(self.host.handle(), handle, [&]() -> th_status {
    CallType call(self.host.handle(), handle);
    (self.object.*kMethod)(call);
    return TH_OK;
  });
}

/// The handler of completions; none for a nullptr.
template <class Class, auto kComplete>
constexpr th_handler completer() noexcept {
  if constexpr (std::is_null_pointer_v<decltype(kComplete)>) {
    return nullptr;
  } else {
    return &run_with<Class, kComplete, Completing>;
  }
}

/// What the host calls for one prompt.
template <class Class, auto kGet>
th_status run_prompt(void* instance, void* user, th_call* handle) {
  using Arguments = typename PromptTraits<decltype(kGet)>::Arguments;
  if constexpr (std::is_void_v<Arguments>) {
    return run_with<Class, kGet, Prompting>(instance, user, handle);
  } else {
    auto& self = *static_cast<Instance<Class>*>(instance);
    return guarded(self.host.handle(), handle, [&]() -> th_status {
      Prompting call(self.host.handle(), handle);
      Arguments arguments{};
      JsonReader reader(call.args_json());
      decode(reader, arguments);
      (self.object.*kGet)(call, arguments);
      return TH_OK;
    });
  }
}

/// The arguments of a prompt, as the members of Arguments describe them.
template <class Arguments>
const th_prompt_argument* const* prompt_arguments() {
  if constexpr (std::is_void_v<Arguments>) {
    return nullptr;
  } else {
    std::vector<const th_prompt_argument*> list;
    const auto add = [&list](const auto& field) {
      using M = typename std::remove_cvref_t<decltype(field)>::Member;
      static_assert(std::is_same_v<M, std::string> || std::is_same_v<M, std::optional<std::string>>,
                    "arguments of prompts are text");
      auto* argument = new th_prompt_argument{};
      argument->struct_size = sizeof *argument;
      argument->required = is_required(field, Direction::kInput) ? 1 : 0;
      argument->name = field.name;
      argument->description = field.description;
      list.push_back(argument);
    };
    std::apply([&](const auto&... fields) { (add(fields), ...); }, fields_of<Arguments>);
    return keep_list(list);
  }
}
#endif

}  // namespace detail

/// The options of TH_PLUGIN; named there without qualification.
namespace plugin_options {

/// Who makes the plugin.
struct vendor {
  const char* name;
  explicit constexpr vendor(const char* vendor_name) : name(vendor_name) {}
};

/// JSON Schema of the plugin's settings.
struct config_schema {
  const char* json;
  explicit constexpr config_schema(const char* schema_json) : json(schema_json) {}
};

/// Tables that all tenants read and that have no tenant column.
struct shared_tables {
  std::vector<const char*> names;
  template <class... Names>
  explicit shared_tables(Names... table_names) : names{table_names...} {}
};

/// Views of the plugin's schema that other plugins may read; see th_plugin_def.
struct exports {
  std::vector<const char*> names;
  template <class... Names>
  explicit exports(Names... view_names) : names{view_names...} {}
};

/// Views of other plugins: "tickets.ticket_titles", "?tickets.ticket_titles", "*.search_documents"; see th_plugin_def.
struct reads {
  std::vector<const char*> names;
  template <class... Names>
  explicit reads(Names... view_names) : names{view_names...} {}
};

/// One step of the schema; see th_migration.
struct Migration {
  std::uint32_t version;
  const char* name;
  const char* sql;
};

/// The schema, step by step: the list that toolhost_add_plugin(... MIGRATIONS ...) generates, or {{1, "tickets",
/// "create ..."}, ...}.
struct migrations {
  std::vector<const th_migration*> list;
  explicit migrations(const th_migration* const* generated) {
    for (; *generated != nullptr; ++generated) list.push_back(*generated);
  }
  template <std::size_t N>
  explicit migrations(const Migration (&steps)[N]) {
    for (const auto& [version, name, sql] : steps) {
      list.push_back(new th_migration{sizeof(th_migration), version, name, sql});
    }
  }
};

/// One tool under construction. Says nothing: not read-only, not destructive, not idempotent, not open-world.
struct Tool {
  th_tool_def def{};

  Tool&& title(const char* text) && { return set(def.title, text); }
  /// For the model: what the tool does and when to use it.
  Tool&& description(const char* text) && { return set(def.description, text); }
  /// A JSON object that clients receive as the tool's _meta.
  Tool&& meta(const char* json) && { return set(def.meta_json, json); }
  /// Enforced: its transaction refuses to write.
  Tool&& read_only() && { return flag(TH_TOOL_READ_ONLY); }
  /// May undo or overwrite what others made.
  Tool&& destructive() && { return flag(TH_TOOL_DESTRUCTIVE); }
  /// Repeating it changes nothing more; the host may run it again after a serialization failure.
  Tool&& idempotent() && { return flag(TH_TOOL_IDEMPOTENT); }
  /// Reaches beyond this host and its database.
  Tool&& open_world() && { return flag(TH_TOOL_OPEN_WORLD); }
  /// Never waits and uses no database: runs where the call arrived. See TH_TOOL_NONBLOCKING.
  Tool&& non_blocking() && { return flag(TH_TOOL_NONBLOCKING); }
  /// A job: run at least this often for each tenant.
  Tool&& every(std::uint32_t milliseconds) && { return set(def.interval_ms, milliseconds); }
  /// A job: run soon after something was written for the tenant.
  Tool&& after_writes() && { return flag(TH_TOOL_AFTER_WRITES); }
  /// JSON Schema of the arguments in place of the one made from their struct, for what a struct cannot say.
  Tool&& input_schema(const char* json) && { return set(def.input_schema, json); }
#if TH_ABI_TARGET >= 1
  /// MCP icons, a JSON array.
  Tool&& icons(const char* json) && { return set(def.icons_json, json); }
  /// One call at a time; the others wait without a worker.
  Tool&& serial() && { return flag(TH_TOOL_SERIAL); }
  /// At most so many calls at a time.
  Tool&& max_concurrency(std::uint32_t calls) && { return set(def.max_concurrency, calls); }
#endif
  /// The longest that a call may take; otherwise the host's default holds.
  Tool&& timeout(std::uint32_t milliseconds) && { return set(def.timeout_ms, milliseconds); }

 private:
  template <class Member, class Value>
  Tool&& set(Member& member, Value value) {
    member = value;
    return std::move(*this);
  }
  Tool&& flag(std::uint32_t bit) { return set(def.flags, def.flags | bit); }
};

}  // namespace plugin_options

namespace detail {

/// Builds the definition of a plugin whose object is a Class.
template <class Class>
class Definition {
 public:
  Definition(const char* id, const char* name, const char* version) {
    def_.struct_size = sizeof def_;
    def_.abi_minor = TH_ABI_TARGET;
    def_.abi_minor_required = TH_ABI_REQUIRED;
    def_.id = id;
    def_.name = name;
    def_.version = version;
    def_.create = [](th_host* host, void** instance) -> th_status {
      return guarded(host, nullptr, [&]() -> th_status {
        *instance = new Instance<Class>(host);
        return TH_OK;
      });
    };
    if constexpr (requires(Class& object) { object.quiesce(); }) {
      def_.quiesce = [](void* instance, std::int64_t) -> th_status {
        auto* self = static_cast<Instance<Class>*>(instance);
        return guarded(self->host.handle(), nullptr, [&]() -> th_status {
          self->object.quiesce();
          return TH_OK;
        });
      };
    }
    def_.destroy = [](void* instance) {
      const auto* self = static_cast<Instance<Class>*>(instance);
      guarded(self->host.handle(), nullptr, [&]() -> th_status {
        delete self;
        return TH_OK;
      });
    };
  }

  /// A tool run by a method: Output method(Call&, const Input&). Without Input it takes no arguments; Output may be
  /// void.
  template <auto kMethod>
  static plugin_options::Tool tool(const char* name) {
    using Traits = MethodTraits<decltype(kMethod)>;
    plugin_options::Tool made;
    made.def.struct_size = sizeof made.def;
    made.def.name = name;
    made.def.handle = &run_tool<Class, kMethod>;
    if constexpr (std::is_void_v<typename Traits::Arguments>) {
      made.def.input_schema = R"({"type":"object","properties":{},"additionalProperties":false})";
    } else {
      made.def.input_schema = keep(schema_of<typename Traits::Arguments>(Direction::kInput));
    }
#if TH_ABI_TARGET >= 1
    using Output = typename LaterTraits<std::remove_cvref_t<typename Traits::Output>>::Output;
#else
    using Output = std::remove_cvref_t<typename Traits::Output>;
#endif
    if constexpr (!std::is_void_v<Output>) made.def.output_schema = keep(schema_of<Output>(Direction::kOutput));
    return made;
  }

  /// A job run by a method, like a tool, but by the host itself; see TH_TOOL_JOB.
  template <auto kMethod>
  static plugin_options::Tool job(const char* name) {
    plugin_options::Tool made = tool<kMethod>(name);
    made.def.flags |= TH_TOOL_JOB;
    return made;
  }

  void add(const plugin_options::vendor& vendor) { def_.vendor = vendor.name; }
  void add(const plugin_options::config_schema& schema) { def_.config_schema = schema.json; }
  void add(const plugin_options::shared_tables& tables) { def_.shared_tables = keep_list(tables.names); }
  void add(const plugin_options::exports& views) { def_.exports = keep_list(views.names); }
  void add(const plugin_options::reads& views) { def_.reads = keep_list(views.names); }
  void add(const plugin_options::migrations& migrations) { def_.migrations = keep_list(migrations.list); }
  void add(const plugin_options::Tool& tool) { tools_.push_back(new th_tool_def(tool.def)); }
#if TH_ABI_TARGET >= 1
  /// A resource read by a method, void method(Reading&). `uri` is absolute.
  template <auto kRead>
  static plugin_options::Resource resource(const char* uri, const char* name) {
    return plugin_options::Resource(uri, name, 0, &run_with<Class, kRead, Reading>, nullptr);
  }
  /// Resources whose URIs have variables, as in "notes:/{id}"; the second method, void method(Completing&), may be left
  /// out.
  template <auto kRead, auto kComplete = nullptr>
  static plugin_options::Resource resource_template(const char* uri_template, const char* name) {
    return plugin_options::Resource(uri_template, name, TH_RESOURCE_TEMPLATE, &run_with<Class, kRead, Reading>,
                                    completer<Class, kComplete>());
  }
  /// A prompt made by a method: void method(Prompting&, const Arguments&), where the members of Arguments, described by
  /// TH_FIELDS, are std::string or std::optional<std::string>; or void method(Prompting&) without any.
  template <auto kGet, auto kComplete = nullptr>
  static plugin_options::Prompt prompt(const char* name) {
    using Arguments = typename PromptTraits<decltype(kGet)>::Arguments;
    return plugin_options::Prompt(name, prompt_arguments<Arguments>(), &run_prompt<Class, kGet>,
                                  completer<Class, kComplete>());
  }
  void add(const plugin_options::Resource& resource) { resources_.push_back(new th_resource_def(resource.def)); }
  void add(const plugin_options::Prompt& prompt) { prompts_.push_back(new th_prompt_def(prompt.def)); }
#endif

  const th_plugin_def* finish() {
    const char* database = def_.migrations != nullptr ? TH_SVC_DB : "?" TH_SVC_DB;
    std::vector<const char*> used{TH_SVC_CALL,      database,          "?" TH_SVC_CONFIG,
                                  "?" TH_SVC_TOKEN, "?" TH_SVC_PEOPLE, "?" TH_SVC_READS};
#if TH_ABI_TARGET >= 1
    used.insert(used.end(),
                {"?" TH_SVC_CLIENT, "?" TH_SVC_CATALOG, "?" TH_SVC_SECRETS, "?" TH_SVC_METRICS, "?" TH_SVC_EXECUTOR});
    if (!prompts_.empty()) used.push_back(TH_SVC_PROMPT);
    used.push_back("?" TH_SVC_COMPLETE);
    def_.resources = keep_list(resources_);
    def_.prompts = keep_list(prompts_);
#endif
    def_.services = keep_list(used);
    def_.tools = keep_list(tools_);
    return new th_plugin_def(def_);
  }

 private:
  th_plugin_def def_{};
  std::vector<const th_tool_def*> tools_;
#if TH_ABI_TARGET >= 1
  std::vector<const th_resource_def*> resources_;
  std::vector<const th_prompt_def*> prompts_;
#endif
};

template <class Table>
const Table* service(const th_host_api* core, th_host* host, const char* id) {
  return static_cast<const Table*>(core->get_service(host, id));
}

/// The body of the entry: notes the host's tables, then lets `define` make the definition, once.
template <class Define>
th_status enter(const th_host_api* core, th_host* host, const th_plugin_def** out, Define&& define) noexcept {
  services.core = core;
  services.call = service<th_call_api>(core, host, TH_SVC_CALL);
  services.db = service<th_db_api>(core, host, TH_SVC_DB);
  services.config = service<th_config_api>(core, host, TH_SVC_CONFIG);
  services.token = service<th_token_api>(core, host, TH_SVC_TOKEN);
  services.people = service<th_people_api>(core, host, TH_SVC_PEOPLE);
  services.reads = service<th_reads_api>(core, host, TH_SVC_READS);
#if TH_ABI_TARGET >= 1
  services.client = service<th_client_api>(core, host, TH_SVC_CLIENT);
  services.catalog = service<th_catalog_api>(core, host, TH_SVC_CATALOG);
  services.prompt = service<th_prompt_api>(core, host, TH_SVC_PROMPT);
  services.complete = service<th_complete_api>(core, host, TH_SVC_COMPLETE);
  services.secrets = service<th_secrets_api>(core, host, TH_SVC_SECRETS);
  services.metrics = service<th_metrics_api>(core, host, TH_SVC_METRICS);
  services.executor = service<th_executor_api>(core, host, TH_SVC_EXECUTOR);
#endif
  return guarded(host, nullptr, [&]() -> th_status {
    if (services.definition == nullptr) services.definition = define();
    *out = services.definition;
    return TH_OK;
  });
}

/// [a-z][a-z0-9_]*(\.[a-z0-9_]+)*, at most 47 bytes.
constexpr bool is_plugin_id(std::string_view id) noexcept {
  if (id.empty() || id.size() > 47 || id.front() < 'a' || id.front() > 'z' || id.back() == '.') return false;
  for (std::size_t i = 0; i < id.size(); ++i) {
    const char c = id[i];
    const bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    if (!word && !(c == '.' && id[i - 1] != '.')) return false;
  }
  return true;
}

}  // namespace detail
}  // namespace toolhost

/// Makes a plugin of a class; once per plugin, at global scope. The class has a default constructor or one that takes
/// toolhost::Host&; its methods run on several threads at a time. With threads of its own it has void quiesce(), which
/// ends them. Options, in any order:
///   tool<&Class::method>("name").title("...").description("...").read_only()...
///   job<&Class::method>("name").every(60'000).after_writes()...
///   vendor("..."), config_schema("{...}"), migrations(toolhost_migrations), shared_tables("a", "b"),
///   exports("view"), reads("other.view", "*.search_documents")
/// and with TH_ABI_TARGET 1:
///   resource<&Class::read>("notes:/all", "notes").title("...").mime_type("text/plain")...
///   resource_template<&Class::read, &Class::complete>("notes:/{id}", "note")...
///   prompt<&Class::get, &Class::complete>("name").title("...").description("...")...
#define TH_PLUGIN(Class, plugin_id, plugin_name, plugin_version, ...)                                          \
  static_assert(::toolhost::detail::is_plugin_id(plugin_id),                                                   \
                "a plugin id is [a-z][a-z0-9_]*(\\.[a-z0-9_]+)*, at most 47 bytes");                           \
  TH_CARD(plugin_id, plugin_version);                                                                          \
  extern "C" th_status toolhost_plugin_v1(const th_host_api* core, th_host* host, const th_plugin_def** out) { \
    return ::toolhost::detail::enter(core, host, out, [] {                                                     \
      struct Builder : ::toolhost::detail::Definition<Class> {                                                 \
        using Definition = ::toolhost::detail::Definition<Class>;                                              \
        Builder() : Definition(plugin_id, plugin_name, plugin_version) {                                       \
          using namespace ::toolhost::plugin_options;                                                          \
          const auto add_all = [this](const auto&... options) { (this->add(options), ...); };                  \
          add_all(__VA_ARGS__);                                                                                \
        }                                                                                                      \
      };                                                                                                       \
      return Builder().finish();                                                                               \
    });                                                                                                        \
  }
