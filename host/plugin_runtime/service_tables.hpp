#pragma once
#include <chrono>
#include <cmath>
#include <string>
#include <string_view>

#include "plugin_runtime/host_services.hpp"

// What the C functions of the services share, and their tables. Included by the services only.
//
// The functions are called by foreign code, which must not see an exception: they are noexcept, so that running out of
// memory ends the process with the black box naming the plugin.

namespace toolhost::plugin_runtime::services {

extern const th_call_api call_table;
extern const th_json_api json_table;
extern const th_token_api token_table;
extern const th_args_api args_table;
extern const th_config_api config_table;
extern const th_db_api database_table;
extern const th_people_api people_table;
extern const th_reads_api reads_table;
extern const th_client_api client_table;
extern const th_catalog_api catalog_table;
extern const th_prompt_api prompt_table;
extern const th_complete_api complete_table;
extern const th_secrets_api secrets_table;
extern const th_metrics_api metrics_table;
extern const th_executor_api executor_table;

/// Of th_call_api, for the table of "toolhost.call/1".
th_status call_content(th_call* call, const th_content* block) noexcept;
th_status call_progress(th_call* call, double done, double total, th_str message) noexcept;
th_status call_defer(th_call* call) noexcept;
th_status call_complete(th_call* call, th_status status) noexcept;
th_status call_on_cancel(th_call* call, th_fn function, void* context) noexcept;

inline std::string_view view(th_str text) noexcept {
  return text.len == 0 ? std::string_view() : std::string_view(text.ptr, text.len);
}
inline th_str lend(std::string_view text) noexcept {
  return {text.data(), text.size()};
}
inline bool is_utf8(std::string_view text) noexcept {
  return simdjson::validate_utf8(text.data(), text.size());
}

inline std::int64_t wall_clock_us() noexcept {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// True when `call` runs on this thread; otherwise nothing of it may be touched.
inline bool answers(const th_call* call) noexcept {
  return call != nullptr && call->is_on_this_thread();
}

/// Notes what last_error() tells, and returns `status`.
inline th_status fail_with(th_call& call, th_status status, std::string_view message) {
  call.error_status = status;
  call.error_message = message;
  call.error_code.clear();
  call.error_detail.clear();
  return status;
}

inline th_status result_too_large(th_call& call) {
  return fail_with(call, TH_E_LIMIT,
                   "the result would be larger than " + std::to_string(call.start.max_result_bytes) + " bytes");
}

/// What `pointer` (RFC 6901) leads to.
inline bool look_up(const json::Value& root, std::string_view pointer, json::Value& found) noexcept {
  // Nearly every pointer names a member of the root: no need to unescape and walk.
  if (pointer.size() > 1 && pointer[0] == '/' && pointer.find_first_of("/~", 1) == std::string_view::npos) {
    json::Object object;
    if (root.get(object) == simdjson::SUCCESS) return object.at_key(pointer.substr(1)).get(found) == simdjson::SUCCESS;
  }
  return root.at_pointer(pointer).get(found) == simdjson::SUCCESS;
}

/// JSON Schema counts 3.0 as an integer, so a plugin that declared one must be able to read it.
inline bool as_integer(const json::Value& value, std::int64_t& out) noexcept {
  if (value.is_int64()) return value.get(out) == simdjson::SUCCESS;
  double number = 0;
  if (!value.is_double() || value.get(number) != simdjson::SUCCESS) return false;
  if (number < -0x1p63 || number >= 0x1p63 || number != std::trunc(number)) return false;
  out = static_cast<std::int64_t>(number);
  return true;
}

inline th_status nothing_at(th_call& call, th_str pointer) {
  return fail_with(call, TH_E_NOT_FOUND, "there is nothing at '" + std::string(view(pointer)) + "'");
}

inline th_status other_kind_at(th_call& call, th_str pointer, std::string_view wanted) {
  return fail_with(call, TH_E_INVALID, "what is at '" + std::string(view(pointer)) + "' is not " + std::string(wanted));
}

}  // namespace toolhost::plugin_runtime::services
