#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "fakes.hpp"
#include "protocol/dispatcher.hpp"
#include "protocol/era.hpp"
#include "protocol/sse_endpoint.hpp"

namespace toolhost::protocol {
namespace {

/// One line of a transcript: {"send": message} or {"send_text": "..."}, then {"expect": message}, {"expect_status": n}
/// for a refused POST, or nothing expected at all. {"finish": true} lets the longest waiting "slow" call end;
/// {"offer": true} adds resources, templates, prompts, completions and log messages to the tools. Files "modern-..."
/// play without HTTP; all others over /sse.
class Transcript : public testing::TestWithParam<std::filesystem::path> {
 protected:
  void play(const json::Value& step) {
    std::string text;
    json::Value message;
    std::string_view raw;
    if (json::find(step, "offer").get(message) == simdjson::SUCCESS) return offer();
    if (json::find(step, "send").get(message) == simdjson::SUCCESS) text = json::to_text(message);
    if (json::find(step, "send_text").get(raw) == simdjson::SUCCESS) text = raw;
    std::int64_t status = 202;
    (void)json::find(step, "expect_status").get(status);
    const auto first_event = stream_->events.size();
    if (text.empty())
      plugins_.finish_next();
    else if (is_modern_)
      send_modern(text);
    else
      send_to_sse(text, static_cast<unsigned>(status));
    std::vector<std::string> expected;
    if (json::find(step, "expect").get(message) == simdjson::SUCCESS)
      expected.push_back("message " + json::to_text(message));
    const std::vector<std::string> seen(stream_->events.begin() + static_cast<std::ptrdiff_t>(first_event),
                                        stream_->events.end());
    EXPECT_EQ(seen, expected);
  }

  void offer() {
    auto& tools = plugins_.tools();
    auto& resource = tools.add_resource("page", "hd://page");
    resource.title = "A page";
    resource.mime_type = "text/plain";
    resource.icons_json = R"([{"src":"data:,x"}])";
    tools.add_resource("ticket", "hd://ticket/{id}").complete = fakes::FakeRegistry::handler("resource:ticket");
    auto& prompt = tools.add_prompt("sum_up");
    prompt.title = "Sum up";
    prompt.arguments = {{"id", "The ticket", "Which", true}};
    tools.logging_plugin = "test";
    tools.renew();
  }

  /// The refusal of a POST is compared like an answer.
  void send_to_sse(const std::string& text, unsigned expected_status) {
    const std::string query = "sessionId=" + session_->id();
    transport::HttpRequest request;
    request.method = transport::Method::kPost;
    request.query = query;
    request.content_type = "application/json";
    request.body = text;
    transport::HttpResponse response;
    endpoint_.post(request, response, caller_);
    EXPECT_EQ(response.status, expected_status) << response.body;
    if (response.status != 202) stream_->events.push_back("message " + response.body);
  }

  void send_modern(const std::string& text) {
    auto parsed = parse_message(text);
    if (const auto* const error = std::get_if<RpcError>(&parsed)) return answer(encode_error(*error, kModern));
    auto& message = std::get<Message>(parsed);
    const auto routed = route(message, {});
    if (const auto* const error = std::get_if<RpcError>(&routed)) return answer(encode_error(*error, kModern));
    RequestContext context;
    context.caller = caller_;
    context.session = sessions_->without_session(*caller_);
    context.shares_session = true;
    if (const auto* const envelope = std::get_if<Envelope>(&routed)) {
      context.revision = kModern;
      context.capabilities = envelope->capabilities;
    }
    dispatcher_.answer(std::move(message), context, [this](const Reply& reply) {
      if (const auto* const its_text = message_of(reply)) answer(*its_text);
    });
  }
  void answer(const std::string& text) { stream_->events.push_back("message " + text); }

  static constexpr auto kModern = Revision::k2026_07_28;
  const bool is_modern_ = GetParam().filename().string().starts_with("modern-");
  fakes::FakeGatekeeper gatekeeper_;
  fakes::FakePluginHost plugins_;
  fakes::RecordingEvents events_;
  const Secret sealing_key_{std::string(32, 's')};
  std::shared_ptr<SessionTable> sessions_ =
      std::make_shared<SessionTable>(sealing_key_, SessionLimits{std::chrono::hours(1), 10, 10});
  static McpConfig config() {
    McpConfig config;
    config.server_version = "1.0";
    config.tools_page_size = 2;
    config.sealing_key = Secret(std::string(32, 's'));
    return config;
  }
  Dispatcher dispatcher_{config(), gatekeeper_, plugins_, events_};
  const std::shared_ptr<StreamTable> streams_ = std::make_shared<StreamTable>(sealing_key_, StreamsConfig{}, nullptr);
  StreamResume resume_{dispatcher_, streams_};
  FellowHosts fellows_{dispatcher_, gatekeeper_, sessions_, *streams_, resume_, events_};
  SseEndpoint endpoint_{dispatcher_, sessions_, streams_, resume_, fellows_};
  const CallerPtr caller_ = fakes::caller(1);
  const std::shared_ptr<fakes::RecordingStream> stream_ = std::make_shared<fakes::RecordingStream>();
  const SessionPtr session_ = sessions_->open_stream(*caller_, stream_);
};

TEST_P(Transcript, IsAnsweredAsWritten) {
  std::ifstream file(GetParam());
  std::string line;
  int steps = 0;
  for (int number = 1; std::getline(file, line); ++number) {
    SCOPED_TRACE(GetParam().filename().string() + ":" + std::to_string(number) + ": " + line);
    json::Document document;
    const auto step = document.parse(line);
    ASSERT_TRUE(step) << step.error().message;
    play(*step);
    ++steps;
  }
  EXPECT_GT(steps, 0);
}

std::vector<std::filesystem::path> transcripts() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(TRANSCRIPT_DIRECTORY)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

INSTANTIATE_TEST_SUITE_P(Files, Transcript, testing::ValuesIn(transcripts()), [](const auto& info) {
  std::string name = info.param.stem().string();
  std::replace_if(name.begin(), name.end(), [](char c) { return c == '-' || c == '.'; }, '_');
  return name;
});

}  // namespace
}  // namespace toolhost::protocol
