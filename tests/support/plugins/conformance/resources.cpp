#include "fixtures.hpp"

namespace conformance {

using toolhost::Completing;
using toolhost::Reading;

void Resources::read_text(Reading& call) {
  call.text("This is the content of the static text resource.", "text/plain");
}

void Resources::read_binary(Reading& call) {
  call.bytes(png(), "image/png");
}

void Resources::read_watched(Reading& call) {
  call.text("Watched resource content", "text/plain");
}

void Resources::read_template(Reading& call) {
  std::string json = R"({"id":)";
  toolhost::detail::append_json_string(json, call.variable("id"));
  call.text(json + R"(,"templateTest":true})", "application/json");
}

void Resources::complete_id(Completing& call) {
  for (const std::string_view id : {"123", "124", "456"})
    if (id.starts_with(call.typed())) call.value(id);
}

}  // namespace conformance
