/* Exports a function that is none of the contract's two symbols. */
#include <toolhost/plugin.h>

TH_CARD("outside_stray", "1.0.0");

TH_EXPORT int outside_helper(void);
int outside_helper(void) {
  return 1;
}

static const th_plugin_def definition = {
    .struct_size = sizeof(th_plugin_def), .id = "outside_stray", .name = "Stray", .version = "1.0.0"};

th_status toolhost_plugin_v1(const th_host_api* api, th_host* host, const th_plugin_def** out) {
  (void)api;
  (void)host;
  *out = &definition;
  return TH_OK;
}
