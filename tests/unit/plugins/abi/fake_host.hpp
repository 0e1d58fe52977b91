#pragma once
#include <toolhost/plugin.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

/// A host for tests of the wrapper: records what the plugin pushes and answers statements from a script. One thread.
struct th_host {
  std::vector<std::string> log;
  std::map<std::string, std::string> settings;  ///< by pointer; text
};

struct th_rows {
  std::vector<th_value> values;  ///< row by row
  std::size_t columns = 1;
  std::size_t next_row = 0;
  bool closed = false;
};

struct th_call {
  struct Statement {
    std::string sql;
    std::vector<std::uint32_t> types;
    std::uint32_t flags;
  };

  std::string arguments = "{}";
  std::vector<std::string> texts;
  std::string structured;
  th_status failure = TH_OK;  ///< what fail() was told
  std::string failure_message;
  std::vector<Statement> statements;
  std::vector<std::int32_t> savepoints;
  th_rows rows;
  th_status database_status = TH_OK;  ///< what every statement answers
  th_status text_status = TH_OK;      ///< what text() answers
  bool cancelled = false;
  std::string token;  ///< keeps what seal() and open() lend
};

namespace fake {

inline std::string_view view(th_str text) {
  return {text.ptr, text.len};
}
inline th_str lend(std::string_view text) {
  return {text.data(), text.size()};
}

inline const th_call_api call_api = {
    .struct_size = sizeof(th_call_api),
    .reserved = 0,
    .info =
        [](th_call*, th_call_info* out) {
          out->tenant = lend("demo");
          out->principal = lend("ann@example.org");
          out->key_prefix = lend("hdsk_abc123");
          out->request_id = lend("r-1");
          out->tool = lend("t");
          out->idempotency_key = lend("once");
          out->time_zone = lend("Europe/Berlin");
          out->deadline_us = 99;
          out->role = lend("agent");
          return th_status{TH_OK};
        },
    .args_json = [](th_call* call) { return lend(call->arguments); },
    .text =
        [](th_call* call, th_str text) {
          if (call->text_status == TH_OK) call->texts.emplace_back(view(text));
          return call->text_status;
        },
    .structured =
        [](th_call* call, th_str json) {
          call->structured = view(json);
          return th_status{TH_OK};
        },
    .fail =
        [](th_call* call, th_status status, th_str message) {
          call->failure = status;
          call->failure_message = view(message);
          return status;
        },
    .last_error =
        [](th_call* call, th_error* out) {
          out->status = call->database_status != TH_OK ? call->database_status : call->text_status;
          out->message = lend("it did not work");
          out->code = lend(call->database_status != TH_OK ? "23505" : "");
          out->detail = lend("secret detail");
          return th_status{TH_OK};
        },
    .cancelled = [](th_call* call) -> std::int32_t { return call->cancelled ? 1 : 0; }};

inline th_status run(th_call* call, th_str sql, const th_value* parameters, std::size_t n, std::uint32_t flags) {
  auto& statement = call->statements.emplace_back(th_call::Statement{std::string(view(sql)), {}, flags});
  for (std::size_t i = 0; i < n; ++i) statement.types.push_back(parameters[i].type);
  return call->database_status;
}

inline const th_db_api db_api = {
    .struct_size = sizeof(th_db_api),
    .reserved = 0,
    .exec =
        [](th_call* call, th_str sql, const th_value* parameters, std::size_t n, std::uint32_t flags,
           std::int64_t* affected) {
          *affected = 2;
          return run(call, sql, parameters, n, flags);
        },
    .query =
        [](th_call* call, th_str sql, const th_value* parameters, std::size_t n, std::uint32_t flags, th_rows** out) {
          *out = &call->rows;
          return run(call, sql, parameters, n, flags);
        },
    .next = [](th_rows* rows, const th_value** row) -> th_status {
      if (rows->next_row * rows->columns == rows->values.size()) return TH_END;
      *row = &rows->values[rows->next_row++ * rows->columns];
      return TH_OK;
    },
    .columns = [](th_rows* rows) { return rows->columns; },
    .column_name = [](th_rows*, std::size_t) { return lend("column"); },
    .close = [](th_rows* rows) { rows->closed = true; },
    .savepoint =
        [](th_call* call, std::int32_t operation) {
          call->savepoints.push_back(operation);
          return th_status{TH_OK};
        }};

inline const th_config_api config_api = {
    .struct_size = sizeof(th_config_api),
    .reserved = 0,
    .str = [](th_host* host, th_call*, th_str pointer, th_str* out) -> th_status {
      const auto found = host->settings.find(std::string(view(pointer)));
      if (found == host->settings.end()) return TH_E_NOT_FOUND;
      *out = lend(found->second);
      return TH_OK;
    },
    .i64 = [](th_host*, th_call*, th_str, std::int64_t*) -> th_status { return TH_E_INVALID; },
    .json = [](th_host*, th_call*, th_str, th_str*) -> th_status { return TH_E_NOT_FOUND; }};

inline const th_token_api token_api = {.struct_size = sizeof(th_token_api),
                                       .reserved = 0,
                                       .seal =
                                           [](th_call* call, th_str data, th_str* token) {
                                             call->token = "sealed-" + std::string(view(data));
                                             *token = lend(call->token);
                                             return th_status{TH_OK};
                                           },
                                       .open = [](th_call* call, th_str token, th_str* data) -> th_status {
                                         if (!view(token).starts_with("sealed-")) return TH_E_INVALID;
                                         call->token = view(token).substr(7);
                                         *data = lend(call->token);
                                         return TH_OK;
                                       }};

/// Twenty members, whatever the text.
inline const th_people_api people_api = {
    .struct_size = sizeof(th_people_api),
    .reserved = 0,
    .find = [](th_call*, th_str text, th_person* out, std::size_t capacity, std::size_t* found) {
      *found = 20;
      for (std::size_t i = 0; i < capacity && i < *found; ++i)
        out[i] = {lend("ann@example.org"), text, lend(i == 19 ? "admin" : "viewer")};
      return th_status{TH_OK};
    }};

inline const th_reads_api reads_api = {
    .struct_size = sizeof(th_reads_api),
    .reserved = 0,
    .view = [](th_host*, std::size_t index, th_str* plugin, th_str* name) -> th_status {
      if (index >= 2) return TH_E_NOT_FOUND;
      *plugin = lend(index == 0 ? "tickets" : "tasks");
      *name = lend(index == 0 ? "\"tickets\".\"titles\"" : "\"tasks\".\"titles\"");
      return TH_OK;
    }};

inline const th_host_api host_api = {.struct_size = sizeof(th_host_api),
                                     .abi_minor = TH_ABI_MINOR,
                                     .product = "Toolhost",
                                     .version = "test",
                                     .get_service = [](th_host*, const char* id) -> const void* {
                                       const std::string_view wanted = id;
                                       if (wanted == TH_SVC_CALL) return &call_api;
                                       if (wanted == TH_SVC_DB) return &db_api;
                                       if (wanted == TH_SVC_CONFIG) return &config_api;
                                       if (wanted == TH_SVC_TOKEN) return &token_api;
                                       if (wanted == TH_SVC_PEOPLE) return &people_api;
                                       if (wanted == TH_SVC_READS) return &reads_api;
                                       return nullptr;
                                     },
                                     .log = [](th_host* host, th_call*, std::int32_t, th_str message, const th_str*,
                                               std::size_t) { host->log.emplace_back(view(message)); },
                                     .log_enabled = [](th_host*, std::int32_t) -> std::int32_t { return 1; },
                                     .now_us = [](th_host*) -> std::int64_t { return 1'000'000; },
                                     .new_uuid = [](th_host*) { return th_uuid{{1, 2, 3}}; }};

}  // namespace fake
