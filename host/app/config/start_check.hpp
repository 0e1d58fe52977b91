#pragma once
#include <vector>

#include "app/config/config_loader.hpp"

namespace toolhost::app {

/// Where a configuration is looked at.
enum class Machine {
  kServing,  ///< where the host runs
  kOther,    ///< where files, variables and secrets that it names need not be
};

/// What would end a start of the host, or leave out a part of it in silence, although each value is of the right form:
/// ports that meet, sign-in without a client_id; on the serving machine also secrets that are not there or too short,
/// and TLS files that cannot be used. Reads those files; asks nobody. A pipe is not looked at: it can be read but once.
/// In the order of the file.
std::vector<ConfigProblem> check_start(const HostConfig& config, Machine machine);

}  // namespace toolhost::app
