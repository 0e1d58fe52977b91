/* The smallest whole plugin, in what C99 and C++17 have in common. */
#include <toolhost/plugin.h>

TH_CARD("minimal", "1.0.0");

static th_status say_nothing(void* instance, void* user, th_call* call) {
  (void)instance;
  (void)user;
  (void)call;
  return TH_OK;
}

static const th_tool_def tool = {sizeof(th_tool_def),
                                 TH_TOOL_READ_ONLY,
                                 "say_nothing",
                                 0,
                                 "Says nothing.",
                                 "{\"type\":\"object\"}",
                                 0,
                                 0,
                                 0,
                                 0,
                                 say_nothing,
                                 0,
                                 0,
                                 0};
static const th_tool_def* const tools[] = {&tool, 0};
static const th_plugin_def definition = {sizeof(th_plugin_def),
                                         TH_ABI_TARGET,
                                         TH_ABI_REQUIRED,
                                         0,
                                         "minimal",
                                         "Minimal",
                                         "1.0.0",
                                         0,
                                         0,
                                         0,
                                         tools,
                                         0,
                                         0,
                                         0,
                                         0,
                                         0,
                                         0,
                                         0};

th_status toolhost_plugin_v1(const th_host_api* api, th_host* host, const th_plugin_def** out) {
  if (TH_HAS(api, log)) api->log(host, 0, TH_LOG_DEBUG, TH_STR("here"), 0, 0);
  *out = &definition;
  return TH_OK;
}
