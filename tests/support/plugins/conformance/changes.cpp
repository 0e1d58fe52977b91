#include "fixtures.hpp"

namespace conformance {

void Changes::tools(Call& call) {
  host_.changed(TH_LIST_TOOLS);
  call.text("The list of tools has changed.");
}

void Changes::prompts(Call& call) {
  host_.changed(TH_LIST_PROMPTS);
  call.text("The list of prompts has changed.");
}

void Changes::watched_resource(Call& call) {
  call.updated("test://watched-resource");
  call.text("The watched resource has changed.");
}

void Changes::custom_header(Call& call, const Region& in) {
  call.text("Runs in " + in.region + '.');
}

}  // namespace conformance
