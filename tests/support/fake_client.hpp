#pragma once
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "plugin_runtime/plugin_host.hpp"

namespace toolhost::plugin_runtime {

/// A client that remembers what it was told.
class FakeClient final : public ClientPort {
 public:
  [[nodiscard]] bool can(AskKind kind) const noexcept override { return kinds.contains(kind); }
  [[nodiscard]] bool wants_progress() const noexcept override { return true; }
  [[nodiscard]] bool wants(LogLevel level) const noexcept override { return level >= least; }
  [[nodiscard]] bool is_streamed() const noexcept override { return streamed; }
  void progress(double done, std::optional<double> total, std::string_view message) override {
    if (on_progress) on_progress(done);
    steps.push_back(done);
    last_step = std::to_string(static_cast<int>(done)) + "/" +
                (total ? std::to_string(static_cast<int>(*total)) : "?") + " " + std::string(message);
  }
  void log(LogLevel level, std::string_view logger, std::string_view data_json) override {
    messages.push_back(std::to_string(static_cast<int>(level)) + " " + std::string(logger) + " " +
                       std::string(data_json));
  }
  void let_go() override { ++times_let_go; }
  std::optional<KeptStream> settle() noexcept override { return kept; }
  [[nodiscard]] std::string encode(const ToolResult& result) const override { return result.content_json; }

  std::set<AskKind> kinds{AskKind::kForm, AskKind::kUrl, AskKind::kSampling, AskKind::kRoots};
  LogLevel least = LogLevel::kDebug;
  bool streamed = false;
  std::optional<KeptStream> kept;
  std::function<void(double)> on_progress;  ///< may be empty
  std::vector<double> steps;
  std::string last_step;
  std::vector<std::string> messages;
  int times_let_go = 0;
};

}  // namespace toolhost::plugin_runtime
