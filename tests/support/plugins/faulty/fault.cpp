// What only C++ can do wrong. FAULT is one of these.
#define THROWS 1
#define STATIC_DESTRUCTOR 2

#include <stdexcept>
#include <string>

#include <toolhost/plugin.h>

TH_CARD("faulty", "1.0.0");

namespace {

const th_call_api* calls;

#if FAULT == STATIC_DESTRUCTOR
const std::string greeting = "a text that is too long to be kept without an allocation";
#else
const char* const greeting = "done";
#endif

th_status handle(void*, void*, th_call* call) {
#if FAULT == THROWS
  throw std::runtime_error("thrown on purpose");
#endif
  const std::string text(greeting);
  return calls->text(call, {text.data(), text.size()});
}

const th_tool_def* make_tool() {
  static th_tool_def tool{};
  tool.struct_size = sizeof(tool);
  tool.name = "work";
  tool.description = "Made for tests.";
  tool.input_schema = R"({"type":"object","properties":{},"additionalProperties":false})";
  tool.handle = handle;
  return &tool;
}

}  // namespace

th_status toolhost_plugin_v1(const th_host_api* api, th_host* host, const th_plugin_def** out) {
  static const char* const services[] = {TH_SVC_CALL, nullptr};
  static const th_tool_def* const tools[] = {make_tool(), nullptr};
  static th_plugin_def definition{};
  calls = static_cast<const th_call_api*>(api->get_service(host, TH_SVC_CALL));
  definition.struct_size = sizeof(definition);
  definition.id = "faulty";
  definition.name = "Faulty";
  definition.version = "1.0.0";
  definition.services = services;
  definition.tools = tools;
  *out = &definition;
  return TH_OK;
}
