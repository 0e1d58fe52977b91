/* A correct little plugin, made wrong in one respect by a macro. MISFIT is its id and the name of its only tool. */
#include <toolhost/plugin.h>

#if defined(NEWER_ABI)
#define ABI_MINOR 99
#else
#define ABI_MINOR TH_ABI_TARGET
#endif

#if defined(NEWER_ABI)
const th_card toolhost_card_v1 __attribute__((section(".toolhost_card"), used)) = {
    "THCARD1", sizeof(th_card), TH_ABI_MAJOR, ABI_MINOR, ABI_MINOR, MISFIT, "1.0.0", TH_BUILT_WITH};
#elif defined(NO_CARD)
/* none */
#else
TH_CARD(MISFIT, "1.0.0");
#endif

#if defined(STRAY_EXPORT)
TH_EXPORT int misfit_stray_symbol(void);
int misfit_stray_symbol(void) {
  return 1;
}
#endif

static const th_call_api* calls;
static const th_args_api* args;
static const th_json_api* json;

static th_status handle(void* instance, void* user, th_call* call) {
  (void)instance;
  (void)user;
#if defined(HUGE_RESULT)
  { /* Pushes what it is asked for and does not look whether the host takes it. */
    static char block[65536];
    int64_t bytes = 0;
    size_t i;
    args->i64(call, TH_STR("/bytes"), &bytes);
    for (i = 0; i < sizeof block; ++i) block[i] = 'x';
    for (; bytes > 0; bytes -= (int64_t)sizeof block) {
      th_str text;
      text.ptr = block;
      text.len = bytes < (int64_t)sizeof block ? (size_t)bytes : sizeof block;
      calls->text(call, text);
    }
  }
  return TH_OK;
#else
  (void)args;
  json->begin_object(call);
  json->key(call, TH_STR("count"));
#if defined(BAD_OUTPUT)
  json->str(call, TH_STR("three"));
#else
  json->i64(call, 3);
#endif
  json->end(call);
  return calls->text(call, TH_STR("three"));
#endif
}

static const th_tool_def tool = {sizeof(th_tool_def),
                                 TH_TOOL_READ_ONLY,
#if defined(DUPLICATE_TOOL)
                                 "echo",
#else
                                 MISFIT,
#endif
                                 NULL,
                                 "Made for tests.",
#if defined(BAD_SCHEMA)
                                 "{\"type\":\"object\",\"properties\":{",
#else
                                 "{\"type\":\"object\",\"properties\":{\"bytes\":{\"type\":\"integer\",\"minimum\":0}},"
                                 "\"additionalProperties\":false}",
#endif
#if defined(HUGE_RESULT)
                                 NULL,
#else
                                 "{\"type\":\"object\",\"properties\":{\"count\":{\"type\":\"integer\"}},\"required\":["
                                 "\"count\"],"
                                 "\"additionalProperties\":false}",
#endif
                                 NULL,
                                 0,
                                 0,
                                 handle,
                                 NULL,
                                 0,
                                 0};

static const th_tool_def* const tools[] = {&tool, NULL};
static const char* const services[] = {TH_SVC_CALL, TH_SVC_ARGS, TH_SVC_JSON, NULL};

/* The definition as a much later header might have it. */
static const struct {
  th_plugin_def known;
  uint64_t added_later[64];
} definition = {{
#if defined(TINY_DEF)
                    4,
#elif defined(FUTURE_DEF)
                    sizeof definition,
#else
                    sizeof(th_plugin_def),
#endif
                    ABI_MINOR, ABI_MINOR, 0,
#if defined(CARD_ID_DIFFERS)
                    "another_id",
#else
                    MISFIT,
#endif
                    "Misfit", "1.0.0", NULL, NULL, services, tools, NULL, NULL, NULL, NULL, NULL, NULL, NULL},
                {[63] = 1}};

th_status toolhost_plugin_v1(const th_host_api* api, th_host* host, const th_plugin_def** out) {
  calls = (const th_call_api*)api->get_service(host, TH_SVC_CALL);
  args = (const th_args_api*)api->get_service(host, TH_SVC_ARGS);
  json = (const th_json_api*)api->get_service(host, TH_SVC_JSON);
  *out = &definition.known;
#if defined(ENTRY_FAILS)
  api->log(host, NULL, TH_LOG_ERROR, TH_STR("the licence has run out"), NULL, 0);
  return TH_E_DENIED;
#else
  return TH_OK;
#endif
}
