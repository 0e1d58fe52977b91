#include "plugin_runtime/service_tables.hpp"

namespace toolhost::plugin_runtime::services {
namespace {

// ---- toolhost.secrets/1

th_status secrets_get(th_call* call, th_str name, th_str* out) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (out == nullptr) return fail_with(*call, TH_E_MISUSE, "out is NULL");
  const auto* const secret = call->start.host->secrets().find(view(name));
  if (secret == nullptr)
    return fail_with(*call, TH_E_DENIED,
                     "the configuration grants this plugin no secret of that name; add it to the plugin's 'secrets'");
  *out = lend(call->secrets.emplace_back(std::string(secret->reveal())).reveal());
  return TH_OK;
}

}  // namespace

constexpr th_secrets_api secrets_table{sizeof(th_secrets_api), 0, secrets_get};

}  // namespace toolhost::plugin_runtime::services
