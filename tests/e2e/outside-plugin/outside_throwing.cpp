// Throws in a handler; the C++ wrapper keeps the exception inside the plugin.
#include <stdexcept>

#include <toolhost/plugin.hpp>

struct Throwing {
  void throw_exception(toolhost::Call&) { throw std::runtime_error("thrown on purpose by outside_throwing"); }
};

TH_PLUGIN(Throwing, "outside_throwing", "Throwing", "1.0.0",
          tool<&Throwing::throw_exception>("outside_throw").description("Throws std::runtime_error."))
