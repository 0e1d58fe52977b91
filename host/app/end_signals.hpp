#pragma once
#include <csignal>

namespace toolhost::app {

/// Blocks the signals that end the host, for this thread and all that it starts, so that the main loop receives them.
inline sigset_t block_end_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);  // a client that went away is an error code, not the end of the process
  return signals;
}

}  // namespace toolhost::app
