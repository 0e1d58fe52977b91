// Its quiesce() fails, and its thread goes on using the host.
#include <toolhost/plugin.h>

#include <chrono>
#include <thread>

TH_CARD("restless", "1.0.0");

namespace {

const th_host_api* host_api;

struct Instance {
  th_host* host;
};

th_status create(th_host* host, void** instance) {
  auto* made = new Instance{host};
  *instance = made;
  std::thread([made] {
    for (int i = 0; i < 1'000; ++i) {
      host_api->log(made->host, nullptr, TH_LOG_INFO, TH_STR("still here"), nullptr, 0);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }).detach();
  return TH_OK;
}

th_status quiesce(void*, int64_t) {
  return TH_E_INTERNAL;
}

void destroy(void* instance) {
  delete static_cast<Instance*>(instance);
}

th_status do_nothing(void*, void*, th_call*) {
  return TH_OK;
}

constexpr th_tool_def kTool = {
    .struct_size = sizeof(th_tool_def),
    .flags = TH_TOOL_READ_ONLY,
    .name = "do_nothing",
    .title = nullptr,
    .description = "Does nothing.",
    .input_schema = R"({"type":"object"})",
    .output_schema = nullptr,
    .meta_json = nullptr,
    .timeout_ms = 0,
    .reserved = 0,
    .handle = do_nothing,
    .user = nullptr,
    .interval_ms = 0,
    .reserved_job = 0,
};
constexpr const th_tool_def* kTools[] = {&kTool, nullptr};

constexpr th_plugin_def kDefinition = {
    .struct_size = sizeof(th_plugin_def),
    .abi_minor = TH_ABI_TARGET,
    .abi_minor_required = TH_ABI_REQUIRED,
    .flags = 0,
    .id = "restless",
    .name = "Restless",
    .version = "1.0.0",
    .vendor = nullptr,
    .config_schema = nullptr,
    .services = nullptr,
    .tools = kTools,
    .migrations = nullptr,
    .shared_tables = nullptr,
    .create = create,
    .quiesce = quiesce,
    .destroy = destroy,
    .exports = nullptr,
    .reads = nullptr,
};

}  // namespace

th_status toolhost_plugin_v1(const th_host_api* api, th_host*, const th_plugin_def** out) {
  host_api = api;
  *out = &kDefinition;
  return TH_OK;
}
