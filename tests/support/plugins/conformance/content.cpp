#include "fixtures.hpp"

namespace conformance {

void Content::simple_text(Call& call) {
  call.text("This is a simple text response for testing.");
}

void Content::image(Call& call) {
  call.image(png(), "image/png");
}

void Content::embedded_resource(Call& call) {
  call.content(
      toolhost::Content::resource("test://embedded-resource", "This is an embedded resource content.", "text/plain"));
}

void Content::mixed(Call& call) {
  call.text("Multiple content types test:");
  call.image(png(), "image/png");
  call.content(toolhost::Content::resource("test://mixed-content-resource", R"({"test":"data","value":123})",
                                           "application/json"));
}

void Content::error(Call&) {
  throw toolhost::Error(TH_E_INVALID, "This tool intentionally returns an error for testing");
}

}  // namespace conformance
