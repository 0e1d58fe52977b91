/* Offers the resource of another test plugin, under another name. */
#define TH_ABI_TARGET 1u
#include <toolhost/plugin.h>

TH_CARD("twin", "1.0.0");

static th_status read_nothing(void* instance, void* user, th_call* call) {
  (void)instance;
  (void)user;
  (void)call;
  return TH_OK;
}

static const th_resource_def resource = {
    .struct_size = sizeof(th_resource_def), .uri = "content:/self", .name = "twin", .read = read_nothing};
static const th_resource_def* const resources[] = {&resource, NULL};

static const th_plugin_def definition = {.struct_size = sizeof(th_plugin_def),
                                         .abi_minor = TH_ABI_TARGET,
                                         .abi_minor_required = TH_ABI_REQUIRED,
                                         .id = "twin",
                                         .name = "Twin",
                                         .version = "1.0.0",
                                         .resources = resources};

th_status toolhost_plugin_v1(const th_host_api* api, th_host* host, const th_plugin_def** out) {
  (void)api;
  (void)host;
  *out = &definition;
  return TH_OK;
}
