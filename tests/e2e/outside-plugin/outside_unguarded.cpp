// Breaks the contract: a handler that lets an exception out, without the C++ wrapper that would have caught it.
#include <stdexcept>

#include <toolhost/plugin.h>

TH_CARD("outside_unguarded", "1.0.0");

namespace {

th_status throw_from_handler(void*, void*, th_call*) {
  throw std::runtime_error("thrown on purpose by outside_unguarded");
}

constexpr th_tool_def kTool = {
    .struct_size = sizeof(th_tool_def),
    .flags = 0,
    .name = "outside_throw_unguarded",
    .title = nullptr,
    .description = "Throws through the ABI.",
    .input_schema = R"({"type":"object"})",
    .output_schema = nullptr,
    .meta_json = nullptr,
    .timeout_ms = 0,
    .reserved = 0,
    .handle = throw_from_handler,
    .user = nullptr,
};
constexpr const th_tool_def* kTools[] = {&kTool, nullptr};

constexpr th_plugin_def kDefinition = {
    .struct_size = sizeof(th_plugin_def),
    .abi_minor = TH_ABI_TARGET,
    .abi_minor_required = TH_ABI_REQUIRED,
    .flags = 0,
    .id = "outside_unguarded",
    .name = "Unguarded",
    .version = "1.0.0",
    .vendor = nullptr,
    .config_schema = nullptr,
    .services = nullptr,
    .tools = kTools,
    .migrations = nullptr,
    .shared_tables = nullptr,
    .create = nullptr,
    .quiesce = nullptr,
    .destroy = nullptr,
};

}  // namespace

th_status toolhost_plugin_v1(const th_host_api*, th_host*, const th_plugin_def** out) {
  *out = &kDefinition;
  return TH_OK;
}
