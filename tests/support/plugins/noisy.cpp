#include <toolhost/plugin.hpp>

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>

/// Prints where a plugin must not, in all the ways there are.
struct Noisy {
  Noisy() { shout("loaded"); }
  void chatter(toolhost::Call& call) {
    shout("called");
    call.text("said it");
  }

 private:
  static void shout(const char* what) {
    std::printf("noise: printf %s\n", what);
    std::fflush(stdout);
    std::cout << "noise: cout " << what << std::endl;
    [[maybe_unused]] const auto written = ::write(1, "noise: write\n", 13);
    [[maybe_unused]] const auto code = std::system("echo noise: another program; cat");  // which reads its input, too
  }
};

TH_PLUGIN(Noisy, "noisy", "Noisy", "1.0.0", tool<&Noisy::chatter>("chatter").description("Prints.").read_only())
