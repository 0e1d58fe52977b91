#pragma once
#include <memory>

#include "app/config/host_config.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "transport/stdio_pipe.hpp"

namespace toolhost::app {

/// Serves this machine's tools to the one client at the other end of the pipe, on behalf of `key`, until the client
/// closes its end or a signal comes: beside `toolhost serve` on the same data, or without it. No jobs, no portal, no
/// listeners. An error: it could not begin, and nothing was read from the pipe. Main thread.
Result<> serve_stdio(const HostConfig& config, const std::shared_ptr<transport::StdioPipe>& pipe, Secret key);

}  // namespace toolhost::app
