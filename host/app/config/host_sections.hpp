#pragma once
#include <functional>

#include "app/config/host_config.hpp"
#include "app/config/tenant_sections.hpp"
#include "app/config/yaml_section.hpp"

namespace toolhost::app {

/// All of the host's file, finish() included. `tenant_dir` is left as written; `take` gets each entry of `tenants`.
void read_host_file(Section& root, HostConfig& config,
                    const std::function<void(Section& section, ReadTenant tenant)>& take);

}  // namespace toolhost::app
