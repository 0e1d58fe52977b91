#include <toolhost/plugin.hpp>

#include <stdexcept>

/// Handlers that throw: each must end as a failed call, with the process alive.
struct Throwing {
  void throw_exception(toolhost::Call&) { throw std::runtime_error("a secret that clients must not see"); }
  void throw_int(toolhost::Call&) { throw 42; }
  void throw_error(toolhost::Call&) { throw toolhost::Error(TH_E_NOT_FOUND, "There is no such thing."); }
};

TH_PLUGIN(Throwing, "throwing", "Throwing", "1.0.0",
          tool<&Throwing::throw_exception>("throw_exception").description("Throws std::runtime_error."),
          tool<&Throwing::throw_int>("throw_int").description("Throws an int."),
          tool<&Throwing::throw_error>("throw_error").description("Throws toolhost::Error."))
