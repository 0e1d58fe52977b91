#include <toolhost/plugin.h>

TH_CARD("example.hello", "0.1.0");

static const th_call_api* calls;
static const th_args_api* args;
static const th_json_api* json;

static th_status greet(void* instance, void* user, th_call* call) {
  th_str name;
  (void)instance;
  (void)user;
  if (args->str(call, TH_STR("/name"), &name) != TH_OK) return TH_E_INTERNAL; /* the schema demands it */
  if (name.len == 0) return calls->fail(call, TH_E_INVALID, TH_STR("name is empty; whom shall I greet?"));
  json->begin_object(call);
  json->key(call, TH_STR("greeted"));
  json->str(call, name);
  return json->end(call);
}

static const th_tool_def greet_tool = {
    .struct_size = sizeof(th_tool_def),
    .flags = TH_TOOL_READ_ONLY | TH_TOOL_IDEMPOTENT | TH_TOOL_NONBLOCKING,
    .name = "example_hello_greet",
    .title = "Greet",
    .description = "Greets somebody by name.",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"}},\"required\":[\"name\"],"
        "\"additionalProperties\":false}",
    .output_schema =
        "{\"type\":\"object\",\"properties\":{\"greeted\":{\"type\":\"string\"}},\"required\":[\"greeted\"],"
        "\"additionalProperties\":false}",
    .handle = greet,
};

static const th_tool_def* const tools[] = {&greet_tool, NULL};
static const char* const services[] = {TH_SVC_CALL, TH_SVC_ARGS, TH_SVC_JSON, NULL};

static const th_plugin_def definition = {
    .struct_size = sizeof(th_plugin_def),
    .abi_minor = TH_ABI_TARGET,
    .abi_minor_required = TH_ABI_REQUIRED,
    .id = "example.hello",
    .name = "Example hello",
    .version = "0.1.0",
    .services = services,
    .tools = tools,
};

th_status toolhost_plugin_v1(const th_host_api* api, th_host* host, const th_plugin_def** out) {
  calls = (const th_call_api*)api->get_service(host, TH_SVC_CALL);
  args = (const th_args_api*)api->get_service(host, TH_SVC_ARGS);
  json = (const th_json_api*)api->get_service(host, TH_SVC_JSON);
  *out = &definition;
  return TH_OK;
}
