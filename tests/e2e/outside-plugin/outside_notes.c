/* A plugin in C99 with a table of its own: keeps notes, waits, echoes, and runs any SQL it is given, as a hostile one
 * would. */
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <toolhost/plugin.h>

TH_CARD("outside_notes", "1.2.3");

static const th_call_api* call_api;
static const th_args_api* args_api;
static const th_json_api* json_api;
static const th_db_api* db_api;

static th_str text_of(const char* text) {
  th_str result = {text, strlen(text)};
  return result;
}

/* Reports why the last service function failed, SQLSTATE included. */
static th_status fail_with_last_error(th_call* call, th_status status) {
  char message[512];
  th_error error;
  memset(&error, 0, sizeof error);
  error.struct_size = sizeof error;
  call_api->last_error(call, &error);
  snprintf(message, sizeof message, "status %d, SQLSTATE %.*s: %.*s", (int)status, (int)error.code.len, error.code.ptr,
           (int)error.message.len, error.message.ptr);
  return call_api->fail(call, status, text_of(message));
}

static th_status echo(void* instance, void* user, th_call* call) {
  th_str text;
  th_status status;
  (void)instance;
  (void)user;
  status = args_api->str(call, TH_STR("/text"), &text);
  if (status != TH_OK) return status;
  json_api->begin_object(call);
  json_api->key(call, TH_STR("text"));
  json_api->str(call, text);
  return json_api->end(call);
}

static th_status add_note(void* instance, void* user, th_call* call) {
  th_value body;
  th_status status;
  (void)instance;
  (void)user;
  memset(&body, 0, sizeof body);
  body.type = TH_V_TEXT;
  status = args_api->str(call, TH_STR("/body"), &body.u.s);
  if (status == TH_OK) {
    status = db_api->exec(call, TH_STR("insert into notes (body) values ($1)"), &body, 1, TH_DB_LAST, NULL);
  }
  if (status != TH_OK) return fail_with_last_error(call, status);
  return call_api->text(call, TH_STR("noted"));
}

/* Waits as long as it was told, in steps, and stops when nobody waits for it any more. */
static th_status wait_ms(void* instance, void* user, th_call* call) {
  int64_t left = 0;
  th_status status;
  (void)instance;
  (void)user;
  status = args_api->i64(call, TH_STR("/ms"), &left);
  if (status != TH_OK) return status;
  for (; left > 0; left -= 10) {
    struct timespec step = {0, 10 * 1000 * 1000};
    if (call_api->cancelled(call)) return TH_E_CANCELLED;
    nanosleep(&step, NULL);
  }
  return call_api->text(call, TH_STR("waited"));
}

/* One statement, every row as one text block with its columns separated by '|'. */
static th_status run_sql(void* instance, void* user, th_call* call) {
  th_str sql;
  th_rows* rows = NULL;
  const th_value* row;
  th_status status;
  (void)instance;
  (void)user;
  status = args_api->str(call, TH_STR("/sql"), &sql);
  if (status != TH_OK) return status;
  status = db_api->query(call, sql, NULL, 0, 0, &rows);
  while (status == TH_OK && (status = db_api->next(rows, &row)) == TH_OK) {
    char line[1024];
    size_t used = 0, column;
    for (column = 0; column < db_api->columns(rows) && used + 64 < sizeof line; column += 1) {
      const th_value* value = &row[column];
      if (column > 0) line[used++] = '|';
      if (value->type == TH_V_I64 || value->type == TH_V_BOOL) {
        used += (size_t)snprintf(line + used, sizeof line - used, "%lld", (long long)value->u.i64);
      } else if (value->type == TH_V_TEXT) {
        size_t length = value->u.s.len < sizeof line - used - 64 ? value->u.s.len : sizeof line - used - 64;
        memcpy(line + used, value->u.s.ptr, length);
        used += length;
      }
    }
    line[used] = '\0';
    call_api->text(call, text_of(line));
  }
  if (status != TH_END) return fail_with_last_error(call, status);
  return call_api->text(call, TH_STR("done"));
}

#define ONE_STRING(name)                                                                           \
  "{\"type\":\"object\",\"properties\":{\"" name "\":{\"type\":\"string\"}},\"required\":[\"" name \
  "\"],\"additionalProperties\":false}"

static const th_tool_def echo_tool = {
    .struct_size = sizeof(th_tool_def),
    .flags = TH_TOOL_READ_ONLY | TH_TOOL_NONBLOCKING,
    .name = "outside_echo",
    .description = "Gives the text back.",
    .input_schema = ONE_STRING("text"),
    .output_schema = ONE_STRING("text"),
    .handle = echo,
};
static const th_tool_def note_tool = {
    .struct_size = sizeof(th_tool_def),
    .name = "outside_add_note",
    .description = "Keeps a note.",
    .input_schema = ONE_STRING("body"),
    .handle = add_note,
};
static const th_tool_def sql_tool = {
    .struct_size = sizeof(th_tool_def),
    .name = "outside_sql",
    .description = "Runs one statement.",
    .input_schema = ONE_STRING("sql"),
    .handle = run_sql,
};
static const th_tool_def wait_tool = {
    .struct_size = sizeof(th_tool_def),
    .flags = TH_TOOL_READ_ONLY,
    .name = "outside_wait",
    .description = "Waits.",
    .input_schema = "{\"type\":\"object\",\"properties\":{\"ms\":{\"type\":\"integer\"}},\"required\":[\"ms\"]}",
    .handle = wait_ms,
};

static const th_tool_def* const tools[] = {&echo_tool, &note_tool, &sql_tool, &wait_tool, NULL};
static const char* const services[] = {TH_SVC_CALL, TH_SVC_ARGS, TH_SVC_JSON, TH_SVC_DB, "?acme.absent/1", NULL};
static const th_migration notes_table = {
    .struct_size = sizeof(th_migration),
    .version = 1,
    .name = "notes",
    .sql =
        "create table notes (tenant_id integer not null default toolhost.tenant_id(),"
        " id bigint generated always as identity, body text not null, primary key (tenant_id, id))",
};
static const th_migration* const migrations[] = {&notes_table, NULL};

static const th_plugin_def definition = {
    .struct_size = sizeof(th_plugin_def),
    .abi_minor = TH_ABI_TARGET,
    .abi_minor_required = TH_ABI_REQUIRED,
    .id = "outside_notes",
    .name = "Outside notes",
    .version = "1.2.3",
    .services = services,
    .tools = tools,
    .migrations = migrations,
};

th_status toolhost_plugin_v1(const th_host_api* api, th_host* host, const th_plugin_def** out) {
  call_api = api->get_service(host, TH_SVC_CALL);
  args_api = api->get_service(host, TH_SVC_ARGS);
  json_api = api->get_service(host, TH_SVC_JSON);
  db_api = api->get_service(host, TH_SVC_DB);
  *out = &definition;
  return TH_OK;
}
