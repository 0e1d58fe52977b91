// The one translation unit that compiles Boost.JSON, so that no boost library has to be linked.
#include <boost/json/src.hpp>
