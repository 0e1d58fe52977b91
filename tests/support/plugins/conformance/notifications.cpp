#include "fixtures.hpp"

namespace conformance {

void Notifications::logging(Call& call) {
  constexpr int kInfo = 1;
  call.tell(kInfo, "Tool execution started");
  wait_ms(50);
  call.tell(kInfo, "Tool processing data");
  wait_ms(50);
  call.tell(kInfo, "Tool execution completed");
  call.text("Logged three times.");
}

void Notifications::progress(Call& call) {
  call.progress(0, 100, "started");
  wait_ms(55);  // a little longer than the host lets pass between two
  call.progress(50, 100, "half way");
  wait_ms(55);
  call.progress(100, 100, "done");
  call.text("Told three times how far it was.");
}

void Notifications::reconnection(Call& call) {
  call.let_go();
  wait_ms(100);
  call.text("Reconnection test completed successfully.");
}

}  // namespace conformance
