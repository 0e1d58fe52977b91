#include "plugin_runtime/service_tables.hpp"

namespace toolhost::plugin_runtime::services {
namespace {

// ---- toolhost.args/1

int32_t kind_of(const json::Value& value) noexcept {
  std::int64_t integer = 0;
  switch (value.type()) {
    case simdjson::dom::element_type::NULL_VALUE:
      return TH_J_NULL;
    case simdjson::dom::element_type::BOOL:
      return TH_J_BOOL;
    case simdjson::dom::element_type::STRING:
      return TH_J_STRING;
    case simdjson::dom::element_type::ARRAY:
      return TH_J_ARRAY;
    case simdjson::dom::element_type::OBJECT:
      return TH_J_OBJECT;
    case simdjson::dom::element_type::INT64:
    case simdjson::dom::element_type::UINT64:
    case simdjson::dom::element_type::DOUBLE:
      return as_integer(value, integer) ? TH_J_INT : TH_J_NUMBER;
  }
  return TH_J_ABSENT;
}

/// One typed getter of toolhost.args/1.
template <class Read>
th_status read_argument(th_call* call, th_str pointer, const void* out, std::string_view wanted, Read read) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (out == nullptr) return fail_with(*call, TH_E_MISUSE, "out is NULL");
  json::Value value;
  if (!look_up(call->start.call->arguments, view(pointer), value)) return nothing_at(*call, pointer);
  return read(value) ? TH_OK : other_kind_at(*call, pointer, wanted);
}

int32_t args_kind(th_call* call, th_str pointer) noexcept {
  json::Value value;
  if (!answers(call) || !look_up(call->start.call->arguments, view(pointer), value)) return TH_J_ABSENT;
  return kind_of(value);
}

th_status args_str(th_call* call, th_str pointer, th_str* out) noexcept {
  return read_argument(call, pointer, out, "a string", [&](const json::Value& value) {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS) return false;
    *out = lend(text);
    return true;
  });
}

th_status args_i64(th_call* call, th_str pointer, int64_t* out) noexcept {
  return read_argument(call, pointer, out, "an integer of 64 bits", [&](const json::Value& value) {
    std::int64_t integer = 0;
    if (!as_integer(value, integer)) return false;
    *out = integer;
    return true;
  });
}

th_status args_f64(th_call* call, th_str pointer, double* out) noexcept {
  return read_argument(call, pointer, out, "a number",
                       [&](const json::Value& value) { return value.get(*out) == simdjson::SUCCESS; });
}

th_status args_boolean(th_call* call, th_str pointer, int32_t* out) noexcept {
  return read_argument(call, pointer, out, "a boolean", [&](const json::Value& value) {
    bool flag = false;
    if (value.get(flag) != simdjson::SUCCESS) return false;
    *out = flag ? 1 : 0;
    return true;
  });
}

th_status args_size(th_call* call, th_str pointer, size_t* out) noexcept {
  return read_argument(call, pointer, out, "an array or object", [&](const json::Value& value) {
    json::Array array;
    json::Object object;
    if (value.get(array) == simdjson::SUCCESS) {
      // simdjson's own count saturates at 2^24 - 1, which no bounded request reaches.
      *out = array.size();
      return true;
    }
    if (value.get(object) != simdjson::SUCCESS) return false;
    *out = object.size();
    return true;
  });
}

th_status args_key(th_call* call, th_str pointer, size_t index, th_str* out) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (out == nullptr) return fail_with(*call, TH_E_MISUSE, "out is NULL");
  json::Value value;
  json::Object object;
  if (!look_up(call->start.call->arguments, view(pointer), value)) return nothing_at(*call, pointer);
  if (value.get(object) != simdjson::SUCCESS) return other_kind_at(*call, pointer, "an object");
  for (const auto& field : object) {
    if (index-- > 0) continue;
    *out = lend(field.key);
    return TH_OK;
  }
  return fail_with(*call, TH_E_NOT_FOUND, "the object has fewer members");
}

// ---- toolhost.config/1

/// The settings in force for the call's tenant; without a call the plugin's own.
PluginSettings& settings_of(th_host& host, th_call* call) noexcept {
  return call == nullptr ? host.settings() : call->settings();
}

/// A setting; TH_E_MISUSE when `call` is given but not running here.
th_status find_setting(th_host* host, th_call* call, th_str pointer, const void* out, json::Value& found) {
  if (host == nullptr || out == nullptr || (call != nullptr && !answers(call))) return TH_E_MISUSE;
  if (look_up(settings_of(*host, call).root(), view(pointer), found)) return TH_OK;
  return call == nullptr ? TH_E_NOT_FOUND : nothing_at(*call, pointer);
}

th_status config_str(th_host* host, th_call* call, th_str pointer, th_str* out) noexcept {
  json::Value value;
  if (const auto status = find_setting(host, call, pointer, out, value); status != TH_OK) return status;
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS)
    return call == nullptr ? TH_E_INVALID : other_kind_at(*call, pointer, "a string");
  *out = lend(text);
  return TH_OK;
}

th_status config_i64(th_host* host, th_call* call, th_str pointer, int64_t* out) noexcept {
  json::Value value;
  if (const auto status = find_setting(host, call, pointer, out, value); status != TH_OK) return status;
  std::int64_t integer = 0;
  if (!as_integer(value, integer))
    return call == nullptr ? TH_E_INVALID : other_kind_at(*call, pointer, "an integer of 64 bits");
  *out = integer;
  return TH_OK;
}

th_status config_json(th_host* host, th_call* call, th_str pointer, th_str* out) noexcept {
  json::Value value;
  if (const auto status = find_setting(host, call, pointer, out, value); status != TH_OK) return status;
  *out = lend(settings_of(*host, call).text(view(pointer), value));
  return TH_OK;
}

// ---- toolhost.reads/1

th_status reads_view(th_host* host, size_t index, th_str* plugin_id, th_str* sql_name) noexcept {
  if (host == nullptr || plugin_id == nullptr || sql_name == nullptr) return TH_E_MISUSE;
  if (index >= host->readable_views().size()) return TH_E_NOT_FOUND;
  const auto& found = host->readable_views()[index];
  *plugin_id = lend(found.plugin);
  *sql_name = lend(found.sql_name);
  return TH_OK;
}

}  // namespace

constexpr th_args_api args_table{sizeof(th_args_api), 0,         args_kind, args_str, args_i64, args_f64,
                                 args_boolean,        args_size, args_key};
constexpr th_config_api config_table{sizeof(th_config_api), 0, config_str, config_i64, config_json};
constexpr th_reads_api reads_table{sizeof(th_reads_api), 0, reads_view};

}  // namespace toolhost::plugin_runtime::services
