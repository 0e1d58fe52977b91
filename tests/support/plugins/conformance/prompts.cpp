#include "fixtures.hpp"

namespace conformance {

using toolhost::Completing;
using toolhost::Prompting;

void Prompts::simple(Prompting& call) {
  call.user("This is a simple prompt for testing.");
}

void Prompts::with_arguments(Prompting& call, const PromptArguments& in) {
  call.user("Prompt with arguments: arg1='" + in.arg1 + "', arg2='" + in.arg2 + '\'');
}

void Prompts::complete_argument(Completing& call) {
  for (const std::string_view word : {"paris", "park", "party", "test"})
    if (word.starts_with(call.typed())) call.value(word);
}

void Prompts::with_embedded_resource(Prompting& call, const EmbeddedArguments& in) {
  call.message(TH_ROLE_USER, toolhost::Content::resource(in.resourceUri, "Embedded resource content.", "text/plain"));
  call.user("Please process the embedded resource above.");
}

void Prompts::with_image(Prompting& call) {
  call.message(TH_ROLE_USER, toolhost::Content::image(png(), "image/png"));
  call.user("Please analyze the image above.");
}

void Prompts::input_required(Prompting& call) {
  const auto answer = call.ask("user_context", toolhost::Form("What context should the prompt use?").text("context"));
  call.user("Use this context: " + answer.get<std::string>("context").value_or("none"));
}

}  // namespace conformance
