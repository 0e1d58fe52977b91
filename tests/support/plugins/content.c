/* Every kind of content, progress, messages, a question, a resource and a prompt in plain C99. */
#define TH_ABI_TARGET 1u
#include <toolhost/plugin.h>

TH_CARD("content", "1.0.0");

static const th_call_api* calls;
static const th_args_api* args;
static const th_client_api* client;
static const th_prompt_api* prompts;

static const char kPicture[] = {'\x89', 'P', 'N', 'G', '\0'};

static th_content block_of(uint32_t kind) {
  th_content block = {0};
  block.struct_size = sizeof(block);
  block.kind = kind;
  return block;
}

static th_status push_all(void* instance, void* user, th_call* call) {
  th_content block;
  th_status status;
  (void)instance;
  (void)user;

  block = block_of(TH_C_TEXT);
  block.text = TH_STR("plain");
  block.annotations_json = TH_STR("{\"priority\": 0.5}");
  if ((status = calls->content(call, &block)) != TH_OK) return status;

  block = block_of(TH_C_IMAGE);
  block.bytes.ptr = kPicture;
  block.bytes.len = sizeof(kPicture);
  block.mime_type = TH_STR("image/png");
  if ((status = calls->content(call, &block)) != TH_OK) return status;

  block.kind = TH_C_AUDIO;
  block.mime_type = TH_STR("audio/wav");
  if ((status = calls->content(call, &block)) != TH_OK) return status;

  block = block_of(TH_C_LINK);
  block.uri = TH_STR("file:///report.txt");
  block.name = TH_STR("report");
  block.title = TH_STR("Report");
  block.size = 17;
  block.icons_json = TH_STR("[]");
  if ((status = calls->content(call, &block)) != TH_OK) return status;

  block = block_of(TH_C_RESOURCE);
  block.uri = TH_STR("content:/text");
  block.text = TH_STR("inside");
  block.mime_type = TH_STR("text/plain");
  block.meta_json = TH_STR("{\"a\":\n1}");
  if ((status = calls->content(call, &block)) != TH_OK) return status;

  block = block_of(TH_C_RESOURCE);
  block.flags = TH_C_IS_BYTES;
  block.uri = TH_STR("content:/bytes");
  block.bytes.ptr = kPicture;
  block.bytes.len = sizeof(kPicture);
  return calls->content(call, &block);
}

static th_status work(void* instance, void* user, th_call* call) {
  int64_t step;
  (void)instance;
  (void)user;
  for (step = 1; step <= 3; ++step) {
    calls->progress(call, (double)step, 3, TH_STR("working"));
    client->message(call, 1, TH_STR("work"), TH_STR("{\"step\": true}"));
  }
  return calls->text(call, TH_STR("done"));
}

/* Asks without the wrapper: the status goes back as it came. */
static th_status confirm(void* instance, void* user, th_call* call) {
  th_str answer = {NULL, 0};
  th_status status;
  (void)instance;
  (void)user;
  status = client->ask(call, TH_ASK_FORM, TH_STR("sure"),
                       TH_STR("{\"message\":\"Sure?\",\"requestedSchema\":{\"type\":\"object\",\"properties\":{"
                              "\"ok\":{\"type\":\"boolean\"}}}}"),
                       &answer);
  return status == TH_OK ? calls->text(call, answer) : status;
}

static th_status read_self(void* instance, void* user, th_call* call) {
  th_content block = block_of(TH_C_RESOURCE);
  (void)instance;
  (void)user;
  if (args->str(call, TH_STR("/uri"), &block.uri) != TH_OK) return TH_E_INTERNAL;
  block.text = TH_STR("itself");
  return calls->content(call, &block);
}

static th_status get_hello(void* instance, void* user, th_call* call) {
  th_content block = block_of(TH_C_TEXT);
  (void)instance;
  (void)user;
  if (args->str(call, TH_STR("/name"), &block.text) != TH_OK) return TH_E_INTERNAL;
  return prompts->message(call, TH_ROLE_USER, &block);
}

#define NO_ARGUMENTS "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}"

static const th_tool_def push_tool = {.struct_size = sizeof(th_tool_def),
                                      .flags = TH_TOOL_READ_ONLY,
                                      .name = "push_all",
                                      .description = "Pushes a block of each kind.",
                                      .input_schema = NO_ARGUMENTS,
                                      .handle = push_all,
                                      .icons_json = "[{\"src\": \"https://example.com/icon.png\"}]"};
static const th_tool_def work_tool = {.struct_size = sizeof(th_tool_def),
                                      .flags = TH_TOOL_READ_ONLY,
                                      .name = "work",
                                      .description = "Tells how far it is.",
                                      .input_schema = NO_ARGUMENTS,
                                      .handle = work};
static const th_tool_def confirm_tool = {.struct_size = sizeof(th_tool_def),
                                         .flags = TH_TOOL_READ_ONLY | TH_TOOL_NONBLOCKING,
                                         .name = "confirm",
                                         .description = "Asks.",
                                         .input_schema = NO_ARGUMENTS,
                                         .handle = confirm};
static const th_tool_def* const tools[] = {&push_tool, &work_tool, &confirm_tool, NULL};

static const th_resource_def self_resource = {
    .struct_size = sizeof(th_resource_def), .uri = "content:/self", .name = "self", .read = read_self};
static const th_resource_def* const resources[] = {&self_resource, NULL};

static const th_prompt_argument name_argument = {
    .struct_size = sizeof(th_prompt_argument), .required = 1, .name = "name", .description = "Who"};
static const th_prompt_argument* const hello_arguments[] = {&name_argument, NULL};
static const th_prompt_def hello_prompt = {
    .struct_size = sizeof(th_prompt_def), .name = "hello", .arguments = hello_arguments, .get = get_hello};
static const th_prompt_def* const prompt_list[] = {&hello_prompt, NULL};

static const char* const services[] = {TH_SVC_CALL, TH_SVC_ARGS, TH_SVC_CLIENT, TH_SVC_PROMPT, NULL};

static const th_plugin_def definition = {.struct_size = sizeof(th_plugin_def),
                                         .abi_minor = TH_ABI_TARGET,
                                         .abi_minor_required = TH_ABI_REQUIRED,
                                         .id = "content",
                                         .name = "Content in C99",
                                         .version = "1.0.0",
                                         .services = services,
                                         .tools = tools,
                                         .resources = resources,
                                         .prompts = prompt_list};

th_status toolhost_plugin_v1(const th_host_api* api, th_host* host, const th_plugin_def** out) {
  calls = (const th_call_api*)api->get_service(host, TH_SVC_CALL);
  args = (const th_args_api*)api->get_service(host, TH_SVC_ARGS);
  client = (const th_client_api*)api->get_service(host, TH_SVC_CLIENT);
  prompts = (const th_prompt_api*)api->get_service(host, TH_SVC_PROMPT);
  *out = &definition;
  return TH_OK;
}
