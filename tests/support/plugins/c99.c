/* A plugin in plain C99: arguments by pointer, result through the JSON writer, no database. */
#include <toolhost/plugin.h>

TH_CARD("c99_greeter", "1.0.0");

static const th_host_api* host_api;
static const th_call_api* calls;
static const th_args_api* args;
static const th_json_api* json;

static th_status greet(void* instance, void* user, th_call* call) {
  th_str name;
  (void)instance;
  (void)user;
  if (args->str(call, TH_STR("/name"), &name) != TH_OK) return TH_E_INTERNAL;
  if (name.len == 0) return calls->fail(call, TH_E_INVALID, TH_STR("name is empty; whom shall I greet?"));
  json->begin_object(call);
  json->key(call, TH_STR("greeted"));
  json->str(call, name);
  json->end(call);
  return calls->text(call, TH_STR("Hello!"));
}

/* Walks an object whose keys nobody knows beforehand. */
static th_status list_labels(void* instance, void* user, th_call* call) {
  const th_str labels = TH_STR("/labels");
  size_t count = 0;
  size_t i;
  (void)instance;
  (void)user;
  if (args->size(call, labels, &count) != TH_OK) return TH_E_INTERNAL;
  json->begin_object(call);
  json->key(call, TH_STR("labels"));
  json->begin_array(call);
  for (i = 0; i < count; ++i) {
    th_str label;
    if (args->key(call, labels, i, &label) != TH_OK) return TH_E_INTERNAL;
    json->str(call, label);
  }
  json->end(call);
  json->key(call, TH_STR("count"));
  json->i64(call, (int64_t)count);
  return json->end(call);
}

static const th_tool_def greet_tool = {
    .struct_size = sizeof(th_tool_def),
    .flags = TH_TOOL_READ_ONLY | TH_TOOL_IDEMPOTENT,
    .name = "greet",
    .title = "Greet",
    .description = "Greets somebody by name.",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"maxLength\":100}},\"required\":[\"name\"]"
        ","
        "\"additionalProperties\":false}",
    .output_schema =
        "{\"type\":\"object\",\"properties\":{\"greeted\":{\"type\":\"string\"}},\"required\":[\"greeted\"],"
        "\"additionalProperties\":false}",
    .handle = greet,
};

static const th_tool_def labels_tool = {
    .struct_size = sizeof(th_tool_def),
    .flags = TH_TOOL_READ_ONLY | TH_TOOL_IDEMPOTENT,
    .name = "list_labels",
    .title = "List labels",
    .description = "Lists the names of the given labels.",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{\"labels\":{\"type\":\"object\",\"additionalProperties\":{\"type\":"
        "\"string\"}}},"
        "\"required\":[\"labels\"],\"additionalProperties\":false}",
    .output_schema =
        "{\"type\":\"object\",\"properties\":{\"labels\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
        "\"count\":{\"type\":\"integer\"}},\"required\":[\"labels\",\"count\"],\"additionalProperties\":false}",
    .handle = list_labels,
};

static const th_tool_def* const tools[] = {&greet_tool, &labels_tool, NULL};
static const char* const services[] = {TH_SVC_CALL, TH_SVC_ARGS, TH_SVC_JSON, NULL};

static const th_plugin_def definition = {
    .struct_size = sizeof(th_plugin_def),
    .abi_minor = TH_ABI_TARGET,
    .abi_minor_required = TH_ABI_REQUIRED,
    .id = "c99_greeter",
    .name = "Greeter in C99",
    .version = "1.0.0",
    .vendor = "Toolhost tests",
    .services = services,
    .tools = tools,
};

th_status toolhost_plugin_v1(const th_host_api* api, th_host* host, const th_plugin_def** out) {
  host_api = api;
  calls = (const th_call_api*)api->get_service(host, TH_SVC_CALL);
  args = (const th_args_api*)api->get_service(host, TH_SVC_ARGS);
  json = (const th_json_api*)api->get_service(host, TH_SVC_JSON);
  *out = &definition;
  if (TH_HAS(host_api, log)) host_api->log(host, NULL, TH_LOG_DEBUG, TH_STR("c99_greeter is here"), NULL, 0);
  return TH_OK;
}
