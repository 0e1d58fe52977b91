#include <toolhost/plugin.hpp>

/// The cheapest possible tool: what a call costs without any work in it.
struct Echo {
  struct Text {
    std::string text;
  };
  Text echo(toolhost::Call& call, const Text& in) {
    call.text(in.text);
    return in;
  }
};
TH_FIELDS(Echo::Text, field("text", &Echo::Text::text, "What to send back").range(0, 100000))

TH_PLUGIN(
    Echo, "echo", "Echo", "1.0.0",
    tool<&Echo::echo>("echo").title("Echo").description("Sends its text back.").read_only().idempotent().non_blocking())
