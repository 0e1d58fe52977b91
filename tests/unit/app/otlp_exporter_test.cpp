#include "app/otlp_exporter.hpp"

#include <gmock/gmock.h>

#include "support/https_server.hpp"

namespace toolhost::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class NoEvents final : public observability::EventSink {
 public:
  void emit(const observability::Event& /*event*/) noexcept override {}
};

class OtlpExporterTest : public ::testing::Test {
 protected:
  void call(std::string_view tool) {
    batch_.emit(observability::ToolCalled{.caller = caller_, .tool = tool, .plugin = "p", .outcome = "ok"});
  }
  std::vector<std::string> bodies() const {
    std::vector<std::string> all;
    for (const auto& request : server_.seen()) all.push_back(request.body);
    return all;
  }
  /// Ends the exporter once the collector has not taken the first span, and a second one waits.
  void end_behind_a_refusal() {
    auto exporter = OtlpExporter::start({.url = server_.url("/v1/traces")}, batch_, events_);
    ASSERT_TRUE(exporter) << exporter.error().message;
    call("first");
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (server_.seen().empty() && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    call("second");
  }

  std::atomic<int> refusals_{1};
  test_support::HttpsServer server_{
      std::nullopt, [this](const auto&) { return test_support::reply(refusals_-- > 0 ? 503 : 200, "{}"); }};
  Caller caller_;
  NoEvents events_;
  observability::SpanBatch batch_{{.version = "1"}};
};

TEST_F(OtlpExporterTest, SendsAtItsEndWhatCameBehindWhatWasRefused) {
  end_behind_a_refusal();
  EXPECT_THAT(bodies(), ElementsAre(HasSubstr("first"), AllOf(HasSubstr("first"), Not(HasSubstr("second"))),
                                    HasSubstr("second")));
  EXPECT_EQ(batch_.dropped(), 0u);
}

TEST_F(OtlpExporterTest, CountsAtItsEndAllThatNobodyTook) {
  refusals_ = 1000;
  end_behind_a_refusal();
  EXPECT_EQ(batch_.dropped(), 2u);
}

}  // namespace
}  // namespace toolhost::app
