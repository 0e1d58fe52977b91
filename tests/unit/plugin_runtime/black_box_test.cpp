#include "plugin_runtime/black_box.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <exception>
#include <thread>

namespace toolhost::plugin_runtime {
namespace {

/// Dies with a plugin on record, on a thread that is not the main one.
template <class Death>
void die_in_plugin(Death death) {
  install_black_box();
  std::thread([&] {
    const SignalStack stack;
    const BlackBoxScope scope("com.acme.tickets", "create_ticket", "0196-3d2c");
    death();
  }).join();
}

TEST(BlackBoxDeathTest, NamesThePluginToolAndRequestOfAFault) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(die_in_plugin([] { raise(SIGSEGV); }),
               "fatal SIGSEGV in plugin com.acme.tickets, tool create_ticket, request 0196-3d2c");
  EXPECT_DEATH(die_in_plugin([] { raise(SIGBUS); }), "fatal SIGBUS in plugin com.acme.tickets");
  EXPECT_DEATH(die_in_plugin([] { std::abort(); }), "fatal SIGABRT in plugin com.acme.tickets");
}

TEST(BlackBoxDeathTest, NamesThePluginWhoseExceptionEscaped) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(die_in_plugin([] { throw 42; }), "fatal exception or std::terminate.. in plugin com.acme.tickets");
}

TEST(BlackBoxDeathTest, SaysWhenNoPluginWasRunning) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        install_black_box();
        {
          const BlackBoxScope scope("com.acme.tickets", "create_ticket", "0196");
        }
        raise(SIGFPE);
      },
      "fatal SIGFPE outside of plugins");
}

}  // namespace
}  // namespace toolhost::plugin_runtime
