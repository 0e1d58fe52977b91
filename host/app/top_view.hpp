#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "app/http_front.hpp"
#include "base/result.hpp"
#include "observability/metrics.hpp"

namespace toolhost::app {

/// What `status` and `top` say of the host as a whole.
struct HostStatus {
  std::string version, config_file;
  std::uint64_t generation = 0;
  std::chrono::seconds uptime{0};
  std::uint64_t keys = 0, connections = 0, streams = 0, sessions = 0, running_calls = 0, queued_calls = 0;
  ReadinessReport readiness{};
};
/// One JSON object on one line; likewise below.
std::string to_json(const HostStatus& status);

struct Top {
  HostStatus status;
  observability::RecentActivity activity;
};
std::string to_json(const Top& top);
/// What to_json() wrote; kInternal when it is something else.
Result<Top> top_from_json(std::string_view text);

enum class TopBy { kAll, kTenants, kTools, kKeys };
/// Tables for people, at most `lines` lines of `width` characters; 0: as many as there are.
std::string to_text(const Top& top, TopBy by, std::size_t lines, std::size_t width);

}  // namespace toolhost::app
