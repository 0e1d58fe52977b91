#pragma once
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>

#include "fakes.hpp"
#include "protocol/mcp_endpoint.hpp"

namespace toolhost::protocol {

using transport::HttpResponse;
using transport::Method;

/// A request and everything its views point to.
struct Request {
  Method method = Method::kPost;
  std::string path = "/mcp", query, body;
  std::string key = "one", authorization, accept, content_type = "application/json", version;
  std::string mcp_method, mcp_name;
  std::vector<transport::NamedText> params;  ///< Mcp-Param fields
  std::optional<std::string> session;
};

/// A request on its way; the endpoint's coroutine runs on the fixture's context.
struct Exchange {
  explicit Exchange(Request sent) : request(std::move(sent)) {
    view.method = request.method;
    view.path = request.path;
    view.query = request.query;
    view.body = request.body;
    view.x_api_key = request.key;
    view.authorization = request.authorization;
    view.accept = request.accept;
    view.content_type = request.content_type;
    view.mcp_protocol_version = request.version;
    view.mcp_method = request.mcp_method;
    view.mcp_name = request.mcp_name;
    view.params = request.params;
    view.has_mcp_session_id = request.session.has_value();
    if (request.session) view.mcp_session_id = *request.session;
  }
  const Request request;
  transport::HttpRequest view;
  HttpResponse response;
  bool is_answered = false;
};

class Endpoint : public testing::Test {
 protected:
  Endpoint() { start({}); }

  /// Begins anew, with this configuration.
  void start(McpConfig config) {
    endpoint_.reset();
    config.server_version = "1.0";
    config.max_streams_per_key = 2;
    config.sealing_key = Secret(std::string(32, 's'));
    endpoint_ = McpEndpoint::create(std::move(config), gatekeeper_, plugins_, events_);
  }

  std::unique_ptr<Exchange> send(Request request) {
    auto exchange = std::make_unique<Exchange>(std::move(request));
    const auto run = [](McpEndpoint& endpoint, Exchange& current) -> boost::asio::awaitable<void> {
      co_await endpoint.handle(current.view, current.response);
      current.is_answered = true;
    };
    boost::asio::co_spawn(context_, run(*endpoint_, *exchange), boost::asio::detached);
    pump();
    return exchange;
  }
  void pump() {
    context_.restart();
    context_.poll();  // a coroutine that waits counts as work: run() would wait with it
  }
  HttpResponse ask(Request request) {
    auto exchange = send(std::move(request));
    EXPECT_TRUE(exchange->is_answered);
    return std::move(exchange->response);
  }
  HttpResponse call(std::string body, std::string version = {}) {
    return ask({.body = std::move(body), .version = std::move(version)});
  }
  std::string initialize(std::string revision = "2025-11-25", std::string key = "one") {
    const auto response = ask(
        {.body = R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":")" + revision + "\"}}",
         .key = std::move(key)});
    EXPECT_EQ(response.status, 200U);
    const std::string field = "Mcp-Session-Id: ";
    const auto at = response.headers.find(field) + field.size();
    return response.headers.substr(at, response.headers.find("\r\n", at) - at);
  }

  static std::string slow(int id) {
    return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":"tools/call","params":{"name":"slow"}})";
  }

  fakes::FakeGatekeeper gatekeeper_;
  fakes::FakePluginHost plugins_;
  fakes::RecordingEvents events_;
  boost::asio::io_context context_;
  std::unique_ptr<McpEndpoint> endpoint_;
};

inline constexpr const char* kPing = R"({"jsonrpc":"2.0","id":1,"method":"ping"})";
inline constexpr const char* kPong = R"({"jsonrpc":"2.0","id":1,"result":{}})";
inline constexpr const char* kEcho =
    R"({"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"echo","arguments":{"a":1}}})";

}  // namespace toolhost::protocol
