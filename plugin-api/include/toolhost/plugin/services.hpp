#pragma once
#include <toolhost/plugin/error.hpp>
#include <toolhost/plugin/values.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace toolhost::detail {

/// The host's tables and the plugin's definition, set by the entry and read by everything after it. One in each plugin.
struct Services {
  const th_host_api* core = nullptr;
  const th_call_api* call = nullptr;
  const th_db_api* db = nullptr;
  const th_config_api* config = nullptr;
  const th_token_api* token = nullptr;
  const th_people_api* people = nullptr;
  const th_reads_api* reads = nullptr;
#if TH_ABI_TARGET >= 1
  const th_client_api* client = nullptr;
  const th_catalog_api* catalog = nullptr;
  const th_prompt_api* prompt = nullptr;
  const th_complete_api* complete = nullptr;
  const th_secrets_api* secrets = nullptr;
  const th_metrics_api* metrics = nullptr;
  const th_executor_api* executor = nullptr;
#endif
  const th_plugin_def* definition = nullptr;  // keeps all metadata reachable for leak checkers
};
inline Services services;

template <class Table>
const Table& need(const Table* table, const char* id) {
  if (table == nullptr) throw Error(TH_E_UNSUPPORTED, std::string("this host has no ") + id);
  return *table;
}

inline th_error last_error(th_call* call) noexcept {
  th_error error{};
  error.struct_size = sizeof error;
  services.call->last_error(call, &error);
  return error;
}

/// Throws Error when a service function failed.
inline void check(th_call* call, th_status status) {
  if (status < 0) throw Error(status, std::string(view(last_error(call).message)));
}

/// Throws SqlError when a function of the database service failed.
inline void check_sql(th_call* call, th_status status) {
  if (status >= 0) return;
  const th_error error = last_error(call);
  throw SqlError(status, std::string(view(error.message)), std::string(view(error.code)),
                 std::string(view(error.detail)));
}

/// A setting as text or number; nothing when it is not set or of another kind.
inline std::optional<std::string> setting(th_host* host, th_call* call, std::string_view pointer) {
  th_str text{};
  if (services.config == nullptr || services.config->str(host, call, to_th(pointer), &text) != TH_OK)
    return std::nullopt;
  return std::string(view(text));
}
inline std::optional<std::int64_t> setting_i64(th_host* host, th_call* call, std::string_view pointer) {
  std::int64_t number = 0;
  if (services.config == nullptr || services.config->i64(host, call, to_th(pointer), &number) != TH_OK)
    return std::nullopt;
  return number;
}
inline std::optional<std::string> setting_json(th_host* host, th_call* call, std::string_view pointer) {
  th_str text{};
  if (services.config == nullptr || services.config->json(host, call, to_th(pointer), &text) != TH_OK)
    return std::nullopt;
  return std::string(view(text));
}

}  // namespace toolhost::detail
