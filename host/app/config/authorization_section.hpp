#pragma once
#include "app/config/yaml_section.hpp"

namespace toolhost::app {

/// `authorization`: whose access tokens are let in beside API keys, and what they open. Reads `http.public_url`, which
/// must have been read before.
void read_authorization(Section section, HostConfig& config);

}  // namespace toolhost::app
