#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "access/api_key.hpp"
#include "access/gatekeeper.hpp"
#include "integration/transport/raw_client.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "protocol/mcp_endpoint.hpp"
#include "storage/stream_store.hpp"
#include "support/temp_postgres.hpp"
#include "transport/http.hpp"

namespace toolhost::protocol {

using transport::testing::RawClient;
using transport::testing::RawResponse;

/// Polls; true as soon as the condition holds, false after five seconds.
inline bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

/// An HTTP request as bytes.
inline std::string http(std::string_view method, std::string_view target, std::string_view key,
                        std::string_view fields = {}, std::string_view body = {}) {
  std::string text = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n";
  if (!key.empty()) text += "X-API-Key: " + std::string(key) + "\r\n";
  text += fields;
  if (method == "POST")
    text += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  return text + "\r\n" + std::string(body);
}

inline std::string call(const std::string& id, const std::string& tool, const std::string& arguments) {
  return R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":"tools/call","params":{"name":")" + tool +
         R"(","arguments":)" + arguments + "}}";
}
inline std::string initialize(const std::string& revision, const std::string& capabilities = "{}") {
  return R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":")" + revision +
         R"(","capabilities":)" + capabilities + R"(,"clientInfo":{"name":"test","version":"1"}}})";
}
/// A request of 2026-07-28; `params` are members without braces, `meta` likewise.
inline std::string modern(const std::string& id, const std::string& method, const std::string& params = {},
                          const std::string& capabilities = "{}", const std::string& meta = {}) {
  return R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":")" + method + R"(","params":{)" + params +
         (params.empty() ? "" : ",") +
         R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":)" +
         capabilities + (meta.empty() ? "" : ",") + meta + "}}}";
}
/// The fields that go with it.
inline std::string modern_fields(const std::string& method, const std::string& name = {}) {
  return "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: " + method +
         "\r\n" + (name.empty() ? "" : "Mcp-Name: " + name + "\r\n");
}

/// The value of a response's field; empty when it has none.
inline std::string field(const RawResponse& response, const std::string& name) {
  const auto at = response.head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const auto begin = at + name.size() + 4;
  return response.head.substr(begin, response.head.find("\r\n", begin) - begin);
}

/// An open event stream.
class EventStream {
 public:
  EventStream(std::uint16_t port, std::string_view target, std::string_view key, std::string_view fields = {})
      : EventStream(port,
                    http("GET", target, key, std::string("Accept: text/event-stream\r\n") + std::string(fields))) {}
  /// The answer to this request.
  EventStream(std::uint16_t port, std::string_view request) : client_(port) {
    client_.send(request);
    head = client_.read_until("\r\n\r\n");
  }
  /// The data of the next event that has any and is no comment; empty at the end of the stream.
  std::string next() {
    for (;;) {
      const auto end = buffer_.find("\n\n");
      if (end == std::string::npos) {
        const auto chunk = client_.read_chunk();
        if (chunk.empty()) return {};
        buffer_ += chunk;
        continue;
      }
      const auto event = buffer_.substr(0, end);
      buffer_.erase(0, end + 2);
      if (const auto data = event.find("data: "); data != std::string::npos && data + 6 < event.size())
        return event.substr(data + 6);
    }
  }
  [[nodiscard]] bool is_open() const { return head.find(" 200 ") != std::string::npos; }

  std::string head;

 private:
  RawClient client_;
  std::string buffer_;
};

/// What a host without its command line is made of, in the order in which it is built.
struct McpHostParts {
  std::unique_ptr<storage::StreamStore> streams;  ///< null: nothing outlives the host
  std::unique_ptr<plugin_runtime::PluginHost> plugins;
  std::unique_ptr<access::Gatekeeper> gatekeeper;
  std::unique_ptr<McpEndpoint> endpoint;
  std::unique_ptr<transport::HttpServer> server;

  void stop(std::chrono::milliseconds drain = std::chrono::milliseconds(0)) {
    endpoint->stop(drain);
    server->stop(std::chrono::seconds(1));
    plugins->stop(drain);
    server.reset();
    endpoint.reset();
    gatekeeper.reset();
    plugins.reset();
    streams.reset();
  }
};

struct McpHostSetup {
  std::vector<std::string> plugins{"echo", "slow"};  ///< of the test plugins
  access::PolicyPtr policy;                          ///< null: the built-in one
  StreamsConfig streams;
  std::chrono::seconds ask_limit{600};
  bool has_store = false;
};

inline McpHostParts start_host(const storage::DatabaseAddress& database, const std::filesystem::path& store_directory,
                               observability::EventSink& events, const McpHostSetup& setup) {
  McpHostParts host;
  plugin_runtime::PluginHostConfig plugins;
  for (const auto& plugin : setup.plugins) {
    plugins.plugins.push_back(
        {.file = std::filesystem::path(TOOLHOST_TEST_PLUGINS) / (plugin + ".so"), .settings_json = {}});
  }
  plugins.store_directory = store_directory;
  plugins.sealing_key = Secret(std::string(32, 's'));
  if (setup.has_store) host.streams = storage::StreamStore::start(database, setup.streams.keep, events).value();
  host.plugins = plugin_runtime::PluginHost::start(std::move(plugins), database, events).value();
  host.gatekeeper =
      access::Gatekeeper::start(database, Secret(std::string(32, 'p')), {.policy = setup.policy}, events).value();
  McpConfig config;
  config.server_version = "1.0";
  config.sealing_key = Secret(std::string(32, 's'));
  config.streams = setup.streams;
  config.ask_limit = setup.ask_limit;
  config.stream_store = host.streams.get();
  host.endpoint = McpEndpoint::create(std::move(config), *host.gatekeeper, *host.plugins, events);
  transport::HttpServerConfig http_config;
  http_config.port = 0;
  http_config.io_threads = 2;
  host.server = transport::HttpServer::start(http_config, *host.endpoint, events).value();
  return host;
}

/// A whole host without its command line: PostgreSQL, plugins, keys, MCP, HTTP.
class McpHostTest : public testing::Test {
 protected:
  void SetUp() override {
    postgres_.run_sql("truncate toolhost.tenants cascade");
    store_ = storage::DirectoryStore::create(postgres_.address());
    tenant_ = store_->create_tenant("acme", "Acme", "UTC", {"test"}).value().id;
    key_ = add_key();
    std::string name = (std::filesystem::temp_directory_path() / "toolhost-mcp-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    start();
  }
  void TearDown() override {
    stop();
    std::filesystem::remove_all(directory_);
  }

  void start() {
    setup_.policy = policy_;
    auto host = start_host(postgres_.address(), directory_ / "store", events_, setup_);
    streams_ = std::move(host.streams);
    plugins_ = std::move(host.plugins);
    gatekeeper_ = std::move(host.gatekeeper);
    endpoint_ = std::move(host.endpoint);
    server_ = std::move(host.server);
    port_ = server_->port();
  }
  void stop(std::chrono::milliseconds drain = std::chrono::milliseconds(0)) {
    McpHostParts{.streams = std::move(streams_),
                 .plugins = std::move(plugins_),
                 .gatekeeper = std::move(gatekeeper_),
                 .endpoint = std::move(endpoint_),
                 .server = std::move(server_)}
        .stop(drain);
  }

  std::string add_key() {
    const auto key = access::generate_key(pepper_);
    EXPECT_TRUE(
        store_->insert_key({.tenant = tenant_, .name = "key", .prefix = key.prefix, .hash = key.hash}, {"test"}));
    std::string text(key.text.reveal());
    if (gatekeeper_ != nullptr)
      EXPECT_TRUE(eventually([&] { return gatekeeper_->authenticate(text, "", "127.0.0.1").has_value(); }));
    return text;
  }
  void delete_key(const std::string& text) {
    EXPECT_TRUE(store_->delete_key_by_hash(access::hash_key(pepper_, text), {"test"}));
  }

  /// One request on a connection of its own.
  RawResponse ask(std::string_view request) const {
    RawClient client(port_);
    client.send(request);
    return client.read_response();
  }
  RawResponse post(std::string_view body, std::string_view fields = {}, std::string_view target = "/mcp") const {
    return ask(http("POST", target, key_, fields, body));
  }
  /// The field line of a new session.
  std::string open_session(const std::string& revision = "2025-11-25") const {
    return "Mcp-Session-Id: " + field(post(initialize(revision)), "Mcp-Session-Id") + "\r\n";
  }

  test_support::TempPostgres& postgres_ = test_support::TempPostgres::shared();
  test_support::NullEvents events_;
  const Secret pepper_{std::string(32, 'p')};
  std::unique_ptr<storage::DirectoryStore> store_;
  TenantId tenant_{};
  std::string key_;
  std::filesystem::path directory_;
  access::PolicyPtr policy_;  ///< that start() begins with; null: the built-in one
  McpHostSetup setup_;        ///< likewise
  std::unique_ptr<storage::StreamStore> streams_;
  std::unique_ptr<plugin_runtime::PluginHost> plugins_;
  std::unique_ptr<access::Gatekeeper> gatekeeper_;
  std::unique_ptr<McpEndpoint> endpoint_;
  std::unique_ptr<transport::HttpServer> server_;
  std::uint16_t port_ = 0;
};

}  // namespace toolhost::protocol
