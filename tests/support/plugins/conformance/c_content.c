/* Two fixtures of the conformance suites in plain C99: a block of content that is not text, and a schema that has to
 * reach the client as it was written. */
#include <toolhost/plugin.h>

TH_CARD("conformance_c", "1.0.0");

static const th_call_api* calls;

/* A WAV file of no sound at all: its head. */
static const char kWav[] =
    "RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x40\x1f\0\0\1\0\x8\0"
    "data\0\0\0\0";

static th_status audio(void* instance, void* user, th_call* call) {
  th_content block = {.struct_size = sizeof block, .kind = TH_C_AUDIO, .mime_type = TH_STR("audio/wav")};
  (void)instance;
  (void)user;
  block.bytes.ptr = kWav;
  block.bytes.len = sizeof kWav - 1;
  return calls->content(call, &block);
}

static th_status accept(void* instance, void* user, th_call* call) {
  (void)instance;
  (void)user;
  return calls->text(call, TH_STR("These arguments conform."));
}

static const th_tool_def audio_tool = {
    .struct_size = sizeof(th_tool_def),
    .flags = TH_TOOL_READ_ONLY | TH_TOOL_NONBLOCKING,
    .name = "test_audio_content",
    .description = "Returns a sound.",
    .input_schema = "{\"type\":\"object\",\"additionalProperties\":false}",
    .handle = audio,
};

static const th_tool_def schema_tool = {
    .struct_size = sizeof(th_tool_def),
    .flags = TH_TOOL_READ_ONLY | TH_TOOL_NONBLOCKING,
    .name = "json_schema_2020_12_tool",
    .description = "Takes arguments whose schema uses what JSON Schema 2020-12 has.",
    .input_schema =
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\","
        "\"$defs\":{\"address\":{\"$anchor\":\"addressDef\",\"type\":\"object\",\"properties\":{\"street\":{\"type\":"
        "\"string\"},\"city\":{\"type\":\"string\"}}}},"
        "\"properties\":{\"name\":{\"type\":\"string\"},\"address\":{\"$ref\":\"#/$defs/address\"},"
        "\"contactMethod\":{\"type\":\"string\",\"enum\":[\"phone\",\"email\"]},\"phone\":{\"type\":\"string\"},"
        "\"email\":{\"type\":\"string\"}},"
        "\"allOf\":[{\"anyOf\":[{\"required\":[\"phone\"]},{\"required\":[\"email\"]}]}],"
        "\"if\":{\"properties\":{\"contactMethod\":{\"const\":\"phone\"}},\"required\":[\"contactMethod\"]},"
        "\"then\":{\"required\":[\"phone\"]},\"else\":{\"required\":[\"email\"]},\"additionalProperties\":false}",
    .handle = accept,
};

static const th_tool_def* const tools[] = {&audio_tool, &schema_tool, NULL};
static const char* const services[] = {TH_SVC_CALL, NULL};

static const th_plugin_def definition = {
    .struct_size = sizeof(th_plugin_def),
    .abi_minor = TH_ABI_TARGET,
    .abi_minor_required = TH_ABI_REQUIRED,
    .id = "conformance_c",
    .name = "Conformance fixtures in C99",
    .version = "1.0.0",
    .vendor = "Toolhost tests",
    .services = services,
    .tools = tools,
};

th_status toolhost_plugin_v1(const th_host_api* api, th_host* host, const th_plugin_def** out) {
  calls = (const th_call_api*)api->get_service(host, TH_SVC_CALL);
  *out = &definition;
  return TH_OK;
}
