/* Forty tools that do nothing: twenty that only read, twenty that may write. For tests of who may call what. */
#include <toolhost/plugin.h>

TH_CARD("outside_many", "1.0.0");

static const th_call_api* call_api;

static th_status done(void* instance, void* user, th_call* call) {
  (void)instance;
  (void)user;
  return call_api->text(call, TH_STR("done"));
}

#define ARGUMENTS                                                                                         \
  "{\"type\":\"object\",\"properties\":{\"level\":{\"type\":\"string\"},\"hours\":{\"type\":\"number\"}," \
  "\"people\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}},\"additionalProperties\":false}"

#define TOOL(flags_, name_)                                                                     \
  &(const th_tool_def) {                                                                        \
    .struct_size = sizeof(th_tool_def), .flags = TH_TOOL_NONBLOCKING | (flags_), .name = name_, \
    .description = "Does nothing.", .input_schema = ARGUMENTS, .handle = done,                  \
  }
#define PAIR(number) TOOL(TH_TOOL_READ_ONLY, "read_" number), TOOL(0, "write_" number)

static const th_tool_def* const tools[] = {PAIR("00"), PAIR("01"), PAIR("02"), PAIR("03"), PAIR("04"), PAIR("05"),
                                           PAIR("06"), PAIR("07"), PAIR("08"), PAIR("09"), PAIR("10"), PAIR("11"),
                                           PAIR("12"), PAIR("13"), PAIR("14"), PAIR("15"), PAIR("16"), PAIR("17"),
                                           PAIR("18"), PAIR("19"), NULL};
static const char* const services[] = {TH_SVC_CALL, NULL};

static const th_plugin_def definition = {
    .struct_size = sizeof(th_plugin_def),
    .abi_minor = TH_ABI_TARGET,
    .abi_minor_required = TH_ABI_REQUIRED,
    .id = "outside_many",
    .name = "Outside many",
    .version = "1.0.0",
    .services = services,
    .tools = tools,
};

th_status toolhost_plugin_v1(const th_host_api* api, th_host* host, const th_plugin_def** out) {
  call_api = api->get_service(host, TH_SVC_CALL);
  *out = &definition;
  return TH_OK;
}
