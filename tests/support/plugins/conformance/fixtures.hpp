#pragma once
#include <toolhost/plugin.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <thread>

/// What the official conformance suites expect a server to offer, by family. Names, texts and delays are theirs.
namespace conformance {

using toolhost::Call;

/// A picture of one white pixel.
inline std::string_view png() {
  static constexpr unsigned char kBytes[] = {
      0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00,
      0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00, 0x00, 0x3a, 0x7e, 0x9b, 0x55, 0x00,
      0x00, 0x00, 0x0a, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0xf8, 0x0f, 0x00, 0x01, 0x01, 0x01, 0x00,
      0x1c, 0xb0, 0x8c, 0x99, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
  return {reinterpret_cast<const char*>(kBytes), sizeof kBytes};
}

inline void wait_ms(int milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

/// Blocks of each kind, and an error.
struct Content {
  void simple_text(Call& call);
  void image(Call& call);
  void embedded_resource(Call& call);
  void mixed(Call& call);
  void error(Call& call);
};

/// What a call tells its client before its result.
struct Notifications {
  void logging(Call& call);
  void progress(Call& call);
  void reconnection(Call& call);
};

struct SamplingArguments {
  std::string prompt;
};
struct ElicitationArguments {
  std::string message;
};

/// Questions of the handshake revisions.
struct Questions {
  void sampling(Call& call, const SamplingArguments& in);
  void elicitation(Call& call, const ElicitationArguments& in);
  void defaults(Call& call);
  void enums(Call& call);
};

/// Questions of the stateless revision.
struct InputRequired {
  void elicitation(Call& call);
  void sampling(Call& call);
  void list_roots(Call& call);
  void request_state(Call& call);
  void multiple_inputs(Call& call);
  void multi_round(Call& call);
  void tampered_state(Call& call);
  void capabilities(Call& call);
  void missing_capability(Call& call);
  void streaming_elicitation(Call& call);
};

struct Region {
  std::string region;
};

/// Lists that change, and a resource that does; an argument that is repeated in a header.
struct Changes {
  explicit Changes(toolhost::Host& host) : host_(host) {}
  void tools(Call& call);
  void prompts(Call& call);
  void watched_resource(Call& call);
  void custom_header(Call& call, const Region& in);

 private:
  toolhost::Host host_;
};

struct Resources {
  void read_text(toolhost::Reading& call);
  void read_binary(toolhost::Reading& call);
  void read_watched(toolhost::Reading& call);
  void read_template(toolhost::Reading& call);
  void complete_id(toolhost::Completing& call);
};

struct PromptArguments {
  std::string arg1, arg2;
};
struct EmbeddedArguments {
  std::string resourceUri;  // NOLINT(readability-identifier-naming): the suites' name
};

struct Prompts {
  void simple(toolhost::Prompting& call);
  void with_arguments(toolhost::Prompting& call, const PromptArguments& in);
  void complete_argument(toolhost::Completing& call);
  void with_embedded_resource(toolhost::Prompting& call, const EmbeddedArguments& in);
  void with_image(toolhost::Prompting& call);
  void input_required(toolhost::Prompting& call);
};

TH_FIELDS(SamplingArguments, field("prompt", &SamplingArguments::prompt, "What to ask the model"))
TH_FIELDS(ElicitationArguments, field("message", &ElicitationArguments::message, "What to ask the person"))
TH_FIELDS(Region, field("region", &Region::region, "Where to run").header("Region"))
TH_FIELDS(PromptArguments, field("arg1", &PromptArguments::arg1, "The first argument"),
          field("arg2", &PromptArguments::arg2, "The second argument"))
TH_FIELDS(EmbeddedArguments, field("resourceUri", &EmbeddedArguments::resourceUri, "URI of the resource to embed"))

}  // namespace conformance
