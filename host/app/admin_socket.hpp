#pragma once
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"

namespace toolhost::app {

/// Answers a request with one line of JSON. Called on the server's thread, one at a time; others wait meanwhile, so it
/// takes a second at most when it can.
using AdminHandler = std::function<std::string(const json::Value& request)>;
/// By the name that stands in the request as "command".
using AdminHandlers = std::map<std::string, AdminHandler, std::less<>>;

/// An answer that AdminClient::ask() turns back into this error; without the detail.
std::string admin_error(const Error& error);

/// How commands reach a running host: the Unix socket `admin.sock` in its data directory, for the user that runs the
/// host. A line of JSON, at most 1 MiB, is answered with one line. Who has not sent a whole one after five seconds, or
/// does not read for as long, is dropped. 32 connections are open at a time; more wait, or take the place of one that
/// has its answer, or has not asked within a quarter of a second.
class AdminServer {
 public:
  struct Limits {
    std::chrono::milliseconds patience{5000};
    std::chrono::milliseconds courtesy{250};  ///< patience while others wait
    std::size_t max_request_bytes = std::size_t{1} << 20;
    std::size_t max_clients = 32;
  };
  /// The directory must exist. The socket of a host that was killed is replaced; kConflict when another host that lives
  /// has it. `limits` are for tests.
  static Result<std::unique_ptr<AdminServer>> start(const std::filesystem::path& data_dir, AdminHandlers handlers,
                                                    const Limits& limits);
  static Result<std::unique_ptr<AdminServer>> start(const std::filesystem::path& data_dir, AdminHandlers handlers) {
    return start(data_dir, std::move(handlers), Limits());
  }
  /// Waits for a handler that runs, removes the socket.
  virtual ~AdminServer() = default;
};

class AdminClient {
 public:
  /// Sends `request`, a JSON object on one line, and waits for the answer. kUnavailable "no host is running on DIR",
  /// kDenied when the host is another user's, kTimeout; otherwise the error that the host answered with.
  static Result<std::string> ask(const std::filesystem::path& data_dir, std::string_view request,
                                 std::chrono::milliseconds limit = std::chrono::seconds(60));
};

}  // namespace toolhost::app
